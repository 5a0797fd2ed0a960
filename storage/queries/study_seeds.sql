-- Question: where does any measured number end on each seed, so that groups can be paired by seed?
-- Parameters: $sweep_id, $factors, $metric, as for study_curves.
-- One row per group: levels holds its values as text, in the order of $factors. trial_ids, seeds,
-- outcomes and finals are lists of one length, by seed. An outcome is empty where a trial has not
-- ended. A final is the last finite recording of a trial that ended without diverging, else NULL.
with
-- include study_ends
select
    m.levels,
    list(m.trial_id order by m.seed, m.trial_id) as trial_ids,
    list(m.seed order by m.seed, m.trial_id) as seeds,
    list(m.outcome order by m.seed, m.trial_id) as outcomes,
    list(f.value order by m.seed, m.trial_id) as finals
from members m
left join finals f using (trial_id)
group by m.levels
order by m.levels

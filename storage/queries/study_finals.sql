-- Question: where does any measured number end, over seeds, for any grouping?
-- Parameters: $sweep_id, $factors, $metric, as for study_curves.
-- One row per group: levels holds its values as text, in the order of $factors. n, mean, stddev,
-- lowest, highest describe the last finite recording of the trials that ended without diverging;
-- the diverged ones are counted beside, because their last value says nothing. missing trials
-- have not ended or failed.
with
-- include study_ends
select
    m.levels,
    count(*) as planned,
    count(distinct m.seed) as seeds,
    count(*) filter (where m.outcome in ('done', 'reached_target', 'diverged')) as finished,
    count(*) filter (where m.outcome = 'diverged') as diverged,
    count(*) filter (where m.outcome = 'failed') as failed,
    count(*) filter (where m.outcome not in ('done', 'reached_target', 'diverged')) as missing,
    count(f.value) as n,
    avg(f.value) as mean,
    stddev_samp(f.value) as stddev,
    min(f.value) as lowest,
    max(f.value) as highest
from members m
left join finals f using (trial_id)
group by m.levels
order by m.levels

-- Question: which settings of this sweep have layers measured, and how deep are they?
-- Parameters: $sweep_id, $factors, as for study_curves.
-- One row per setting (levels, in the order of $factors) with rows in layers: how many trials it
-- has, the number of its deepest layer, and how many rows were recorded, fewer where trials
-- diverged.
with measured as (
    select trial_id, max(layer) as layers, count(*) as recorded
    from layers
    where trial_id in (select trial_id from sweep_trials where sweep_id = $sweep_id)
    group by trial_id
)
select
    t.config ->> $factors::varchar[] as levels,
    count(*) as trials,
    max(m.layers) as layers,
    sum(m.recorded)::bigint as recorded
from measured m
join trials t using (trial_id)
group by all
order by levels

-- Question: which way do trials with two parameters go from one start?
-- Parameters: $sweep_id, $factors, as for study_curves, $seed.
-- One row per trial and recording with both coordinates: levels, in the order of $factors, the
-- problem as JSON, and where the trial is after so many updates.
with members as (
    select
        t.trial_id,
        t.config ->> $factors::varchar[] as levels,
        t.config ->> '$.problem' as problem
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id and t.seed = $seed
),
points as (
    select
        trial_id,
        update,
        max(value) filter (where layer = 1) as x,
        max(value) filter (where layer = 2) as y
    from probes
    join members using (trial_id)
    where key = 'coordinate'
    group by trial_id, update
)
select m.levels, m.problem, p.trial_id, p.update as updates, p.x, p.y
from points p
join members m using (trial_id)
where isfinite(p.x) and isfinite(p.y)
order by m.levels, p.trial_id, updates

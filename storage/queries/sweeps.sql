-- Question: which sweeps are there, newest first, and how far is each?
-- Parameters: none.
-- One row per sweep. finished counts results (done, reached_target, diverged).
with counts as (
    select
        s.sweep_id,
        count(*) as trials,
        count(*) filter (where s.reused) as reused,
        count(*) filter (where t.outcome in ('done', 'reached_target', 'diverged')) as finished,
        count(*) filter (where t.outcome = 'diverged') as diverged,
        count(*) filter (where t.outcome = 'failed') as failed
    from sweep_trials s
    join trials t using (trial_id)
    group by s.sweep_id
)
select
    w.sweep_id,
    w.name,
    w.study,
    w.team,
    w.owner,
    w.status,
    w.created_at,
    coalesce(c.trials, 0) as trials,
    coalesce(c.finished, 0) as finished,
    coalesce(c.diverged, 0) as diverged,
    coalesce(c.failed, 0) as failed,
    coalesce(c.reused, 0) as reused
from sweeps w
left join counts c using (sweep_id)
order by w.created_at desc, w.sweep_id

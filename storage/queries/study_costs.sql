-- Question: after how many updates and samples is the grid's own target met, for any grouping?
-- Parameters: $sweep_id, $factors, as for study_curves.
-- One row per group and unit (updates, samples), over the trials that ended with a result and
-- whose grid has a target. A trial that never met it is censored, not dropped: reached of trials
-- counts it, and median treats it as later than all others (NULL where half or more never did).
-- mean and stddev run over the trials that did; they stand for the group only where all did.
-- Met means met at a recording, so the true cost is at most as large.
with members as (
    select
        t.trial_id,
        list_transform($factors::varchar[], lambda path: t.config ->> path) as levels,
        t.seed,
        replace(t.config ->> '$.target.metric', 'accuracy', 'score') as metric,
        coalesce(t.outcome, '') in ('done', 'reached_target', 'diverged') as finished,
        coalesce(t.outcome, '') = 'diverged' as diverged
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id and t.config ->> '$.target.metric' is not null
),
costs as (
    select m.*, u.unit, u.cost::double as cost
    from members m
    left join summaries z on z.trial_id = m.trial_id and z.metric = m.metric and m.finished
    cross join lateral (
        values ('updates', z.target_update), ('samples', z.target_samples)
    ) u (unit, cost)
)
select
    levels,
    unit,
    count(*) as planned,
    count(distinct seed) as seeds,
    count(*) filter (where finished) as trials,
    count(cost) as reached,
    count(*) filter (where diverged) as diverged,
    avg(cost) as mean,
    stddev_samp(cost) as stddev,
    if(
        count(cost) * 2 > count(*) filter (where finished),
        median(coalesce(cost, 1e300)) filter (where finished),
        null
    ) as median
from costs
group by levels, unit
order by levels, unit

-- Question: where does any measured number end, over seeds, for any grouping?
-- Parameters: $sweep_id, $factors, $metric, as for study_curves.
-- One row per group: levels holds its values as text, in the order of $factors. n, mean, stddev,
-- lowest, highest describe the last finite recording of the trials that ended without diverging;
-- the diverged ones are counted beside, because their last value says nothing. missing trials
-- have not ended or failed.
with members as (
    select
        t.trial_id,
        list_transform($factors::varchar[], lambda path: t.config ->> path) as levels,
        t.seed,
        coalesce(t.outcome, '') as outcome
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
measured as (
    select
        trial_id,
        update,
        case $metric
            when 'train_loss' then train_loss
            when 'test_loss' then test_loss
            when 'train_score' then train_score
            when 'test_score' then test_score
            when 'grad_norm' then grad_norm
        end as value
    from steps
    union all
    select trial_id, update, value
    from probes
    where key = $metric and layer is null
),
finals as (
    select x.trial_id, arg_max(x.value, x.update) as value
    from measured x
    join members m using (trial_id)
    where m.outcome in ('done', 'reached_target') and isfinite(x.value)
    group by x.trial_id
)
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

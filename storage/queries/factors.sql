-- Question: which settings vary within this sweep, and over which values?
-- Parameters: $sweep_id.
-- One row per column of trials that takes more than one value; levels counts them, NULL
-- included. descent and batch_size are one factor of the experiment in two columns.
with members as (
    select t.*
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
settings as (
    unpivot (
        select
            problem, model, loss, descent, optimizer, activation, init, norm, dtype,
            coalesce(batch_size::varchar, 'all') as batch_size,
            coalesce(lr::varchar, 'none') as lr,
            coalesce(momentum::varchar, 'none') as momentum,
            coalesce(depth::varchar, 'none') as depth,
            coalesce(width::varchar, 'none') as width,
            coalesce(residual::varchar, 'none') as residual,
            coalesce(clip_norm::varchar, 'none') as clip_norm,
            coalesce(budget_updates::varchar, 'none') as budget_updates,
            seed::varchar as seed
        from members
    )
    on columns(*) into name factor value level
)
select
    factor,
    count(distinct level) as levels,
    list(distinct level order by try_cast(level as double), level) as "values",
    count(*) as trials
from settings
group by factor
having count(distinct level) > 1
order by factor

-- Question: how do quantities differ between the layers, for each level of one key?
-- Parameters: $sweep_id, $by (JSON path of the key), $factors and $levels, as for health_heat, of
--   the keys that are held; $quantities (measured columns of the table layers).
-- One row per quantity, level, moment (first, last: of each trial's finite recordings of it) and
-- layer, over all trials, diverged ones too. log_mean and log_stddev describe the decimal logarithm
-- of the n positive values, mean and stddev the values themselves, of which zeros are exactly 0.
-- Where last is the same recording as first, it is left out.
with members as (
    select t.trial_id, t.config ->> $by as level
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
        and (t.config ->> $factors::varchar[])
            is not distinct from $levels::varchar[]
),
recorded as (
    select m.level, x.*
    from layers x
    join members m using (trial_id)
),
measured as (
    select level, trial_id, update, layer, quantity, value
    from (
        unpivot recorded
        on q, backward_signal, grad_norm, grad_rms, weight_norm, update_ratio, dead_share, zero_share,
            saturated_share
        into name quantity value value
    )
    where list_contains($quantities::varchar[], quantity) and isfinite(value)
),
ends as (
    select *, min(update) over mine as first, max(update) over mine as last
    from measured
    window mine as (partition by quantity, trial_id)
)
select
    quantity,
    level,
    if(update = first, 'first', 'last') as moment,
    layer,
    max(update) as updates,
    count(*) as trials,
    count(*) filter (where value > 0) as n,
    count(*) filter (where value = 0) as zeros,
    avg(log10(value)) filter (where value > 0) as log_mean,
    stddev_samp(log10(value)) filter (where value > 0) as log_stddev,
    avg(value) as mean,
    stddev_samp(value) as stddev
from ends
where update in (first, last)
group by quantity, level, moment, layer
order by quantity, level, moment, layer

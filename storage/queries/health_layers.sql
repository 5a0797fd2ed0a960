-- Question: how does a quantity differ between the layers, for each level of one key?
-- Parameters: $sweep_id, $by (JSON path of the key), $factors and $levels, as for health_heat, of
--   the keys that are held; $quantity (a measured column of the table layers).
-- One row per level, moment (first, last: of each trial's finite recordings of it) and layer, over
-- all trials, diverged ones too. log_mean and log_stddev describe the decimal logarithm of the n
-- positive values, mean and stddev the values themselves, of which zeros are exactly 0. Where
-- last is the same recording as first, it is left out.
with members as (
    select t.trial_id, t.config ->> $by as level
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
        and list_transform($factors::varchar[], lambda path: t.config ->> path)
            is not distinct from $levels::varchar[]
),
measured as (
    select
        m.level,
        trial_id,
        update,
        layer,
        case $quantity
            when 'q' then q
            when 'backward_signal' then backward_signal
            when 'grad_norm' then grad_norm
            when 'grad_rms' then grad_rms
            when 'weight_norm' then weight_norm
            when 'update_ratio' then update_ratio
            when 'dead_share' then dead_share
            when 'zero_share' then zero_share
            when 'saturated_share' then saturated_share
        end as value
    from layers
    join members m using (trial_id)
),
ends as (
    select *, min(update) over mine as first, max(update) over mine as last
    from measured
    where isfinite(value)
    window mine as (partition by trial_id)
)
select
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
group by level, moment, layer
order by level, moment, layer

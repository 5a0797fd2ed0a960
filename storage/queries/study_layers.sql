-- Question: how large is a quantity in each layer before training and at its end?
-- Parameters: $sweep_id, $factors, as for study_curves, $quantity (q, backward_signal, grad_norm,
--   weight_norm, update_ratio, dead_share, zero_share or saturated_share, as in the table layers,
--   or a key of the table probes that is measured layer by layer, or step by step).
-- One row per group, moment (first, last: of each trial's recordings of it) and layer, over
-- all trials with such rows, diverged ones too. log_mean and log_stddev describe the decimal
-- logarithm of the n positive values, because these quantities span decades; zeros counts the
-- values that are exactly 0 and have none. Where last is the same recording as first, it is left
-- out.
with members as (
    select
        t.trial_id,
        list_transform($factors::varchar[], lambda path: t.config ->> path) as levels,
        t.seed
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
measured as (
    select
        trial_id,
        update,
        layer,
        case $quantity
            when 'q' then q
            when 'backward_signal' then backward_signal
            when 'grad_norm' then grad_norm
            when 'weight_norm' then weight_norm
            when 'update_ratio' then update_ratio
            when 'dead_share' then dead_share
            when 'zero_share' then zero_share
            when 'saturated_share' then saturated_share
        end as value
    from layers
    where $quantity in (
        'q', 'backward_signal', 'grad_norm', 'weight_norm',
        'update_ratio', 'dead_share', 'zero_share', 'saturated_share'
    )
    union all
    select trial_id, update, layer, value
    from probes
    where key = $quantity and layer is not null
),
moments as (
    select trial_id, min(update) as first, max(update) as last
    from measured
    join members using (trial_id)
    group by trial_id
),
points as (
    select
        m.levels,
        m.seed,
        if(x.update = o.first, 'first', 'last') as moment,
        x.update,
        x.layer,
        x.value
    from measured x
    join members m using (trial_id)
    join moments o using (trial_id)
    where x.update in (o.first, o.last)
)
select
    levels,
    moment,
    layer,
    max(update) as updates,
    count(distinct seed) as seeds,
    count(*) as trials,
    count(*) filter (where value > 0) as n,
    count(*) filter (where value = 0) as zeros,
    avg(log10(value)) filter (where value > 0) as log_mean,
    stddev_samp(log10(value)) filter (where value > 0) as log_stddev,
    avg(value) as mean
from points
where isfinite(value)
group by levels, moment, layer
order by levels, moment, layer

-- Question: how large is a quantity in each layer before training and at its end?
-- Parameters: $sweep_id, $factors, as for study_curves, $quantity (q, backward_signal, grad_norm,
--   weight_norm, update_ratio, dead_share, zero_share or saturated_share, as in the table layers).
-- One row per group, moment (first, last: of each trial's recordings with layers) and layer, over
-- all trials with layer rows, diverged ones too. log_mean and log_stddev describe the decimal
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
moments as (
    select trial_id, min(update) as first, max(update) as last
    from layers
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
        case $quantity
            when 'q' then x.q
            when 'backward_signal' then x.backward_signal
            when 'grad_norm' then x.grad_norm
            when 'weight_norm' then x.weight_norm
            when 'update_ratio' then x.update_ratio
            when 'dead_share' then x.dead_share
            when 'zero_share' then x.zero_share
            when 'saturated_share' then x.saturated_share
        end as value
    from layers x
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

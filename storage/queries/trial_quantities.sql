-- Question: which quantities are measured layer by layer in this trial?
-- Parameters: $trial_id.
-- One row per column of the table layers with at least one finite value, and how many it has.
select quantity, count(*) as measured
from (
    unpivot (
        select
            q, backward_signal, grad_norm, grad_rms, weight_norm, update_ratio,
            dead_share, zero_share, saturated_share
        from layers
        where trial_id = $trial_id
    )
    on columns(*) into name quantity value number
)
where isfinite(number)
group by quantity
order by quantity

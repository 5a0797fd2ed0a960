-- Question: how large is a quantity in each layer of one trial, at each recording?
-- Parameters: $trial_id, $quantity (a measured column of the table layers), $columns (at most so
--   many recordings).
-- One row per recording and layer. Where there are more recordings with layers than $columns,
-- whole recordings are left out evenly, never the first or the last; recordings counts them all.
with measured as (
    select
        update,
        layer,
        name,
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
    where trial_id = $trial_id
),
moments as (
    select
        update,
        row_number() over (order by update) - 1 as place,
        count(*) over () as recordings
    from (select distinct update from measured where isfinite(value))
),
kept as (
    select update, recordings
    from moments
    qualify place = 0
        or place * ($columns::bigint - 1) // greatest(recordings - 1, 1)
            > lag(place) over (order by place)
            * ($columns::bigint - 1) // greatest(recordings - 1, 1)
        or recordings <= $columns::bigint
)
select k.update as updates, m.layer, m.name, m.value, k.recordings
from kept k
join measured m using (update)
where isfinite(m.value)
order by updates, m.layer

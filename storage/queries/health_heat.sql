-- Question: how large is a quantity in each layer while the trials of one setting go on?
-- Parameters: $sweep_id, $factors, as for study_curves, $levels (one level for each factor, NULL
--   where the key is absent), $quantity (a measured column of the table layers), $columns (at most
--   so many places along the updates).
-- One row per place and layer, over all trials of the setting, diverged ones too while they go
-- on. Each recording has its own place; where there are more recordings than $columns, neighbours
-- share one, of which updates is the first and until the last. recordings counts all of them.
-- log_mean is the mean decimal logarithm of the n positive values; zeros counts those that are
-- exactly 0 and have none; mean is over both.
with members as (
    select t.trial_id
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
        and (t.config ->> $factors::varchar[])
            is not distinct from $levels::varchar[]
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
            when 'grad_rms' then grad_rms
            when 'weight_norm' then weight_norm
            when 'update_ratio' then update_ratio
            when 'dead_share' then dead_share
            when 'zero_share' then zero_share
            when 'saturated_share' then saturated_share
        end as value
    from layers
    join members using (trial_id)
),
moments as (
    select
        update,
        count(*) over () as recordings,
        row_number() over (order by update) - 1 as rank
    from (select distinct update from measured where isfinite(value))
),
places as (
    select
        update,
        recordings,
        if(recordings <= $columns::bigint, rank, rank * $columns::bigint // recordings) as place
    from moments
)
select
    p.place,
    min(m.update) as updates,
    max(m.update) as until,
    any_value(p.recordings) as recordings,
    m.layer,
    count(distinct m.trial_id) as trials,
    count(*) filter (where m.value > 0) as n,
    count(*) filter (where m.value = 0) as zeros,
    avg(log10(m.value)) filter (where m.value > 0) as log_mean,
    avg(m.value) as mean
from measured m
join places p using (update)
where isfinite(m.value)
group by p.place, m.layer
order by p.place, m.layer

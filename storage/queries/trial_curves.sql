-- Question: how do losses and scores of one trial move while it trains?
-- Parameters: $trial_id, $points (at most so many points per metric, at least 4), $first and
--   $last (updates between which to look; NULL: no bound).
-- One row per point and metric. A metric with more finite values than $points is cut into buckets
-- of equally many recordings, each keeps its smallest and its largest value, and the first and the
-- last recording stay: no extreme is lost. recordings counts the finite values behind a metric,
-- lost those that are not finite.
with recorded as (
    unpivot (
        select
            update, samples, gradient_evaluations,
            coalesce(train_loss, 'nan'::double) as train_loss,
            coalesce(test_loss, 'nan'::double) as test_loss,
            coalesce(train_score, 'nan'::double) as train_score,
            coalesce(test_score, 'nan'::double) as test_score
        from steps
        where trial_id = $trial_id
            and ($first::bigint is null or update >= $first::bigint)
            and ($last::bigint is null or update <= $last::bigint)
    )
    on train_loss, test_loss, train_score, test_score into name metric value value
),
counted as (
    select
        *,
        count(*) filter (where isfinite(value)) over (partition by metric) as recordings,
        count(*) filter (where not isfinite(value)) over (partition by metric) as lost
    from recorded
),
placed as (
    select *, row_number() over (partition by metric order by update) - 1 as place
    from counted
    where isfinite(value)
),
bucketed as (
    -- Integers all through: half as many buckets as points, less the two ends.
    select *, place * (($points::bigint - 2) // 2) // recordings as bucket
    from placed
),
ranked as (
    select
        *,
        row_number() over (partition by metric, bucket order by value, update) as rising,
        row_number() over (partition by metric, bucket order by value desc, update) as falling
    from bucketed
)
select metric, update as updates, samples, gradient_evaluations, value, recordings, lost
from ranked
where recordings <= $points::bigint
    or rising = 1
    or falling = 1
    or place in (0, recordings - 1)
order by metric, updates

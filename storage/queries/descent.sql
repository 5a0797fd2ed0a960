-- Question: how does a metric move with updates, samples and gradient evaluations, over seeds?
-- Parameters: $sweep_id, $metric (a column of steps: train_loss, test_loss, train_score,
--   test_score; accuracy is the score of a classification).
-- One row per descent, batch size, learning rate and recorded update: n finite values, their mean,
-- sample standard deviation, smallest and largest. It runs over the trials that have ended with a
-- result or, while a group has none, over those under way; failed trials are in none.
-- trials is the largest number of trials at any update of the group: where n is smaller, some
-- have already ended. seconds are a trial's own in isolated of them and the pack's in shared;
-- of the rest this is known when they have ended.
-- recordings counts the updates of the group. Where they are more than 200, those at which all of
-- its trials are there fall into 99 buckets of equal width in log(1 + update), and the rows with
-- a bucket's lowest and highest mean are given, the first and the last one: no extreme is lost.
-- Optional: $along (updates, samples, gradient_evaluations or seconds), $low, $high: only the part
-- of the curves between them, which is then what recordings and buckets are of; $descents,
-- $batch_sizes, $lrs: lists that name the groups wanted, place by place (NULL: all groups).
with members as (
    select
        t.trial_id,
        t.descent,
        t.batch_size,
        t.lr,
        t.seed,
        t.outcome is not null as ended,
        if(ended, coalesce(t.isolated, false), null) as isolated
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
        and (t.outcome is null or t.outcome in ('done', 'reached_target', 'diverged'))
        and (
            $lrs::double[] is null
            or list_contains(
                list_zip($descents::varchar[], $batch_sizes::integer[], $lrs::double[]),
                row(t.descent, t.batch_size, t.lr)
            )
        )
),
shown as (
    select
        *,
        dense_rank() over (order by descent, batch_size, lr) as place,
        count(*) over (partition by descent, batch_size, lr, seed) > 1 as repeated
    from members
    qualify ended or not bool_or(ended) over (partition by descent, batch_size, lr)
),
groups as (
    select place, descent, batch_size, lr, bool_or(repeated) as repeats
    from shown
    group by all
),
points as not materialized (
    select
        m.place,
        m.seed,
        m.isolated,
        x.update,
        x.samples,
        x.gradient_evaluations,
        x.seconds,
        case $metric
            when 'train_loss' then x.train_loss
            when 'test_loss' then x.test_loss
            when 'train_score' then x.train_score
            when 'test_score' then x.test_score
        end as value
    from shown m
    join steps x using (trial_id)
),
averaged as materialized (
    select
        place,
        update,
        max(samples) as samples,
        max(gradient_evaluations) as gradient_evaluations,
        avg(seconds) as seconds,
        count(*) filter (where isolated) as isolated,
        count(*) filter (where not isolated) as shared,
        count(*) as rows,
        count(*) filter (where isfinite(value)) as n,
        avg(value) filter (where isfinite(value)) as mean,
        stddev_samp(value) filter (where isfinite(value)) as stddev,
        min(value) filter (where isfinite(value)) as lowest,
        max(value) filter (where isfinite(value)) as highest
    from points
    group by place, update
),
-- include curve_points
select
    g.descent,
    g.batch_size,
    g.lr,
    a.update as updates,
    a.samples,
    a.gradient_evaluations,
    a.seconds,
    a.isolated,
    a.shared,
    a.n,
    coalesce(s.seeds, a.rows) as seeds,
    a.trials,
    a.mean,
    a.stddev,
    a.lowest,
    a.highest,
    a.recordings
from given a
join groups g using (place)
left join seeds s on s.place = a.place and s.update = a.update
order by a.place, a.update

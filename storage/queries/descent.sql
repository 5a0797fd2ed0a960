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
-- of the curves between them, which is then what recordings and buckets are of.
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
whole as (
    select place, max(rows) as trials
    from averaged
    group by place
),
-- The part that is looked at: all of it without $low.
part as (
    select *
    from averaged
    where $low::double is null
        or case $along::varchar
            when 'samples' then samples
            when 'gradient_evaluations' then gradient_evaluations
            when 'seconds' then seconds
            else update
        end between $low::double and $high::double
),
counted as (
    select
        place,
        any_value(w.trials) as trials,
        count(*) as recordings,
        min(p.update) as first,
        max(p.update) as last
    from part p
    join whole w using (place)
    group by place
),
buckets as (
    select
        a.place,
        arg_min(a.update, a.mean) as low,
        arg_max(a.update, a.mean) as high,
        min(a.update) as first,
        max(a.update) as last
    from part a
    join counted c using (place)
    where c.recordings > 200 and a.n = c.trials
    group by
        a.place,
        floor(99 * ln((1 + a.update) / (1 + c.first)) / ln((1 + c.last) / (1 + c.first)))
),
kept as (
    select place, unnest([low, high]) as update from buckets
    union
    select place, unnest([min(first), max(last)]) from buckets group by place
),
given as materialized (
    select a.*, c.trials, c.recordings
    from part a
    join counted c using (place)
    left join kept k on k.place = a.place and k.update = a.update
    where c.recordings <= 200 or k.update is not null
),
-- To count distinct seeds costs many times what all else does: only where they may repeat.
seeds as (
    select place, update, count(distinct seed) as seeds
    from points
    join given using (place, update)
    where place in (select place from groups where repeats)
    group by place, update
)
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

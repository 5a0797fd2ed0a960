-- Question: how does any measured number move with updates, over seeds, for any grouping?
-- Parameters: $sweep_id, $factors (JSON paths into trials.config, such as ["$.loss.name"]: what
--   a group has in common), $metric (train_loss, test_loss, train_score, test_score, grad_norm,
--   or a key of the table probes that is measured of the whole net), $groups (the levels of the
--   groups wanted, lists in the order of $factors; NULL: all groups).
-- One row per group and recorded update: levels holds the group's values, in the order of
-- $factors, as text (NULL: it has none). n finite values, their mean, sample standard deviation,
-- smallest and largest. It runs over the trials that have ended with a result or, while a
-- group has none, over those under way; failed trials are in none. trials is the largest number
-- of trials at any update of the group: where n is smaller, some have already ended.
-- recordings counts the updates of the group. Where they are more than 200, those at which all of
-- its trials are there fall into 99 buckets of equal width in log(1 + update), and the rows with
-- a bucket's lowest and highest mean are given, the first and the last one: no extreme is lost.
-- Optional: $along (updates, samples or gradient_evaluations), $low, $high: only the part of the
-- curves between them, which is then what recordings and buckets are of; $groups.
with members as (
    select
        t.trial_id,
        list_transform($factors::varchar[], lambda path: t.config ->> path) as levels,
        t.seed,
        t.outcome is not null as ended
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
        and (t.outcome is null or t.outcome in ('done', 'reached_target', 'diverged'))
),
placed as (
    select *, dense_rank() over (order by levels) as place
    from members
    where $groups::varchar[][] is null or list_contains($groups::varchar[][], levels)
),
shown as (
    select *, count(*) over (partition by place, seed) > 1 as repeated
    from placed
    qualify ended or not bool_or(ended) over (partition by place)
),
groups as (
    select place, any_value(levels) as levels, bool_or(repeated) as repeats
    from shown
    group by place
),
measured as not materialized (
    select
        trial_id,
        update,
        samples,
        gradient_evaluations,
        case $metric
            when 'train_loss' then train_loss
            when 'test_loss' then test_loss
            when 'train_score' then train_score
            when 'test_score' then test_score
            when 'grad_norm' then grad_norm
        end as value
    from steps
    where $metric in ('train_loss', 'test_loss', 'train_score', 'test_score', 'grad_norm')
    union all
    select p.trial_id, p.update, x.samples, x.gradient_evaluations, p.value
    from (
        select trial_id, update, value
        from probes
        where key = $metric and layer is null and trial_id in (select trial_id from shown)
    ) p
    join steps x on x.trial_id = p.trial_id and x.update = p.update
),
points as not materialized (
    select m.place, m.seed, x.update, x.samples, x.gradient_evaluations, x.value
    from shown m
    join measured x using (trial_id)
    where isfinite(x.value)
),
averaged as materialized (
    select
        place,
        update,
        max(samples) as samples,
        max(gradient_evaluations) as gradient_evaluations,
        null::double as seconds,
        count(*) as rows,
        count(*) as n,
        avg(value) as mean,
        stddev_samp(value) as stddev,
        min(value) as lowest,
        max(value) as highest
    from points
    group by place, update
),
-- include curve_points
select
    g.levels,
    a.update as updates,
    a.samples,
    a.gradient_evaluations,
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

-- Question: how does a recorded number move in groups of trials of several sweeps?
-- Parameters: $sweeps, $keys (as for compare_groups), $groups (ids of the groups wanted),
--   $metric (train_loss, test_loss, train_score, test_score, grad_norm, or a key of probes that
--   is measured of the whole net), $points (at most so many points a group are given).
-- One row per group and update at which all of its trials recorded a finite value; its trials are
-- those that ended without diverging or, while it has none (ended is false), those under way: n
-- of them, mean, sample standard deviation, samples of the trial with the
-- fewest; alike: the others have as many. The updates fall into $points / 2 buckets of equally
-- many, of which the lowest and the highest mean are given; recorded counts what there was.
with
-- include compare_chosen,
-- include compare_configured,
-- include compare_shown,
wanted as (
    select *, count(*) over (partition by group_id) as trials
    from shown
),
measured as (
    select
        trial_id,
        update,
        samples,
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
    select p.trial_id, p.update, x.samples, p.value
    from probes p
    join steps x on x.trial_id = p.trial_id and x.update = p.update
    where p.trial_id in (select trial_id from wanted) and p.key = $metric and p.layer is null
),
averaged as (
    select
        m.group_id,
        x.update as updates,
        min(x.samples) as samples,
        min(x.samples) = max(x.samples) as alike,
        any_value(m.trials) as trials,
        bool_and(m.ended) as ended,
        count(*) as n,
        avg(x.value) as mean,
        stddev_samp(x.value) as stddev
    from wanted m
    join measured x using (trial_id)
    where isfinite(x.value)
    group by m.group_id, x.update
),
bucketed as (
    select
        *,
        count(*) over (partition by group_id) as recorded,
        ntile($points::bigint // 2) over (partition by group_id order by updates) as bucket
    from averaged
    where n = trials
)
select * exclude (bucket)
from bucketed
qualify
    row_number() over (partition by group_id, bucket order by mean, updates) = 1
    or row_number() over (partition by group_id, bucket order by mean desc, updates) = 1
order by group_id, updates

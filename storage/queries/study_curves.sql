-- Question: how does any measured number move with updates, over seeds, for any grouping?
-- Parameters: $sweep_id, $factors (JSON paths into trials.config, such as ["$.loss.name"]: what
--   a group has in common), $metric (train_loss, test_loss, train_score, test_score, grad_norm,
--   or a key of the table probes that is measured of the whole net).
-- One row per group and recorded update: levels holds the group's values, in the order of
-- $factors, as text (NULL: it has none). n finite values, their mean, sample standard deviation,
-- smallest and largest. It runs over the trials that have ended with a result or, while a
-- group has none, over those under way; failed trials are in none. trials is the largest number
-- of trials at any update of the group: where n is smaller, some have already ended.
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
shown as (
    select *
    from members
    qualify ended or not bool_or(ended) over (partition by levels)
),
measured as (
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
    union all
    select p.trial_id, p.update, x.samples, x.gradient_evaluations, p.value
    from probes p
    join steps x on x.trial_id = p.trial_id and x.update = p.update
    where p.key = $metric and p.layer is null
)
select
    m.levels,
    x.update as updates,
    max(x.samples) as samples,
    max(x.gradient_evaluations) as gradient_evaluations,
    count(*) as n,
    count(distinct m.seed) as seeds,
    max(count(*)) over (partition by m.levels) as trials,
    avg(x.value) as mean,
    stddev_samp(x.value) as stddev,
    min(x.value) as lowest,
    max(x.value) as highest
from shown m
join measured x using (trial_id)
where isfinite(x.value)
group by m.levels, x.update
order by m.levels, x.update

-- Question: what do single trials do under the mean curves of compare_curves?
-- Parameters: as for compare_curves, and $traces (at most so many trials are given).
-- One row per trial and recorded update with a finite value. Each of $groups gives as many
-- trials as any other; which ones is decided by a hash of their ids, so it does not depend on
-- how they ended. The updates of a trial fall into $points / 2 buckets of equally many, of
-- which the lowest and the highest value are given. trials counts those of the group that ended
-- without diverging or, while it has none, that are under way; recorded the trial's updates.
with
-- include compare_chosen,
-- include compare_configured,
-- include compare_shown,
wanted as (
    select *, count(*) over (partition by group_id) as trials
    from shown
    qualify row_number() over (partition by group_id order by hash(trial_id), trial_id)
        <= $traces::bigint // greatest(len($groups::varchar[]), 1)
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
    where trial_id in (select trial_id from wanted)
        and $metric in ('train_loss', 'test_loss', 'train_score', 'test_score', 'grad_norm')
    union all
    select p.trial_id, p.update, x.samples, p.value
    from probes p
    join steps x on x.trial_id = p.trial_id and x.update = p.update
    where p.trial_id in (select trial_id from wanted) and p.key = $metric and p.layer is null
),
bucketed as (
    select
        m.group_id,
        m.trial_id,
        m.trials,
        x.update as updates,
        x.samples,
        x.value,
        count(*) over (partition by m.trial_id) as recorded,
        ntile($points::bigint // 2) over (partition by m.trial_id order by x.update) as bucket
    from wanted m
    join measured x using (trial_id)
    where isfinite(x.value)
)
select * exclude (bucket)
from bucketed
qualify
    row_number() over (partition by trial_id, bucket order by value, updates) = 1
    or row_number() over (partition by trial_id, bucket order by value desc, updates) = 1
order by group_id, trial_id, updates

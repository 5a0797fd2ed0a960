-- members: the trials of a sweep, with their group; finals: where $metric ends in each, its last
-- finite recording, of those that ended without diverging.
members as (
    select
        t.trial_id,
        list_transform($factors::varchar[], lambda path: t.config ->> path) as levels,
        t.seed,
        coalesce(t.outcome, '') as outcome
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
measured as (
    select
        trial_id,
        update,
        case $metric
            when 'train_loss' then train_loss
            when 'test_loss' then test_loss
            when 'train_score' then train_score
            when 'test_score' then test_score
            when 'grad_norm' then grad_norm
        end as value
    from steps
    union all
    select trial_id, update, value
    from probes
    where key = $metric and layer is null
),
finals as (
    select x.trial_id, arg_max(x.value, x.update) as value
    from measured x
    join members m using (trial_id)
    where m.outcome in ('done', 'reached_target') and isfinite(x.value)
    group by x.trial_id
)

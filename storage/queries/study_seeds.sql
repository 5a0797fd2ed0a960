-- Question: where does any measured number end on each seed, so that groups can be paired by seed?
-- Parameters: $sweep_id, $factors, $metric, as for study_curves.
-- One row per group: levels holds its values as text, in the order of $factors. trial_ids, seeds,
-- outcomes and finals are lists of one length, by seed. An outcome is empty where a trial has not
-- ended. A final is the last finite recording of a trial that ended without diverging, else NULL.
with members as (
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
select
    m.levels,
    list(m.trial_id order by m.seed, m.trial_id) as trial_ids,
    list(m.seed order by m.seed, m.trial_id) as seeds,
    list(m.outcome order by m.seed, m.trial_id) as outcomes,
    list(f.value order by m.seed, m.trial_id) as finals
from members m
left join finals f using (trial_id)
group by m.levels
order by m.levels

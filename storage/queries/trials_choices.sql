-- Question: by which models, optimizers and learning rates can trials be filtered?
-- Parameters: $sweeps (a list; NULL: all).
-- One row: how many trials there are, the distinct models and optimizers in alphabetical order,
-- and the smallest and largest learning rate.
select
    count(*) as trials,
    coalesce(list(distinct t.model order by t.model), []) as models,
    coalesce(list(distinct t.optimizer order by t.optimizer), []) as optimizers,
    min(t.lr) as lr_min,
    max(t.lr) as lr_max
from trials t
where $sweeps::varchar[] is null
    or t.trial_id in (
        select trial_id
        from sweep_trials
        where list_contains($sweeps::varchar[], sweep_id)
    )

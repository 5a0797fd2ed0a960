-- Question: which sweeps have measured their nets layer by layer?
-- Parameters: none.
-- One row per sweep with rows in layers, newest first. A trial that measures layers does so from
-- the untrained net on, so its first layer at update 0 tells.
select w.sweep_id
from sweeps w
where w.sweep_id in (
    select sweep_id
    from sweep_trials
    where trial_id in (select trial_id from layers where update = 0 and layer = 1)
)
order by w.created_at desc, w.sweep_id

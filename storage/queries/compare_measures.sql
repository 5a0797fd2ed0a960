-- Question: which numbers of the whole net do these sweeps measure beside losses and scores?
-- Parameters: $sweeps (sweep ids).
-- One row per key of probes without a layer.
select distinct key
from probes
where layer is null and trial_id in (
    select trial_id from sweep_trials where list_contains($sweeps::varchar[], sweep_id)
)
order by key

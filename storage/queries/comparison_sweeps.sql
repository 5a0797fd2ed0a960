-- Question: which trials belong to which of several sweeps?
-- Parameters: $sweeps (sweep ids).
-- One row per trial of a sweep; a trial that several sweeps share has several.
select sweep_id, trial_id
from sweep_trials
where list_contains($sweeps::varchar[], sweep_id)
order by sweep_id, trial_id

-- Question: what did the probes of one trial measure last?
-- Parameters: $trial_id.
-- One row per probe, key and layer (NULL: of the whole net) at the key's last recording.
select probe, key, layer, update as updates, value
from probes
where trial_id = $trial_id
qualify update = max(update) over (partition by probe, key)
order by probe, key, layer nulls first

-- Question: what does theory predict of one trial, and what is measured of its untrained net?
-- Parameters: $trial_id.
-- One row per prediction: its key, layer (NULL: the net as a whole), value and source, and what
-- is measured under the same key at update 0 (NULL: not measured). A prediction for a net of
-- this depth (chi_net) is set against the measured chi.
with measured as (
    select key, layer, value
    from probes
    where trial_id = $trial_id and update = 0
    union all
    select unnest(['noise_scale', 'sharpness']), null, unnest([noise_scale, sharpness])
    from steps
    where trial_id = $trial_id and update = 0
    union all
    select 'q', layer, q
    from layers
    where trial_id = $trial_id and update = 0
)
select p.key, p.layer, p.value as predicted, m.value as measured, p.source
from predictions p
left join measured m
    on m.key = if(p.key = 'chi_net', 'chi', p.key)
    and m.layer is not distinct from p.layer
where p.trial_id = $trial_id
order by p.layer nulls first, p.key

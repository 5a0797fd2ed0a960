-- Question: on which machines was this sweep trained, and for how long?
-- Parameters: $sweep_id.
-- One row per node, device and way of timing: isolated says whether seconds are a trial's own; it
-- is NULL for failed trials, which have none. started_at and finished_at bound the trials; seconds
-- of single trials are not added up, because those of a pack are the whole pack's.
select
    coalesce(t.node, 'unknown') as node,
    coalesce(t.device, 'unknown') as device,
    t.dtype,
    if(t.outcome = 'failed', null, t.isolated) as isolated,
    count(*) as trials,
    sum(t.updates)::bigint as updates,
    sum(t.samples)::bigint as samples,
    min(t.started_at) as started_at,
    max(t.finished_at) as finished_at
from sweep_trials s
join trials t using (trial_id)
where s.sweep_id = $sweep_id and t.outcome is not null
group by all
order by trials desc, node, device, dtype, isolated

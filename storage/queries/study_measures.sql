-- Question: which numbers of the whole net does this sweep measure beside losses and scores?
-- Parameters: $sweep_id.
-- One row per key of probes without a layer, with how many trials have it.
select p.key, count(distinct p.trial_id) as trials
from probes p
join sweep_trials s using (trial_id)
where s.sweep_id = $sweep_id and p.layer is null
group by p.key
order by p.key

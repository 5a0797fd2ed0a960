-- Question: from which starts of a sweep are paths of at most two parameters recorded?
-- Parameters: $sweep_id.
-- One row per seed, which is the start, with how many trials have coordinates in probes.
select t.seed, count(*) as trials
from sweep_trials s
join trials t using (trial_id)
where s.sweep_id = $sweep_id
    and s.trial_id in (select trial_id from probes where key = 'coordinate' and layer = 2)
group by t.seed
order by t.seed

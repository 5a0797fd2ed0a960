-- Question: how did this sweep's trials end, and how many are still to come?
-- Parameters: $sweep_id.
-- One row per outcome that occurs; 'running' has started and not ended, 'waiting' has not
-- started. reused trials were finished before this sweep first asked for them.
select
    coalesce(t.outcome, if(t.started_at is null, 'waiting', 'running')) as outcome,
    count(*) as trials,
    count(*) filter (where s.reused) as reused
from sweep_trials s
join trials t using (trial_id)
where s.sweep_id = $sweep_id
group by 1
order by trials desc, outcome

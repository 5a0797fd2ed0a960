-- Question: how much training was this sweep given, on which seeds, and how much was done?
-- Parameters: $sweep_id.
-- One row. fewest and most bound the updates planned for one trial, planned adds them up; updates
-- and samples are those of the trials that have ended.
select
    count(*) as trials,
    count(*) filter (where t.outcome in ('done', 'reached_target', 'diverged')) as finished,
    list(distinct t.seed order by t.seed) as seeds,
    min(t.budget_updates) as fewest,
    max(t.budget_updates) as most,
    sum(t.budget_updates)::bigint as planned,
    sum(t.updates)::bigint as updates,
    sum(t.samples)::bigint as samples
from sweep_trials s
join trials t using (trial_id)
where s.sweep_id = $sweep_id

-- Question: which trials of this sweep failed, and why?
-- Parameters: $sweep_id.
-- One row per reason (the error as recorded), most frequent first; example is one trial's name.
select
    coalesce(t.error, 'no reason was recorded') as reason,
    count(*) as trials,
    min(s.slug) as example,
    max(t.attempt) as attempts,
    string_agg(distinct t.node, ', ' order by t.node) as nodes
from sweep_trials s
join trials t using (trial_id)
where s.sweep_id = $sweep_id and t.outcome = 'failed'
group by 1
order by trials desc, reason

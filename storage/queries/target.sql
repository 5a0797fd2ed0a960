-- Question: which level were this sweep's trials asked to reach?
-- Parameters: $sweep_id.
-- One row per target in the trials' configuration, the most frequent first; none: no row.
select
    t.config ->> '$.target.metric' as metric,
    (t.config ->> '$.target.value')::double as value,
    count(*) as trials
from sweep_trials s
join trials t using (trial_id)
where s.sweep_id = $sweep_id and t.config ->> '$.target.metric' is not null
group by all
order by trials desc, metric, value

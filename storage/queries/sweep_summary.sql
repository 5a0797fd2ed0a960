-- Question: how did each setting of this sweep do, over its seeds?
-- Parameters: $sweep_id.
-- One row per setting (everything but the seed); scores and losses are those at the last
-- recording, averaged over the trials that ended with a result and did not diverge.
select
    t.problem, t.model, t.depth, t.width, t.activation, t.init, t.norm, t.loss,
    t.descent, t.batch_size, t.optimizer, t.momentum, t.clip_norm, t.dtype, t.lr,
    count(*) as trials,
    count(*) filter (where t.outcome in ('done', 'reached_target')) as done,
    count(*) filter (where t.outcome = 'diverged') as diverged,
    count(*) filter (where t.outcome in ('failed', 'cancelled')) as failed,
    count(*) filter (where t.outcome is null) as unfinished,
    avg(l.last) as test_loss,
    avg(a.last) as test_score,
    stddev_samp(a.last) as test_score_sd,
    avg(t.updates) as updates,
    avg(t.samples) as samples
from sweep_trials s
join trials t using (trial_id)
left join summaries l
    on l.trial_id = t.trial_id and l.metric = 'test_loss' and t.outcome in ('done', 'reached_target')
left join summaries a
    on a.trial_id = t.trial_id and a.metric = 'test_score' and t.outcome in ('done', 'reached_target')
where s.sweep_id = $sweep_id
group by all
order by all

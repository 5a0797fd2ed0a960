-- Question: what is this trial, and what became of it?
-- Parameters: $trial_id.
-- One row; none for a trial that no sweep registered. outcome is that of outcomes.sql, verdict the
-- latest one, scores and losses those on the test set; sweeps lists all that asked for it, the
-- oldest first. config is JSON text.
select
    t.* exclude (writer, config, outcome),
    t.config::varchar as config,
    coalesce(t.outcome, if(t.started_at is null, 'waiting', 'running')) as outcome,
    v.verdict,
    s.last_score,
    s.best_score,
    s.best_score_update,
    s.last_loss,
    s.best_loss,
    w.sweeps,
    w.slugs
from trials t
left join (
    select trial_id, arg_max(verdict, update) as verdict
    from verdicts
    where trial_id = $trial_id
    group by trial_id
) v using (trial_id)
left join (
    select
        trial_id,
        max(last) filter (where metric = 'test_score') as last_score,
        max(best) filter (where metric = 'test_score') as best_score,
        max(best_update) filter (where metric = 'test_score') as best_score_update,
        max(last) filter (where metric = 'test_loss') as last_loss,
        max(best) filter (where metric = 'test_loss') as best_loss
    from summaries
    where trial_id = $trial_id
    group by trial_id
) s using (trial_id)
left join (
    select
        x.trial_id,
        list(x.sweep_id order by y.created_at, x.sweep_id) as sweeps,
        list(x.slug order by y.created_at, x.sweep_id) as slugs
    from sweep_trials x
    join sweeps y using (sweep_id)
    where x.trial_id = $trial_id
    group by x.trial_id
) w using (trial_id)
where t.trial_id = $trial_id

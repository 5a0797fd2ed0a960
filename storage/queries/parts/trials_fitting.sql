-- fitting: the trials of $sweeps that pass every filter, with what the Trials page shows of them.
asked as (
    select trial_id, min(slug) as slug
    from sweep_trials
    where list_contains($sweeps::varchar[], sweep_id)
    group by trial_id
),
members as (
    select
        t.*,
        coalesce(a.slug, t.slug) as name,
        coalesce(t.outcome, if(t.started_at is null, 'waiting', 'running')) as state
    from trials t
    left join asked a using (trial_id)
    where $sweeps::varchar[] is null or a.trial_id is not null
),
judged as (
    select trial_id, arg_max(verdict, update) as verdict
    from verdicts
    group by trial_id
),
measured as (
    select
        trial_id,
        max(last) filter (where metric = 'test_score') as last_score,
        max(best) filter (where metric = 'test_score') as best_score,
        max(last) filter (where metric = 'test_loss') as last_loss,
        max(best) filter (where metric = 'test_loss') as best_loss
    from summaries
    group by trial_id
),
fitting as (
    select
        m.trial_id,
        m.name as slug,
        m.state as outcome,
        j.verdict,
        x.last_score,
        x.best_score,
        x.last_loss,
        x.best_loss,
        m.descent,
        m.batch_size,
        m.model,
        m.optimizer,
        m.lr,
        m.depth,
        m.activation,
        m.updates,
        if(m.isolated, m.seconds, null) as seconds,
        m.node,
        m.device
    from members m
    left join judged j using (trial_id)
    left join measured x using (trial_id)
    where (len($outcomes::varchar[]) = 0 or list_contains($outcomes::varchar[], m.state))
        and (len($verdicts::varchar[]) = 0 or list_contains($verdicts::varchar[], j.verdict))
        and (len($descents::varchar[]) = 0 or list_contains($descents::varchar[], m.descent))
        and (len($models::varchar[]) = 0 or list_contains($models::varchar[], m.model))
        and (len($optimizers::varchar[]) = 0 or list_contains($optimizers::varchar[], m.optimizer))
        and ($lr_from::double is null or m.lr >= $lr_from::double * 0.995)
        and ($lr_to::double is null or m.lr <= $lr_to::double * 1.005)
        and contains(lower(m.name), lower($words::varchar))
)

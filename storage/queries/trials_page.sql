-- Question: which trials fit a filter, one page of them in an order?
-- Parameters: $sweeps (a list; NULL: all, under the names that the trials had first), $outcomes,
--   $verdicts, $descents, $models, $optimizers (lists; an empty one filters nothing), $lr_from,
--   $lr_to (NULL: no bound; compared to the three digits that pages show), $words (part of the
--   slug in any case), $sort (a column of the answer), $descending, $rows, $start (rows
--   before the page).
-- One row per trial: outcome is that of outcomes.sql, verdict the latest, scores and losses those
-- on the test set. Seconds are NULL unless they are the trial's own. NULL sorts last.
with asked as (
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
),
keyed as (
    select
        *,
        case $sort
            when 'last_score' then last_score
            when 'best_score' then best_score
            when 'last_loss' then last_loss
            when 'best_loss' then best_loss
            when 'batch_size' then batch_size
            when 'lr' then lr
            when 'depth' then depth
            when 'updates' then updates
            when 'seconds' then seconds
        end as number,
        case $sort
            when 'outcome' then outcome
            when 'verdict' then verdict
            when 'descent' then descent
            when 'model' then model
            when 'optimizer' then optimizer
            when 'activation' then activation
            when 'node' then node
            when 'device' then device
            else slug
        end as word
    from fitting
)
select * exclude (number, word)
from keyed
order by
    if($descending, -number, number) asc nulls last,
    if($descending, word, null) desc nulls last,
    if($descending, null, word) asc nulls last,
    slug,
    trial_id
limit $rows
offset $start

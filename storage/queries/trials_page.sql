-- Question: which trials fit a filter, one page of them in an order?
-- Parameters: $sweeps (a list; NULL: all, under the names that the trials had first), $outcomes,
--   $verdicts, $descents, $models, $optimizers (lists; an empty one filters nothing), $lr_from,
--   $lr_to (NULL: no bound; compared to the three digits that pages show), $words (part of the
--   slug in any case), $sort (a column of the answer), $descending, $rows, $start (rows
--   before the page).
-- One row per trial: outcome is that of outcomes.sql, verdict the latest, scores and losses those
-- on the test set. Seconds are NULL unless they are the trial's own. NULL sorts last.
with
-- include trials_fitting,
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

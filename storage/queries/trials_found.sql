-- Question: how many trials fit a filter, and how did they end?
-- Parameters: $sweeps (a list; NULL: all, under the names that the trials had first), $outcomes,
--   $verdicts, $descents, $models, $optimizers (lists; an empty one filters nothing), $lr_from,
--   $lr_to (NULL: no bound; compared to the three digits that pages show), $words (part of the
--   slug in any case).
-- One row per outcome that occurs (see outcomes.sql), most frequent first: how many trials, and
-- the best test score among them with the name of the trial that has it.
with
-- include trials_fitting
select
    outcome,
    count(*) as trials,
    max(best_score) filter (where isfinite(best_score)) as best_score,
    arg_max(slug, best_score) filter (where isfinite(best_score)) as best_slug
from fitting
group by outcome
order by trials desc, outcome

-- Question: after how many updates and samples did each trial first meet a target?
-- Parameters: $sweep_id, $factors as for study_curves, $metric (train_loss, test_loss: must fall
--   to it; train_score, test_score: must rise to it), $target.
-- One row per trial that ended with a result, with its group and seed; updates and samples are
-- NULL where it never met the target, and at least 1 where the untrained net met it.
-- Met means met at a recording, so the true cost is at most as large.
-- Optional: $lrs (only trials with one of these learning rates).
with members as (
    select
        t.trial_id,
        t.config ->> $factors::varchar[] as levels,
        t.seed
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
        and t.outcome in ('done', 'reached_target', 'diverged')
        and ($lrs::double[] is null or list_contains($lrs::double[], t.lr))
),
met as (
    select trial_id, min(update) as updates, min(samples) as samples
    from steps
    where trial_id in (select trial_id from members)
        and case $metric
            when 'train_loss' then isfinite(train_loss) and train_loss <= $target
            when 'test_loss' then isfinite(test_loss) and test_loss <= $target
            -- NaN sorts above every number in DuckDB, so it would meet any rising target.
            when 'train_score' then isfinite(train_score) and train_score >= $target
            when 'test_score' then isfinite(test_score) and test_score >= $target
        end
    group by trial_id
)
select
    m.levels,
    m.seed,
    if(x.updates is null, null, greatest(x.updates, 1)) as updates,
    if(x.samples is null, null, greatest(x.samples, 1)) as samples
from members m
left join met x using (trial_id)
order by m.levels, m.seed, m.trial_id

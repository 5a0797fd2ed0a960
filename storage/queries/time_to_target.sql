-- Question: after how many updates, samples, gradient evaluations, seconds is a target first met?
-- Parameters: $sweep_id, $metric (train_loss, test_loss: must fall to it; train_score, test_score:
--   must rise to it), $target.
-- One row per descent, batch size, learning rate and unit, over the trials that ended with a
-- result. A trial that never met the target is censored, not dropped: reached of trials counts
-- it, and median treats it as later than all others (NULL where half or more never did). mean
-- and stddev run over the trials that did; they stand for the group only where all did.
-- kept of the reached ones did not diverge afterwards. Of the trials, isolated had the machine to
-- themselves; the seconds of the shared ones are those of their pack, and no cost of theirs.
-- Met means met at a recording; gap is the largest share of the cost that lies between that
-- recording and the one before, so the true cost is at most so much smaller.
with members as (
    select
        t.trial_id,
        t.descent,
        t.batch_size,
        t.lr,
        t.seed,
        coalesce(t.outcome, '') in ('done', 'reached_target', 'diverged') as finished,
        coalesce(t.outcome, '') = 'diverged' as diverged,
        coalesce(t.isolated, false) as isolated
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
first_met as (
    select x.trial_id, min(x.update) as update
    from steps x
    join members m using (trial_id)
    where m.finished
        -- NaN sorts above every number in DuckDB, so it would meet any rising target.
        and case $metric
            when 'train_loss' then isfinite(x.train_loss) and x.train_loss <= $target
            when 'test_loss' then isfinite(x.test_loss) and x.test_loss <= $target
            when 'train_score' then isfinite(x.train_score) and x.train_score >= $target
            when 'test_score' then isfinite(x.test_score) and x.test_score >= $target
        end
    group by x.trial_id
),
-- All costs grow with updates, so the largest one up to a recording is the one at it.
met as (
    select
        f.trial_id,
        max(x.update) as update,
        max(x.samples) as samples,
        max(x.gradient_evaluations) as gradient_evaluations,
        max(x.seconds) as seconds,
        max(x.update) filter (where x.update < f.update) as update_before,
        max(x.samples) filter (where x.update < f.update) as samples_before,
        max(x.gradient_evaluations)
            filter (where x.update < f.update) as gradient_evaluations_before,
        max(x.seconds) filter (where x.update < f.update) as seconds_before
    from first_met f
    join steps x using (trial_id)
    where x.update <= f.update
    group by f.trial_id
),
costs as (
    select m.*, u.unit, u.cost::double as cost, u.before::double as before
    from members m
    left join met f using (trial_id)
    cross join lateral (
        values
            ('updates', f.update, f.update_before),
            ('samples', f.samples, f.samples_before),
            ('gradient_evaluations', f.gradient_evaluations, f.gradient_evaluations_before),
            ('seconds', f.seconds, f.seconds_before)
    ) u (unit, cost, before)
)
select
    descent,
    batch_size,
    lr,
    unit,
    count(*) as planned,
    count(distinct seed) as seeds,
    count(*) filter (where finished) as trials,
    count(cost) as reached,
    count(cost) filter (where not diverged) as kept,
    count(*) filter (where diverged) as diverged,
    count(*) filter (where finished and isolated) as isolated,
    count(*) filter (where finished and not isolated) as shared,
    avg(cost) as mean,
    stddev_samp(cost) as stddev,
    if(
        count(cost) * 2 > count(*) filter (where finished),
        median(coalesce(cost, 1e300)) filter (where finished),
        null
    ) as median,
    min(cost) as lowest,
    max(cost) as highest,
    max((cost - before) / nullif(cost, 0)) as gap
from costs
group by descent, batch_size, lr, unit
order by descent, batch_size, lr, unit

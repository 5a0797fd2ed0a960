-- Question: how carefully must each descent's learning rate be chosen?
-- Parameters: $sweep_id, $metric (train_loss, test_loss, train_score or test_score).
-- One row per descent, batch size and learning rate. n, mean, stddev, lowest, highest describe the
-- last recording of the trials that ended without diverging; the diverged ones are counted
-- beside, because their last value says nothing. missing trials have not ended or failed.
with members as (
    select
        t.trial_id,
        t.descent,
        t.batch_size,
        t.lr,
        t.seed,
        coalesce(t.outcome, '') as outcome
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
finals as (
    select
        x.trial_id,
        arg_max(
            case $metric
                when 'train_loss' then x.train_loss
                when 'test_loss' then x.test_loss
                when 'train_score' then x.train_score
                when 'test_score' then x.test_score
            end,
            x.update
        ) as value
    from steps x
    join members m using (trial_id)
    where m.outcome in ('done', 'reached_target')
    group by x.trial_id
)
select
    m.descent,
    m.batch_size,
    m.lr,
    count(*) as planned,
    count(distinct m.seed) as seeds,
    count(*) filter (where m.outcome in ('done', 'reached_target', 'diverged')) as finished,
    count(*) filter (where m.outcome = 'diverged') as diverged,
    count(*) filter (where m.outcome = 'failed') as failed,
    count(*) filter (where m.outcome not in ('done', 'reached_target', 'diverged')) as missing,
    count(*) filter (where isfinite(f.value)) as n,
    avg(f.value) filter (where isfinite(f.value)) as mean,
    stddev_samp(f.value) filter (where isfinite(f.value)) as stddev,
    min(f.value) filter (where isfinite(f.value)) as lowest,
    max(f.value) filter (where isfinite(f.value)) as highest
from members m
left join finals f using (trial_id)
group by m.descent, m.batch_size, m.lr
order by m.descent, m.batch_size, m.lr

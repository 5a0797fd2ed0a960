-- Question: where did each trial of several sweeps end, for a comparison seed by seed?
-- Parameters: $sweeps (sweep ids), $keys (paths of compare_keys, the compared one first).
-- One row per trial, and per team, owner or sweep where $keys names one of them; levels are in
-- the order of $keys, NULL where a trial lacks the key. test_score, test_loss, train_score and
-- train_loss are its last values, NULL unless it ended without diverging. target_updates and
-- target_samples say when its own target was first met, at least 1, NULL where it never was.
-- verdict is the last one of its gradient health.
with
-- include compare_chosen,
-- include compare_configured,
members as (
    select distinct
        t.trial_id,
        list_transform(
            $keys::varchar[],
            lambda path, place: case path
                when 'sweep' then c.sweep
                when 'team' then c.team
                when 'owner' then c.owner
                else coalesce(t.texts[place], lower(t.kinds[place]))
            end
        ) as levels,
        t.seed,
        t.outcome,
        t.budget_updates,
        t.updates,
        t.samples
    from chosen c
    join configured t using (trial_id)
),
aims as (
    select
        trial_id,
        replace(config ->> '$.target.metric', 'accuracy', 'score') as metric,
        try_cast(config ->> '$.target.value' as double) as target
    from trials
    where trial_id in (select trial_id from chosen)
),
measured as (
    select
        s.trial_id,
        max(s.last) filter (where s.metric = 'test_score' and isfinite(s.last)) as test_score,
        max(s.last) filter (where s.metric = 'test_loss' and isfinite(s.last)) as test_loss,
        max(s.last) filter (where s.metric = 'train_score' and isfinite(s.last)) as train_score,
        max(s.last) filter (where s.metric = 'train_loss' and isfinite(s.last)) as train_loss,
        max(s.target_update) filter (where s.metric = a.metric) as target_updates,
        max(s.target_samples) filter (where s.metric = a.metric) as target_samples
    from summaries s
    join aims a using (trial_id)
    group by s.trial_id
),
judged as (
    select trial_id, arg_max(verdict, update) as verdict
    from verdicts
    where trial_id in (select trial_id from chosen)
    group by trial_id
)
select
    m.*,
    if(m.outcome in ('done', 'reached_target'), x.test_score, null) as test_score,
    if(m.outcome in ('done', 'reached_target'), x.test_loss, null) as test_loss,
    if(m.outcome in ('done', 'reached_target'), x.train_score, null) as train_score,
    if(m.outcome in ('done', 'reached_target'), x.train_loss, null) as train_loss,
    a.metric as target_metric,
    a.target,
    if(x.target_updates is null, null, greatest(x.target_updates, 1)) as target_updates,
    if(x.target_samples is null, null, greatest(x.target_samples, 1)) as target_samples,
    j.verdict
from members m
join aims a using (trial_id)
left join measured x using (trial_id)
left join judged j using (trial_id)
order by m.trial_id, m.levels

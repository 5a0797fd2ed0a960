-- Question: does the verdict on an untrained net foretell whether its trial learns?
-- Parameters: $sweep_id.
-- One row: of the trials with a score before training (evidence.score of their first verdict) n,
-- how many of them learned, the test score from which on a trial counts as having learned (half
-- way from the mean of the untrained nets to 1; diverged trials have not), and the area under the
-- ROC curve, Mann and Whitney's U by its largest value, ties counted half. The area is NULL where
-- all trials learned or none did.
with scored as (
    select v.trial_id, arg_min((v.evidence ->> '$.score')::double, v.update) as score
    from verdicts v
    join sweep_trials s using (trial_id)
    where s.sweep_id = $sweep_id and v.update = 0 and v.evidence ->> '$.score' is not null
    group by v.trial_id
),
ended as (
    select c.score, t.outcome, m.first, m.last
    from scored c
    join trials t using (trial_id)
    join summaries m using (trial_id)
    where t.outcome in ('done', 'reached_target', 'diverged') and m.metric = 'test_score'
),
level as (
    select (avg(first) + 1) / 2 as level from ended
),
ranked as (
    select
        outcome <> 'diverged' and last >= level as learned,
        rank() over (order by score) + (count(*) over (partition by score) - 1) / 2 as place
    from ended, level
),
counted as (
    select
        count(*) as n,
        count(*) filter (where learned) as learned,
        sum(place) filter (where learned) as places
    from ranked
)
select
    n,
    learned,
    (select level from level) as level,
    if(
        learned > 0 and learned < n,
        (places - learned * (learned + 1) / 2) / (learned * (n - learned)),
        null
    ) as area
from counted

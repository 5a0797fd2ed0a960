-- Question: how is the gradient health of each group judged, untrained and at the end?
-- Parameters: $sweep_id, $factors, as for study_curves.
-- One row per group, moment (first: each trial's verdict at its first recording, last: its
-- latest one) and verdict, with how many trials were judged so.
with members as (
    select
        t.trial_id,
        list_transform($factors::varchar[], lambda path: t.config ->> path) as levels
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
judged as (
    select
        m.levels,
        m.trial_id,
        arg_min(v.verdict, v.update) as first,
        arg_max(v.verdict, v.update) as last
    from verdicts v
    join members m using (trial_id)
    group by m.levels, m.trial_id
),
moments as (
    select levels, trial_id, unnest(['first', 'last']) as moment, unnest([first, last]) as verdict
    from judged
)
select levels, moment, verdict, count(*) as trials
from moments
group by levels, moment, verdict
order by levels, moment, trials desc, verdict

-- Question: over how many layers does theory let the signal of each group go?
-- Parameters: $sweep_id, $factors, as for study_curves.
-- One row per group with a prediction: how many trials have it, and their mean, smallest and
-- largest depth scale, in layers.
select
    t.config ->> $factors::varchar[] as levels,
    count(*) as trials,
    avg(p.value) as mean,
    min(p.value) as lowest,
    max(p.value) as highest
from predictions p
join trials t using (trial_id)
join sweep_trials s using (trial_id)
where s.sweep_id = $sweep_id and p.key = 'depth_scale' and p.layer is null and isfinite(p.value)
group by all
order by levels

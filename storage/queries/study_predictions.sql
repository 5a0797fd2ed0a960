-- Question: what does theory predict of each group before training, and what is measured?
-- Parameters: $sweep_id, $factors, as for study_curves.
-- One row per group and key that has a prediction for the net as a whole and a measurement of
-- the untrained net under the same key: n trials with both, the mean prediction and its source,
-- and the mean and standard deviation of what was measured. Per layer: table predictions.
-- Of the factor chi, the prediction for a net of this depth (chi_net) is taken before the limit
-- that deeper and deeper nets tend to.
with members as (
    select
        t.trial_id,
        list_transform($factors::varchar[], lambda path: t.config ->> path) as levels
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
measured as (
    select trial_id, key, value
    from probes
    where update = 0 and layer is null
    union all
    select trial_id, unnest(['noise_scale', 'sharpness']), unnest([noise_scale, sharpness])
    from steps
    where update = 0
),
predicted as (
    select
        p.trial_id,
        if(p.key = 'chi_net', 'chi', p.key) as key,
        arg_max(p.value, p.key) as value,
        arg_max(p.source, p.key) as source
    from predictions p
    join members using (trial_id)
    where p.layer is null and isfinite(p.value)
    group by 1, 2
)
select
    m.levels,
    p.key,
    count(*) as n,
    avg(p.value) as predicted,
    any_value(p.source) as source,
    avg(x.value) as mean,
    stddev_samp(x.value) as stddev
from predicted p
join members m using (trial_id)
join measured x using (trial_id, key)
where isfinite(x.value)
group by m.levels, p.key
order by m.levels, p.key

-- The rows of the trials in `chunk`, recorded at the updates in `moments`; by large_store.py.
-- Noise is a hash: noise(trial, update, k) lies between −1 and 1.

create or replace temp macro noise(a, b, k) as hash(a, b, k) / 9223372036854775808.0 - 1;

create or replace temp table live as
select
    c.*,
    -- Updates until the loss has halved, and where it ends: worse for deep nets and bad rates.
    40 / (c.lr / c.best_lr) * exp(0.4 * noise(c.number, 0, 1)) * (1 + c.depth / 10) as pace,
    0.02 + 0.05 * abs(log10(c.lr / c.best_lr)) * exp(0.3 * noise(c.number, 0, 2))
        + 0.01 * c.depth as floor
from chunk c;

insert into steps by name
select
    c.trial_id,
    m.update,
    m.update * c.batch as samples,
    m.update * c.batch as gradient_evaluations,
    m.update * c.batch / 1437.0 as epoch,
    m.update * (1e-4 + 1e-6 * c.batch) as seconds,
    c.lr,
    0.9 * v.loss as train_loss,
    v.loss * (1 + 0.02 * noise(c.number, m.update, 4)) as test_loss,
    1 - 0.38 * least(v.loss, 2.3) as train_score,
    round(360 * (1 - 0.39 * least(v.loss, 2.3))) / 360 as test_score,
    if(m.with_layers, 0.3 * v.loss, null) as grad_norm,
    12 + ln(1 + m.update) as param_norm,
    if(m.update > 0, c.lr * 0.3 * v.loss, null) as update_norm
from live c
join moments m on m.update <= c.last
cross join lateral (
    select if(
        c.outcome = 'diverged',
        2.3 + m.update / c.last,
        c.floor + 2.3 / (1 + m.update / c.pace) ** 0.8
    ) * (1 + 0.05 * noise(c.number, m.update, 3)) as loss
) v
where c.outcome <> 'failed'
-- As packs send them: recording by recording.
order by c.pack, m.update, c.number;

insert into layers by name
select
    c.trial_id,
    m.update,
    l.layer::integer as layer,
    'hidden' || l.layer as name,
    exp(0.2 * noise(c.number, m.update, 10 + l.layer)) as q,
    1e-3 * c.factor ** (c.depth - l.layer)
        * exp(0.3 * noise(c.number, m.update, 20 + l.layer)) as backward_signal,
    0.1 * exp(noise(c.number, m.update, 30 + l.layer)) as grad_norm,
    0.01 as grad_rms,
    8.0 as weight_norm,
    if(m.update > 0, 1e-3 * c.lr / c.best_lr, null) as update_ratio,
    0.0 as dead_share,
    0.1 as zero_share,
    abs(noise(c.number, m.update, 40 + l.layer)) / 4 as saturated_share
from live c
join moments m on m.update <= c.last and m.with_layers
join range(1, 5) l (layer) on l.layer <= c.depth + 1
where c.outcome <> 'failed'
order by c.pack, m.update, c.number, l.layer;

insert into probes by name
select
    c.trial_id,
    m.update,
    'gradients' as probe,
    'chi' as key,
    if(l.layer = 0, null, l.layer)::integer as layer,
    c.factor * exp(0.1 * noise(c.number, m.update, 50 + l.layer)) as value
from live c
join moments m on m.update <= c.last and m.with_probes
join range(0, 5) l (layer) on l.layer <= c.depth + 1
where c.outcome <> 'failed'
order by c.pack, m.update, c.number, l.layer;

insert into predictions by name
select trial_id, key, value, source
from live c
cross join (values
    ('chi', 1.0, 'Schoenholz et al. 2017'),
    ('q_star', 0.8, 'Poole et al. 2016')
) p (key, value, source)
where c.outcome <> 'failed'
order by c.pack, c.number, key;

insert into verdicts by name
select
    c.trial_id,
    if(v.first, 0, c.last) as update,
    case
        when not v.first and c.outcome = 'diverged' then 'diverged'
        when c.factor ** c.depth < 0.01 then 'vanishing'
        when c.factor ** c.depth > 100 then 'exploding'
        else 'healthy'
    end as verdict,
    'The backward signal changes by a factor of ' || round(c.factor, 3) || ' per layer.' as reason,
    to_json({
        'chi': c.factor,
        'score': abs(c.depth * ln(c.factor)) + abs(noise(c.number, 0, 5)),
        'terms': {'movement': 1.2, 'overshoot': 11.8, 'size': 7.3, 'separation': 0.0},
        'advice': ''
    }) as evidence
from live c
cross join (values (true), (false)) v (first)
where c.outcome <> 'failed'
order by c.pack, c.number, update;

insert into summaries by name
with long as (
    unpivot (
        select trial_id, update, samples, seconds, train_loss, test_loss, train_score, test_score
        from steps
        where trial_id in (select trial_id from live)
    )
    on train_loss, test_loss, train_score, test_score into name metric value value
)
select
    s.trial_id,
    s.metric,
    arg_min(s.value, s.update) as first,
    arg_max(s.value, s.update) as last,
    if(s.metric like '%loss', min(s.value), max(s.value)) as best,
    if(
        s.metric like '%loss', arg_min(s.update, s.value), arg_max(s.update, s.value)
    ) as best_update,
    avg(s.value) * max(s.update) as area,
    min(s.update) filter (where s.metric = 'test_score' and s.value >= c.target) as target_update,
    min(s.samples) filter (where s.metric = 'test_score' and s.value >= c.target) as target_samples,
    min(s.seconds) filter (where s.metric = 'test_score' and s.value >= c.target) as target_seconds
from long s
join live c using (trial_id)
group by s.trial_id, s.metric;

update trials
set
    outcome = c.outcome,
    attempt = 1,
    updates = c.last,
    samples = c.last * c.batch,
    seconds = 1.5,
    isolated = false,
    device = 'cpu',
    node = 'node-' || c.number % 4,
    started_at = timestamptz '2026-11-01 00:00:00+00' + interval 1 second * c.pack,
    finished_at = timestamptz '2026-11-01 00:00:01+00' + interval 1 second * c.pack,
    diverged_at_update = if(c.outcome = 'diverged', c.last, null),
    error = if(c.outcome = 'failed', 'RuntimeError: out of memory', null),
    probe_seconds = 0.1
from live c
where trials.trial_id = c.trial_id;

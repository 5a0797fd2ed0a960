-- Question: are these the same numbers as those under another report?
-- Parameters: $sweep_id.
-- One row per table. fingerprint is the exclusive or of the rows' MD5 sums: independent of the
-- order of rows, different as soon as one measured value differs. Clock times, machines and
-- attempts are left out, so the same results have the same fingerprint wherever they ran.
with members as (
    select s.slug, t.*
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
)
select
    'trials' as "table",
    count(*) as row_count,
    coalesce(bit_xor(md5_number(concat_ws(
        '|', trial_id, slug, config::varchar,
        coalesce(outcome, '-'), coalesce(updates::varchar, '-'), coalesce(samples::varchar, '-'),
        coalesce(diverged_at_update::varchar, '-'), coalesce(error, '-')
    ))), 0)::varchar as fingerprint
from members
union all
select
    'steps',
    count(*),
    coalesce(bit_xor(md5_number(concat_ws(
        '|', x.trial_id, x.update, x.samples, x.gradient_evaluations, x.epoch, x.lr,
        coalesce(x.train_loss::varchar, '-'), coalesce(x.test_loss::varchar, '-'),
        coalesce(x.train_score::varchar, '-'), coalesce(x.test_score::varchar, '-'),
        coalesce(x.grad_norm::varchar, '-'), coalesce(x.param_norm::varchar, '-'),
        coalesce(x.update_norm::varchar, '-'), coalesce(x.noise_scale::varchar, '-'),
        coalesce(x.sharpness::varchar, '-'), coalesce(x.clipped_share::varchar, '-')
    ))), 0)::varchar
from steps x
join members using (trial_id)
union all
select
    'layers',
    count(*),
    coalesce(bit_xor(md5_number(concat_ws(
        '|', x.trial_id, x.update, x.layer, x.name,
        coalesce(x.q::varchar, '-'), coalesce(x.backward_signal::varchar, '-'),
        coalesce(x.grad_norm::varchar, '-'), coalesce(x.grad_rms::varchar, '-'),
        coalesce(x.weight_norm::varchar, '-'), coalesce(x.update_ratio::varchar, '-'),
        coalesce(x.dead_share::varchar, '-'), coalesce(x.zero_share::varchar, '-'),
        coalesce(x.saturated_share::varchar, '-')
    ))), 0)::varchar
from layers x
join members using (trial_id)
union all
select
    'probes',
    count(*),
    coalesce(bit_xor(md5_number(concat_ws(
        '|', x.trial_id, x.update, x.probe, x.key,
        coalesce(x.layer::varchar, '-'), coalesce(x.value::varchar, '-')
    ))), 0)::varchar
from probes x
join members using (trial_id)
order by 1

-- digests: the MD5 sum of every row of members and of what was measured of them, by table and
-- trial. Clock times, machines and attempts are left out. Doubles count by their bits, which is
-- as exact as their digits and takes a third less time.
digests as (
    select
        'trials' as "table",
        trial_id,
        md5_number(row(
            trial_id, slug, config::varchar, outcome, updates, samples, diverged_at_update, error
        )::varchar) as digest
    from members
    union all
    select
        'steps',
        trial_id,
        md5_number(row(
            x.trial_id, x.update, x.samples, x.gradient_evaluations,
            x.epoch::bit::ubigint, x.lr::bit::ubigint,
            x.train_loss::bit::ubigint, x.test_loss::bit::ubigint,
            x.train_score::bit::ubigint, x.test_score::bit::ubigint,
            x.grad_norm::bit::ubigint, x.param_norm::bit::ubigint,
            x.update_norm::bit::ubigint, x.noise_scale::bit::ubigint,
            x.sharpness::bit::ubigint, x.clipped_share::bit::ubigint
        )::varchar)
    from steps x
    join members using (trial_id)
    union all
    select
        'layers',
        trial_id,
        md5_number(row(
            x.trial_id, x.update, x.layer, x.name,
            x.q::bit::ubigint, x.backward_signal::bit::ubigint,
            x.grad_norm::bit::ubigint, x.grad_rms::bit::ubigint,
            x.weight_norm::bit::ubigint, x.update_ratio::bit::ubigint,
            x.dead_share::bit::ubigint, x.zero_share::bit::ubigint,
            x.saturated_share::bit::ubigint
        )::varchar)
    from layers x
    join members using (trial_id)
    union all
    select
        'probes',
        trial_id,
        md5_number(row(
            x.trial_id, x.update, x.probe, x.key, x.layer, x.value::bit::ubigint
        )::varchar)
    from probes x
    join members using (trial_id)
    union all
    select
        'predictions',
        trial_id,
        md5_number(row(x.trial_id, x.key, x.layer, x.value::bit::ubigint, x.source)::varchar)
    from predictions x
    join members using (trial_id)
    union all
    select
        'verdicts',
        trial_id,
        md5_number(row(
            x.trial_id, x.update, x.verdict, x.layer, x.reason, x.evidence::varchar
        )::varchar)
    from verdicts x
    join members using (trial_id)
)

-- Question: are these the same numbers of these trials as in another store, or in an archive?
-- Parameters: $trial_ids (a list; empty: all trials).
-- One row per trial: fingerprint covers its rows of trials, steps, layers and probes as that of
-- fingerprint does, but for its name in a sweep. idle: nobody has begun it, or it ended without a
-- result, or it was restored unfinished.
with members as (
    select * replace ('' as slug)
    from trials
    where len($trial_ids::varchar[]) = 0 or trial_id in (select unnest($trial_ids::varchar[]))
),
-- include digests
select
    m.trial_id,
    any_value(m.outcome) as outcome,
    any_value(m.attempt) as attempt,
    any_value(
        m.attempt = 0
        or coalesce(m.outcome, '') in ('failed', 'cancelled')
        or (m.outcome is null and m.writer is null)
    ) as idle,
    count(*) as row_count,
    bit_xor(d.digest)::varchar as fingerprint
from members m
join digests d using (trial_id)
group by m.trial_id
order by m.trial_id

-- Question: are these the same numbers as those under another report?
-- Parameters: $sweep_id.
-- Optional: $parts and $part: only every $parts-th trial, from the $part-th on. The exclusive or of
-- the parts' fingerprints is the whole's: a large sweep can be asked for in pieces.
-- One row per table. fingerprint is the exclusive or of the rows' MD5 sums: independent of the
-- order of rows, different as soon as one measured value differs. Clock times, machines and
-- attempts are left out, so the same results have the same fingerprint wherever they ran.
with members as (
    select s.slug, t.*
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
    and ($parts::ubigint is null or hash(trial_id) % $parts::ubigint = $part::ubigint)
),
-- include digests,
totals as (
    select "table", count(*) as row_count, bit_xor(digest) as total
    from digests
    group by "table"
),
names as (
    select unnest(['layers', 'predictions', 'probes', 'steps', 'trials', 'verdicts']) as "table"
)
select
    "table",
    coalesce(row_count, 0) as row_count,
    coalesce(total, 0)::varchar as fingerprint
from names
left join totals using ("table")
order by "table"

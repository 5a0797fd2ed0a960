-- Question: what does a number of each trial come to in any grouping of several sweeps?
-- Parameters: $sweeps (sweep ids), $keys (paths of compare_keys), $kind and $metric (last or
--   best of a metric of summaries; probe: the last recording of a key of probes; trial:
--   updates, samples or seconds), $with_values (whether the values themselves are wanted).
-- One row per group; levels are in the order of $keys, NULL where a trial lacks the key, and
-- group_id is their JSON text. n values of trials that ended without diverging, and their mean,
-- sample standard deviation, median and interquartile mean, which leaves out a quarter of the
-- values, rounded down, at either end. trials = n + diverged + failed + missing. Seconds of
-- trials that shared their machine are the pack's: they are missing, and shared counts them.
-- "values" is the list of the values in the order of trial ids, or NULL.
with
-- include compare_chosen,
-- include compare_configured,
members as (
    -- Distinct: a trial of two sweeps counts once where the groups do not tell these apart.
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
        t.outcome,
        t.outcome in ('done', 'reached_target') as ended,
        coalesce($metric = 'seconds' and t.isolated is false, false) as shared,
        case when $kind = 'trial' then
            case $metric
                when 'updates' then t.updates::double
                when 'samples' then t.samples::double
                when 'seconds' then if(t.isolated, t.seconds, null)
            end
        end as own
    from chosen c
    join configured t using (trial_id)
),
measured as (
    select trial_id, if($kind = 'best', best, last) as value
    from summaries
    where $kind in ('last', 'best') and metric = $metric
    union all
    select trial_id, arg_max(value, update)
    from probes
    where $kind = 'probe' and key = $metric and layer is null
    group by trial_id
),
found as (
    select m.*, if(m.ended and isfinite(coalesce(x.value, m.own)), coalesce(x.value, m.own), null)
        as value
    from members m
    left join measured x using (trial_id)
),
grouped as (
    select
        levels,
        count(*) as trials,
        count(*) filter (where outcome = 'diverged') as diverged,
        count(*) filter (where outcome = 'failed') as failed,
        count(*) filter (where value is null and coalesce(outcome, '') not in ('diverged', 'failed'))
            as missing,
        count(*) filter (where shared) as shared,
        count(value) as n,
        avg(value) as mean,
        stddev_samp(value) as stddev,
        median(value) as median,
        list(value order by value) filter (where value is not null) as sorted,
        case when $with_values then list(value order by trial_id) filter (where value is not null) end
            as "values"
    from found
    group by levels
)
select
    to_json(levels)::varchar as group_id,
    * exclude (sorted),
    list_avg(sorted[1 + n // 4 : n - n // 4]) as iqm
from grouped
order by levels

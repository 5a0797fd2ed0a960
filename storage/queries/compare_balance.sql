-- Question: what else varies inside groups of trials of several sweeps, and alike in all?
-- Parameters: $sweeps, $keys (as for compare_groups), $others (paths of compare_keys that the
--   groups do not hold apart).
-- One row per key of $others that takes several levels inside some group; most counts them, and
-- a key that a trial lacks has one level there. uneven: it does not take the same levels in
-- every group, so a difference between groups may be this key's.
with
-- include compare_chosen,
-- All keys of a configuration at once: parsing it is what takes time.
configured as materialized (
    select
        * exclude (config),
        config ->> $keys::varchar[] as texts,
        json_type(config, $keys::varchar[]) as kinds,
        config ->> $others::varchar[] as other_texts,
        json_type(config, $others::varchar[]) as other_kinds
    from trials
    where trial_id in (select trial_id from chosen)
),
members as (
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
        list_transform(
            $others::varchar[],
            lambda path, place: case path
                when 'sweep' then c.sweep
                when 'team' then c.team
                when 'owner' then c.owner
                else coalesce(t.other_texts[place], lower(t.other_kinds[place]))
            end
        ) as inside
    from chosen c
    join configured t using (trial_id)
),
held as (
    select
        levels,
        unnest($others::varchar[]) as path,
        unnest(inside) as level
    from members
),
sets as (
    select path, levels, list(distinct coalesce(level, '') || (level is null)::varchar) as found
    from held
    group by path, levels
)
select
    path,
    max(len(found)) as most,
    count(distinct list_sort(found)) > 1 as uneven
from sets
group by path
having max(len(found)) > 1
order by path

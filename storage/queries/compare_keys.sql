-- Question: in which keys of their configurations do the trials of these sweeps differ?
-- Parameters: $sweeps (sweep ids).
-- One row per key that takes more than one level: a JSON path into trials.config, however
-- deep, or sweep, team, owner. A key that some trials do not have has one level more, of which
-- absent counts the trials; null is a level of its own. examples are its first levels, numbers
-- by size. trials counts all trials of these sweeps, each once.
with chosen as (
    select s.trial_id, w.sweep_id, w.name, w.team, w.owner
    from sweep_trials s
    join sweeps w using (sweep_id)
    where list_contains($sweeps::varchar[], s.sweep_id)
),
members as (
    select config
    from trials
    where trial_id in (select trial_id from chosen)
),
-- Trials of a sweep share most of their parts: each distinct part is taken apart only once.
parts as (
    select
        if(regexp_full_match(e.key, '\w+'), '$.' || e.key, '$."' || e.key || '"') as path,
        e.value as part,
        count(*) as trials
    from members, json_each(members.config) e
    group by all
),
leaves as (
    select
        parts.path || substr(x.fullkey, 2) as path,
        if(x.type = 'NULL', 'null', x.atom ->> '$') as level,
        sum(parts.trials) as trials
    from parts, json_tree(parts.part) x
    where x.type not in ('OBJECT', 'ARRAY')
    group by all
    union all
    select 'sweep', if(min(sweep_id) = max(sweep_id), name, unnest(list(distinct sweep_id))),
        count(distinct trial_id)
    from chosen
    group by name
    union all
    select 'team', team, count(distinct trial_id) from chosen group by team
    union all
    select 'owner', owner, count(distinct trial_id) from chosen group by owner
),
counted as (
    select
        path,
        count(level) as levels,
        greatest((select count(*) from members) - sum(trials), 0)
            + coalesce(sum(trials) filter (where level is null), 0) as absent,
        list(level order by try_cast(level as double), level)
            filter (where level is not null) as levels_found
    from leaves
    group by path
)
select
    path,
    levels + (absent > 0)::bigint as levels,
    absent::bigint as absent,
    levels_found[:8] as examples,
    (select count(*) from members) as trials
from counted
where levels + (absent > 0)::bigint > 1
order by path

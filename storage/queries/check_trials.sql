-- Question: is a row of a trial there twice, and are the summaries those of its steps?
-- Parameters: $trial_ids (a list; empty: all trials).
-- One row per kind of mistake: how many there are, and the id of one trial. In a sound store
-- found is 0 everywhere. Summaries are compared for finished trials, where they have a number;
-- the area to a relative 1e-6, for sums depend on their order. Other tools record a metric now
-- and then: of imported trials first and last are those of the recordings that have it.
with members as (
    select trial_id, outcome, model = 'imported' as imported
    from trials
    where len($trial_ids::varchar[]) = 0 or trial_id in (select unnest($trial_ids::varchar[]))
),
recorded as (
    select trial_id, update, metric, value, imported
    from (
        select
            trial_id,
            update,
            imported,
            unnest(['train_loss', 'test_loss', 'train_score', 'test_score']) as metric,
            unnest([train_loss, test_loss, train_score, test_score]) as value
        from steps
        join (
            from members where outcome in ('done', 'reached_target', 'diverged')
        ) using (trial_id)
    )
    where not imported or value is not null
),
pieces as (
    select
        *,
        (update - lag(update) over along) * (value + lag(value) over along) / 2 as area
    from recorded
    window along as (partition by trial_id, metric order by update)
),
expected as (
    select
        trial_id,
        metric,
        first(value order by update) as first,
        last(value order by update) as last,
        if(metric like '%loss', min(value), max(value)) as best,
        -- Of equal values the earliest.
        arg_min(update, (if(metric like '%loss', value, -value), update))
            filter (value is not null) as best_update,
        coalesce(sum(area), 0) as area,
        bool_and(value is not null) as whole
    from pieces
    group by trial_id, metric
),
mistakes(kind, id) as (
    select 'steps there twice', trial_id
    from steps semi join members using (trial_id)
    group by trial_id, update having count(*) > 1
    union all
    select 'layers there twice', trial_id
    from layers semi join members using (trial_id)
    group by trial_id, update, layer having count(*) > 1
    union all
    select 'probes there twice', trial_id
    from probes semi join members using (trial_id)
    group by trial_id, update, probe, key, layer having count(*) > 1
    union all
    select 'summaries there twice', trial_id
    from summaries semi join members using (trial_id)
    group by trial_id, metric having count(*) > 1
    union all
    select 'summaries that are not of the steps', trial_id
    from summaries s join expected e using (trial_id, metric)
    where s.first is distinct from e.first
        or s.last is distinct from e.last
        or (
            e.first is not null
            and s.best is not null
            and (s.best <> e.best or s.best_update <> e.best_update)
        )
        or (e.whole and s.area is not null and abs(s.area - e.area) > 1e-6 * abs(e.area))
    union all
    select 'finished trials without summaries', trial_id
    from expected anti join summaries using (trial_id, metric)
)
select kind, count(id) as found, min(id) as example
from (
    select unnest([
        'steps there twice', 'layers there twice', 'probes there twice',
        'summaries there twice', 'summaries that are not of the steps',
        'finished trials without summaries'
    ]) as kind
)
left join mistakes using (kind)
group by kind
order by kind

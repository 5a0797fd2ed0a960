-- given: of the rows of averaged those that a line is drawn of: the part between $low and $high,
-- reduced where it has more than 200 recordings. seeds: how many are behind a row of it.
whole as (
    select place, max(rows) as trials
    from averaged
    group by place
),
-- The part that is looked at: all of it without $low.
part as (
    select *
    from averaged
    where $low::double is null
        or case $along::varchar
            when 'samples' then samples
            when 'gradient_evaluations' then gradient_evaluations
            when 'seconds' then seconds
            else update
        end between $low::double and $high::double
),
counted as (
    select
        place,
        any_value(w.trials) as trials,
        count(*) as recordings,
        min(p.update) as first,
        max(p.update) as last
    from part p
    join whole w using (place)
    group by place
),
buckets as (
    select
        a.place,
        arg_min(a.update, a.mean) as low,
        arg_max(a.update, a.mean) as high,
        min(a.update) as first,
        max(a.update) as last
    from part a
    join counted c using (place)
    where c.recordings > 200 and a.n = c.trials
    group by
        a.place,
        floor(99 * ln((1 + a.update) / (1 + c.first)) / ln((1 + c.last) / (1 + c.first)))
),
kept as (
    select place, unnest([low, high]) as update from buckets
    union
    select place, unnest([min(first), max(last)]) from buckets group by place
),
given as materialized (
    select a.*, c.trials, c.recordings
    from part a
    join counted c using (place)
    left join kept k on k.place = a.place and k.update = a.update
    where c.recordings <= 200 or k.update is not null
),
-- To count distinct seeds costs many times what all else does: only where they may repeat.
seeds as (
    select place, update, count(distinct seed) as seeds
    from points
    join given using (place, update)
    where place in (select place from groups where repeats)
    group by place, update
)

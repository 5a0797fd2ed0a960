-- shown: of $groups the trials that ended without diverging or, while a group has none, those
-- under way.
members as (
    select distinct
        t.trial_id,
        to_json(list_transform(
            $keys::varchar[],
            lambda path, place: case path
                when 'sweep' then c.sweep
                when 'team' then c.team
                when 'owner' then c.owner
                else coalesce(t.texts[place], lower(t.kinds[place]))
            end
        ))::varchar as group_id,
        t.outcome is not null as ended
    from chosen c
    join configured t using (trial_id)
    where t.outcome is null or t.outcome in ('done', 'reached_target')
),
shown as (
    select *
    from members
    where list_contains($groups::varchar[], group_id)
    qualify ended or not bool_or(ended) over (partition by group_id)
)

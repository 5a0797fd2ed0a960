-- All keys of a configuration at once: parsing it is what takes time.
configured as materialized (
    select
        * exclude (config),
        config ->> $keys::varchar[] as texts,
        json_type(config, $keys::varchar[]) as kinds
    from trials
    where trial_id in (select trial_id from chosen)
)

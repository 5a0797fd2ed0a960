-- chosen: the trials of $sweeps with team, owner and the sweep's name, or its id where names repeat.
chosen as (
    select
        s.trial_id,
        w.team,
        w.owner,
        if(
            min(w.sweep_id) over (partition by w.name) = max(w.sweep_id) over (partition by w.name),
            w.name,
            w.sweep_id
        ) as sweep
    from sweep_trials s
    join sweeps w using (sweep_id)
    where list_contains($sweeps::varchar[], s.sweep_id)
)

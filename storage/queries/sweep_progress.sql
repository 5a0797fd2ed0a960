-- Question: how far is this sweep, how fast does it go, when did it last move?
-- Parameters: $sweep_id.
-- One row. recent_* describe the up to 64 trials finished last, within the last hour: their
-- number over the seconds since the first of them started is the throughput now. ran_* do the
-- same for every trial trained for this sweep, for one that has ended. Reused trials cost
-- nothing and are in neither.
with members as (
    select
        s.reused,
        t.outcome,
        t.started_at,
        t.finished_at,
        t.outcome in ('done', 'reached_target', 'diverged') as finished
    from sweep_trials s
    join trials t using (trial_id)
    where s.sweep_id = $sweep_id
),
recent as (
    select started_at
    from members
    where finished and not reused and finished_at > now() - interval 1 hour
    order by finished_at desc
    limit 64
)
select
    count(*) as trials,
    count(*) filter (where finished) as finished,
    count(*) filter (where reused) as reused,
    count(*) filter (where outcome = 'failed') as failed,
    count(*) filter (where outcome = 'cancelled') as cancelled,
    count(*) filter (where outcome is null and started_at is not null) as under_way,
    (select count(*) from recent) as recent_trials,
    (select epoch(now()) - epoch(min(started_at)) from recent) as recent_s,
    count(*) filter (where finished and not reused) as ran_trials,
    epoch(max(finished_at) filter (where not reused))
        - epoch(min(started_at) filter (where not reused)) as ran_s,
    epoch(now())
        - epoch(greatest(max(started_at), max(finished_at))) as quiet_s
from members

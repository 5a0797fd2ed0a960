-- Question: has anything changed that a page should be drawn again for?
-- Parameters: none.
-- One row: the number of sweeps, the newest of them, and those that are running, as text.
select
    count(*) as sweeps,
    arg_max(sweep_id, created_at) as newest,
    coalesce(
        string_agg(sweep_id, ' ' order by sweep_id)
            filter (where status in ('running', 'cancelling')),
        ''
    ) as running
from sweeps

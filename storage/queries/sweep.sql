-- Question: what was asked for in this sweep, by whom, and with which version?
-- Parameters: $sweep_id.
-- One row: the sweep as registered; spec is the validated grid file as JSON text.
select
    sweep_id,
    name,
    study,
    team,
    owner,
    status,
    created_at,
    talweg_version,
    host,
    software::varchar as software,
    spec::varchar as spec
from sweeps
where sweep_id = $sweep_id

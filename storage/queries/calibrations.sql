-- Question: how long do packs of these shapes take?
-- Parameters: $shapes (a list of shape keys).
-- One row per shape, device and size of pack: the newest measurement. The seconds are those of
-- one update, or one recording, of the whole pack.
select shape, device, trials, update_seconds, recording_seconds, measured_at
from calibrations
where shape in (select unnest($shapes::varchar[]))
order by shape, device, trials

-- How long packs of a size take, as measured: what the next plan sizes its packs by.
-- One row per shape, device and size; the store's single committer replaces it, without a key
-- for the reason that 0001 gives.

create table calibrations (
    shape             varchar not null,    -- key of what trials train together: a hash
    device            varchar not null,    -- type of device, such as 'cpu: AMD EPYC'
    trials            integer not null,    -- K, the trials of the pack
    update_seconds    double not null,     -- seconds of one update of the whole pack
    recording_seconds double not null,     -- seconds of one recording of the whole pack
    measured_at       timestamptz not null
);

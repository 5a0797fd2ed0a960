-- Tables of the first version. Units stand in the names or in the comment beside.
-- No primary keys: uniqueness is held by the ledger and by the store's single committer,
-- because delete + insert under a key cannot always be replayed from the write-ahead log.

create table sweeps (
    sweep_id       varchar not null,    -- name + hash of the grid
    name           varchar not null,
    study          varchar,
    team           varchar,
    owner          varchar,
    spec           json not null,       -- the grid file as validated
    created_at     timestamptz not null,
    status         varchar not null,    -- running | done | failed | interrupted | cancelling | cancelled
    talweg_version varchar not null,
    host           varchar
);

create table trials (
    trial_id           varchar not null,   -- hash of the content
    slug               varchar not null,   -- words, of the first sweep that planned it
    problem            varchar not null,
    model              varchar not null,
    loss               varchar not null,
    descent            varchar not null,
    batch_size         integer,            -- samples per update; NULL: the whole training set
    optimizer          varchar not null,
    lr                 double,
    momentum           double,
    depth              integer,            -- hidden layers
    width              integer,            -- units per hidden layer
    activation         varchar,
    init               varchar,
    norm               varchar,
    residual           boolean,
    clip_norm          double,
    seed               bigint not null,
    budget_updates     bigint not null,    -- updates planned
    dtype              varchar not null,
    config             json not null,      -- the whole trial
    outcome            varchar,            -- NULL until finished
    attempt            integer not null default 0,
    writer             varchar,            -- who may append rows of this trial now
    updates            bigint,             -- updates made
    samples            bigint,             -- samples seen by updates
    seconds            double,             -- wall clock; the pack's where isolated is false
    isolated           boolean,
    device             varchar,
    node               varchar,
    started_at         timestamptz,
    finished_at        timestamptz,
    diverged_at_update bigint,
    error              varchar,
    probe_seconds      double              -- this trial's share of the time its measurements took
);

create table sweep_trials (
    sweep_id varchar not null,
    trial_id varchar not null,
    slug     varchar not null,   -- words, of this sweep
    reused   boolean not null    -- finished before this sweep first asked for it
);

create table steps (
    trial_id             varchar not null,
    update               bigint not null,    -- 0: the untrained net
    samples              bigint not null,    -- samples seen by updates
    gradient_evaluations bigint not null,    -- gradients of single samples computed for updates
    epoch                double not null,
    seconds              double,             -- training time so far, measurements excluded
    lr                   double not null,
    train_loss           double,
    test_loss            double,
    train_score          double,             -- accuracy in [0, 1] for classification
    test_score           double,
    grad_norm            double,
    param_norm           double,
    update_norm          double,
    noise_scale          double,             -- samples
    sharpness            double,             -- largest Hessian eigenvalue
    clipped_share        double              -- share of updates clipped since the row before
);

create table layers (
    trial_id        varchar not null,
    update          bigint not null,
    layer           integer not null,   -- 1 is next to the input
    name            varchar not null,
    q               double,             -- E |z|^2 / width
    backward_signal double,             -- E |delta|^2 / width, per-sample loss
    grad_norm       double,
    grad_rms        double,
    weight_norm     double,
    update_ratio    double,             -- |change of weights| / |weights|, last update
    dead_share      double,
    zero_share      double,
    saturated_share double
);

create table probes (
    trial_id varchar not null,
    update   bigint not null,
    probe    varchar not null,
    key      varchar not null,
    layer    integer,
    value    double
);

create table predictions (
    trial_id varchar not null,
    key      varchar not null,
    layer    integer,
    value    double,
    source   varchar not null
);

create table verdicts (
    trial_id varchar not null,
    update   bigint not null,
    verdict  varchar not null,   -- healthy | vanishing | exploding | dead | saturated | unstable | diverged
    layer    integer,
    reason   varchar not null,
    evidence json not null
);

create table summaries (
    trial_id       varchar not null,
    metric         varchar not null,
    first          double,
    last           double,
    best           double,
    best_update    bigint,
    area           double,     -- trapezoid integral over updates
    target_update  bigint,     -- NULL: not reached (censored)
    target_samples bigint,
    target_seconds double
);

-- The ledger: what of each writer is committed. Rows and ledger go into one transaction.
create table ledger (
    writer   varchar not null,
    sequence bigint not null    -- highest committed sequence number of this writer
);

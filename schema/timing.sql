-- The read model of timing: builds, operations, recipes, requests.
-- Names are unqualified: the projection's schema is first in the search path. Durations are whole µs.
-- Columns of type uuid named *_id are ids of events: together with the time beside them they break ties, so that
-- the rows do not depend on the order in which events were applied.

CREATE TABLE instance (
    instance_id          text        PRIMARY KEY,
    -- Its attributes, each from the report that decides it by the rank of evidence.
    name                 text,
    project_id           text,
    host                 text,
    flavor               text,
    image                text,
    state                text,
    state_at             timestamptz,
    launched_at          timestamptz,
    deleted_at           timestamptz,
    -- The reports of the attributes that can still decide them. The arrays run in parallel.
    evidence             integer[]   NOT NULL,
    evidence_at          timestamptz[] NOT NULL,
    evidence_id          uuid[]      NOT NULL,
    evidence_request     uuid[]      NOT NULL,
    evidence_value       text[]      NOT NULL,
    -- The first and the last event about it.
    first_at             timestamptz NOT NULL,
    last_at              timestamptz NOT NULL,
    last_id              uuid        NOT NULL,
    last_kind            text        NOT NULL,
    reported_at          timestamptz,
    -- The facts that the build is derived from, besides the create operations.
    building_reported_at timestamptz,
    running_reported_at  timestamptz,
    first_launched_at    timestamptz,
    relaunched_at        timestamptz,
    error_said_at        timestamptz,
    deletion_ended_at    timestamptz,
    deletion_said_at     timestamptz,
    announced_at         timestamptz,
    bootstrap_at         timestamptz,
    ended_at             timestamptz,
    ended_id             uuid,
    ended_outcome        text,
    no_host_at           timestamptz[] NOT NULL,
    no_host_id           uuid[]      NOT NULL,
    no_host_error        text[]      NOT NULL,
    ttm_first_at         timestamptz,
    ttm_first_id         uuid,
    ttm_last_at          timestamptz,
    ttm_last_id          uuid,
    ttm_start_at         timestamptz,
    ttm_start_id         uuid,
    ttm_end_at           timestamptz,
    ttm_end_id           uuid,
    ttm_start_time       text,
    ttm_end_time         text,
    -- The build itself.
    build_status         text CHECK (build_status IN ('building', 'bootstrapping', 'complete', 'failed')),
    build_started_at     timestamptz,
    bootstrap_started_at timestamptz,
    build_ended_at       timestamptz,
    build_end_inferred   boolean     NOT NULL DEFAULT false,
    build_duration_us    bigint CHECK (build_duration_us >= 0),
    spawn_us             bigint CHECK (spawn_us >= 0),
    attempts             integer     NOT NULL DEFAULT 0,
    build_error          text,
    skewed               boolean     NOT NULL DEFAULT false
);

COMMENT ON COLUMN instance.host IS 'The host it is on; null while it is on none, as when it is shelved and offloaded';
COMMENT ON COLUMN instance.state_at IS 'Time of the report that decides the state';
COMMENT ON COLUMN instance.evidence IS 'Attribute and rank of each report, as 10 * attribute + rank: name 0, project_id 1, host 2, flavor 3, image 4, state 5, launched_at 6, deleted_at 7; end of the deletion 0, other message of a deleted instance 1, audit of one 2, change 3, mention 4, filler 5';
COMMENT ON COLUMN instance.evidence_at IS 'Times of the events that the reports come from';
COMMENT ON COLUMN instance.evidence_id IS 'Ids of these events';
COMMENT ON COLUMN instance.evidence_request IS 'The requests in which they were sent, as UUIDs of version 5 of the requests'' ids';
COMMENT ON COLUMN instance.evidence_value IS 'The reported values; null if the attribute was sent empty on purpose';
COMMENT ON COLUMN instance.reported_at IS 'Time of the earliest event of a build or a recipe, including the calls of TTM''s routes; null if all its events are from Nova';
COMMENT ON COLUMN instance.building_reported_at IS 'Time of the earliest message with the state building';
COMMENT ON COLUMN instance.running_reported_at IS 'Time of the earliest message with a state that only a launched instance has, e.g. active or stopped';
COMMENT ON COLUMN instance.first_launched_at IS 'The earliest launch that any message contains, except the errors of create operations';
COMMENT ON COLUMN instance.relaunched_at IS 'Time of the earliest operation that sets the time of the launch anew, e.g. rebuild';
COMMENT ON COLUMN instance.build_end_inferred IS 'Whether the end of the build was inferred from a later message, because its own was lost; build_ended_at is then the time of the launch, or null';
COMMENT ON COLUMN instance.error_said_at IS 'Time of the earliest message with the state error and without a launch';
COMMENT ON COLUMN instance.deletion_ended_at IS 'Time of the earliest end of a completed deletion, i.e. one with the state deleted or a time of deletion';
COMMENT ON COLUMN instance.deletion_said_at IS 'Time of the earliest message with the state deleted';
COMMENT ON COLUMN instance.announced_at IS 'Time of the earliest build.started';
COMMENT ON COLUMN instance.bootstrap_at IS 'Time of the earliest bootstrap.started';
COMMENT ON COLUMN instance.ended_at IS 'Time of the latest build.ended';
COMMENT ON COLUMN instance.no_host_at IS 'Times of the latest failure to find a host (no create.* follows it), in the legacy and in the versioned format';
COMMENT ON COLUMN instance.ttm_first_at IS 'Time of the first call of TTM''s time/now: the build starts';
COMMENT ON COLUMN instance.ttm_last_at IS 'Time of its last call: if it is not the first, the bootstrap starts';
COMMENT ON COLUMN instance.ttm_start_at IS 'When TTM''s metrics with a start_time that is not empty were last posted';
COMMENT ON COLUMN instance.ttm_end_at IS 'When TTM''s metrics with an end_time, which may be empty, were last posted';
COMMENT ON COLUMN instance.ttm_start_time IS 'The start_time in the metrics of ttm_start_at, as it was sent';
COMMENT ON COLUMN instance.ttm_end_time IS 'The end_time in the metrics of ttm_end_at, as it was sent';
COMMENT ON COLUMN instance.build_duration_us IS 'How long the user waited: from the first start to the last end, failed attempts included';
COMMENT ON COLUMN instance.spawn_us IS 'Duration of the attempt that succeeded, or else of the last one, alone';
COMMENT ON COLUMN instance.skewed IS 'Whether clocks disagreed: a negative duration is stored as 0';

CREATE TABLE operation (
    instance_id  text    NOT NULL,
    operation    text    NOT NULL,
    at           timestamptz NOT NULL,
    operation_id uuid    NOT NULL,
    request_id   text,
    host         text,
    flavor       text,
    image        text,
    project_id   text,
    apart        text[],
    started_at   timestamptz,
    start_id     uuid,
    start_format text,
    ended_at     timestamptz,
    end_id       uuid,
    end_format   text,
    duration_us  bigint CHECK (duration_us >= 0),
    status       text    NOT NULL CHECK (status IN ('complete', 'failed', 'open', 'start_missing')),
    error        text,
    skewed       boolean NOT NULL DEFAULT false,
    -- The time is part of a notification's identity, so an id alone may occur twice.
    PRIMARY KEY (instance_id, operation, at, operation_id)
);

COMMENT ON COLUMN operation.at IS 'When it started; if its start is missing, when it ended';
COMMENT ON COLUMN operation.apart IS 'Request id, flavor, image and project of the start and then of the end, if they differ. The columns then contain the values of the end, or of the start where the end has none';
COMMENT ON COLUMN operation.status IS 'An operation with a bad end has failed, even if its start is missing';
COMMENT ON COLUMN operation.operation_id IS 'Id of the event that started it; if its start is missing, of the event that ended it';
COMMENT ON COLUMN operation.operation IS 'Its name in Nova''s versioned notifications, e.g. create, resize_finish';
COMMENT ON COLUMN operation.host IS 'The host that reported it (from the publisher), which need not be the host of the instance';
COMMENT ON COLUMN operation.start_format IS 'legacy or versioned; the same fact in both formats counts once';

-- Calls of Nova's compute manager that failed. A call ends the operations that it left open: the ones of the same
-- host and request.
CREATE TABLE failed_call (
    instance_id text        NOT NULL,
    at          timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    operations  text[]      NOT NULL,
    request_id  text        NOT NULL,
    host        text        NOT NULL,
    error       text,
    PRIMARY KEY (instance_id, at, event_id)
);
COMMENT ON COLUMN failed_call.operations IS 'The operations that the call can end';
COMMENT ON COLUMN failed_call.host IS 'The host that reported it (from the publisher)';

-- Hourly sums of operations: one row for all (dimension '') and one per value of each dimension.
CREATE TABLE operation_hour (
    operation  text        NOT NULL,
    dimension  text        NOT NULL CHECK (dimension IN ('', 'host', 'flavor', 'image', 'project_id')),
    hour       timestamptz NOT NULL,
    value      text        NOT NULL,
    count      bigint      NOT NULL,
    failed     bigint      NOT NULL,
    open       bigint      NOT NULL,
    sum_us     numeric     NOT NULL,
    bins       integer[]   NOT NULL,
    bin_counts bigint[]    NOT NULL,
    PRIMARY KEY (operation, dimension, hour, value)
);
COMMENT ON COLUMN operation_hour.hour IS 'UTC hour in which the operations started (or ended, if their start is missing)';
COMMENT ON COLUMN operation_hour.bins IS 'Sketch of the durations of complete operations: numbers of the bins, in ascending order';
COMMENT ON COLUMN operation_hour.bin_counts IS 'Number of durations in each bin; the relative error of a bin is at most 1 %';

CREATE TABLE recipe (
    instance_id   text NOT NULL,
    at            timestamptz NOT NULL,
    recipe_id     uuid NOT NULL,
    recipe        text NOT NULL,
    run_id        text,
    apart         text[],
    started_at    timestamptz,
    start_id      uuid,
    start_message text,
    ended_at      timestamptz,
    end_id        uuid,
    end_message   text,
    outcome       text CHECK (outcome IN ('success', 'failure')),
    duration_us   bigint CHECK (duration_us >= 0),
    skewed        boolean NOT NULL DEFAULT false,
    is_ttm        boolean NOT NULL DEFAULT false,
    -- Starts and ends are paired among recipes of one name, so recipes of other names need not be read.
    PRIMARY KEY (instance_id, recipe, at, recipe_id)
);
COMMENT ON COLUMN recipe.at IS 'When it started; if its start is missing, when it ended';
COMMENT ON COLUMN recipe.apart IS 'The run id of the start and of the end, if only one of them has one';
COMMENT ON COLUMN recipe.recipe_id IS 'Id of the event that started it; if its start is missing, of the event that ended it';
COMMENT ON COLUMN recipe.is_ttm IS 'Derived from calls of TTM''s recipe route (ttm_recipe_call)';

-- Calls of TTM's recipe route: whether a call starts or ends a recipe depends on all earlier calls.
CREATE TABLE ttm_recipe_call (
    instance_id text        NOT NULL,
    called_at   timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    recipe      text,
    message     text,
    PRIMARY KEY (instance_id, called_at, event_id)
);

-- The events that an API request caused, one row per instance.
CREATE TABLE request (
    request_id  text          NOT NULL,
    instance_id text          NOT NULL,
    occurred_at timestamptz[] NOT NULL,
    event_id    uuid[]        NOT NULL,
    kind        text[]        NOT NULL,
    source      text[]        NOT NULL,
    PRIMARY KEY (request_id, instance_id)
);
COMMENT ON TABLE request IS 'The arrays run in parallel, ordered by occurred_at and event_id';

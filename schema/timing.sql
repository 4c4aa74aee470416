-- The read model of timing: builds, operations, recipes, requests.
-- Unqualified: the projection's schema is first in the search path. Durations are whole µs.
-- Columns named *_id that hold a uuid are ids of events: with the time beside them they break ties,
-- so that the rows do not depend on the order in which events were applied.

CREATE TABLE instance (
    instance_id          text        PRIMARY KEY,
    -- What is known of it: each from the newest event that names it.
    name                 text,
    project_id           text,
    host                 text,
    flavor               text,
    image                text,
    state                text,
    launched_at          timestamptz,
    deleted_at           timestamptz,
    stamp_at             timestamptz[] NOT NULL,
    stamp_id             uuid[]      NOT NULL,
    -- The first and the last thing heard of it.
    first_at             timestamptz NOT NULL,
    last_at              timestamptz NOT NULL,
    last_id              uuid        NOT NULL,
    last_kind            text        NOT NULL,
    reported_at          timestamptz,
    -- What the build is derived from, beside its create operations.
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
    ttm_end_at           timestamptz,
    ttm_end_id           uuid,
    ttm_start_time       text,
    ttm_end_time         text,
    -- The build itself.
    build_status         text CHECK (build_status IN ('building', 'bootstrapping', 'complete', 'failed')),
    build_started_at     timestamptz,
    bootstrap_started_at timestamptz,
    build_ended_at       timestamptz,
    build_duration_us    bigint CHECK (build_duration_us >= 0),
    spawn_us             bigint CHECK (spawn_us >= 0),
    attempts             integer     NOT NULL DEFAULT 0,
    build_error          text,
    skewed               boolean     NOT NULL DEFAULT false
);

COMMENT ON COLUMN instance.stamp_at IS 'When name, project_id, host, flavor, image, state, launched_at and deleted_at (in this order) were said';
COMMENT ON COLUMN instance.stamp_id IS 'By which event';
COMMENT ON COLUMN instance.reported_at IS 'Earliest event of a build or a recipe, TTM''s calls among them; null when Nova alone spoke of it';
COMMENT ON COLUMN instance.error_said_at IS 'Earliest message that told of the state error and of no launch';
COMMENT ON COLUMN instance.deletion_ended_at IS 'Earliest end of a deletion that was done: that told of the state deleted, or of a time of deletion';
COMMENT ON COLUMN instance.deletion_said_at IS 'Earliest message that told of the state deleted';
COMMENT ON COLUMN instance.announced_at IS 'Earliest build.started';
COMMENT ON COLUMN instance.bootstrap_at IS 'Earliest bootstrap.started';
COMMENT ON COLUMN instance.ended_at IS 'Latest build.ended';
COMMENT ON COLUMN instance.no_host_at IS 'Latest failure to find a host (no create.* follows it), as the legacy and as the versioned format told it';
COMMENT ON COLUMN instance.ttm_first_at IS 'First call of TTM''s time/now: the build starts';
COMMENT ON COLUMN instance.ttm_last_at IS 'Last call of it: when not the first, the bootstrap starts';
COMMENT ON COLUMN instance.ttm_end_at IS 'When TTM''s metrics were last posted';
COMMENT ON COLUMN instance.ttm_start_time IS 'The start_time they named, as sent';
COMMENT ON COLUMN instance.ttm_end_time IS 'The end_time they named, as sent';
COMMENT ON COLUMN instance.build_duration_us IS 'The user''s wait: from the first start to the last end, failed attempts included';
COMMENT ON COLUMN instance.spawn_us IS 'The attempt that succeeded alone, else the last one';
COMMENT ON COLUMN instance.skewed IS 'Clocks disagreed: a duration that came out negative is shown as 0';

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
    -- The time is part of a notification's identity, so an id alone may stand twice.
    PRIMARY KEY (instance_id, operation, at, operation_id)
);

COMMENT ON COLUMN operation.at IS 'When it started; when it ended, where its start is missing';
COMMENT ON COLUMN operation.apart IS 'Request id, flavor, image and project as the start and then as the end named them, where they differ; the columns then show the end''s, and the start''s where the end named none';
COMMENT ON COLUMN operation.status IS 'An operation that ended badly has failed, also where its start is missing';
COMMENT ON COLUMN operation.operation_id IS 'Id of the event that started it, else of the one that ended it';
COMMENT ON COLUMN operation.operation IS 'Nova''s versioned name, e.g. create, resize_finish';
COMMENT ON COLUMN operation.host IS 'The host that reported it (the publisher''s), not always the instance''s';
COMMENT ON COLUMN operation.start_format IS 'legacy or versioned: the same fact in both formats counts once';

-- Hourly sums of operations, once as a whole (dimension '') and once per value of each dimension.
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
COMMENT ON COLUMN operation_hour.hour IS 'UTC hour in which the operation started (ended, where its start is missing)';
COMMENT ON COLUMN operation_hour.bins IS 'Sketch of the durations of complete operations: bin numbers, ascending';
COMMENT ON COLUMN operation_hour.bin_counts IS 'How many fell into each bin; relative error of a bin at most 1 %';

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
    -- Recipes of one name are paired among themselves; the others need not be read for it.
    PRIMARY KEY (instance_id, recipe, at, recipe_id)
);
COMMENT ON COLUMN recipe.at IS 'When it started; when it ended, where its start is missing';
COMMENT ON COLUMN recipe.apart IS 'The run id as the start and as the end named it, where only one of them did';
COMMENT ON COLUMN recipe.recipe_id IS 'Id of the event that started it, else of the one that ended it';
COMMENT ON COLUMN recipe.is_ttm IS 'Derived from calls of TTM''s recipe route (ttm_recipe_call)';

-- Calls of TTM's recipe route: whether one starts or ends a recipe depends on all that came before.
CREATE TABLE ttm_recipe_call (
    instance_id text        NOT NULL,
    called_at   timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    recipe      text,
    message     text,
    PRIMARY KEY (instance_id, called_at, event_id)
);

-- Everything one API request caused, per instance it touched.
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

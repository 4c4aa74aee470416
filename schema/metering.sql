-- The read model of meters: every valid sample once, and what they come to.
-- Unqualified: the projection's schema is first in the search path. Identity of a sample: project,
-- resource, meter and time. Names of columns are those of Ceilometer's samples.
-- No column is given out by the database (no serial ids): a replay makes the very rows.

CREATE TABLE sample (
    "timestamp"    timestamptz NOT NULL,
    project_id     text COLLATE "C",
    resource_id    text COLLATE "C" NOT NULL,
    counter_name   text COLLATE "C" NOT NULL,
    counter_type   text COLLATE "C",
    counter_unit   text COLLATE "C",
    counter_volume numeric     NOT NULL,
    user_id        text,
    source         text,
    message_id     text        NOT NULL,
    trusted        boolean     NOT NULL,
    metadata_id    uuid,
    event_id       uuid        NOT NULL,
    position       bigint      NOT NULL
) PARTITION BY RANGE ("timestamp");

COMMENT ON TABLE  sample             IS 'One row per identity: of several that were told, the winner. Partitions by UTC month, sample_YYYYMM, are made on demand';
COMMENT ON COLUMN sample.project_id  IS 'The tenant; null where the sample is of none';
COMMENT ON COLUMN sample.message_id  IS 'The sender''s; where it gave none, the event''s id, a dot and the index in its body';
COMMENT ON COLUMN sample.trusted     IS 'Whether its source is one that the configuration trusts';
COMMENT ON COLUMN sample.metadata_id IS 'Row of metadata; null where the sample had none';
COMMENT ON COLUMN sample.event_id    IS 'The log''s event that told it';
COMMENT ON COLUMN sample.position    IS 'Where that event stands in the log';

-- Says what is the same sample, and finds it; and one resource's meter by time.
CREATE UNIQUE INDEX sample_identity ON sample (resource_id, counter_name, "timestamp", project_id) NULLS NOT DISTINCT;

-- The samples as of position P are the rows of sample with position <= P, and those of superseded
-- with position <= P < superseded_at.
CREATE TABLE superseded (
    LIKE sample,
    superseded_at bigint NOT NULL
);
COMMENT ON TABLE  superseded               IS 'Samples that were their identity''s winner for a while';
COMMENT ON COLUMN superseded.superseded_at IS 'Position of the event that told of a better one';
-- With the position: which rows counted at another one is told by the index alone.
CREATE INDEX superseded_superseded_at ON superseded (superseded_at, position);

-- What resources used, hour by hour, computed from the trusted samples whenever one of them changes.
-- A mapping without readings that tell of a window has no row.
CREATE TABLE usage_window (
    project_id  text COLLATE "C" NOT NULL,
    "window"    timestamptz NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    mapping     smallint    NOT NULL,
    service     text COLLATE "C",
    volume      numeric,
    covered_us  bigint,
    description text,
    position    bigint      NOT NULL
) PARTITION BY RANGE ("window");

COMMENT ON TABLE  usage_window             IS 'One row per tenant, window, resource, mapping and service. Partitions by UTC month, usage_window_YYYYMM, are made on demand';
COMMENT ON COLUMN usage_window.project_id  IS 'The tenant; samples of none are of no bill';
COMMENT ON COLUMN usage_window."window"    IS 'Its start, a whole hour of UTC';
COMMENT ON COLUMN usage_window.resource_id IS 'The samples'' resource, before the mapping makes another of it';
COMMENT ON COLUMN usage_window.mapping     IS 'Index, from 0, in the configuration''s [[usage]]';
COMMENT ON COLUMN usage_window.service     IS 'Null, as volume and covered_us: readings tell of this window, but nothing was used';
COMMENT ON COLUMN usage_window.volume      IS 'Exact: in the mapping''s unit, times 3 600 000 000 (billing::Volume::to_numeric), because a third of an hour is no decimal number';
COMMENT ON COLUMN usage_window.covered_us  IS 'For how much of the window it is known how things stood';
COMMENT ON COLUMN usage_window.description IS 'What its samples tell about the resource (billing::transform::description), as JSON; null where that is nothing';
COMMENT ON COLUMN usage_window.position    IS 'The latest position of the readings it was computed from, the one before the window among them where it counts';

-- Says what is the same row, finds a tenant's windows by time, and what a sample changes.
CREATE UNIQUE INDEX usage_window_identity ON usage_window (project_id, "window", resource_id, mapping, service) NULLS NOT DISTINCT;

CREATE TABLE metadata (
    metadata_id uuid PRIMARY KEY,
    body        text NOT NULL
);
COMMENT ON TABLE  metadata             IS 'resource_metadata of samples, each text once';
COMMENT ON COLUMN metadata.metadata_id IS 'The first 16 bytes of the SHA-256 of body';
COMMENT ON COLUMN metadata.body        IS 'JSON as it was sent, which PostgreSQL may not accept as jsonb';

CREATE TABLE meter (
    counter_name text COLLATE "C" NOT NULL,
    counter_type text COLLATE "C",
    counter_unit text COLLATE "C",
    samples      bigint      NOT NULL,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL
);
CREATE UNIQUE INDEX meter_identity ON meter (counter_name, counter_type, counter_unit) NULLS NOT DISTINCT;
COMMENT ON COLUMN meter.samples  IS 'Rows of sample';
COMMENT ON COLUMN meter.first_at IS 'Earliest time of any valid sample that was told, superseded or not; last_at likewise';

CREATE TABLE resource (
    project_id      text COLLATE "C",
    resource_id     text COLLATE "C" NOT NULL,
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    meters          text[]      NOT NULL,
    meters_last_at  timestamptz[] NOT NULL,
    user_id         text,
    source          text,
    metadata_id     uuid,
    told_at         timestamptz NOT NULL,
    told_trusted    boolean     NOT NULL,
    told_message_id text        NOT NULL,
    told_event_id   uuid        NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX resource_identity ON resource (resource_id, project_id) NULLS NOT DISTINCT;
COMMENT ON TABLE  resource                IS 'One row per project and resource; of all valid samples that were told';
COMMENT ON COLUMN resource.meters         IS 'Names of its meters, in order';
COMMENT ON COLUMN resource.meters_last_at IS 'Latest time of a sample of each';
COMMENT ON COLUMN resource.user_id        IS 'Of the latest sample (a trusted one before others), as source and metadata_id';
COMMENT ON COLUMN resource.told_at        IS 'Which sample that is: its time, and the columns after it';

CREATE TABLE rejected (
    event_id       uuid    NOT NULL,
    index          integer NOT NULL,
    position       bigint  NOT NULL,
    reason         text    NOT NULL,
    counter_name   text,
    project_id     text,
    resource_id    text,
    "timestamp"    timestamptz,
    message_id     text,
    counter_volume text,
    -- The time is part of a message's identity, so an id alone may stand twice.
    PRIMARY KEY (position, index)
);
COMMENT ON TABLE  rejected                IS 'Samples that do not count, why, and what could be read of them';
COMMENT ON COLUMN rejected.index          IS 'Place in the body, from 0';
COMMENT ON COLUMN rejected.counter_volume IS 'As it was sent';

-- The columns of the proposal for exporting samples to BI tools.
CREATE VIEW meter_samples AS
SELECT counter_name, counter_type, counter_unit, counter_volume, message_id, project_id, resource_id, source, "timestamp"
FROM sample;

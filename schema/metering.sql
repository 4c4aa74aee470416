-- The read model of meters: every valid sample once, and the usage that follows from them.
-- Names are unqualified: the projection's schema is first in the search path. The identity of a sample is project,
-- resource, meter and time, and the volume of an increase (counter_type delta). Columns have the names of the fields of
-- Ceilometer's samples.
-- The database assigns no values (no serial ids), so a replay produces exactly the same rows.

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
    position       bigint      NOT NULL,
    increase       numeric
) PARTITION BY RANGE ("timestamp");

COMMENT ON TABLE  sample             IS 'One row per identity: of several samples that were sent, the winner. Partitions by UTC month, sample_YYYYMM, are created on demand';
COMMENT ON COLUMN sample.project_id  IS 'The tenant; null if the sample belongs to none';
COMMENT ON COLUMN sample.message_id  IS 'The sender''s id of the sample; if it gave none, the event''s id, a dot and the index in its body';
COMMENT ON COLUMN sample.trusted     IS 'Whether the configuration trusts its source';
COMMENT ON COLUMN sample.metadata_id IS 'Its row of metadata; null if the sample had none';
COMMENT ON COLUMN sample.event_id    IS 'The event in the log that contains it';
COMMENT ON COLUMN sample.position    IS 'Position of that event in the log';
COMMENT ON COLUMN sample.increase    IS 'The volume of a sample of type delta, a part of its identity; null for any other type';

-- Defines the identity, finds a sample by it, and reads one meter of a resource in order of time; of several increases of
-- one time the greatest is the last. Look-ups of a series name its collation, which orders as "C" does: then the index of
-- meters does not match them. Without statistics the planner would prefer that one, because it is smaller, and go through
-- the samples of all resources.
CREATE UNIQUE INDEX sample_identity
    ON sample (resource_id, counter_name COLLATE "POSIX", "timestamp", increase NULLS FIRST, project_id)
    NULLS NOT DISTINCT;

-- The samples as of position P are the rows of sample with position <= P, and the rows of superseded with
-- position <= P < superseded_at.
CREATE TABLE superseded (
    LIKE sample,
    superseded_at bigint NOT NULL
);
COMMENT ON TABLE  superseded               IS 'Samples that were the winner of their identity until a better one came';
COMMENT ON COLUMN superseded.superseded_at IS 'Position of the event that contains the better one';
-- Includes the position, so that an index-only scan finds the rows that counted at a given position.
CREATE INDEX superseded_superseded_at ON superseded (superseded_at, position);

-- The usage of resources hour by hour, computed from the trusted samples whenever one of them changes. A mapping
-- that has no readings for a window has no row.
CREATE TABLE usage_window (
    project_id  text COLLATE "C" NOT NULL,
    "window"    timestamptz NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    mapping     smallint    NOT NULL,
    service     text COLLATE "C",
    negative    boolean,
    volume      numeric,
    covered_us  bigint,
    description text,
    position    bigint      NOT NULL,
    type_id     text
) PARTITION BY RANGE ("window");

COMMENT ON TABLE  usage_window             IS 'One row per tenant, window, resource, mapping, service and sign. Partitions by UTC month, usage_window_YYYYMM, are created on demand';
COMMENT ON COLUMN usage_window.project_id  IS 'The tenant; samples without a tenant are not billed';
COMMENT ON COLUMN usage_window."window"    IS 'Start of the window, a whole hour of UTC';
COMMENT ON COLUMN usage_window.resource_id IS 'The resource of the samples, before the mapping changes it';
COMMENT ON COLUMN usage_window.mapping     IS 'Index of the mapping among the [[usage]] of the configuration, from 0';
COMMENT ON COLUMN usage_window.service     IS 'Null, as are negative, volume and covered_us, if there are readings for this window but nothing was used';
COMMENT ON COLUMN usage_window.negative    IS 'Whether the row has the negative quantities of the service, which are not billed; the others have a row of their own';
COMMENT ON COLUMN usage_window.type_id     IS 'The id of a volume type whose name the readings do not contain; the service is that of its name, if reported_name has one';
COMMENT ON COLUMN usage_window.volume      IS 'Exact: in the unit of the mapping, times 3 600 000 000 (billing::Volume::to_numeric), because a third of an hour is not a finite decimal';
COMMENT ON COLUMN usage_window.covered_us  IS 'How much of the window the readings cover, in µs';
COMMENT ON COLUMN usage_window.description IS 'Description of the resource from its samples (billing::transform::description), as JSON; null if they contain none';
COMMENT ON COLUMN usage_window.position    IS 'The latest position among the readings it was computed from, including those before the window that count';

-- Defines the identity, finds a tenant's windows by time, and the rows that a sample changes.
CREATE UNIQUE INDEX usage_window_identity ON usage_window (project_id, "window", resource_id, mapping, service, negative)
    NULLS NOT DISTINCT;

CREATE TABLE metadata (
    metadata_id uuid PRIMARY KEY,
    body        text NOT NULL,
    host        text COLLATE "C" NOT NULL
);
COMMENT ON TABLE  metadata             IS 'The resource_metadata of samples, each text once';
COMMENT ON COLUMN metadata.metadata_id IS 'The first 16 bytes of the SHA-256 of body';
COMMENT ON COLUMN metadata.body        IS 'The JSON as it was sent, which PostgreSQL may not accept as jsonb';
COMMENT ON COLUMN metadata.host        IS 'The host that measured, by the keys instance_host and host; empty if it names none. The readings of each host are a counter of their own';

-- The names that messages report for ids. The latest report of an id counts; a row is a run of reports with one name, in
-- the order of the log. As of position P, the name of an id is that of its row with position <= P and superseded_at null
-- or > P.
CREATE TABLE reported_name (
    kind            text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    name            text        NOT NULL,
    told_at         timestamptz NOT NULL,
    told_message_id text        NOT NULL,
    told_event_id   uuid        NOT NULL,
    position        bigint      NOT NULL,
    superseded_at   bigint
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX reported_name_identity ON reported_name (kind, id, position);
COMMENT ON COLUMN reported_name.kind          IS 'project, user or volume_type';
COMMENT ON COLUMN reported_name.told_at       IS 'Identifies the latest report, together with the two columns that follow: its time';
COMMENT ON COLUMN reported_name.position      IS 'Position of the first event of the run';
COMMENT ON COLUMN reported_name.superseded_at IS 'Position of the event that reports another name for a later time; null for the name that counts';

CREATE TABLE meter (
    counter_name text COLLATE "C" NOT NULL,
    counter_type text COLLATE "C",
    counter_unit text COLLATE "C",
    samples      bigint      NOT NULL,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL
);
CREATE UNIQUE INDEX meter_identity ON meter (counter_name, counter_type, counter_unit) NULLS NOT DISTINCT;
COMMENT ON COLUMN meter.samples  IS 'Number of rows in sample';
COMMENT ON COLUMN meter.first_at IS 'Earliest time of all valid samples that were sent, superseded or not; last_at is the latest';

CREATE TABLE resource (
    project_id      text COLLATE "C",
    resource_id     text COLLATE "C" NOT NULL,
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    meters          text[]      NOT NULL,
    meters_last_at  timestamptz[] NOT NULL,
    hosts           text[]      COLLATE "C" NOT NULL,
    hosts_first_at  timestamptz[] NOT NULL,
    hosts_last_at   timestamptz[] NOT NULL,
    user_id         text,
    source          text,
    metadata_id     uuid,
    told_at         timestamptz NOT NULL,
    told_trusted    boolean     NOT NULL,
    told_message_id text        NOT NULL,
    told_event_id   uuid        NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX resource_identity ON resource (resource_id, project_id) NULLS NOT DISTINCT;
COMMENT ON TABLE  resource                IS 'One row per project and resource, from all valid samples that were sent';
COMMENT ON COLUMN resource.meters         IS 'Names of its meters, sorted';
COMMENT ON COLUMN resource.meters_last_at IS 'Latest time of a sample of each meter, parallel to meters';
COMMENT ON COLUMN resource.hosts          IS 'Names of the hosts that its samples name (metadata.host), sorted; empty for samples that name none';
COMMENT ON COLUMN resource.hosts_first_at IS 'Earliest time of a sample of each host, parallel to hosts; hosts_last_at has the latest. They limit the search for a host''s last or next reading';
COMMENT ON COLUMN resource.user_id        IS 'From the latest sample (trusted ones before others), as are source and metadata_id';
COMMENT ON COLUMN resource.told_at        IS 'Identifies that sample, together with the columns that follow: its time';

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
    -- The time is part of a message's identity, so an id alone may occur twice.
    PRIMARY KEY (position, index)
);
COMMENT ON TABLE  rejected                IS 'Rejected samples, with the reason and the fields that could be read';
COMMENT ON COLUMN rejected.index          IS 'Index in the body, from 0';
COMMENT ON COLUMN rejected.counter_volume IS 'The text as it was sent';

-- The nine columns that exports of samples to BI tools use.
CREATE VIEW meter_samples AS
SELECT counter_name, counter_type, counter_unit, counter_volume, message_id, project_id, resource_id, source, "timestamp"
FROM sample;

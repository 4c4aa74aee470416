-- The read model of hosts: aggregates of their samples by minute, hour and day.
-- Names are unqualified: the projection's schema is first in the search path. The identity of a bucket is host,
-- metric and start; it aggregates the samples of [start, start + 1 minute, hour or day), in UTC.

CREATE TABLE minute (
    host       text COLLATE "C" NOT NULL,
    metric     text COLLATE "C" NOT NULL,
    start      timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    last_id    uuid        NOT NULL,
    last_index integer     NOT NULL,
    count      bigint      NOT NULL CHECK (count > 0),
    edge_count bigint      NOT NULL,
    sum        numeric     NOT NULL,
    min        numeric     NOT NULL,
    max        numeric     NOT NULL,
    last       numeric     NOT NULL,
    edge_sum   numeric     NOT NULL,
    sketch     bytea       NOT NULL,
    PRIMARY KEY (host, metric, start)
) PARTITION BY RANGE (start);

COMMENT ON TABLE  minute            IS 'One row per host, metric and minute with samples. Partitions by UTC day, minute_YYYYMMDD, are created on demand';
COMMENT ON COLUMN minute.last       IS 'The value of the latest sample; among several at the same time, the one with the largest event id, then index';
COMMENT ON COLUMN minute.last_at    IS 'The time of the latest sample';
COMMENT ON COLUMN minute.last_id    IS 'The event in the log that contains the latest sample';
COMMENT ON COLUMN minute.last_index IS 'The index of the latest sample among the values of that event, from 0';
COMMENT ON COLUMN minute.edge_count IS 'Number of samples whose time equals start: in buckets of the form (start, end] they belong to the previous one';
COMMENT ON COLUMN minute.edge_sum   IS 'Sum of these samples';
COMMENT ON COLUMN minute.sum        IS 'Exact sum of the samples';
COMMENT ON COLUMN minute.sketch     IS 'Counts of values per bin (sketch::numbers); the relative error of a quantile is at most 1 %';

CREATE TABLE hour (
    LIKE minute INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    PRIMARY KEY (host, metric, start)
) PARTITION BY RANGE (start);
COMMENT ON TABLE hour IS 'As minute. Partitions by UTC month, hour_YYYYMM, are created on demand';

-- The row of a day is updated with every stretch of the log that has samples of that day. As no index contains
-- the changed columns, the new version fits on the page of the old one (a HOT update).
CREATE TABLE day (
    LIKE minute INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    PRIMARY KEY (host, metric, start)
) WITH (fillfactor = 50);
COMMENT ON TABLE day IS 'As minute, by UTC day';

CREATE TABLE series (
    host     text COLLATE "C" NOT NULL,
    metric   text COLLATE "C" NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    alive_at timestamptz,
    PRIMARY KEY (host, metric)
) WITH (fillfactor = 50);
COMMENT ON TABLE  series          IS 'One row per host and metric that was ever measured';
COMMENT ON COLUMN series.first_at IS 'Earliest time of a sample; last_at is the latest';
COMMENT ON COLUMN series.alive_at IS 'Latest time at which a sample shows that its host was alive: the time of the sample or, if the host''s clock was ahead, of its arrival. Null in rows from before the horizon that a version without this column wrote: last_at';

-- Rejected values. There is not a row per value, because a broken sender repeats it every second; there is a row
-- per day of the log, because days of the log may be dropped.
CREATE TABLE rejected (
    host    text COLLATE "C" NOT NULL,
    metric  text COLLATE "C",
    reason  text        NOT NULL,
    start   timestamptz,
    count   bigint      NOT NULL,
    last_at timestamptz,
    last_id uuid        NOT NULL
);
CREATE UNIQUE INDEX rejected_identity ON rejected (host, metric, reason, start) NULLS NOT DISTINCT;
COMMENT ON TABLE  rejected         IS 'Numbers of rejected values, by reason';
COMMENT ON COLUMN rejected.metric  IS 'Null if the value names none';
COMMENT ON COLUMN rejected.start   IS 'The UTC day of the key_at of their events; null if they have none';
COMMENT ON COLUMN rejected.last_at IS 'Latest time of these values, by the sender''s clock';
COMMENT ON COLUMN rejected.last_id IS 'The event in the log that contains the latest of them';

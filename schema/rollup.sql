-- The read model of hosts: what their samples come to by the minute, hour and day.
-- Unqualified: the projection's schema is first in the search path. Identity of a bucket: host,
-- metric and start; it holds the samples of [start, start + 1 minute, hour or day), in UTC.

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

COMMENT ON TABLE  minute            IS 'One row per host, metric and minute with samples. Partitions by UTC day, minute_YYYYMMDD, are made on demand';
COMMENT ON COLUMN minute.last       IS 'The value of the latest sample; of several at one time, that of the largest event id, then index';
COMMENT ON COLUMN minute.last_at    IS 'Its time';
COMMENT ON COLUMN minute.last_id    IS 'The log''s event that told it';
COMMENT ON COLUMN minute.last_index IS 'Its place among that event''s values, from 0';
COMMENT ON COLUMN minute.edge_count IS 'How many of the samples lie exactly on start: in buckets that are (start, end] they belong to the one before';
COMMENT ON COLUMN minute.edge_sum   IS 'What these come to';
COMMENT ON COLUMN minute.sum        IS 'Exact';
COMMENT ON COLUMN minute.sketch     IS 'How many values fell into which bin (sketch::numbers); relative error of a quantile at most 1 %';

CREATE TABLE hour (
    LIKE minute INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    PRIMARY KEY (host, metric, start)
) PARTITION BY RANGE (start);
COMMENT ON TABLE hour IS 'As minute. Partitions by UTC month, hour_YYYYMM, are made on demand';

-- A day is written again with every stretch of the log that tells of it; what does not lie in an index
-- can be written beside the old row, on its page.
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
    PRIMARY KEY (host, metric)
) WITH (fillfactor = 50);
COMMENT ON TABLE  series          IS 'What was ever measured of which host';
COMMENT ON COLUMN series.first_at IS 'Earliest time of a sample; last_at likewise';

-- Values that do not count. There is no row a value, since what is broken says so every second; there
-- is one a day of the log, since a day of it may be dropped.
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
COMMENT ON TABLE  rejected         IS 'Values that do not count, by the reason why';
COMMENT ON COLUMN rejected.metric  IS 'Null where none is named';
COMMENT ON COLUMN rejected.start   IS 'The UTC day of their events'' key_at; null where they have none';
COMMENT ON COLUMN rejected.last_at IS 'Latest time of one of them, by the sender''s clock';
COMMENT ON COLUMN rejected.last_id IS 'The log''s event that told it';

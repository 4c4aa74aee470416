-- Where each projection stands. Its rows live in a schema of its name, made by the projection
-- itself (schema/<name>.sql), so that a replay can fill a second set beside it and swap.

CREATE SCHEMA projection;

CREATE TABLE projection.checkpoint (
    name        text        NOT NULL,
    slot        text        NOT NULL CHECK (slot IN ('live', 'next')),
    version     integer     NOT NULL,
    config      text        NOT NULL,
    position    bigint      NOT NULL DEFAULT 0,
    skipped     bigint      NOT NULL DEFAULT 0,
    fence       bigint      NOT NULL DEFAULT 0,
    holder      text,
    lease_until timestamptz NOT NULL DEFAULT 'epoch',
    error       text,
    error_at    bigint,
    moved_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, slot)
) WITH (fillfactor = 20);

COMMENT ON TABLE  projection.checkpoint             IS 'One row per projection and set of tables; moves in the transaction that writes the rows';
COMMENT ON COLUMN projection.checkpoint.slot        IS 'live: the tables that answer; next: those a replay is filling';
COMMENT ON COLUMN projection.checkpoint.version     IS 'Of the projection''s code; when it differs at start, the projection is replayed';
COMMENT ON COLUMN projection.checkpoint.config      IS 'The configuration the rows depend on, as text; likewise';
COMMENT ON COLUMN projection.checkpoint.position    IS 'Last position applied';
COMMENT ON COLUMN projection.checkpoint.skipped     IS 'Events whose payload could not be read, or that held a value that could not';
COMMENT ON COLUMN projection.checkpoint.fence       IS 'Grows with each change of holder; a step with an older one is refused';
COMMENT ON COLUMN projection.checkpoint.holder      IS 'The process that projects, until lease_until';
COMMENT ON COLUMN projection.checkpoint.error       IS 'Why the projection stands still; null while it runs';
COMMENT ON COLUMN projection.checkpoint.error_at    IS 'The position after which it stands still';

-- The nine columns of the proposal for exporting samples to BI tools, where such tools look first.
-- A replay puts other tables in the place of those of schema metering, by renaming: a function's
-- text finds them by name each time, a view alone would follow the old ones. It is inlined where it
-- is used (a single SELECT, stable, without settings of its own), so conditions reach the indexes.
SET LOCAL check_function_bodies = off;
CREATE FUNCTION projection.meter_samples() RETURNS TABLE (
    counter_name text, counter_type text, counter_unit text, counter_volume numeric, message_id text,
    project_id text, resource_id text, source text, "timestamp" timestamptz
) LANGUAGE sql STABLE ROWS 1000000 AS $$
    SELECT counter_name, counter_type, counter_unit, counter_volume, message_id, project_id, resource_id, source, "timestamp"
    FROM metering.sample
$$;
RESET check_function_bodies;
-- A function's columns have the database's collation, those of the table and its indexes "C".
CREATE VIEW public.meter_samples AS
SELECT counter_name COLLATE "C" AS counter_name, counter_type COLLATE "C" AS counter_type,
       counter_unit COLLATE "C" AS counter_unit, counter_volume, message_id,
       project_id COLLATE "C" AS project_id, resource_id COLLATE "C" AS resource_id, source, "timestamp"
FROM projection.meter_samples();

COMMENT ON VIEW public.meter_samples IS 'One row per sample, for BI tools; fails until the read model metering is there';

-- How far exports to other databases have got, as far as they have told; what counts stands in
-- the target itself.
CREATE TABLE projection.export (
    target     text        NOT NULL,
    table_name text        NOT NULL,
    position   bigint      NOT NULL DEFAULT 0,
    moved_at   timestamptz,
    error      text,
    PRIMARY KEY (target, table_name)
) WITH (fillfactor = 20);

COMMENT ON COLUMN projection.export.target     IS 'Connection string of the other database, without its password';
COMMENT ON COLUMN projection.export.table_name IS 'The table there';
COMMENT ON COLUMN projection.export.position   IS 'Everything up to this position was there at moved_at';
COMMENT ON COLUMN projection.export.error      IS 'Why it does not move; null while nothing hinders it';

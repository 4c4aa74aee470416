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

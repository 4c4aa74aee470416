-- Events that a projection cannot use because the database refuses a value of the rows that they would
-- make. The projection goes on without them, and a replay tries each again.

CREATE TABLE projection.set_aside (
    name         text        NOT NULL,
    slot         text        NOT NULL CHECK (slot IN ('live', 'next')),
    position     bigint      NOT NULL,
    reason       text        NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, slot, position)
);

COMMENT ON TABLE  projection.set_aside          IS 'One row per event that a projection cannot use, and set of tables';
COMMENT ON COLUMN projection.set_aside.slot     IS 'live: the tables that answer; next: those a replay is filling';
COMMENT ON COLUMN projection.set_aside.position IS 'The event''s place in the log';
COMMENT ON COLUMN projection.set_aside.reason   IS 'What the database said';

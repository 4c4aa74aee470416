-- Events that an operator skips, and those that say nothing that a projection can use, are listed beside those that
-- the database refuses.

ALTER TABLE projection.set_aside
    ADD COLUMN kind text NOT NULL DEFAULT 'refused' CHECK (kind IN ('unusable', 'refused', 'skipped')),
    ADD COLUMN skipped_by text;

COMMENT ON TABLE  projection.set_aside            IS 'One row per event that a projection goes without, or uses in part, and set of tables';
COMMENT ON COLUMN projection.set_aside.kind       IS 'unusable, wholly or in part; refused by the database or the projection''s code; skipped by an operator';
COMMENT ON COLUMN projection.set_aside.reason     IS 'What is wrong with it, or what the database, the code or the operator said';
COMMENT ON COLUMN projection.set_aside.skipped_by IS 'The operator who skipped it; null for the other kinds';

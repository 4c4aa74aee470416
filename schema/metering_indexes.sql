-- What only readers of metering need: made with the tables, or, for those that a replay fills, after
-- the rows are there.

CREATE INDEX IF NOT EXISTS sample_meter ON sample (counter_name, "timestamp");
CREATE INDEX IF NOT EXISTS sample_project ON sample (project_id, "timestamp");
-- The export reads on from a position. Rows lie about in the order of positions.
CREATE INDEX IF NOT EXISTS sample_position ON sample USING brin (position) WITH (autosummarize = on);
-- What was told of a time after it was billed.
CREATE INDEX IF NOT EXISTS usage_window_position ON usage_window USING brin (position) WITH (autosummarize = on);
CREATE INDEX IF NOT EXISTS resource_project ON resource (project_id, resource_id);

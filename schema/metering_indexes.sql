-- Indexes that only the readers of metering need: created together with the tables or, for tables that a replay
-- fills, once the rows are there.

CREATE INDEX IF NOT EXISTS sample_meter ON sample (counter_name, "timestamp");
CREATE INDEX IF NOT EXISTS sample_project ON sample (project_id, "timestamp");
-- The export continues from a position. Rows are stored roughly in the order of positions.
CREATE INDEX IF NOT EXISTS sample_position ON sample USING brin (position) WITH (autosummarize = on);
-- Finds usage that changed after its time was billed.
CREATE INDEX IF NOT EXISTS usage_window_position ON usage_window USING brin (position) WITH (autosummarize = on);
CREATE INDEX IF NOT EXISTS resource_project ON resource (project_id, resource_id);

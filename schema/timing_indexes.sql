-- Indexes that only the readers of timing need: created together with the tables or, for tables that a replay
-- fills, once the rows are there.

CREATE INDEX IF NOT EXISTS instance_started ON instance (coalesce(build_started_at, first_at), instance_id);
CREATE INDEX IF NOT EXISTS instance_project ON instance (project_id, coalesce(build_started_at, first_at), instance_id);
CREATE INDEX IF NOT EXISTS instance_host ON instance (host, coalesce(build_started_at, first_at), instance_id);
CREATE INDEX IF NOT EXISTS instance_state ON instance (state, coalesce(build_started_at, first_at), instance_id);
CREATE INDEX IF NOT EXISTS instance_incomplete ON instance (coalesce(build_started_at, first_at), instance_id)
    WHERE build_status IN ('building', 'bootstrapping');
-- For TTM's routes: the instances with reports of a build or a recipe, and the ids of their metrics.
CREATE INDEX IF NOT EXISTS instance_reported ON instance (reported_at, instance_id) WHERE reported_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS instance_metric ON instance ((md5('ttm:' || instance_id)::uuid)) WHERE reported_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS operation_time ON operation (operation, at);
CREATE INDEX IF NOT EXISTS operation_any_time ON operation (at);
CREATE INDEX IF NOT EXISTS operation_hour_time ON operation_hour (dimension, hour);

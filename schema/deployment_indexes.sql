-- Indexes that only the readers of deployments need: created together with the tables or, for tables that a replay
-- fills, once the rows are there.

CREATE INDEX IF NOT EXISTS deployment_first ON deployment (first_at, deployment_id);
CREATE INDEX IF NOT EXISTS deployment_status ON deployment (status, first_at, deployment_id);
CREATE INDEX IF NOT EXISTS instance_deployment ON instance (deployment_id);

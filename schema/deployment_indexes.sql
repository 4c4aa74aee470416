-- What only readers of deployments need: made with the tables, or, for those that a replay fills,
-- after the rows are there.

CREATE INDEX IF NOT EXISTS deployment_first ON deployment (first_at, deployment_id);
CREATE INDEX IF NOT EXISTS deployment_status ON deployment (status, first_at, deployment_id);
CREATE INDEX IF NOT EXISTS instance_deployment ON instance (deployment_id);

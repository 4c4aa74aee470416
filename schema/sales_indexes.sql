-- Indexes that only the readers of sales need: created together with the tables or, for tables that a replay
-- fills, once the rows are there.

CREATE INDEX IF NOT EXISTS sales_order_tenant ON sales_order (tenant_id, "from");

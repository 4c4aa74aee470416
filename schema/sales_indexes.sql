-- What only readers of sales need: made with the tables, or, for those that a replay fills, after the
-- rows are there.

CREATE INDEX IF NOT EXISTS sales_order_tenant ON sales_order (tenant_id, "from");

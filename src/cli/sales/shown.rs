//! An order as rows: a row for each of several, its lines where there is one, all of it as CSV.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::output::{cell, field, say, table};
use crate::cli::tenants::Shown;

/// An order as far as it is shown. What it holds is known by name alone: orders are shown for years,
/// whatever version has issued them.
#[derive(Deserialize)]
pub(super) struct Order {
    order_id: Option<String>,
    tenant_id: String,
    from: String,
    to: String,
    currency: String,
    total: String,
    lines: Vec<Value>,
    #[serde(default)]
    unrated: Vec<Value>,
    #[serde(default)]
    adjustments: Vec<Value>,
}

impl Shown for Order {
    const LIST: &'static str = "sales_orders";

    const HEADINGS: &'static str =
        "tenant_id,from,to,lines,unrated,adjustments,total,currency,order_id";

    /// Called as in JSON. `item` says what a line is about: the `total` (of the order's span), a
    /// `line`, an `adjustment` (its `amount` is the difference), or what is `unrated`.
    const COLUMNS: &'static str = "tenant_id,order_id,item,from,to,resource_id,type,name,service,meter,\
        volume,unit,rate,amount,currency,windows,coverage,reason,adjusted_order_id";

    fn rows(&self) -> Vec<Vec<String>> {
        vec![vec![
            self.tenant_id.clone(),
            self.from.clone(),
            self.to.clone(),
            self.lines.len().to_string(),
            self.unrated.len().to_string(),
            self.adjustments.len().to_string(),
            self.total.clone(),
            self.currency.clone(),
            self.order_id.clone().unwrap_or_else(|| "(draft)".to_owned()),
        ]]
    }

    fn records(&self) -> Vec<Vec<Option<String>>> {
        let total = |name: &str| match name {
            "from" => Some(self.from.clone()),
            "to" => Some(self.to.clone()),
            "amount" => Some(self.total.clone()),
            _ => None,
        };
        let mut records = vec![self.record("total", total)];
        records.extend(self.lines.iter().map(|it| self.record("line", |name| field(it, name))));
        records.extend(self.adjustments.iter().map(|it| {
            self.record("adjustment", |name| match name {
                "adjusted_order_id" => field(it, "order_id"),
                "amount" => field(it, "difference"),
                name => field(it, name),
            })
        }));
        records
            .extend(self.unrated.iter().map(|it| self.record("unrated", |name| field(it, name))));
        records
    }

    fn print_details(&self) {
        let lines = "resource_id,type,name,service,volume,unit,rate,amount,coverage";
        list("Lines", lines, &self.lines);
        let adjustments = "resource_id,type,service,windows,billed,computed,difference,order_id";
        list("Adjustments of what was billed before", adjustments, &self.adjustments);
        let unrated = "resource_id,type,name,service,volume,unit,reason";
        list("Used, but not billed", unrated, &self.unrated);
    }
}

impl Order {
    /// A line of CSV about an item of the order that tells its own fields by name.
    fn record(&self, item: &str, told: impl Fn(&str) -> Option<String>) -> Vec<Option<String>> {
        let column = |name| match name {
            "tenant_id" => Some(self.tenant_id.clone()),
            "order_id" => self.order_id.clone(),
            "item" => Some(item.to_owned()),
            "currency" => Some(self.currency.clone()),
            name => told(name),
        };
        Self::COLUMNS.split(',').map(column).collect()
    }
}

/// A table of fields, called as in JSON; nothing where there are no items.
fn list(title: &str, names: &str, items: &[Value]) {
    if items.is_empty() {
        return;
    }
    let names: Vec<&str> = names.split(',').collect();
    let row = |told| names.iter().map(|name| cell(field(told, name))).collect();
    say!("\n{title}");
    table(&names, &items.iter().map(row).collect::<Vec<_>>());
}

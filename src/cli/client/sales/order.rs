//! A sales order as output: one row if there are several orders, its lines if it is the only one, and
//! everything as CSV.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::client::report::ReportItem;
use crate::cli::output::{cell, field, print_table, say};

/// The parts of an order that are shown. Members of its lines are accessed by name, without a type:
/// orders are shown for years, whichever version issued them.
#[derive(Deserialize)]
pub(super) struct Order {
    /// `None`: a draft.
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

impl ReportItem for Order {
    const LIST: &'static str = "sales_orders";

    const HEADINGS: &'static str =
        "tenant_id,from,to,lines,unrated,adjustments,total,currency,order_id";

    /// The names are those of the JSON. `item` is the kind of the record: the `total` (of the order's
    /// span), a `line`, an `adjustment` (its `amount` is the difference), or `unrated` usage.
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
        let line = |kind, line| self.record(kind, |name| field(line, name));
        let mut records = vec![self.record("total", total)];
        records.extend(self.lines.iter().map(|usage| line("line", usage)));
        records.extend(self.adjustments.iter().map(|adjustment| {
            self.record("adjustment", |name| match name {
                "adjusted_order_id" => field(adjustment, "order_id"),
                "amount" => field(adjustment, "difference"),
                name => field(adjustment, name),
            })
        }));
        records.extend(self.unrated.iter().map(|usage| line("unrated", usage)));
        records
    }

    fn print_details(&self) {
        let lines = "resource_id,type,name,service,volume,unit,rate,amount,coverage";
        print_list("Lines", lines, &self.lines);
        let adjustments = "resource_id,type,service,windows,billed,computed,difference,order_id";
        print_list("Adjustments of what was billed before", adjustments, &self.adjustments);
        let unrated = "resource_id,type,name,service,volume,unit,reason";
        print_list("Used, but not billed", unrated, &self.unrated);
    }
}

impl Order {
    /// Returns a record of CSV. `value` returns the fields, by name, that are not the order's own.
    fn record(&self, kind: &str, value: impl Fn(&str) -> Option<String>) -> Vec<Option<String>> {
        let column = |name| match name {
            "tenant_id" => Some(self.tenant_id.clone()),
            "order_id" => self.order_id.clone(),
            "item" => Some(kind.to_owned()),
            "currency" => Some(self.currency.clone()),
            name => value(name),
        };
        Self::COLUMNS.split(',').map(column).collect()
    }
}

/// Prints a table of the items' fields, whose names are those of the JSON; nothing without items.
fn print_list(title: &str, names: &str, items: &[Value]) {
    if items.is_empty() {
        return;
    }
    let names: Vec<&str> = names.split(',').collect();
    let row = |item| names.iter().map(|name| cell(field(item, name))).collect();
    say!("\n{title}");
    print_table(&names, &items.iter().map(row).collect::<Vec<_>>());
}

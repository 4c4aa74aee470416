//! `stackledger sales-order`, `sales-draft`, `sales-historic` and `sales-range`

mod order;

use anyhow::Result;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use self::order::Order;
use super::dates::{parse_date, parse_date_or_time};
use super::report::TenantAnswer;
use super::tenants::{TenantOptions, ask_for_each};
use crate::cli::environment::Environment;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct OrderOptions {
    #[command(flatten)]
    tenants: TenantOptions,
    /// The first day that the order no longer covers [default: today]
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    end: Option<String>,
    /// Issue the order even if samples of its last minutes may still be on their way
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DraftOptions {
    #[command(flatten)]
    tenants: TenantOptions,
    /// The first day, or time, that the draft no longer covers [default: now]
    #[arg(long, value_name = "DATE|TIME", value_parser = parse_date_or_time)]
    end: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct HistoricOptions {
    #[command(flatten)]
    tenants: TenantOptions,
    /// The day; the order that covers its beginning is shown
    #[arg(long, value_parser = parse_date)]
    date: String,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RangeOptions {
    #[command(flatten)]
    tenants: TenantOptions,
    /// The first day, or time, of the range
    #[arg(long, value_name = "DATE|TIME", value_parser = parse_date_or_time)]
    start: String,
    /// The first day, or time, after the range [default: now]
    #[arg(long, value_name = "DATE|TIME", value_parser = parse_date_or_time)]
    end: Option<String>,
}

pub(in crate::cli) async fn issue_orders(env: &Environment, options: OrderOptions) -> Result<()> {
    let mut parameters = members([("end", options.end)]);
    if options.force {
        parameters.insert("force".to_owned(), true.into());
    }
    ask(env, options.tenants, "/sales_order", parameters, read_order).await
}

pub(in crate::cli) async fn compute_drafts(env: &Environment, options: DraftOptions) -> Result<()> {
    let parameters = members([("end", options.end)]);
    ask(env, options.tenants, "/sales_draft", parameters, read_order).await
}

pub(in crate::cli) async fn show_orders_of_day(
    env: &Environment,
    options: HistoricOptions,
) -> Result<()> {
    let parameters = members([("date", Some(options.date))]);
    ask(env, options.tenants, "/sales_historic", parameters, read_order).await
}

pub(in crate::cli) async fn show_orders_of_range(
    env: &Environment,
    options: RangeOptions,
) -> Result<()> {
    let parameters = members([("start", Some(options.start)), ("end", options.end)]);
    ask(env, options.tenants, "/sales_range", parameters, read_orders).await
}

/// Returns a JSON object of the values that are given.
fn members<const N: usize>(values: [(&str, Option<String>); N]) -> Map<String, Value> {
    values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

/// Posts the parameters for each tenant, and prints the orders that `read` finds in the answers.
async fn ask(
    env: &Environment,
    tenants: TenantOptions,
    path: &str,
    parameters: Map<String, Value>,
    read: fn(&str) -> serde_json::Result<Vec<Order>>,
) -> Result<()> {
    ask_for_each(env, tenants, async |client, tenant| {
        let mut body = parameters.clone();
        body.insert("tenant".to_owned(), tenant.into());
        let json: Box<RawValue> = client.post(path, Some(&body.into())).await?;
        Ok(TenantAnswer { items: read(json.get())?, json })
    })
    .await
}

/// Reads an answer that is one order.
fn read_order(json: &str) -> serde_json::Result<Vec<Order>> {
    Ok(vec![serde_json::from_str(json)?])
}

/// Reads an answer that is a list of orders.
fn read_orders(json: &str) -> serde_json::Result<Vec<Order>> {
    serde_json::from_str(json)
}

//! `stackledger sales-order`, `sales-draft`, `sales-historic` and `sales-range`

mod shown;

use anyhow::Result;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use self::shown::Order;
use super::Env;
use super::tenants::{self, Answer, for_each};
use super::when::{date, date_or_time};

#[derive(Debug, clap::Args)]
pub(super) struct OrderOptions {
    #[command(flatten)]
    tenants: tenants::Options,
    /// The first day that is no longer part of it [default: today]
    #[arg(long, value_name = "DATE", value_parser = date)]
    end: Option<String>,
    /// Also where samples of its last minutes may still be on their way
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DraftOptions {
    #[command(flatten)]
    tenants: tenants::Options,
    /// The first day or time that is no longer part of it [default: now]
    #[arg(long, value_name = "DATE|TIME", value_parser = date_or_time)]
    end: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct HistoricOptions {
    #[command(flatten)]
    tenants: tenants::Options,
    /// A day whose beginning it covers
    #[arg(long, value_parser = date)]
    date: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct RangeOptions {
    #[command(flatten)]
    tenants: tenants::Options,
    /// The first day or time
    #[arg(long, value_name = "DATE|TIME", value_parser = date_or_time)]
    start: String,
    /// The first day or time that is no longer asked about [default: now]
    #[arg(long, value_name = "DATE|TIME", value_parser = date_or_time)]
    end: Option<String>,
}

pub(super) async fn order(env: &Env, options: OrderOptions) -> Result<()> {
    let mut asked = parameters([("end", options.end)]);
    if options.force {
        asked.insert("force".to_owned(), true.into());
    }
    ask(env, options.tenants, "/sales_order", asked, one).await
}

pub(super) async fn draft(env: &Env, options: DraftOptions) -> Result<()> {
    let asked = parameters([("end", options.end)]);
    ask(env, options.tenants, "/sales_draft", asked, one).await
}

pub(super) async fn historic(env: &Env, options: HistoricOptions) -> Result<()> {
    let asked = parameters([("date", Some(options.date))]);
    ask(env, options.tenants, "/sales_historic", asked, one).await
}

pub(super) async fn range(env: &Env, options: RangeOptions) -> Result<()> {
    let asked = parameters([("start", Some(options.start)), ("end", options.end)]);
    ask(env, options.tenants, "/sales_range", asked, several).await
}

/// Those that are given.
fn parameters<const N: usize>(given: [(&str, Option<String>); N]) -> Map<String, Value> {
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

async fn ask(
    env: &Env,
    tenants: tenants::Options,
    path: &str,
    asked: Map<String, Value>,
    read: fn(&str) -> serde_json::Result<Vec<Order>>,
) -> Result<()> {
    for_each(env, tenants, async |client, tenant| {
        let mut body = asked.clone();
        body.insert("tenant".to_owned(), tenant.into());
        let json: Box<RawValue> = client.post(path, Some(&body.into())).await?;
        Ok(Answer { items: read(json.get())?, json })
    })
    .await
}

fn one(json: &str) -> serde_json::Result<Vec<Order>> {
    Ok(vec![serde_json::from_str(json)?])
}

fn several(json: &str) -> serde_json::Result<Vec<Order>> {
    serde_json::from_str(json)
}

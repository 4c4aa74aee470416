//! One request per tenant, several at once: the choice of tenants, and the handling of errors, so that
//! the failure of one tenant's request does not stop the others.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::builder::NonEmptyStringValueParser;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use super::error::RequestError;
use super::report::{FormatOptions, ReportItem, ReportWriter, TenantAnswer};
use super::server::{Client, ServerOptions};
use crate::cli::environment::Environment;
use crate::cli::output::{AnswerIsNo, note, printable};

/// The options of a command that asks about tenants.
#[derive(Debug, clap::Args)]
pub(super) struct TenantOptions {
    /// The tenant; can be given several times
    #[arg(long, required_unless_present = "all_tenants", value_parser = NonEmptyStringValueParser::new())]
    tenant: Vec<String>,
    /// Select every tenant that has samples
    #[arg(long, conflicts_with = "tenant")]
    all_tenants: bool,
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    server: ServerOptions,
}

/// Requests that run at the same time.
const REQUESTS_MAX: usize = 4;

/// Makes a request for each tenant, and prints the answers in the order in which the tenants were
/// named. The error of a request is printed on stderr.
///
/// # Errors
///
/// [`AnswerIsNo`] if one of the requests failed.
pub(super) async fn ask_for_each<T: ReportItem>(
    env: &Environment,
    options: TenantOptions,
    request: impl AsyncFn(&Client, &str) -> Result<TenantAnswer<T>, RequestError>,
) -> Result<()> {
    let client = Client::new(env, &options.server)?;
    let tenants = match options.all_tenants {
        true => list_tenants(&client).await.context("listing the tenants")?,
        false => options.tenant,
    };
    let bar = progress_bar(tenants.len());
    bar.tick();
    let mut errors = BTreeMap::new();
    let mut writer = ReportWriter::new(options.format)?;
    let mut answers = stream::iter(&tenants)
        .map(async |tenant| (tenant, request(&client, tenant).await))
        .buffered(REQUESTS_MAX);
    while let Some((tenant, answer)) = answers.next().await {
        bar.inc(1);
        bar.suspend(|| match answer {
            Ok(answer) => writer.add(answer),
            Err(error) => {
                let text = error.to_string();
                note!("stackledger: {}: {}", printable(tenant), printable(&text));
                errors.insert(tenant.as_str(), text);
                Ok(())
            }
        })?;
    }
    bar.finish_and_clear();
    writer.finish(&errors)?;
    if errors.is_empty() { Ok(()) } else { Err(AnswerIsNo.into()) }
}

/// Returns the ids of all tenants that the server knows.
async fn list_tenants(client: &Client) -> Result<Vec<String>, RequestError> {
    #[derive(Deserialize)]
    struct Tenant {
        tenant_id: String,
    }
    let tenants: Vec<Tenant> = client.get_all("/v1/tenants", &[]).await?;
    Ok(tenants.into_iter().map(|tenant| tenant.tenant_id).collect())
}

/// Returns a progress bar, which is visible only on a terminal and for more than one tenant.
fn progress_bar(tenants: usize) -> ProgressBar {
    if tenants < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} tenant {pos} of {len}, {eta} left");
    ProgressBar::new(tenants as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

//! The duration of a sales order of a large tenant: a month of a tenant whose resources are each metered once
//! an hour, through the log and the read model of meters, requested over HTTP.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stackledger::event::{self, Event};
use stackledger::lifecycle::now;
use stackledger::log::{self, Appender};

use super::memory::{ChildGuard, peak_kib};
use super::{fresh_database, sibling};

const DATABASE: &str = "bench_orders";
const TENANT: &str = "large";
/// Number of hours of the billed month.
const HOURS: i64 = 31 * 24;
/// Number of samples in one message.
const MESSAGE_SAMPLES: usize = 50;
/// Number of messages in one append.
const BATCH: usize = 200;

pub async fn run(database_url: &str, resources: u32, rounds: usize) -> Result<()> {
    let database = fresh_database(database_url, DATABASE).await?;
    let from: Timestamp = "2026-10-01T00:00:00Z".parse()?;
    let mut appender = Appender::new(database.connect(None).await?).await?;
    let (mut messages, mut samples) = (Vec::new(), 0);
    for hour in 0..HOURS {
        let at = from + SignedDuration::from_hours(hour);
        let polled: Vec<Value> = (0..resources).map(|resource| sample(resource, at)).collect();
        samples += polled.len();
        for (nth, samples) in polled.chunks(MESSAGE_SAMPLES).enumerate() {
            messages.push(message(&format!("{hour} {nth}"), at, samples)?);
            if messages.len() == BATCH {
                appender.append(&std::mem::take(&mut messages), &[], now()).await?;
            }
        }
    }
    appender.append(&messages, &[], now()).await?;
    println!("{resources} resources, {samples} samples in a month");

    let url = sibling(database_url, DATABASE)?;
    let started = Instant::now();
    let replayed = program(&url, "replay").arg("--all").status()?;
    ensure!(replayed.success(), "the read models could not be replayed");
    println!("read models replayed in {:.0} s", started.elapsed().as_secs_f64());

    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let _projector = ChildGuard(program(&url, "project").spawn()?);
    let server = ChildGuard(program(&url, "serve").env("LISTEN", address.to_string()).spawn()?);
    let client = OrderClient { url: format!("http://{address}"), http: reqwest::Client::new() };
    client.wait_until_ready().await?;
    let before = peak_kib(server.0.id())?;
    let mut drafts = Vec::new();
    let mut lines = 0;
    for _ in 0..rounds {
        let (draft, seconds) = client.post("sales_draft").await?;
        lines = count_lines(&draft)?;
        drafts.push(seconds);
    }
    drafts.sort_by(f64::total_cmp);
    let (order, seconds) = client.post("sales_order").await?;
    ensure!(count_lines(&order)? == lines, "the order and its draft differ");
    let peak = peak_kib(server.0.id())?;
    let head = log::read_head(&database.connect(None).await?).await?.0;
    println!(
        "\n### a sales order\n\n| resources | samples | events | lines | draft, median of {rounds} | order | server before | at most |\n\
         |---|---|---|---|---|---|---|---|\n\
         | {resources} | {samples} | {head} | {lines} | {:.2} s | {seconds:.2} s | {} MiB | {} MiB |",
        drafts[drafts.len() / 2],
        before / 1024,
        peak / 1024
    );
    Ok(())
}

fn program(database_url: &str, command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stackledger"));
    program.arg(command).env("DATABASE_URL", database_url).env("LOG", "warn").stdin(Stdio::null());
    program
}

/// Requests orders from a server.
struct OrderClient {
    url: String,
    http: reqwest::Client,
}

impl OrderClient {
    async fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.http.get(format!("{}/readyz", self.url)).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                _ if Instant::now() > deadline => bail!("the server is not ready within 30 s"),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Posts a request. Returns the answer and its duration in seconds.
    async fn post(&self, path: &str) -> Result<(Value, f64)> {
        let started = Instant::now();
        let fields = json!({"tenant": TENANT, "end": "2026-11-01"});
        let answer = self.http.post(format!("{}/{path}", self.url)).json(&fields).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok((serde_json::from_str(&text)?, seconds))
    }
}

fn count_lines(order: &Value) -> Result<usize> {
    order["lines"].as_array().map(Vec::len).context("an order has lines")
}

fn message(id: &str, at: Timestamp, samples: &[Value]) -> Result<Event> {
    let body = json!({
        "message_id": id, "publisher_id": "ceilometer.polling", "priority": "SAMPLE",
        "event_type": "telemetry.polling", "timestamp": at.to_string(),
        "payload": {"samples": samples},
    });
    event::decode(body.to_string().into_bytes(), None).context("the message is not decoded")
}

/// Returns a sample that the built-in configuration bills. Of ten resources six are instances, two are
/// volumes, one is an image and one a floating IP.
fn sample(resource: u32, at: Timestamp) -> Value {
    let instance = json!({"status": "active", "flavor": {"name": "m1.small"}, "display_name": format!("vm {resource}")});
    let (meter, unit, volume, metadata) = match resource % 10 {
        0..=5 => ("vcpus", "vcpu", 1, instance),
        6..=7 => ("volume.size", "GB", 20, json!({"display_name": format!("disk {resource}")})),
        8 => ("image.size", "B", 700_000_000, json!({"name": format!("image {resource}")})),
        _ => ("ip.floating", "ip", 1, json!({})),
    };
    json!({
        "counter_name": meter, "counter_type": "gauge", "counter_unit": unit, "counter_volume": volume,
        "user_id": "u", "project_id": TENANT, "resource_id": format!("resource-{resource:06}"),
        "source": "openstack", "timestamp": at.to_string(),
        "message_id": format!("{resource} {at}"), "resource_metadata": metadata,
    })
}

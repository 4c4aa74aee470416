//! The duration of lists of deployments and of their reports, over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stackledger::api::{self, State};
use stackledger::config::File;
use stackledger::db::Database;
use stackledger::event::{self, Event};
use stackledger::health::Health;
use stackledger::ingest::Decoder;
use stackledger::ingest::intake::Intake;
use stackledger::lifecycle::now;
use stackledger::log::Appender;
use stackledger::projection::deployment;
use stackledger::sales::SalesOrders;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::fresh_database;
use super::replay::replay;
use super::table::{Case, print};

/// Number of instances of a deployment, each with [`SERVICES`].
const INSTANCES: u32 = 20;
const SERVICES: [&str; 3] = ["a", "b", "c"];

/// Number of requests for each path in a round.
const REQUESTS: u32 = 200;

/// Serves `count` deployments, and requests pages of them and their reports.
pub async fn run(database_url: &str, count: u32, rounds: usize) -> Result<()> {
    let database = fresh_database(database_url, "bench_reports").await?;
    let events = append(&database, count).await?;
    println!("{count} deployments of {INSTANCES} × {} services, {events} events", SERVICES.len());
    let mut cases = [Case::new("replay of deployments")];
    cases[0].push(replay(&database, &deployment::PROJECTION, File::default(), events).await?);
    print("replay: log to deployments", "events", &cases)?;
    let client = database.connect_as_given().await?;
    client.batch_execute("VACUUM (ANALYZE)").await?;
    let base = serve(database).await?;
    let http = reqwest::Client::new();
    for (name, path) in [
        ("a page of 100", "/v1/deployments?limit=100"),
        ("the last page", "/v1/deployments?status=incomplete&limit=100"),
        ("a report in XML", "/reports/deployment/d-#"),
        ("a report in JSON", "/v1/deployments/d-#"),
        ("an instance in XML", "/reports/instance/d-#-i-7"),
    ] {
        let mut times = Vec::new();
        for request in 0..REQUESTS * rounds as u32 {
            let number = request.wrapping_mul(7919) % count;
            let path = path.replace('#', &number.to_string());
            let began = Instant::now();
            let response = http.get(format!("{base}{path}")).send().await?;
            let status = response.status();
            response.bytes().await?;
            times.push(began.elapsed());
            ensure!(status == 200, "{path} answers {status}");
        }
        println!(
            "{name:>20}: p50 {:?}, p99 {:?}",
            quantile(&mut times, 50)?,
            quantile(&mut times, 99)?
        );
    }
    Ok(())
}

/// Starts a server in this process. Returns its URL.
async fn serve(database: Database) -> Result<String> {
    let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
    let (decoder, file) = (Decoder::default(), Arc::new(File::default()));
    let (intake, requests) = Intake::new(decoder);
    tokio::spawn(requests.append(database.clone(), Arc::clone(&health), stop.clone()));
    let state = State {
        pool: database.query_pool(4)?,
        read_pool: database.query_pool(4)?,
        intake,
        health,
        sales_orders: SalesOrders::new(database.clone(), Arc::clone(&file)),
        database,
        tokens: Arc::default(),
        file,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(api::serve(listener, state, stop));
    Ok(base)
}

fn quantile(times: &mut [Duration], percent: usize) -> Result<Duration> {
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len() - 1)).copied().context("none was timed")
}

/// Appends the events of `count` deployments to the log. Returns the number of events.
async fn append(database: &Database, count: u32) -> Result<usize> {
    let mut appender = Appender::new(database.connect(None).await?).await?;
    let mut appended = 0;
    for number in 0..count {
        let events = deployment_events(number)?;
        appended += events.len();
        appender.append(&events, &[], now()).await?;
    }
    Ok(appended)
}

/// Returns all events of a deployment.
fn deployment_events(number: u32) -> Result<Vec<Event>> {
    let id = format!("d-{number}");
    let instance = |nth: u32| format!("{id}-i-{nth}");
    let begin: Timestamp = "2026-11-20T00:00:00Z".parse()?;
    let begin = begin + SignedDuration::from_secs(i64::from(number));
    let mut events = Vec::new();
    let mut push = |after: u32, kind: &str, data: Value| -> Result<()> {
        let event = json!({"specversion": "1.0", "id": format!("{kind} {data}"), "source": "bench",
            "type": kind, "time": begin + SignedDuration::from_secs(after.into()), "data": data});
        events.push(event::decode(event.to_string().into_bytes(), None)?);
        Ok(())
    };
    let expected: Vec<String> = (0..INSTANCES).map(instance).collect();
    push(0, "deployment.declared", json!({"deployment_id": id, "instances": expected}))?;
    for nth in 0..INSTANCES {
        let (name, before) = (instance(nth), instance(nth.saturating_sub(1)));
        let services = SERVICES.map(|service| {
            json!({"name": service, "parameters": [
                {"name": "ip", "from": {"instance_id": before, "parameter": "ip"}},
                {"name": "up", "from": {"instance_id": before, "service": SERVICES[0]}}]})
        });
        let registered = json!({"instance_id": name, "deployment_id": id, "assembly": "app",
            "services": services, "provides": ["ip"]});
        push(nth, "instance.registered", registered)?;
        push(30, "instance.contacted", json!({"instance_id": name}))?;
        let provided = json!({"instance_id": name, "parameters": {"ip": "10.0.0.1"}});
        push(40, "instance.parameters.provided", provided)?;
        for service in SERVICES {
            let named = json!({"instance_id": name, "service": service});
            push(50 + nth, "service.configuration.started", named)?;
            let ended = json!({"instance_id": name, "service": service, "code": "0"});
            push(60 + nth, "service.configuration.ended", ended)?;
        }
    }
    Ok(events)
}

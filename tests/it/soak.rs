//! A mixed load for as long as one likes, while processes are killed, orders issued and read models replayed: what
//! builds up only over time. Seconds in the tests, minutes in the long ones, hours with `STACKLEDGER_SOAK_MINUTES`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use stackledger::projection;
use stackledger::simulate::truth::Truth;
use stackledger::simulate::{
    DeploymentOptions, MeteringOptions, MonitoringOptions, Options, Plan, plan,
};
use tokio::sync::mpsc;

use crate::support::broker::{TestBroker, broker};
use crate::support::cloud::{assert_consistent, combine, wait_until_complete};
use crate::support::database::{TestDatabase, database};
use crate::support::process::{Process, command, run, succeed};
use crate::support::{is_long, unique};

/// The processes. More than one of each, so that others go on while one is killed.
const ROLES: [&str; 6] = ["consume", "consume", "project", "project", "serve", "serve"];

/// Messages a second: about half of what two cores take, and fewer beside other tests.
fn rate() -> u32 {
    if is_long() || std::env::var_os(MINUTES).is_some() { 1000 } else { 300 }
}

/// The variable with the number of minutes.
const MINUTES: &str = "STACKLEDGER_SOAK_MINUTES";

/// How long the load lasts.
fn duration() -> Duration {
    let minutes = std::env::var(MINUTES).ok().and_then(|it| it.parse().ok());
    let seconds = if is_long() { 300 } else { 6 };
    minutes.map_or(Duration::from_secs(seconds), |minutes: u64| Duration::from_secs(minutes * 60))
}

/// An hour of a cloud of its own: some 2500 messages.
fn hour(nth: u64) -> Plan {
    let first: jiff::Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
    plan(&Options {
        instances: 20,
        metering: MeteringOptions { samples: 2000, ..MeteringOptions::default() },
        monitoring: MonitoringOptions { hosts: 5, interval_s: 10 },
        deploying: DeploymentOptions { deployments: 1, ..DeploymentOptions::default() },
        rate: rate(),
        seed: 10_000 + nth,
        duplicates_percent: 10,
        shuffle_percent: 20,
        ..Options::until(first + jiff::SignedDuration::from_hours(nth as i64))
    })
}

/// Publishes hour after hour until the time is over. Sends the truth about each hour that is published.
async fn publish(url: String, until: Instant, published: mpsc::Sender<Truth>) {
    for nth in 0.. {
        if Instant::now() >= until {
            return;
        }
        let plan = tokio::task::spawn_blocking(move || hour(nth)).await.unwrap();
        stackledger::simulate::publish(&url, &plan, false).await.unwrap();
        published.send(plan.truth().clone()).await.unwrap();
    }
}

/// The processes of an installation.
struct Installation<'a> {
    db: &'a TestDatabase,
    broker: &'a TestBroker,
    config: &'a Path,
    processes: Vec<Process>,
}

impl<'a> Installation<'a> {
    async fn start(db: &'a TestDatabase, broker: &'a TestBroker, config: &'a Path) -> Self {
        let mut installation = Installation { db, broker, config, processes: Vec::new() };
        for role in ROLES {
            let process = installation.start_one(role);
            process.wait_until_ready().await;
            installation.processes.push(process);
        }
        installation
    }

    fn start_one(&self, role: &str) -> Process {
        let config = self.config.to_str().unwrap();
        Process::start_with(role, self.db, self.broker, &[("STACKLEDGER_CONFIG", config)])
    }

    /// Kills a process, and starts another one with its role.
    fn replace(&mut self, nth: usize) {
        self.processes[nth].kill();
        self.processes[nth] = self.start_one(ROLES[nth]);
    }

    /// A process that answers.
    fn server(&self, nth: usize) -> &Process {
        &self.processes[4 + nth % 2]
    }

    /// Runs a command of the program with the same configuration.
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = command(self.db, Some(self.broker));
        command.args(arguments).env("STACKLEDGER_CONFIG", self.config);
        command
    }

    /// The memory of each process in MiB.
    fn memory(&self) -> Vec<u64> {
        let resident = |process: &Process| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()));
            let kib = status.ok().and_then(|status| {
                let line = status.lines().find(|line| line.starts_with("VmRSS:"))?.to_owned();
                line.split_whitespace().nth(1)?.parse::<u64>().ok()
            });
            kib.unwrap_or(0) / 1024
        };
        self.processes.iter().map(resident).collect()
    }
}

/// The sizes in kB of tables whose rows are changed again and again, which must not grow with time.
async fn hot_sizes(db: &TestDatabase) -> BTreeMap<String, i64> {
    let mut sizes = BTreeMap::new();
    for table in ["log.head", "projection.checkpoint", "projection.candidate", "projection.size"] {
        let size = db.number(&format!("SELECT pg_total_relation_size('{table}')")).await;
        sizes.insert(table.to_owned(), size / 1024);
    }
    sizes
}

/// Issues an order, which may be refused, but not fail.
async fn order(server: &Process, tenant: &str, nth: usize) {
    let end = format!("2026-{:02}-{:02}", 1 + (nth / 27) % 10, 1 + nth % 27);
    let request = json!({"tenant": tenant, "end": end});
    let url = format!("{}/sales_order", server.url);
    // The server may be one that was just started.
    if let Ok(answer) = reqwest::Client::new().post(url).json(&request).send().await {
        let status = answer.status();
        assert!(status != 500, "{request}: {}", answer.text().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_load_with_kills_leaves_everything_equal() {
    let (db, broker) = (database().await, broker().await);
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("soak") + ".toml");
    // The simulated hours are long ago.
    let periods = "raw = 'forever'\nminutes = 'forever'\nhours = 'forever'\ndays = 'forever'\n";
    std::fs::write(&config, format!("[retention.perf]\n{periods}")).unwrap();
    let mut installation = Installation::start(&db, &broker, &config).await;

    let (duration, began) = (duration(), Instant::now());
    // A kill each minute, and several even if the load lasts for seconds.
    let pause = (duration / 6).min(Duration::from_secs(60));
    let (sender, mut published) = mpsc::channel(16);
    let publishing = tokio::spawn(publish(broker.url.clone(), began + duration, sender));
    let mut truth: Option<Truth> = None;
    let mut memory = Vec::new();
    let mut kill_at = began + pause;
    let mut nth = 0;
    loop {
        let next = tokio::time::timeout_at(kill_at.into(), published.recv()).await;
        match next {
            Ok(Some(hour)) => {
                truth = Some(truth.map_or_else(|| hour.clone(), |all| combine(&all, &hour)));
            }
            Ok(None) => break,
            Err(_) => {
                kill_at = Instant::now() + pause;
                memory.push(installation.memory());
                println!(
                    "{:?}: memory {:?} MiB, {:?} kB",
                    began.elapsed(),
                    memory.last().unwrap(),
                    hot_sizes(&db).await
                );
                installation.replace((nth * 5) % ROLES.len());
                if let Some(tenant) = truth.as_ref().and_then(|truth| {
                    truth.metered_projects.get(nth % truth.metered_projects.len().max(1))
                }) {
                    order(installation.server(nth), tenant, nth).await;
                }
                if nth % 3 == 2 {
                    let name = projection::ALL[(nth / 3) % projection::ALL.len()].name;
                    // Another one may be under way, or its process be killed.
                    let replay = run(installation.command(&["replay", name])).await;
                    println!("replay {name}: {}", replay.status);
                }
                nth += 1;
            }
        }
    }
    publishing.await.unwrap();
    let truth = truth.expect("at least an hour was published");
    println!("{} messages in {:?}, {nth} kills", truth.messages.published, began.elapsed());

    wait_until_complete(&db, &truth).await;
    for process in &installation.processes {
        process.wait_until_ready().await;
    }
    let orders = db.number("SELECT count(*) FROM log.sales_order").await;
    let mut all = truth.clone();
    all.messages.unique += orders as u64;
    *all.messages.by_family.entry("billing".to_owned()).or_default() += orders as u64;
    assert_consistent(&db, installation.server(0), &all).await;
    succeed(installation.command(&["verify", "--orders"])).await;
    let hot = hot_sizes(&db).await;
    println!("{orders} orders; {hot:?} kB; memory {:?} MiB", installation.memory());
    assert!(hot.values().all(|size| *size < 20 * 1024), "tables without new rows grow: {hot:?}");
    let most = memory.iter().flatten().max();
    assert!(most < Some(&512), "a process took {most:?} MiB");
    for process in installation.processes {
        assert_eq!(process.terminate().await.0, Some(0));
    }
    assert_eq!(broker.left().await, 0);
    std::fs::remove_file(config).unwrap();
}

//! `stackledger agent` as it runs on a node: every sample arrives, whatever fails meanwhile, and agrees with
//! the kernel.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::response::IntoResponse;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::broker::broker;
use crate::support::database::{TestDatabase, database};
use crate::support::process::{Process, run};
use crate::support::procfs::{Figures, figures_around, watch};
use crate::support::services::{PrivateServer, Shutdown};
use crate::support::stub::{ok, problem, stub};
use crate::support::{eventually, is_long, unique};

/// The number of samples in a test; one is taken each second.
fn sample_count() -> usize {
    if is_long() { 60 } else { 4 }
}

/// A running agent; killed when dropped.
struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// Starts an agent with the broker in its environment, and a time zone other than UTC.
    fn start(broker_url: &str, arguments: &[&str]) -> Agent {
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique("agent"));
        let child = Command::new(env!("CARGO_BIN_EXE_stackledger"))
            .args(["agent", "--host", "node-1"])
            .args(arguments)
            .env_remove("STACKLEDGER_CONFIG")
            .env("AMQP_URL", broker_url)
            .env("TZ", "America/New_York")
            .env("LOG", "info")
            .stderr(std::fs::File::create(&log).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Agent { child, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn logs(&self, words: &str) {
        eventually(&format!("the agent logs {words:?}"), || async { self.log().contains(words) })
            .await;
    }

    /// Sends SIGTERM, waits for exit code 0, and returns the log.
    async fn terminate(mut self) -> String {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let mut code = None;
        eventually("the agent ends", || {
            code = self.child.try_wait().unwrap();
            std::future::ready(code.is_some())
        })
        .await;
        assert_eq!(code.unwrap().code(), Some(0), "{}", self.log());
        self.log()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// Returns the `data` of all samples in the event log, in its order.
async fn read_samples(db: &TestDatabase) -> Vec<Value> {
    let rows = db
        .rows(
            "SELECT convert_from(body, 'UTF8')::jsonb -> 'data' AS data FROM log.event
             WHERE family = 'perf' AND kind = 'perf.sampled' AND stream = 'node-1'
             ORDER BY position",
        )
        .await;
    rows.iter().map(|row| serde_json::from_str::<Value>(row).unwrap()["data"].clone()).collect()
}

async fn wait_for_samples(db: &TestDatabase, count: usize) {
    eventually(&format!("{count} samples are in the log"), || async {
        db.number("SELECT count(*) FROM log.event WHERE family = 'perf'").await >= count as i64
    })
    .await;
}

fn at(sample: &Value) -> Timestamp {
    sample["time"].as_str().unwrap().parse().unwrap()
}

/// Returns the number of seconds between the first and the last sample that have none. Asserts that their
/// times increase, at most one in each second.
fn count_gaps(samples: &[Value]) -> i64 {
    let ticks: Vec<i64> = samples.iter().map(|sample| at(sample).as_second()).collect();
    assert!(ticks.is_sorted_by(|one, other| one < other), "{ticks:?}");
    ticks.last().unwrap() - ticks[0] + 1 - ticks.len() as i64
}

/// Returns the number of samples that the agent logged as missed, because the machine was busy.
fn count_missed(log: &str) -> i64 {
    let words = log.lines().filter_map(|line| line.split_once(" samples were missed"));
    words.map(|(before, _)| before.rsplit(' ').next().unwrap().parse::<i64>().unwrap()).sum()
}

/// Asserts that the samples agree with the kernel's values at the time. A sample is taken between its tick
/// and its time; the tolerance follows from the distance between these.
fn assert_agreement(samples: &[Value], looks: &[Figures]) {
    let tick = |sample: &Value| Timestamp::from_second(at(sample).as_second()).unwrap();
    let value = |sample: &Value, metric: &str| sample["metrics"][metric].as_f64().unwrap();
    for sample in samples {
        let near = figures_around(looks, tick(sample), at(sample));
        let (mem, load1) = (value(sample, "mem"), value(sample, "load1"));
        let (least, most) = near.iter().fold((100.0_f64, 0.0_f64), |(least, most), look| {
            (least.min(look.mem), most.max(look.mem))
        });
        assert!(least - 1.0 <= mem && mem <= most + 1.0, "{mem} is not in {least}..{most}");
        assert!(near.iter().any(|look| look.load1 == load1), "{load1} is not among {near:?}");
    }
    // All samples except the first, whose interval began at an unknown time.
    let (first, last) = (&samples[0], &samples[samples.len() - 1]);
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    let busy_s =
        |pair: &[Value]| value(&pair[1], "cpu") / 100.0 * seconds(at(&pair[0]), at(&pair[1]));
    let sampled: f64 = samples.windows(2).map(busy_s).sum();
    let near = figures_around(looks, tick(first), at(last));
    let (begin, end) = (near[0], near[near.len() - 1]);
    let (spent, window) = ((end.busy - begin.busy) as f64, (end.total - begin.total) as f64);
    let busy = spent / window * seconds(begin.at, end.at);
    let outside = seconds(begin.at, end.at) - seconds(tick(first), at(last));
    let late: f64 = samples.iter().map(|sample| seconds(tick(sample), at(sample))).sum();
    // The kernel counts in hundredths of a second.
    let tolerance = 2.0 * late + 0.02 * samples.len() as f64;
    assert!(
        busy - outside - tolerance <= sampled && sampled <= busy + tolerance,
        "busy for {sampled} s, by the kernel {busy} s ({outside} s outside, tolerance {tolerance} s)"
    );
}

/// Asserts that the event log contains every event that the agent has delivered, once, and no others.
/// Returns the samples.
async fn assert_complete(db: &TestDatabase, log: &str) -> Vec<Value> {
    let (before, after) = log.split_once(" events delivered, ").expect("the agent logs a summary");
    assert!(after.starts_with("0 dropped"), "{log}");
    let delivered: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
    // Events that the broker has confirmed may not be in the log yet.
    wait_for_samples(db, delivered).await;
    let samples = read_samples(db).await;
    assert_eq!(samples.len(), delivered);
    assert_eq!(db.number("SELECT position FROM log.head").await, delivered as i64);
    assert_eq!(count_gaps(&samples), count_missed(log), "{log}");
    assert!(samples.iter().all(|sample| sample["metrics"]["agent.dropped"] == 0), "{log}");
    samples
}

/// The agent starts before there is a queue: returned events wait.
#[tokio::test(flavor = "multi_thread")]
async fn by_amqp_every_sample_arrives_and_agrees_with_proc() {
    let (db, broker, looks) = (database().await, broker().await, watch());
    let agent = Agent::start(&broker.url, &[]);
    agent.logs("no queue is bound to its exchange yet").await;
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    wait_for_samples(&db, sample_count()).await;
    let log = agent.terminate().await;
    assert_agreement(&assert_complete(&db, &log).await, &looks.finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn by_http_every_sample_arrives_and_agrees_with_proc() {
    let (db, broker, looks) = (database().await, broker().await, watch());
    let process = Process::start_with("up", &db, &broker, &[("TOKENS", "geheim")]);
    let arguments = ["--url", &process.url, "--token", "geheim"];
    let agent = Agent::start("amqp://127.0.0.1:1/none", &arguments);
    wait_for_samples(&db, sample_count()).await;
    let log = agent.terminate().await;
    assert!(!log.contains("geheim"), "{log}");
    assert_agreement(&assert_complete(&db, &log).await, &looks.finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_restarted_leaves_no_gap() {
    let (db, rabbitmq) = (database().await, PrivateServer::rabbitmq().await);
    let broker = rabbitmq.broker().await;
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    let agent = Agent::start(&broker.url, &[]);
    wait_for_samples(&db, sample_count() / 2).await;
    rabbitmq.stop(Shutdown::Immediate).await;
    agent.logs("trying again").await;
    rabbitmq.start().await;
    agent.logs("delivering again").await;
    wait_for_samples(&db, read_samples(&db).await.len() + sample_count() / 2).await;
    let log = agent.terminate().await;
    assert_complete(&db, &log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_leaves_no_gap() {
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("serve", &db, &broker);
    let url = process.url.clone();
    let agent = Agent::start(&broker.url, &["--url", &url]);
    wait_for_samples(&db, sample_count() / 2).await;
    process.terminate().await;
    agent.logs("does not answer").await;
    let listen = url.trim_start_matches("http://");
    let _process = Process::start_with("serve", &db, &broker, &[("LISTEN", listen)]);
    agent.logs("delivering again").await;
    wait_for_samples(&db, read_samples(&db).await.len() + sample_count() / 2).await;
    let log = agent.terminate().await;
    assert_complete(&db, &log).await;
}

/// A server that answers with a status until another one is set.
struct StatusServer {
    url: String,
    status: Arc<AtomicU16>,
    stub: crate::support::stub::Stub,
}

async fn status_server(status: u16) -> StatusServer {
    let status = Arc::new(AtomicU16::new(status));
    let answered = Arc::clone(&status);
    let stub = stub(move |_| match answered.load(Ordering::Relaxed) {
        201 => ok(&json!({"items": []})).into_response(),
        status => problem(status, None, "not today"),
    })
    .await;
    StatusServer { url: stub.url.clone(), status, stub }
}

impl StatusServer {
    fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Takes the samples posted since the last call, by request.
    fn take_posted(&self) -> Vec<Vec<Value>> {
        let data = |event: &Value| event["data"].clone();
        let requests = self.stub.take_requests();
        requests
            .iter()
            .map(|request| request.body.as_array().unwrap().iter().map(data).collect())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_samples_go_in_one_request() {
    let server = status_server(503).await;
    let agent = Agent::start("amqp://127.0.0.1:1/none", &["--url", &server.url]);
    agent.logs("503 Service Unavailable: not today; trying again").await;
    let mut longest = 0;
    eventually("several samples wait", || {
        longest = server.take_posted().iter().map(Vec::len).fold(longest, usize::max);
        std::future::ready(longest >= 3)
    })
    .await;
    server.set_status(201);
    agent.logs("delivering again").await;
    let log = agent.terminate().await;
    let posted = server.take_posted();
    let taken = posted
        .iter()
        .find(|samples| samples.len() >= 3)
        .expect("one request with all waiting samples");
    assert_eq!(count_gaps(taken), count_missed(&log));
    assert!(log.contains("0 dropped"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_buffer_drops_the_oldest_and_logs_it() {
    let server = status_server(503).await;
    let arguments = ["--url", &server.url, "--buffer", "3"];
    let agent = Agent::start("amqp://127.0.0.1:1/none", &arguments);
    agent.logs("the buffer is full (3 events)").await;
    eventually("a sample contains the number of dropped events", || {
        let posted = server.take_posted().concat();
        std::future::ready(posted.iter().any(|sample| sample["metrics"]["agent.dropped"] != 0))
    })
    .await;
    server.set_status(201);
    agent.logs("events for lack of room").await;
    server.take_posted();
    eventually("a later sample is posted", || std::future::ready(!server.take_posted().is_empty()))
        .await;
    let log = agent.terminate().await;
    let (before, _) = log.split_once(" events for lack of room, from ").unwrap();
    let lost: u64 = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(lost > 0 && log.contains(&format!(" events delivered, {lost} dropped")), "{log}");
    assert_eq!(log.matches("the buffer is full").count(), 1, "logged once: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_events_are_dropped_counted_and_logged() {
    let server = status_server(401).await;
    let agent = Agent::start("amqp://127.0.0.1:1/none", &["--url", &server.url]);
    agent.logs("401 Unauthorized: not today; dropping the refused events").await;
    server.set_status(201);
    server.take_posted();
    let mut dropped = 0;
    eventually("a sample contains the number of dropped events", || {
        let posted = server.take_posted().concat();
        let counts = posted.iter().filter_map(|sample| sample["metrics"]["agent.dropped"].as_u64());
        dropped = counts.fold(dropped, u64::max);
        std::future::ready(dropped > 0)
    })
    .await;
    let log = agent.terminate().await;
    assert!(log.contains(&format!(" events delivered, {dropped} dropped")), "{log}");
}

/// An unavailable broker does not delay the end.
#[tokio::test(flavor = "multi_thread")]
async fn undelivered_events_are_logged_at_the_end() {
    let agent = Agent::start("amqp://geheim:geheim@127.0.0.1:1/none", &[]);
    agent.logs("broker amqp://geheim:***@127.0.0.1:1/none: cannot be reached").await;
    let log = agent.terminate().await;
    assert!(log.contains("events could not be delivered and are lost, from "), "{log}");
    assert!(!log.contains(":geheim"), "{log}");
}

#[tokio::test]
async fn a_wrong_url_is_one_line_and_exit_code_2() {
    for url in ["https://h", "h:8080", "http://u:geheim@h"] {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_stackledger"));
        agent.args(["agent", "--host", "h", "--url", url]).env_clear();
        let output = run(agent).await;
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), log.lines().count()), (Some(2), 1), "{log}");
        assert!(log.starts_with("stackledger: --url=") && !log.contains("geheim"), "{log}");
    }
}

//! `stackledger agent` as it runs on a node: every sample arrives, whatever goes away meanwhile, and
//! says what the kernel says.

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
use crate::support::procfs::{Look, around, watch};
use crate::support::services::{End, Private};
use crate::support::stub::{ok, problem, stub};
use crate::support::{eventually, is_long, unique};

/// How many samples make a test; they come one a second.
fn samples() -> usize {
    if is_long() { 60 } else { 4 }
}

/// A running agent; killed when dropped.
struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// With the broker in its environment, and a zone that is not UTC.
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

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn says(&self, words: &str) {
        eventually(&format!("the agent says {words:?}"), || async { self.said().contains(words) })
            .await;
    }

    /// SIGTERM, after which it has to end well; all it has said.
    async fn terminate(mut self) -> String {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let mut code = None;
        eventually("the agent ends", || {
            code = self.child.try_wait().unwrap();
            std::future::ready(code.is_some())
        })
        .await;
        assert_eq!(code.unwrap().code(), Some(0), "{}", self.said());
        self.said()
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

/// The `data` of all samples in the log, in its order.
async fn logged(db: &TestDatabase) -> Vec<Value> {
    let rows = db
        .rows(
            "SELECT convert_from(body, 'UTF8')::jsonb -> 'data' AS data FROM log.event
             WHERE family = 'perf' AND kind = 'perf.sampled' AND stream = 'node-1'
             ORDER BY position",
        )
        .await;
    rows.iter().map(|row| serde_json::from_str::<Value>(row).unwrap()["data"].clone()).collect()
}

async fn at_least(db: &TestDatabase, count: usize) {
    eventually(&format!("{count} samples are in the log"), || async {
        db.number("SELECT count(*) FROM log.event WHERE family = 'perf'").await >= count as i64
    })
    .await;
}

fn at(sample: &Value) -> Timestamp {
    sample["time"].as_str().unwrap().parse().unwrap()
}

/// How many seconds between the first and the last sample have none. Their times grow, and no two
/// are of one second.
fn gaps(samples: &[Value]) -> i64 {
    let ticks: Vec<i64> = samples.iter().map(|sample| at(sample).as_second()).collect();
    assert!(ticks.is_sorted_by(|one, other| one < other), "{ticks:?}");
    ticks.last().unwrap() - ticks[0] + 1 - ticks.len() as i64
}

/// How many samples the agent says it has missed, for the machine was busy.
fn missed(said: &str) -> i64 {
    let words = said.lines().filter_map(|line| line.split_once(" samples were missed"));
    words.map(|(before, _)| before.rsplit(' ').next().unwrap().parse::<i64>().unwrap()).sum()
}

/// What the samples say is what the kernel said when they were taken. A sample is taken between its
/// tick and its time: all that is allowed besides follows from how far these are apart.
fn agree(samples: &[Value], looks: &[Look]) {
    let tick = |sample: &Value| Timestamp::from_second(at(sample).as_second()).unwrap();
    let value = |sample: &Value, metric: &str| sample["metrics"][metric].as_f64().unwrap();
    for sample in samples {
        let near = around(looks, tick(sample), at(sample));
        let (mem, load1) = (value(sample, "mem"), value(sample, "load1"));
        let (least, most) = near.iter().fold((100.0_f64, 0.0_f64), |(least, most), look| {
            (least.min(look.mem), most.max(look.mem))
        });
        assert!(least - 1.0 <= mem && mem <= most + 1.0, "{mem} is not in {least}..{most}");
        assert!(near.iter().any(|look| look.load1 == load1), "{load1} is none of {near:?}");
    }
    // Over all of them but the first, whose interval began at a moment that is not known.
    let (first, last) = (&samples[0], &samples[samples.len() - 1]);
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    let of_a_sample =
        |pair: &[Value]| value(&pair[1], "cpu") / 100.0 * seconds(at(&pair[0]), at(&pair[1]));
    let told: f64 = samples.windows(2).map(of_a_sample).sum();
    let near = around(looks, tick(first), at(last));
    let (begin, end) = (near[0], near[near.len() - 1]);
    let (spent, window) = ((end.busy - begin.busy) as f64, (end.total - begin.total) as f64);
    let busy = spent / window * seconds(begin.at, end.at);
    let outside = seconds(begin.at, end.at) - seconds(tick(first), at(last));
    let late: f64 = samples.iter().map(|sample| seconds(tick(sample), at(sample))).sum();
    // The kernel counts in hundredths of a second.
    let loose = 2.0 * late + 0.02 * samples.len() as f64;
    assert!(
        busy - outside - loose <= told && told <= busy + loose,
        "busy for {told} s, for the kernel {busy} s ({outside} s of it around, {loose} s loose)"
    );
}

/// What a test of a route expects in the end: all that the agent has delivered is in the log, once,
/// and nothing else is.
async fn is_whole(db: &TestDatabase, said: &str) -> Vec<Value> {
    let (before, after) = said.split_once(" events delivered, ").expect("it says so at its end");
    assert!(after.starts_with("0 dropped"), "{said}");
    let delivered: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
    // What the broker has confirmed may still be on its way.
    at_least(db, delivered).await;
    let samples = logged(db).await;
    assert_eq!(samples.len(), delivered);
    assert_eq!(db.number("SELECT position FROM log.head").await, delivered as i64);
    assert_eq!(gaps(&samples), missed(said), "{said}");
    assert!(samples.iter().all(|sample| sample["metrics"]["agent.dropped"] == 0), "{said}");
    samples
}

/// It begins before there is a queue: what comes back waits.
#[tokio::test(flavor = "multi_thread")]
async fn by_amqp_every_sample_arrives_and_agrees_with_proc() {
    let (db, broker, looks) = (database().await, broker().await, watch());
    let agent = Agent::start(&broker.url, &[]);
    agent.says("no queue is bound to it yet").await;
    let process = Process::start("up", &db, &broker);
    process.ready().await;
    at_least(&db, samples()).await;
    let said = agent.terminate().await;
    agree(&is_whole(&db, &said).await, &looks.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn by_http_every_sample_arrives_and_agrees_with_proc() {
    let (db, broker, looks) = (database().await, broker().await, watch());
    let process = Process::start_with("up", &db, &broker, &[("TOKENS", "geheim")]);
    let arguments = ["--url", &process.url, "--token", "geheim"];
    let agent = Agent::start("amqp://127.0.0.1:1/none", &arguments);
    at_least(&db, samples()).await;
    let said = agent.terminate().await;
    assert!(!said.contains("geheim"), "{said}");
    agree(&is_whole(&db, &said).await, &looks.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_restarted_leaves_no_gap() {
    let (db, rabbitmq) = (database().await, Private::rabbitmq().await);
    let broker = rabbitmq.broker().await;
    let process = Process::start("up", &db, &broker);
    process.ready().await;
    let agent = Agent::start(&broker.url, &[]);
    at_least(&db, samples() / 2).await;
    rabbitmq.stop(End::Immediate).await;
    agent.says("trying again").await;
    rabbitmq.start().await;
    agent.says("delivering again").await;
    at_least(&db, logged(&db).await.len() + samples() / 2).await;
    let said = agent.terminate().await;
    is_whole(&db, &said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_leaves_no_gap() {
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("serve", &db, &broker);
    let url = process.url.clone();
    let agent = Agent::start(&broker.url, &["--url", &url]);
    at_least(&db, samples() / 2).await;
    process.terminate().await;
    agent.says("it does not answer").await;
    let listen = url.trim_start_matches("http://");
    let _process = Process::start_with("serve", &db, &broker, &[("LISTEN", listen)]);
    agent.says("delivering again").await;
    at_least(&db, logged(&db).await.len() + samples() / 2).await;
    let said = agent.terminate().await;
    is_whole(&db, &said).await;
}

/// A server that answers with a status until it is told another.
struct Moody {
    url: String,
    status: Arc<AtomicU16>,
    asked: crate::support::stub::Stub,
}

async fn moody(status: u16) -> Moody {
    let status = Arc::new(AtomicU16::new(status));
    let answered = Arc::clone(&status);
    let asked = stub(move |_| match answered.load(Ordering::Relaxed) {
        201 => ok(&json!({"items": []})).into_response(),
        status => problem(status, None, "not today"),
    })
    .await;
    Moody { url: asked.url.clone(), status, asked }
}

impl Moody {
    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// The samples in what was posted, as it was posted, since this was called last.
    fn posted(&self) -> Vec<Vec<Value>> {
        let data = |event: &Value| event["data"].clone();
        let asked = self.asked.asked();
        asked
            .iter()
            .map(|asked| asked.body.as_array().unwrap().iter().map(data).collect())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_goes_in_one_request() {
    let server = moody(503).await;
    let agent = Agent::start("amqp://127.0.0.1:1/none", &["--url", &server.url]);
    agent.says("503 Service Unavailable: not today; trying again").await;
    let mut longest = 0;
    eventually("several wait", || {
        longest = server.posted().iter().map(Vec::len).fold(longest, usize::max);
        std::future::ready(longest >= 3)
    })
    .await;
    server.answers(201);
    agent.says("delivering again").await;
    let said = agent.terminate().await;
    let posted = server.posted();
    let taken = posted.iter().find(|samples| samples.len() >= 3).expect("all that waited");
    assert_eq!(gaps(taken), missed(&said));
    assert!(said.contains("0 dropped"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_buffer_drops_the_oldest_and_says_so() {
    let server = moody(503).await;
    let arguments = ["--url", &server.url, "--buffer", "3"];
    let agent = Agent::start("amqp://127.0.0.1:1/none", &arguments);
    agent.says("the buffer is full (3 events)").await;
    eventually("a sample says how many were dropped", || {
        let posted = server.posted().concat();
        std::future::ready(posted.iter().any(|sample| sample["metrics"]["agent.dropped"] != 0))
    })
    .await;
    server.answers(201);
    agent.says("events had no room").await;
    server.posted();
    eventually("one that was taken afterwards", || std::future::ready(!server.posted().is_empty()))
        .await;
    let said = agent.terminate().await;
    let (before, _) = said.split_once(" events had no room, from ").unwrap();
    let lost: u64 = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(lost > 0 && said.contains(&format!(" events delivered, {lost} dropped")), "{said}");
    assert_eq!(said.matches("the buffer is full").count(), 1, "told once: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_dropped_counted_and_told() {
    let server = moody(401).await;
    let agent = Agent::start("amqp://127.0.0.1:1/none", &["--url", &server.url]);
    agent.says("401 Unauthorized: not today; what it refuses is dropped").await;
    server.answers(201);
    server.posted();
    let mut dropped = 0;
    eventually("a sample says how many were dropped", || {
        let posted = server.posted().concat();
        let told = posted.iter().filter_map(|sample| sample["metrics"]["agent.dropped"].as_u64());
        dropped = told.fold(dropped, u64::max);
        std::future::ready(dropped > 0)
    })
    .await;
    let said = agent.terminate().await;
    assert!(said.contains(&format!(" events delivered, {dropped} dropped")), "{said}");
}

/// The end is not held up by a side that is away.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_delivered_is_told_at_the_end() {
    let agent = Agent::start("amqp://geheim:geheim@127.0.0.1:1/none", &[]);
    agent.says("broker amqp://geheim:***@127.0.0.1:1/none: it cannot be reached").await;
    let said = agent.terminate().await;
    assert!(said.contains("events could not be delivered and are lost, from "), "{said}");
    assert!(!said.contains(":geheim"), "{said}");
}

#[tokio::test]
async fn a_wrong_url_is_one_line_and_exit_code_2() {
    for url in ["https://h", "h:8080", "http://u:geheim@h"] {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_stackledger"));
        agent.args(["agent", "--host", "h", "--url", url]).env_clear();
        let output = run(agent).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.starts_with("stackledger: --url=") && !said.contains("geheim"), "{said}");
    }
}

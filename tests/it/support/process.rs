//! The real program as a process.

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::broker::TestBroker;
use super::database::TestDatabase;
use super::eventually;

/// Returns a command that runs `stackledger` with this test's database and broker in its environment.
pub fn command(database: &TestDatabase, broker: Option<&TestBroker>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackledger"));
    command
        .env_remove("STACKLEDGER_CONFIG")
        .env_remove("AMQP_MANAGEMENT_URL")
        .env("DATABASE_URL", &database.url)
        .env("LOG", "warn");
    if let Some(broker) = broker {
        command.env("AMQP_URL", &broker.url).env("AMQP_MANAGEMENT_URL", &broker.management);
    }
    command
}

/// Runs a command to its end.
pub async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Runs a command that must succeed. Returns its stdout.
pub async fn succeed(command: Command) -> String {
    let shown = format!("{command:?}");
    let output = run(command).await;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{shown}: {}\n{out}{err}", output.status);
    out
}

/// A running `stackledger up` or one of its roles. It is killed when dropped.
pub struct Process {
    child: Child,
    pub url: String,
}

impl Process {
    /// Starts `role` on a free port: that of its HTTP server, or of health and metrics if it has none.
    pub fn start(role: &str, database: &TestDatabase, broker: &TestBroker) -> Process {
        Process::start_with(role, database, broker, &[])
    }

    /// As [`Process::start`], with further variables.
    pub fn start_with(
        role: &str,
        database: &TestDatabase,
        broker: &TestBroker,
        variables: &[(&str, &str)],
    ) -> Process {
        Process::start_on(Stdio::inherit(), role, database, broker, variables)
    }

    /// As [`Process::start_with`], with another stderr. Nobody reads a pipe.
    pub fn start_on(
        stderr: Stdio,
        role: &str,
        database: &TestDatabase,
        broker: &TestBroker,
        variables: &[(&str, &str)],
    ) -> Process {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let has_server = matches!(role, "up" | "serve");
        let variable = if has_server { "LISTEN" } else { "HEALTH_LISTEN" };
        let child = command(database, Some(broker))
            .arg(role)
            .env(variable, &address)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Process { child, url: format!("http://{address}") }
    }

    /// Closes the pipe that is its stderr.
    pub fn close_stderr(&mut self) {
        self.child.stderr.take().expect("stderr is a pipe");
    }

    /// Sends it a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready to serve.
    pub async fn wait_until_ready(&self) {
        let url = format!("{}/readyz", self.url);
        eventually("the process is ready", || async {
            reqwest::get(&url).await.is_ok_and(|response| response.status().is_success())
        })
        .await;
    }

    /// Sends a GET. Returns the status and the JSON of the answer.
    pub async fn get(&self, path: &str) -> (u16, serde_json::Value) {
        let response = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    /// Reads its metrics. Returns the value of each line by what stands before it.
    pub async fn metrics(&self) -> BTreeMap<String, f64> {
        let response = reqwest::get(format!("{}/metrics", self.url)).await.unwrap();
        let text = response.text().await.unwrap();
        let value = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter(|line| !line.starts_with('#')).filter_map(value).collect()
    }

    /// Kills it by SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it by SIGTERM. Returns its exit code, and the time it took to end.
    pub async fn terminate(mut self) -> (Option<i32>, Duration) {
        let started = std::time::Instant::now();
        self.signal("TERM");
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a port that is free at present, below the range of outgoing connections' ports. A process listens only a moment
/// later: ports of one test follow each other, and those of tests that run at once begin far apart.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    const OF_ONE_TEST: u32 = 64;
    loop {
        let nth = std::process::id() * OF_ONE_TEST + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + nth % COUNT) as u16;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

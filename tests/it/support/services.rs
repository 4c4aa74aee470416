//! A PostgreSQL, a RabbitMQ or a MariaDB of one test alone, which the test can stop and start.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::broker::{TestBroker, broker_at};
use super::database::{TestDatabase, database_at, empty_database_at};
use super::mariadb::{TestMariadb, mariadb_at};

/// The ways to stop a server.
#[derive(Clone, Copy, Debug)]
pub enum Shutdown {
    /// As by an administrator.
    Fast,
    /// As by a crash.
    Immediate,
}

/// A server of one test alone. When dropped, also by a failed test, it stops and its data is deleted.
pub struct PrivateServer {
    service: &'static str,
    folder: PathBuf,
}

impl PrivateServer {
    /// Starts a PostgreSQL. It is durable, unlike the shared one: what it confirmed must survive a kill.
    pub async fn postgres() -> PrivateServer {
        PrivateServer::up("postgres", &[]).await
    }

    /// Starts a RabbitMQ.
    pub async fn rabbitmq() -> PrivateServer {
        PrivateServer::up("rabbitmq", &["--test"]).await
    }

    /// Starts a MariaDB. It is fast, not durable: a kill may lose confirmed transactions, but only as a whole.
    pub async fn mariadb() -> PrivateServer {
        PrivateServer::up("mariadb", &["--test"]).await
    }

    async fn up(service: &'static str, options: &[&str]) -> PrivateServer {
        sweep();
        // The name is short because the path of a socket has at most 107 bytes. (If even this is too long, the
        // script puts the data under /tmp.)
        let random = stackledger::lifecycle::random_id().simple().to_string();
        let name = format!("{PREFIX}{}-{}", std::process::id(), &random[..6]);
        let private =
            PrivateServer { service, folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name) };
        private.call("up", options).await;
        private
    }

    /// Starts a further server beside this one: a streaming standby of a PostgreSQL, a node of a RabbitMQ's cluster.
    pub async fn beside(&self) -> PrivateServer {
        let folder = self.folder.to_str().unwrap();
        let options: &[&str] = if self.service == "rabbitmq" { &["--test"] } else { &[] };
        PrivateServer::up(self.service, &[options, &["--beside", folder]].concat()).await
    }

    /// Limits the size that the files of this PostgreSQL can have, in bytes, as a full disk does; `None`: not any more.
    pub fn limit_file_size(&self, limit: Option<u64>) {
        let pid: u32 = self.note("PID").parse().unwrap();
        // Sessions that begin later inherit the server's limit.
        let sessions = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let limit = limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
        for pid in [pid.to_string().as_str()].into_iter().chain(sessions.split_whitespace()) {
            let Ok(process) = std::fs::metadata(format!("/proc/{pid}")) else { continue };
            // A process may do so with others of its user alone.
            let mut command = Command::new("prlimit");
            command.args([format!("--pid={pid}"), format!("--fsize={limit}:")]);
            command.uid(process.uid()).gid(process.gid()).current_dir("/");
            let has_ended = || !Path::new("/proc").join(pid).exists();
            assert!(command.status().unwrap().success() || has_ended(), "{command:?}");
        }
    }

    /// The folder of this PostgreSQL's data and socket.
    pub fn data(&self) -> PathBuf {
        PathBuf::from(self.note("DATA"))
    }

    /// Adds a setting to this RabbitMQ's configuration, in place of one that was added before. It counts from the next
    /// start.
    pub fn configure_rabbitmq(&self, setting: &str) {
        let base = PathBuf::from(self.note("HOME")).parent().unwrap().to_owned();
        std::fs::write(base.join("conf.d/test.conf"), format!("{setting}\n")).unwrap();
    }

    /// The URL of a vhost at this RabbitMQ, which may be a node of a cluster.
    pub async fn amqp_url(&self, vhost: &str) -> String {
        let url = self.variable("AMQP_URL").await;
        format!("{}/{vhost}", url.rsplit_once('/').unwrap().0)
    }

    /// Returns a value of the script's notes about the server.
    fn note(&self, name: &str) -> String {
        let notes = self.folder.join(format!("{}.state", self.service));
        let notes = std::fs::read_to_string(notes).unwrap();
        let value = notes.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        value.unwrap_or_else(|| panic!("no {name} among {notes}")).to_owned()
    }

    /// Stops the server.
    pub async fn stop(&self, end: Shutdown) {
        match end {
            Shutdown::Fast => self.call("stop", &[]).await,
            Shutdown::Immediate => self.call("stop", &["--immediate"]).await,
        };
    }

    /// Starts the server again, on the same port and with the same data.
    pub async fn start(&self) {
        self.call("start", &[]).await;
    }

    /// Creates a migrated database in this PostgreSQL.
    pub async fn database(&self) -> TestDatabase {
        database_at(&self.variable("DATABASE_URL").await).await
    }

    /// Creates a database in this PostgreSQL that is not migrated.
    pub async fn empty_database(&self) -> TestDatabase {
        empty_database_at(&self.variable("DATABASE_URL").await).await
    }

    /// Creates a database in this MariaDB.
    pub async fn mariadb_database(&self) -> TestMariadb {
        mariadb_at(&self.variable("MARIADB_URL").await).await
    }

    /// Creates a vhost in this RabbitMQ.
    pub async fn broker(&self) -> TestBroker {
        let management = self.variable("AMQP_MANAGEMENT_URL").await;
        broker_at(&self.variable("AMQP_URL").await, &management).await
    }

    async fn variable(&self, name: &str) -> String {
        let script =
            format!("eval \"$(scripts/services env --only $1)\"; printf %s \"${{{name}-}}\"");
        let mut shell = Command::new("bash");
        shell.args(["-c", &script, "bash", self.service]).env(FOLDER, &self.folder);
        let value = succeed(shell).await;
        assert!(!value.is_empty(), "{name} is not known: is the management plugin installed?");
        value
    }

    async fn call(&self, command: &str, options: &[&str]) -> String {
        succeed(services(&self.folder, command, &[&["--only", self.service], options].concat()))
            .await
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        down(&self.folder);
    }
}

const FOLDER: &str = "STACKLEDGER_SERVICES_DIR";
const PREFIX: &str = "own-";

fn services(folder: &Path, command: &str, options: &[&str]) -> Command {
    let mut services = Command::new("scripts/services");
    services.arg(command).args(options).env(FOLDER, folder);
    services
}

async fn succeed(mut command: Command) -> String {
    let shown = format!("{command:?}");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}: {}\n{out}{err}", output.status);
    out.into_owned()
}

fn down(folder: &Path) {
    let ended = services(folder, "down", &["--test"]).output();
    if ended.is_ok_and(|output| output.status.success()) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Stops the servers of tests that were killed, which could not stop them themselves.
fn sweep() {
    let entries = std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            down(&entry.path());
        }
    }
}

//! What real clouds send: each case is a file of `fixtures/cases`, imported by the real program and answered
//! by the real endpoints. The answers depend neither on the order of the messages nor on duplicates.

mod builds;
mod deployments;
mod hosts;

use std::io::Write;
use std::path::Path;

use stackledger::config::File;

use crate::support::database::database;
use crate::support::process::{command, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;
use crate::support::unique;

/// Imports a case in the given order, in the reverse order with duplicates, and cut in two with the second part
/// first. Returns a server for each.
pub async fn run(case: &str) -> Vec<Server> {
    run_lines(&read_lines(case)).await
}

/// As [`run`], of lines that are not in a file.
pub async fn run_lines(lines: &[String]) -> Vec<Server> {
    let reversed = lines.iter().rev().flat_map(|line| [line.clone(), line.clone()]).collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    let mut servers = Vec::new();
    for lines in [lines.to_vec(), reversed, [second, first].concat()] {
        servers.push(import(&lines).await);
    }
    servers
}

/// Returns the lines of a case.
pub fn read_lines(case: &str) -> Vec<String> {
    let path = format!("fixtures/cases/{case}.ndjson");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(str::to_owned).collect()
}

/// Imports lines into a database of their own.
async fn import(lines: &[String]) -> Server {
    let db = database().await;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("case"));
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(lines.join("\n").as_bytes()).unwrap();
    let mut import = command(&db, None);
    import.arg("import").arg(&path);
    succeed(import).await;
    std::fs::remove_file(&path).unwrap();
    let server = Server::on(db, File::default()).await;
    wait_until_applied(&server.db).await;
    server
}

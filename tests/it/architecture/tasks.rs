//! Tasks: the end of each is seen by somebody.

use std::path::Path;

use super::source::files_in;

/// The files with tasks that nothing begins again, and who sees their end.
const SPAWN: [(&str, &str); 3] = [
    ("src/agent/mod.rs", "the agent awaits the task"),
    ("src/db/mod.rs", "the client of a connection that ended fails"),
    ("src/projection/engine/scratch.rs", "the client of a connection that ended fails"),
];

/// A task that is only spawned can panic unseen: it belongs to a set whose results are read, or to `supervise`.
#[test]
fn no_task_ends_unseen() {
    let mut found: Vec<String> = files_in(Path::new("src"), "rs")
        .into_iter()
        .filter(|file| std::fs::read_to_string(file).unwrap().contains("tokio::spawn("))
        .map(|file| file.to_str().unwrap().to_owned())
        .collect();
    found.sort_unstable();
    assert_eq!(found, SPAWN.map(|(file, _)| file));
}

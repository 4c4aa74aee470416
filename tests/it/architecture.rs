//! The direction of dependencies: event ← log ← {ingest, projection ← {export, sales, retention}} ← api ← cli ← main.
//! `ingest` and `projection` meet only in the log; the leaves import no domain module, but for
//! `config`, whose sections on billing `billing` checks.

use std::path::{Path, PathBuf};

/// What each module may import from the crate.
const ALLOWED: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("lifecycle", &[]),
    ("health", &[]),
    ("sketch", &[]),
    ("secret", &[]),
    ("billing", &["event"]),
    ("config", &["billing", "secret"]),
    ("broker", &["secret"]),
    ("telemetry", &["config"]),
    ("db", &["config", "secret"]),
    ("http", &["db", "lifecycle"]),
    ("log", &["event", "db"]),
    ("simulate", &[]),
    ("agent", &["event", "broker", "lifecycle", "secret"]),
    ("ingest", &["event", "log", "db", "broker", "config", "health", "lifecycle", "secret"]),
    ("export", &["event", "log", "projection", "db", "config", "lifecycle", "secret"]),
    (
        "projection",
        &["event", "billing", "log", "db", "config", "health", "lifecycle", "http", "sketch"],
    ),
    ("sales", &["event", "billing", "log", "projection", "db", "config", "lifecycle"]),
    ("retention", &["event", "log", "projection", "db", "config"]),
    (
        "api",
        &[
            "event",
            "billing",
            "sales",
            "log",
            "ingest",
            "projection",
            "export",
            "db",
            "config",
            "health",
            "lifecycle",
            "http",
            "secret",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "api",
            "event",
            "billing",
            "sales",
            "retention",
            "log",
            "ingest",
            "projection",
            "export",
            "simulate",
            "agent",
            "db",
            "broker",
            "config",
            "health",
            "lifecycle",
            "secret",
            "telemetry",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Modules named behind `crate::` in a file, the tests at its end left out.
fn imports(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or(text);
    let mut found = Vec::new();
    for rest in text.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let list = &list[..list.find("};").unwrap_or(list.len())];
            let mut depth = 0;
            let mut word = String::new();
            for c in list.chars().chain([',']) {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.push(word.split("::").next().unwrap_or("").trim().to_owned());
                        word.clear();
                    }
                    c if depth == 0 => word.push(c),
                    _ => {}
                }
            }
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn dependencies_point_one_way() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    assert!(files.len() > 40, "the sources are not where this test looks");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix("src").unwrap().to_str().unwrap();
        let module = inside.split(['/', '.']).next().unwrap();
        if matches!(module, "main" | "lib") {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{inside}: the module {module} has no place in the picture"));
            continue;
        };
        for import in imports(&std::fs::read_to_string(&file).unwrap()) {
            if import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{inside} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_imports_reads_them() {
    let text = "use crate::log;\nuse crate::{db, event::{self, Event}, lifecycle};\ncrate::api::serve()\n#[cfg(test)]\nuse crate::no;";
    assert_eq!(imports(text), ["log", "db", "event", "lifecycle", "api"]);
}

/// The promises name the tests that would fail if they were broken: those tests are there.
#[test]
fn the_tests_that_the_readme_names_exist() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let mut all = Vec::new();
    sources(Path::new("src"), &mut all);
    sources(Path::new("tests"), &mut all);
    let code: Vec<String> = all.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let named: Vec<&str> = readme
        .split('`')
        .skip(1)
        .step_by(2)
        // Tests are sentences; other names are constants and functions.
        .filter(|word| word.contains("::") && word.matches('_').count() >= 2 && !word.contains(' '))
        .collect();
    assert!(named.len() > 15, "the promises name their tests: {named:?}");
    for name in named {
        let (_, function) = name.rsplit_once("::").unwrap();
        let is_there = code.iter().any(|text| text.contains(&format!("fn {function}(")));
        assert!(is_there, "README.md names {name}, which is not there");
    }
}

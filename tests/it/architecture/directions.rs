//! The direction of dependencies: event ← log ← {ingest, projection ← {export, sales, retention}} ← api ← cli ← main.
//! `ingest` and `projection` meet only in the log; the leaves import no domain module, except `config`,
//! whose sections on billing `billing` checks. Every file's every import counts, tests included.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::source::{Source, read_crate, read_models};

/// The modules that each module may import.
const ALLOWED: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("lifecycle", &[]),
    ("health", &[]),
    ("sketch", &[]),
    ("supervise", &["health"]),
    ("secret", &[]),
    ("billing", &["event"]),
    ("config", &["billing", "broker", "secret"]),
    ("broker", &["secret"]),
    ("telemetry", &["config"]),
    ("db", &["config", "secret"]),
    ("http", &["db", "lifecycle"]),
    ("log", &["event", "db"]),
    ("simulate", &[]),
    ("agent", &["event", "broker", "lifecycle", "secret"]),
    (
        "ingest",
        &["event", "log", "db", "broker", "config", "health", "lifecycle", "secret", "supervise"],
    ),
    ("export", &["event", "log", "projection", "db", "config", "lifecycle", "secret"]),
    (
        "projection",
        &[
            "event",
            "billing",
            "log",
            "db",
            "config",
            "health",
            "lifecycle",
            "http",
            "sketch",
            "supervise",
        ],
    ),
    ("sales", &["event", "billing", "log", "projection", "db", "config", "lifecycle"]),
    ("retention", &["event", "log", "projection", "db", "config"]),
    ("capacity", &["event", "log", "projection", "db"]),
    (
        "api",
        &[
            "event",
            "billing",
            "sales",
            "log",
            "ingest",
            "projection",
            "capacity",
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
            "capacity",
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
            "supervise",
            "telemetry",
        ],
    ),
];

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for source in read_crate("src") {
        let Some(module) = source.module.first() else { continue };
        let file = source.file.display();
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == module) else {
            wrong.push(format!("{file}: the module {module} has no place in the picture"));
            continue;
        };
        let imports: BTreeSet<&String> =
            source.paths.iter().filter_map(|path| path.first()).collect();
        for import in imports {
            let is_module = ALLOWED.iter().any(|(name, _)| name == import);
            if is_module && import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn read_models_do_not_know_each_other_and_the_engine_knows_none() {
    let read_models = read_models();
    let mut wrong = Vec::new();
    for source in read_crate("src") {
        let [projection, own, ..] = &source.module[..] else { continue };
        if projection != "projection" {
            continue;
        }
        for path in &source.paths {
            if let [projection, other, ..] = &path[..]
                && projection == "projection"
                && other != own
                && read_models.contains(other)
            {
                wrong.push(format!("{} imports {}", source.file.display(), path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A folder's `mod.rs` and its files may import each other: it is their front.
#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = read_crate("src");
    let files: BTreeMap<&[String], &Source> =
        sources.iter().map(|source| (&source.module[..], source)).collect();
    let file_of = |path: &[String]| {
        (0..=path.len()).rev().find_map(|length| files.get(&path[..length]).copied())
    };
    let mut imports = BTreeMap::<&Path, BTreeSet<&Path>>::new();
    for source in sources.iter().filter(|source| !source.is_folder()) {
        let imported = source.paths.iter().filter_map(|path| file_of(path));
        let imported = imported.filter(|file| !file.is_folder() && !file.module.is_empty());
        imports.entry(&source.file).or_default().extend(imported.map(|file| &*file.file));
    }
    let circles: Vec<String> = imports
        .keys()
        .filter_map(|file| {
            let path = path_back(&imports, file)?;
            // Each circle once, from its first file.
            let is_first = path.iter().all(|other| file <= other);
            is_first.then(|| path.iter().map(|file| format!("{}", file.display())).collect())
        })
        .map(|path: Vec<String>| path.join(" -> "))
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The shortest way from a file over its imports back to it.
fn path_back<'a>(
    imports: &BTreeMap<&'a Path, BTreeSet<&'a Path>>,
    start: &'a Path,
) -> Option<Vec<&'a Path>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| imports.get(last)).into_iter().flatten() {
                if *next == start && way.len() > 1 {
                    return Some(way);
                }
                if *next != start && seen.insert(*next) {
                    longer.push([&way[..], &[*next]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

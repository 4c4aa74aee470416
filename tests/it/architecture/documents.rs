//! What README.md and docs/ name exists: tests by their whole path, files, and the targets of links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex_lite::Regex;

use super::source::{files_in, read_crate};

fn documents() -> Vec<(PathBuf, String)> {
    let mut files = files_in(Path::new("docs"), "md");
    files.extend(["README.md", "CHANGELOG.md"].map(PathBuf::from));
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            (file, text)
        })
        .collect()
}

/// The promises name the tests that fail if they are broken.
#[test]
fn the_tests_that_the_documents_name_exist() {
    let paths = |root, prefix: &[&str]| -> Vec<String> {
        let tests = read_crate(root).into_iter().flat_map(|source| source.tests);
        tests.map(|path| [prefix.join("::"), path.join("::")].concat()).collect()
    };
    let tests: BTreeSet<String> =
        [paths("src", &[]), paths("tests/it", &["it", ""])].concat().into_iter().collect();
    // Other paths in code are of constants, types and functions.
    let named = Regex::new(r"`((?:it::|(?:[a-z0-9_]+::)+tests::)[a-z0-9_:]+)`").unwrap();
    let (mut count, mut missing) = (0, Vec::new());
    for (file, text) in documents() {
        for name in named.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()) {
            count += 1;
            // A module of tests may be named as a whole.
            let is_module = || tests.iter().any(|test| test.starts_with(&format!("{name}::")));
            if !tests.contains(name) && !is_module() {
                missing.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "these tests do not exist: {missing:#?}");
    assert!(count > 15, "the promises name their tests, {count} are found");
}

#[test]
fn the_files_that_the_documents_name_exist() {
    let named = Regex::new(
        r"`((?:src|tests|schema|scripts|benches|fixtures|docs|findings)/[A-Za-z0-9_./-]*)",
    )
    .unwrap();
    let mut missing = Vec::new();
    for (file, text) in documents() {
        for path in named.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()) {
            // Capital letters stand for a name that the reader chooses.
            let is_pattern = path.chars().any(|c| c.is_ascii_uppercase());
            if !is_pattern && !Path::new(path.trim_end_matches('.')).exists() {
                missing.push(format!("{} names {path}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_links_of_the_documents_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let (mut count, mut missing) = (0, Vec::new());
    for (file, text) in documents() {
        for target in link.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()) {
            if target.contains("://") {
                continue;
            }
            count += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            let is_there = match (path.is_dir(), std::fs::read_to_string(&path)) {
                (true, _) => true,
                (false, Ok(text)) => anchor.is_empty() || anchors(&text).contains(anchor),
                (false, Err(_)) => false,
            };
            if !is_there {
                missing.push(format!("{} links to {target}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(count > 15, "the documents link to each other, {count} links are found");
}

/// The anchors of a document's headings: in lower case, without punctuation, with hyphens for spaces.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        })
        .map(|heading| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
        })
        .collect()
}

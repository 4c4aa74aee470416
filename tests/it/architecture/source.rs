//! Rust files as the tests of the architecture need them: the modules that they name, their string
//! literals and their tests. Parsed, not searched: a path within a macro or a nested list counts as well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ItemMod, ItemUse, LitStr, Macro, UseTree};

/// One file.
pub struct Source {
    /// Where it is, from the project's root.
    pub file: PathBuf,
    /// Its module's path from the crate's root.
    pub module: Vec<String>,
    /// Every path into the crate that it names, from the crate's root.
    pub paths: BTreeSet<Vec<String>>,
    /// Every string literal, documentation left out.
    pub literals: Vec<String>,
    /// The paths of its tests from the crate's root.
    pub tests: Vec<Vec<String>>,
}

impl Source {
    /// Whether the file is the `mod.rs` of a folder, which its files may import and which imports them.
    pub fn is_folder(&self) -> bool {
        self.file.ends_with("mod.rs")
    }
}

/// Every Rust file under the folder, which is the root of a crate.
pub fn read_crate(root: &str) -> Vec<Source> {
    let root = Path::new(root);
    let files = files_in(root, "rs");
    assert!(files.len() > 40, "the sources are not where this test looks");
    files.into_iter().map(|file| read(root, file)).collect()
}

/// The read models: every folder of `projection` except the engine.
pub fn read_models() -> Vec<String> {
    let folders = std::fs::read_dir("src/projection").unwrap().map(|entry| entry.unwrap());
    let names = folders.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let read_models: Vec<String> = names.filter(|name| name != "engine").collect();
    assert!(read_models.len() > 4, "the read models are not where this test looks");
    read_models
}

/// Every file under the folder with this extension.
pub fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(root: &Path, file: PathBuf) -> Source {
    let text = std::fs::read_to_string(&file).unwrap();
    let module = module_of(file.strip_prefix(root).unwrap());
    let syntax =
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = Reader::new(module.clone());
    reader.visit_file(&syntax);
    let Reader { paths, literals, tests, .. } = reader;
    Source { file, module, paths, literals, tests }
}

/// `log/append.rs` is `log::append`, `log/mod.rs` is `log`.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    if module.last().is_some_and(|name| matches!(name.as_str(), "mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// Collects what a file names.
struct Reader {
    module: Vec<String>,
    paths: BTreeSet<Vec<String>>,
    literals: Vec<String>,
    tests: Vec<Vec<String>>,
}

impl Reader {
    fn new(module: Vec<String>) -> Self {
        Reader { module, paths: BTreeSet::new(), literals: Vec::new(), tests: Vec::new() }
    }

    /// Takes a path as it is written, if it begins at the crate or relative to the module.
    fn take(&mut self, segments: &[String]) {
        let mut absolute = match segments.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        for segment in segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    absolute.pop();
                }
                name => absolute.push(name.to_owned()),
            }
        }
        self.paths.insert(absolute);
    }

    fn take_tree(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.take_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.take(&with(&name.ident)),
            UseTree::Rename(rename) => self.take(&with(&rename.ident)),
            UseTree::Glob(_) => self.take(prefix),
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.take_tree(item, prefix));
            }
        }
    }

    /// Takes paths and literals out of a macro's tokens, which are no syntax yet.
    fn take_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.take_tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string()) {
                        self.literals.push(text.value());
                    }
                }
                TokenTree::Ident(first) => {
                    let mut segments = vec![first.to_string()];
                    while let Some((name, next)) = segment_after(&tokens, at) {
                        segments.push(name);
                        at = next;
                    }
                    self.take(&segments);
                    // A test within a macro, as of proptest.
                    if first == "fn"
                        && let Some(TokenTree::Ident(name)) = tokens.get(at + 1)
                    {
                        self.tests.push([&self.module[..], &[name.to_string()]].concat());
                    }
                }
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }
}

/// The name that follows the token at `at` behind `::`, and where it is.
fn segment_after(tokens: &[TokenTree], at: usize) -> Option<(String, usize)> {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(c) if c.as_char() == ':');
    match tokens.get(at + 1..at + 4)? {
        [one, two, TokenTree::Ident(name)] if is_colon(one) && is_colon(two) => {
            Some((name.to_string(), at + 3))
        }
        _ => None,
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.take_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.take(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.take_tokens(called.tokens.clone());
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        self.literals.push(literal.value());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if !attribute.path().is_ident("doc") {
            visit::visit_attribute(self, attribute);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let is_test = |attribute: &Attribute| {
            attribute.path().segments.last().is_some_and(|last| last.ident == "test")
        };
        if item.attrs.iter().any(is_test) {
            self.tests.push([&self.module[..], &[item.sig.ident.to_string()]].concat());
        }
        visit::visit_item_fn(self, item);
    }
}

#[test]
fn paths_are_found_wherever_they_are_named() {
    let text = r#"
        use crate::log;
        use crate::{db, event::{self, Event}, lifecycle as clock};
        use super::sibling::Thing;
        fn f() -> crate::api::Answer { println!("{}", crate::cli::run("SELECT 1")); self::g() }
        mod tests {
            use super::*;
            use super::super::up;
            #[test]
            fn a_test() { assert_eq!(vec![crate::config::x()], []) }
        }
    "#;
    let mut reader = Reader::new(vec!["a".to_owned(), "b".to_owned()]);
    reader.visit_file(&syn::parse_file(text).unwrap());
    let paths: Vec<String> = reader.paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "a::b",
            "a::b::g",
            "a::sibling::Thing",
            "a::up",
            "api::Answer",
            "cli::run",
            "config::x",
            "db",
            "event",
            "event::Event",
            "lifecycle",
            "log"
        ]
    );
    assert_eq!(reader.literals, ["{}", "SELECT 1"]);
    assert_eq!(reader.tests, [["a", "b", "tests", "a_test"]]);
}

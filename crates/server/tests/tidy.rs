//! What a reader of the sources may rely on: links lead somewhere, files say what they are
//! for and stay short, and the rooms of the house know only what they may.
//!
//! Reads text, builds nothing. Deliberately absent: what rustfmt, clippy and cargo-deny see.

#![expect(clippy::unwrap_used, reason = "test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Made by `make bench`, so it may not be there yet.
const BENCHMARKS: &str = "docs/BENCHMARKS.md";

/// Lines of the longest source file.
const LONGEST: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The files below `folder` whose names end so, as paths from the root.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = root();
    let (mut folders, mut found) = (vec![root.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.is_file() && name.ends_with(ending) {
                let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((relative, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folder} ends with {ending}");
    found
}

fn sources() -> Vec<(String, String)> {
    ["crates", "bench", "fuzz/fuzz_targets"].into_iter().flat_map(|folder| files(folder, ".rs")).collect()
}

fn pages() -> Vec<(String, String)> {
    let at_root = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let at_root = at_root.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let read =
        |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap());
    at_root.map(read).chain(files("docs", ".md")).collect()
}

fn none<T: std::fmt::Debug>(found: Vec<T>, what: &str) {
    assert!(found.is_empty(), "{what}: {found:#?}");
}

/// The texts between `begin` and `end`.
fn between<'a>(text: &'a str, begin: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(begin).skip(1).filter_map(move |rest| rest.split_once(end).map(|(inner, _)| inner))
}

#[test]
fn links_lead_to_files() {
    let mut broken = Vec::new();
    for (page, text) in pages() {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for link in between(&text, "](", ')') {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                broken.push((page.clone(), link.to_owned()));
            }
        }
    }
    broken.retain(|(_, link)| !BENCHMARKS.ends_with(link.as_str()));
    none(broken, "links that lead nowhere");
}

/// Code in back quotes that looks like a path has to be one, from the root or a crate.
#[test]
fn files_that_the_documents_name_exist() {
    let named = |text: &str| {
        let path = text.split("::").next().unwrap().trim_end_matches('/');
        let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-.".contains(&b));
        (plain && path.contains('/') && !path.starts_with('/')).then(|| path.to_owned())
    };
    let tops = ["crates", "interop", "fuzz", "bench", "docs", "packaging", "scripts", "testdata"];
    let rooms = ["archive", "dicom", "dimse", "exposure", "server"];
    let mut missing = Vec::new();
    for (page, text) in pages() {
        for path in text.split('`').skip(1).step_by(2).filter_map(named) {
            let first = path.split('/').next().unwrap();
            let place = match first {
                first if tops.contains(&first) => root().join(&path),
                first if rooms.contains(&first) => root().join("crates").join(&path),
                _ => continue,
            };
            if !place.exists() {
                missing.push((page.clone(), path));
            }
        }
    }
    missing.retain(|(_, path)| path != BENCHMARKS);
    none(missing, "files that are named and do not exist");
}

/// The name of a test: of a function, not of a type or a file.
fn is_function(name: &str) -> bool {
    name.contains('_') && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Each invariant's row names tests, and each test it names is there.
#[test]
fn every_invariant_has_its_tests() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let functions: String = sources().into_iter().chain(files("interop", ".py")).map(|(_, text)| text + "\n").collect();
    let rows: Vec<Vec<&str>> =
        page.lines().filter(|line| line.starts_with("| ")).map(|line| line.split(" | ").collect()).collect();
    let rows: Vec<_> = rows.iter().filter(|row| row[0].trim_start_matches("| ").parse::<u8>().is_ok()).collect();
    assert_eq!(rows.len(), 9, "one row an invariant");
    let mut missing = Vec::new();
    for row in rows {
        let quoted = row[3].split('`').skip(1).step_by(2);
        let named: Vec<&str> = quoted.filter(|name| is_function(name) || name.contains('.')).collect();
        assert!(!named.is_empty(), "no test in {row:?}");
        for name in named.iter().filter(|name| is_function(name)) {
            if !functions.contains(&format!("fn {name}(")) && !functions.contains(&format!("def {name}(")) {
                missing.push((row[0], *name));
            }
        }
    }
    none(missing, "tests that are named and do not exist");
}

#[test]
fn every_source_says_what_it_is_for_and_is_short() {
    let long = |(_, text): &(String, String)| text.lines().count() > LONGEST;
    let silent = |(_, text): &(String, String)| !text.starts_with("//!");
    none(sources().into_iter().filter(silent).map(|(path, _)| path).collect(), "files that do not open with //!");
    none(sources().into_iter().filter(long).map(|(path, _)| path).collect(), "files longer than 600 lines");
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [concat!("todo", "!("), concat!("FIX", "ME"), concat!("unimplemented", "!(")];
    let left = sources().into_iter().filter(|(_, text)| marks.iter().any(|mark| text.contains(mark)));
    none(left.map(|(path, _)| path).collect(), "files with something left to do");
}

/// What cargo cannot see: an import that a crate may have and a room of it may not.
#[test]
fn rooms_know_only_what_they_may() {
    let rules: [(&str, &[&str]); 7] = [
        ("openssl_sys", &["crates/archive/src/index/"]),
        ("rusqlite", &["crates/archive/src/index/", "crates/archive/examples/"]),
        ("axum", &["crates/server/"]),
        ("rustls", &["crates/server/", "crates/exposure/", "bench/"]),
        ("tokio", &["crates/dimse/", "crates/archive/", "crates/exposure/", "crates/server/", "bench/", "fuzz/"]),
        ("leadglass_archive", &["crates/server/", "crates/archive/tests/", "crates/archive/examples/", "fuzz/"]),
        ("aws_lc_rs", &["crates/archive/", "crates/exposure/", "crates/server/", "crates/verify/", "bench/"]),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (name, rooms) in rules {
            let uses = |line: &str| {
                let line = line.trim_start();
                !line.starts_with("//") && line.contains(&format!("{name}::"))
            };
            if !rooms.iter().any(|room| path.starts_with(room)) && text.lines().any(uses) && !path.ends_with("tidy.rs")
            {
                wrong.push((path.clone(), name));
            }
        }
    }
    none(wrong, "imports where they do not belong");
}

#[test]
fn nothing_made_by_machine_is_kept() {
    let made = |path: &Path| path.file_name().is_some_and(|name| name == "__pycache__");
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let kept = fs::read_dir(root().join("interop")).unwrap().any(|entry| made(&entry.unwrap().path()));
    assert!(!kept || ignored.contains("__pycache__"), "interop/__pycache__ belongs into .gitignore");
}

/// A fresh host has the user and nothing else: no file the unit names has to be made by hand.
#[test]
fn the_unit_starts_from_defaults() {
    let unit = fs::read_to_string(root().join("packaging/leadglass.service")).unwrap();
    let lines: Vec<&str> = unit.lines().filter(|line| !line.starts_with('#')).collect();
    let of = |key: &str| lines.iter().find_map(|line| line.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')));
    assert_eq!(of("ExecStart"), Some("/usr/bin/leadglass serve"));
    let state = Path::new("/var/lib").join(of("StateDirectory").unwrap());
    assert_eq!(leadglass::Config::default().data.dir.parent(), Some(state.as_path()));
}

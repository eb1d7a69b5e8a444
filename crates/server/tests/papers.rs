//! What the documents for a security officer say can be looked up: each test they name is in
//! the sources, each command they give exists, no row is empty.
//!
//! Reads text, builds nothing. Deliberately absent: whether the named tests pass; running
//! them says that.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of each chapter of OWASP ASVS 5.0, V1 to V16, levels 1 and 2 (V17, WebRTC, is left out).
const CHAPTERS: [usize; 16] = [27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16];

/// Rows of level 1 among them.
const LEVEL_1: usize = 70;

/// The pages whose tests and files are looked up.
const PAGES: [&str; 6] = [
    "docs/THREAT-MODEL.md",
    "docs/COMPLIANCE.md",
    "docs/PROMISES.md",
    "docs/INCIDENT-GUIDE.md",
    "docs/SECURITY-MODEL.md",
    "SECURITY.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.is_file() && name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found
}

fn none<T: std::fmt::Debug>(found: Vec<T>, what: &str) {
    assert!(found.is_empty(), "{what}: {found:#?}");
}

/// Why `file::function` cannot be looked up; `file` is a path from the root or from `crates`.
fn missing(named: &str) -> Option<String> {
    let (path, function) = named.split_once("::").map_or((named, None), |(path, function)| (path, Some(function)));
    let found = [root().join(path), root().join("crates").join(path)].into_iter().find(|path| path.is_file());
    let Some(found) = found else { return Some(format!("{named}: no such file")) };
    let function = function?;
    let text = fs::read_to_string(found).unwrap();
    let defined = ["fn ", "def "].iter().any(|keyword| text.contains(&format!("{keyword}{function}(")));
    (!defined).then(|| format!("{named}: no such test"))
}

/// The fields of a line of CSV (RFC 4180) that holds no line break.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => fields.last_mut().unwrap().extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => fields.last_mut().unwrap().push(letter),
        }
    }
    fields
}

/// Id, level, requirement, status, reason, tests.
fn requirements() -> Vec<[String; 6]> {
    let text = page("docs/asvs.csv");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("id,level,requirement,status,reason,tests"));
    lines.map(|line| fields(line).try_into().unwrap_or_else(|row| panic!("not six fields: {row:?}"))).collect()
}

#[test]
fn every_requirement_of_asvs_has_its_row() {
    let rows = requirements();
    let numbers = |id: &str| id.split('.').map(|number| number.parse().unwrap()).collect::<Vec<usize>>();
    let ids: Vec<_> = rows.iter().map(|row| numbers(&row[0])).collect();
    assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == ids.len(), "in order, none twice");
    for (chapter, expected) in (1..).zip(CHAPTERS) {
        assert_eq!(ids.iter().filter(|id| id[0] == chapter).count(), expected, "V{chapter}");
    }
    assert_eq!(rows.len(), 246);
    assert_eq!(rows.iter().filter(|row| row[1] == "1").count(), LEVEL_1);
    none(rows.iter().filter(|row| !["1", "2"].contains(&&*row[1])).collect(), "rows of no level");
}

#[test]
fn no_row_of_asvs_is_empty_or_names_what_is_not_there() {
    let mut wrong = Vec::new();
    for [id, _, requirement, status, reason, tests] in requirements() {
        let named: Vec<&str> = tests.split("; ").filter(|name| !name.is_empty()).collect();
        let enough = match &*status {
            "met" => !named.is_empty(),
            "not applicable" | "not met" => !reason.is_empty(),
            _ => false,
        };
        if requirement.is_empty() || !enough {
            wrong.push(format!("{id}: {status} without saying why or by which test"));
        }
        wrong.extend(named.into_iter().filter_map(missing).map(|what| format!("{id}: {what}")));
    }
    none(wrong, "rows of docs/asvs.csv that do not hold");
}

/// `folder/file.rs::test`, and a bare name of four words or more.
#[test]
fn the_tests_that_the_papers_name_are_in_the_sources() {
    let sources = tests();
    let mut wrong = Vec::new();
    for path in PAGES {
        let text = page(path);
        for named in text.split('`').skip(1).step_by(2) {
            let absent = if named.contains(".rs::") || named.contains(".py::") {
                missing(named)
            } else {
                unheard_of(named, &sources)
            };
            wrong.extend(absent.map(|what| format!("{path}: {what}")));
        }
    }
    for [id, _, _, _, reason, _] in requirements() {
        let words = reason.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        wrong.extend(words.filter_map(|word| unheard_of(word, &sources)).map(|what| format!("ASVS {id}: {what}")));
    }
    none(wrong, "tests that are named and do not exist");
}

/// All sources that may hold tests.
fn tests() -> String {
    let sources = files(&root().join("crates"), ".rs").into_iter().chain(files(&root().join("interop"), ".py"));
    sources.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Why a text that looks like a test's name is none.
fn unheard_of(named: &str, sources: &str) -> Option<String> {
    let plain = named.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let there = |keyword: &str| sources.contains(&format!("{keyword}{named}("));
    let looks = plain && named.matches('_').count() >= 3;
    (looks && !there("fn ") && !there("def ")).then(|| format!("{named}: no such test"))
}

/// A row of the threat model without a test says so in words.
#[test]
fn every_threat_names_a_test_or_says_that_there_is_none() {
    let text = page("docs/THREAT-MODEL.md");
    let letters = ["S", "T", "R", "I", "D", "E"];
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.trim_matches('|').split(" | ").collect()).collect();
    let rows: Vec<_> = rows.iter().filter(|row| letters.contains(&row[0].trim())).collect();
    assert!(rows.len() > 30, "{}", rows.len());
    let silent =
        |row: &&&Vec<&str>| !row.get(3).is_some_and(|tests| tests.contains("::") || tests.contains("*not yet*"));
    none(rows.iter().filter(silent).collect(), "threats without a test");
}

/// Every promise of the table was run, with its figure and day, or is said not to have been.
#[test]
fn every_promise_has_a_figure_or_is_not_run() {
    let text = page("docs/PROMISES.md");
    let rows: Vec<Vec<&str>> =
        text.lines().filter(|line| line.starts_with("| P")).map(|line| line.split(" | ").collect()).collect();
    let ids: Vec<String> = rows.iter().map(|row| row[0].trim_start_matches("| ").to_owned()).collect();
    let expected = (1..=19).chain(30..=35).chain([44]).map(|number| format!("P{number:02}"));
    assert_eq!(ids, expected.collect::<Vec<_>>());
    let told = |row: &&Vec<&str>| {
        let figure = row.last().unwrap();
        figure.contains("**not run**") || figure.contains("20") && figure.contains("passed")
    };
    none(rows.iter().filter(|row| !told(row) && !row.last().unwrap().contains("**failed**")).collect(), "untold");
}

/// Each line of a code block that begins with `leadglass`: subcommands and options are those of the program.
#[test]
fn the_commands_of_the_papers_exist() {
    let mut wrong = Vec::new();
    for path in PAGES {
        let text = page(path);
        let lines = text.split("```").skip(1).step_by(2).flat_map(str::lines);
        for line in lines.map(str::trim).filter(|line| line.starts_with("leadglass ")) {
            let line = line.split(" #").next().unwrap();
            wrong.extend(unknown(line).map(|word| format!("{path}: {word} in {line}")));
        }
    }
    none(wrong, "commands that do not exist");
}

/// The first word of a command line that the program does not know.
fn unknown(line: &str) -> Option<String> {
    let mut whole = leadglass::cli::command_line();
    whole.build();
    let mut command = &whole;
    for word in line.split_whitespace().skip(1) {
        if let Some(long) = word.strip_prefix("--") {
            let long = long.split('=').next().unwrap();
            if !command.get_arguments().any(|argument| argument.get_long() == Some(long)) {
                return Some(word.to_owned());
            }
        } else if let Some(below) = command.find_subcommand(word) {
            command = below;
        } else if command.has_subcommands() {
            return Some(word.to_owned());
        }
    }
    None
}

/// The folders of the product's crates.
fn crates() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("Cargo.toml").is_file()).collect()
}

/// Sources of the product without their tests.
fn product() -> Vec<(PathBuf, String)> {
    let sources = crates().into_iter().flat_map(|folder| files(&folder.join("src"), ".rs"));
    let own = |text: String| text.split("\n#[cfg(test)]\nmod ").next().unwrap().to_owned();
    sources.map(|path| (path.clone(), own(fs::read_to_string(&path).unwrap()))).collect()
}

#[test]
fn the_product_starts_no_process() {
    let starts =
        |(_, text): &(PathBuf, String)| text.contains("process::Command") || text.contains("Command::new(\"sh");
    none(product().into_iter().filter(starts).map(|(path, _)| path).collect(), "sources that start a process");
}

#[test]
fn no_crate_may_be_unsafe() {
    let manifest = page("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for folder in crates() {
        let own = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(own.contains("[lints]\nworkspace = true"), "{} takes the workspace's lints", folder.display());
    }
}

#[test]
fn no_other_origin_is_let_in() {
    let lets = |(path, text): &(PathBuf, String)| {
        path.starts_with(root().join("crates/server")) && text.to_ascii_lowercase().contains("access_control_allow")
    };
    none(product().into_iter().filter(lets).map(|(path, _)| path).collect(), "sources that answer CORS");
}

//! A demo in a process of its own, and commands beside it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use leadglass_dicom::part10;
use leadglass_dicom::scan::{Identity, Limits, scan};
use serde_json::Value;

/// The binary.
pub const LEADGLASS: &str = env!("CARGO_BIN_EXE_leadglass");

/// A file of the repository's test data.
pub fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(path)
}

/// Runs a command to its end.
pub fn leadglass(arguments: &[&str]) -> Output {
    Command::new(LEADGLASS).args(arguments).env_remove("LEADGLASS_TOKEN").output().unwrap()
}

/// Its JSON answer and how it ended.
pub fn json(output: &Output) -> (Value, i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON; standard error: {said}"));
    (answer, output.status.code().unwrap())
}

/// A running demo without samples.
pub struct Demo {
    /// A folder for the test; the data directory is `archive` in it.
    pub dir: tempfile::TempDir,
    process: Option<Child>,
}

impl Demo {
    /// Starts it and waits until it says that it is up.
    pub fn start() -> Demo {
        let mut demo = Demo { dir: tempfile::tempdir().unwrap(), process: None };
        demo.start_again();
        demo
    }

    /// Starts it on the data directory that is there.
    pub fn start_again(&mut self) {
        let mut command = Command::new(LEADGLASS);
        command.args(["demo", "--no-samples", "--https-port", "0", "--dicom-port", "0"]);
        command.args(["--data", &self.data(), "--ready-file", &self.ready()]);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let up = lines.map_while(Result::ok).any(|line| line.contains("Ctrl-C"));
        assert!(up, "the demo ended before it was up");
        self.process = Some(process);
    }

    /// Stops it as an operator does.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = rustix::process::Pid::from_child(&process);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            assert!(process.wait().unwrap().success());
        }
    }

    /// The data directory.
    pub fn data(&self) -> String {
        self.path("archive")
    }

    /// The ready file.
    pub fn ready(&self) -> String {
        self.path("ready.json")
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Runs a command against it, with its JSON answer and exit code.
    pub fn run(&self, arguments: &[&str]) -> (Value, i32) {
        let ready = self.ready();
        json(&leadglass(&[arguments, &["--ready-file", &ready, "--json"]].concat()))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Who the instance in a file is, and the file's data set.
pub fn instance(path: &Path) -> (Identity, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    let (meta, data_set) = part10::split(&bytes).unwrap();
    let scanned = scan(data_set, &meta.transfer_syntax, &Limits::default()).unwrap();
    (scanned.identity.unwrap(), data_set.to_vec())
}

/// The regular files of a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

//! How commands answer: for people, or in JSON; and with which exit code.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

/// How a command ended. Usage errors end with 2 (clap).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 3: it ran, and found something wrong (`verify`, `doctor`, refused files).
    Found,
    /// What the exposure audit says: see docs/EXPOSURE.md.
    Code(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        match exit {
            Exit::Done => ExitCode::SUCCESS,
            Exit::Failed => ExitCode::from(1),
            Exit::Found => ExitCode::from(3),
            Exit::Code(code) => ExitCode::from(code),
        }
    }
}

/// Where answers go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Answers in JSON, or for people.
    pub fn new(json: bool) -> Output {
        Output { json }
    }

    /// Whether answers are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether standard output is a terminal that people read.
    pub fn is_for_people(&self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// One answer: as JSON, or as the text for people.
    pub fn say(&self, value: &impl Serialize, text: impl Display) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, value)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{text}")?;
        }
        Ok(out.flush()?)
    }

    /// Tells of an error with all its causes, on standard error.
    pub fn failed(&self, error: &anyhow::Error) -> ExitCode {
        let mut err = std::io::stderr().lock();
        let _ = if self.json {
            writeln!(err, "{}", serde_json::json!({ "error": format!("{error:#}") }))
        } else {
            writeln!(err, "leadglass: {error:#}")
        };
        Exit::Failed.into()
    }
}

/// A progress bar on standard error, where people watch; silent elsewhere.
#[derive(Clone)]
pub struct Progress(indicatif::ProgressBar);

impl Progress {
    /// Of bytes.
    pub fn of_bytes(output: &Output, what: &'static str) -> Progress {
        Progress::new(output, what, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
    }

    /// Of records, or other things counted.
    pub fn of_records(output: &Output, what: &'static str) -> Progress {
        Progress::new(output, what, "{msg} {wide_bar} {human_pos}/{human_len} {eta}")
    }

    /// So much is done, of so much.
    pub fn at(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    /// All is done; the bar goes.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }

    fn new(output: &Output, what: &'static str, template: &str) -> Progress {
        let watched = !output.json && std::io::stderr().is_terminal();
        let bar = if watched { indicatif::ProgressBar::new(0) } else { indicatif::ProgressBar::hidden() };
        if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress(bar.with_message(what))
    }
}

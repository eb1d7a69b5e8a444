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
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        match exit {
            Exit::Done => ExitCode::SUCCESS,
            Exit::Failed => ExitCode::from(1),
            Exit::Found => ExitCode::from(3),
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

//! `leadglass exposure checks`: what is looked for.

use std::fmt::Write as _;

use leadglass_exposure::catalogue::{Check, checks};
use leadglass_exposure::manual::manual;
use leadglass_exposure::report::verdict::Verdict;
use serde::Serialize;

use super::Failure;
use crate::cli::output::Output;

/// List the checks, or print the whole manual.
#[derive(clap::Args, Debug)]
pub struct Checks {
    /// Print docs/EXPOSURE.md.
    #[arg(long)]
    manual: bool,
}

#[derive(Serialize)]
struct Row {
    id: &'static str,
    title: &'static str,
    severity: String,
    depth: u8,
    opens: bool,
    finding_when: &'static str,
    remediation: &'static str,
    clauses: &'static [&'static str],
}

impl Checks {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        if self.manual {
            print!("{}", manual());
            return Ok(Verdict::Clean);
        }
        let rows: Vec<Row> = checks().map(row).collect();
        let mut text = String::new();
        for row in &rows {
            let opens = if row.opens { "opens" } else { "" };
            let _ = writeln!(text, "{:5} {:8} {} {opens:6} {}", row.id, row.severity, row.depth, row.title);
        }
        output.say(&rows, text.trim_end())?;
        Ok(Verdict::Clean)
    }
}

fn row(check: &'static Check) -> Row {
    Row {
        id: check.id,
        title: check.title,
        severity: format!("{:?}", check.severity).to_lowercase(),
        depth: check.depth.into(),
        opens: check.opens,
        finding_when: check.finding_when,
        remediation: check.remediation,
        clauses: check.clauses,
    }
}

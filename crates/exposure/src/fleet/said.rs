//! The picture as JSON, a table for spreadsheets, text, and a page.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::str::FromStr;

use super::{Fleet, html};
use crate::report::csv::guarded;
use crate::report::format::NotAFormat;
use crate::report::json::in_canonical_form;
use crate::report::tally::{Group, Tally};
use crate::report::wording::{self, counted, number};

/// A form of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For programs.
    Json,
    /// One page for management and authorities.
    Html,
    /// For spreadsheets.
    Csv,
    /// For a terminal.
    Text,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 4] = [Format::Json, Format::Html, Format::Csv, Format::Text];

    /// What a picture in it is called.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Json => "fleet.json",
            Format::Html => "fleet.html",
            Format::Csv => "fleet.csv",
            Format::Text => "fleet.txt",
        }
    }
}

impl FromStr for Format {
    type Err = NotAFormat;

    fn from_str(text: &str) -> Result<Format, NotAFormat> {
        let wanted = |format: &Format| format.file_name().strip_prefix("fleet.") == Some(text);
        match text {
            "text" => Ok(Format::Text),
            _ => Format::ALL.into_iter().find(wanted).ok_or(NotAFormat),
        }
    }
}

/// Writes the picture in a form of it.
pub fn write(fleet: &Fleet, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Json => {
            out.write_all(&in_canonical_form(fleet))?;
            out.write_all(b"\n")
        }
        Format::Html => out.write_all(html::page(fleet).into_string().as_bytes()),
        Format::Csv => csv(fleet, out),
        Format::Text => out.write_all(text(fleet).as_bytes()),
    }
}

/// Rows of all groups, told apart by their first cell.
fn rows(fleet: &Fleet) -> [(&'static str, &[Group]); 4] {
    [("country", &fleet.countries), ("region", &fleet.regions), ("site", &fleet.sites), ("product", &fleet.products)]
}

fn csv(fleet: &Fleet, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    writer.write_record(["by", "name", "checked", "open", "share_percent", "studies", "open_that_told"])?;
    let mut row = |by: &str, name: &str, tally: &Tally| {
        let share = format!("{:.1}", tally.share.percent());
        let numbers = [tally.checked, tally.open, tally.studies, tally.counted].map(|number| number.to_string());
        let [checked, open, studies, told] = numbers;
        writer.write_record([by.to_owned(), guarded(name), checked, open, share, studies, told])
    };
    row("total", "", &fleet.total)?;
    for (by, groups) in rows(fleet) {
        for group in groups {
            row(by, group.name.as_deref().unwrap_or(""), &group.tally)?;
        }
    }
    for day in &fleet.series {
        row("date", &day.date, &day.tally)?;
    }
    writer.flush()
}

fn text(fleet: &Fleet) -> String {
    let mut text = String::new();
    let Tally { checked, open, share, studies, counted: told } = fleet.total;
    let runs = fleet.runs.iter().filter(|run| run.counts).count() as u64;
    let _ = writeln!(text, "FLEET  {}, the newest of {} given", counted(runs, "run", "runs"), fleet.runs.len());
    let _ = writeln!(text, "\n  {} of {} checked OPEN: {share}", number(open), counted(checked, "system", "systems"));
    if open > 0 {
        let _ =
            writeln!(text, "  {} within reach on the {} that told", counted(studies, "study", "studies"), number(told));
    }
    for (by, groups) in rows(fleet) {
        if groups.iter().any(|group| group.name.is_some()) {
            let named = groups.iter().map(|group| (group.name.as_deref().unwrap_or("not known"), &group.tally));
            table(&mut text, by, named);
        }
    }
    if fleet.series.len() > 1 {
        table(&mut text, "date", fleet.series.iter().map(|day| (day.date.as_str(), &day.tally)));
    }
    text
}

fn table<'a>(text: &mut String, by: &str, rows: impl Iterator<Item = (&'a str, &'a Tally)>) {
    let _ = writeln!(text, "\n{:<39}{:>10}{:>8}{:>9}{:>14}", by.to_uppercase(), "checked", "open", "share", "studies");
    for (name, tally) in rows {
        let name: String = wording::plain(name).chars().take(38).collect();
        let (checked, open, studies) = (number(tally.checked), number(tally.open), number(tally.studies));
        let share = tally.share.to_string();
        let _ = writeln!(text, "{name:<39}{checked:>10}{open:>8}{share:>9}{studies:>14}");
    }
}

//! `leadglass explain`: listeners, who, and what they may do, on one screen.

use comfy_table::Table;
use serde_json::Value;

use super::connection::Connection;
use super::legacy;
use super::output::{Exit, Output};

/// Show where the doors are, who could reach them, who may come in and what they may do.
#[derive(clap::Args, Debug)]
pub struct Explain {
    #[command(flatten)]
    connection: Connection,
}

impl Explain {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let explained = self.connection.api()?.get("/admin/v1/explain").await?;
        let legacy = legacy::posture(&explained["posture"]["legacy"], output);
        let legacy = legacy.map(|line| format!("{line}\n")).unwrap_or_default();
        let doors = posture(&explained["posture"]);
        let text = format!("{doors}\n{legacy}{}", entitled(&explained["entitled"], output));
        output.say(&explained, text)?;
        Ok(Exit::Done)
    }
}

fn posture(posture: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let (open, configured) = (&posture["open"], &posture["configured"]);
    let mut lines = vec![
        format!("HTTPS      {} (configured {})", text(&open["https"]), text(&configured["https"])),
        format!("DICOM/TLS  {} (configured {})", text(&open["dicom"]), text(&configured["dicom"])),
        format!("reachable  {}", text(&posture["reachable"])),
    ];
    if let Some(held) = posture["held"].as_str() {
        lines.push(format!("held back  {held}"));
    }
    lines.push(format!("looked at  {}", text(&posture["looked"])));
    if let Some(tokens) = posture["administrator_tokens"].as_u64().filter(|tokens| *tokens > 0) {
        lines.push(format!("tokens     {tokens} that administer without a second factor"));
    }
    if let Some(unfinished) = posture["unfinished"].as_str() {
        lines.push(format!("unfinished {unfinished}"));
    }
    for finding in posture["findings"].as_array().into_iter().flatten() {
        lines.push(format!("FOUND      {} {}", text(&finding["check"]), text(&finding["title"])));
    }
    lines.join("\n")
}

/// A row for everybody and each door of theirs.
fn entitled(entitled: &Value, output: &Output) -> Table {
    let mut table = Table::new();
    table.set_header(["who", "kind", "door", "may", "over", "until"]);
    for one in entitled.as_array().into_iter().flatten() {
        let text = |field: &str| one[field].as_str().unwrap_or("").to_owned();
        let scopes: Vec<&str> = one["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for through in one["may"].as_array().into_iter().flatten() {
            let operations = through[1].as_array().into_iter().flatten().filter_map(Value::as_str);
            let may = operations.collect::<Vec<_>>().join(" ");
            let door = through[0].as_str().unwrap_or("").to_owned();
            let kind = match one["kind"].as_str() {
                Some("legacy") => legacy::red("legacy: CLEAR TEXT", output),
                _ => text("kind"),
            };
            table.add_row([text("name"), kind, door, may, scopes.join("\n"), text("until")]);
        }
    }
    table
}

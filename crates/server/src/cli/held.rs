//! `leadglass held`: what unknown senders sent, and what becomes of it.

use clap::Subcommand;
use comfy_table::Table;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::peer::percent;
use super::scope::Limits;

/// What unknown senders sent and waits: look, accept, enrol its sender, discard.
#[derive(clap::Args, Debug)]
pub struct Held {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The unknown senders of whom something waits.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// What waits of one, and whom it is about. On record as an access to each study.
    Show {
        /// The sender, as listed.
        sender: String,
        /// Only what came after the object of that number.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
        /// At most so many objects: 1 to 1000.
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: u16,
        #[command(flatten)]
        connection: Connection,
    },
    /// Take in what waits of one, once; it stays unknown.
    Accept {
        /// The sender, as listed.
        sender: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Make one a peer, under the title and certificate it came with, and take in what waits.
    Enrol {
        /// The sender, as listed.
        sender: String,
        /// What it may do: store, find, retrieve, commit.
        #[arg(long, value_delimiter = ',', required = true)]
        verbs: Vec<String>,
        /// Where it listens, for C-MOVE and commitment reports.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
        /// Department or place, for people.
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Whom to call about it.
        #[arg(long, value_name = "TEXT")]
        contact: Option<String>,
        #[command(flatten)]
        limits: Box<Limits>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Destroy what waits of one. Nobody has it then but its sender.
    Discard {
        /// The sender, as listed.
        sender: String,
        /// Why, in 10 to 1000 characters.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Held {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let at = |sender: &str, what: &str| format!("/admin/v1/held/{}{what}", percent(sender));
        match self.what {
            What::List { connection } => {
                let senders = connection.api()?.get("/admin/v1/held").await?;
                output.say(&senders, waiting(&senders))?;
            }
            What::Show { sender, after, limit, connection } => {
                let path = at(&sender, &format!("?after={after}&limit={limit}"));
                let page = connection.api()?.get(&path).await?;
                output.say(&page, objects(&page))?;
            }
            What::Accept { sender, connection } => {
                let taken = connection.api()?.post(&at(&sender, "/accept"), &json!({})).await?;
                output.say(&taken, words(&taken))?;
            }
            What::Enrol { sender, verbs, address, label, contact, limits, connection } => {
                let request = json!({
                    "verbs": verbs, "scope": limits.scope(), "address": address, "label": label, "contact": contact,
                });
                let taken = connection.api()?.post(&at(&sender, "/enrol"), &request).await?;
                output.say(&taken, format!("enrolled; {}", words(&taken)))?;
            }
            What::Discard { sender, reason, connection } => {
                let taken = connection.api()?.post(&at(&sender, "/discard"), &json!({ "reason": reason })).await?;
                output.say(&taken, words(&taken))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn waiting(senders: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["sender", "AE title", "certificate of", "from", "first", "last", "objects", "bytes", "expires"]);
    for sender in senders.as_array().into_iter().flatten() {
        table.add_row(
            ["sender", "ae", "subject", "address", "first", "last", "objects", "bytes", "expires"]
                .map(|field| text(&sender[field])),
        );
    }
    table
}

fn objects(page: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["number", "received", "patient", "name", "study", "date", "modality", "instance", "bytes"]);
    for object in page["objects"].as_array().into_iter().flatten() {
        let about = &object["about"];
        let of = |field: &str| text(&about[field]);
        table.add_row([
            text(&object["number"]),
            text(&object["received"]),
            if about.is_null() { "(not shown)".to_owned() } else { of("patient_id") },
            of("patient_name"),
            of("study"),
            of("study_date"),
            of("modality"),
            text(&object["sop_instance"]),
            text(&object["bytes"]),
        ]);
    }
    table
}

fn words(taken: &Value) -> String {
    let count = |field: &str| taken[field].as_u64().unwrap_or_default();
    let parts = [
        ("kept", "kept"),
        ("already_there", "there already"),
        ("quarantined", "set aside, as the archive has other bytes under their UIDs"),
        ("discarded", "destroyed"),
        ("left", "refused by the archive and waiting on"),
    ];
    let said: Vec<String> = parts
        .iter()
        .filter(|(field, _)| count(field) > 0)
        .map(|(field, words)| format!("{} {words}", count(field)))
        .collect();
    if said.is_empty() { "nothing waited any more".into() } else { said.join(", ") }
}

/// A value as a person reads it; what a stranger wrote comes without control characters.
fn text(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

//! `leadglass review`: what waits for somebody to look at it.

use clap::Subcommand;
use comfy_table::Table;
use serde_json::json;

use super::connection::Connection;
use super::output::{Exit, Output};
use super::peer::percent;

/// What waits for somebody to look at it: emergencies, envelopes, canaries.
#[derive(clap::Args, Debug)]
pub struct Review {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// All reviews, the open ones first.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Close one with what was found. Whoever brought it about cannot.
    Close {
        /// Its number.
        id: String,
        /// What was found, in 10 to 1000 characters.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Review {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::List { connection } => {
                let reviews = connection.api()?.get("/admin/v1/reviews").await?;
                let mut table = Table::new();
                table.set_header(["id", "why", "opened", "who", "patient", "what", "closed"]);
                for review in reviews.as_array().into_iter().flatten() {
                    let text = |field: &str| review[field].as_str().unwrap_or("").to_owned();
                    let closed = review["closed"]["reason"].as_str().unwrap_or("open").to_owned();
                    let row = ["id", "alarm", "opened", "caller", "patient_id", "detail"].map(text);
                    table.add_row(row.into_iter().chain([closed]));
                }
                output.say(&reviews, table)?;
            }
            What::Close { id, reason, connection } => {
                let path = format!("/admin/v1/reviews/{}/close", percent(&id));
                connection.api()?.post(&path, &json!({ "reason": reason })).await?;
                output.say(&json!({ "closed": id }), "closed")?;
            }
        }
        Ok(Exit::Done)
    }
}

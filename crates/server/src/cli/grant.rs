//! `leadglass grant`: rights for a time, seen and ended. Taking and sharing is for people who are
//! there, on their account page: no token does either.

use clap::Subcommand;
use comfy_table::Table;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::peer::percent;

/// Rights for a time: studies shared, patients taken in an emergency.
#[derive(clap::Args, Debug)]
#[command(after_help = "People take emergencies and share studies on their account page, /account: no token does.")]
pub struct Grant {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The grants that live.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// End one before its time.
    End {
        /// Its number.
        id: String,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Grant {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::List { connection } => {
                let grants = connection.api()?.get("/admin/v1/grants").await?;
                output.say(&grants, table(&grants))?;
            }
            What::End { id, connection } => {
                connection.api()?.delete(&format!("/admin/v1/grants/{}", percent(&id))).await?;
                output.say(&json!({ "ended": id }), "ended")?;
            }
        }
        Ok(Exit::Done)
    }
}

fn table(grants: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["id", "who", "over", "until", "why"]);
    for grant in grants.as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let (right, ground) = (&grant["right"], &grant["ground"]);
        let why = match ground["break-glass"]["reason"].as_str() {
            Some(reason) => format!("emergency: {reason}"),
            None => format!("shared by {}", text(&ground["share"]["by"])),
        };
        let over = super::scope::words(&right["scope"]);
        table.add_row([text(&grant["id"]), text(&grant["user"]), over, text(&right["until"]), why]);
    }
    table
}

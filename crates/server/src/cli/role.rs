//! `leadglass role`: roles that the administrators define.

use clap::Subcommand;
use comfy_table::Table;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};

/// Define roles, and list them.
#[derive(clap::Args, Debug)]
pub struct Role {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Define a role, or redefine it: its holders may do what it says from now on.
    Define {
        /// Its name.
        name: String,
        /// What its holders may do, by the names of docs/policy-matrix.txt; none withdraws it.
        #[arg(long = "may", value_delimiter = ',', value_name = "OPERATION")]
        may: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// The roles that were defined.
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

impl Role {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Define { name, may, connection } => {
                let role = json!({ "name": name, "operations": may });
                connection.api()?.post("/admin/v1/roles", &role).await?;
                output.say(&role, "defined")?;
            }
            What::List { connection } => {
                let roles = connection.api()?.get("/admin/v1/roles").await?;
                let mut table = Table::new();
                table.set_header(["name", "may"]);
                for role in roles.as_array().into_iter().flatten() {
                    let operations = role["operations"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    table.add_row([role["name"].as_str().unwrap_or(""), &operations.collect::<Vec<_>>().join(" ")]);
                }
                output.say(&roles, table)?;
            }
        }
        Ok(Exit::Done)
    }
}

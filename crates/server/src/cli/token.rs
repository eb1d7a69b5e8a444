//! `leadglass token`: makes, lists and revokes API tokens of a running archive.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use comfy_table::Table;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::scope::{Limits, words};
use crate::host::write_file;

/// Make, list and revoke API tokens.
#[derive(clap::Args, Debug)]
pub struct Token {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Make a token. Its secret is shown once.
    Create {
        /// A name for people: whose, what for.
        name: String,
        /// Its role: see docs/policy-matrix.txt.
        #[arg(long)]
        role: String,
        /// Whose it is: a user, or a service account. It never allows what they may not do.
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        /// Days until it ends.
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Write the secret into this file (mode 0600) instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        limits: Box<Limits>,
        #[command(flatten)]
        connection: Connection,
    },
    /// All tokens, without secrets.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a token.
    Revoke {
        /// Its name.
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Token {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Create { name, role, owner, days, out, limits, connection } => {
                let scope = limits.scope();
                let mut request = json!({ "name": name, "role": role, "lifetime_days": days, "scope": scope });
                if let Some(owner) = owner {
                    request["owner"] = owner.into();
                }
                let answer = connection.api()?.post("/admin/v1/tokens", &request).await?;
                let secret = answer["token"].as_str().context("the archive's answer has no token")?;
                match out {
                    Some(path) => {
                        write_file(&path, secret.as_bytes(), 0o600)?;
                        let said = json!({ "name": name, "token_file": path });
                        output.say(&said, format!("the token is in {}", path.display()))?;
                    }
                    None => output.say(&answer, secret)?,
                }
            }
            What::List { connection } => {
                let tokens = connection.api()?.get("/admin/v1/tokens").await?;
                output.say(&tokens, table(&tokens))?;
            }
            What::Revoke { name, connection } => {
                connection.api()?.delete(&format!("/admin/v1/tokens/{}", super::peer::percent(&name))).await?;
                output.say(&json!({ "revoked": name }), "revoked")?;
            }
        }
        Ok(Exit::Done)
    }
}

fn table(tokens: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["name", "of", "role", "reaches", "ends", "revoked"]);
    for token in tokens.as_array().into_iter().flatten() {
        let [name, owner, role, expires, revoked] =
            ["name", "owner", "role", "expires", "revoked"].map(|field| token[field].as_str().unwrap_or(""));
        table.add_row([name, owner, role, &words(&token["scope"]), expires, revoked]);
    }
    table
}

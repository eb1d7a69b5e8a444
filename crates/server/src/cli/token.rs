//! `leadglass token`: makes, lists and revokes API tokens of a running archive.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use comfy_table::Table;
use leadglass_archive::access::Scope;
use leadglass_archive::{Archive, Credential, Door, Settings, Source};
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::scope::{Limits, words};
use super::whereabouts::OnDisk;
use crate::host::write_file;

/// How long the host's token lives.
const DAY: Duration = Duration::from_secs(24 * 3600);

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
    /// Make an administrator's token for a day, of an archive that is stopped: for whoever owns
    /// its files and has nobody left who can sign in.
    Host {
        /// Write the secret into this file (mode 0600).
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        archive: OnDisk,
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
            What::Host { out, archive } => {
                let secret = of_the_host(archive.settings()?).await?;
                write_file(&out, secret.as_bytes(), 0o600)?;
                output.say(&json!({ "token_file": out }), format!("the token is in {}", out.display()))?;
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

/// A token that the host makes for itself; on record like any other.
async fn of_the_host(settings: Settings) -> anyhow::Result<zeroize::Zeroizing<String>> {
    let archive = tokio::task::spawn_blocking(move || Archive::open(settings)).await??;
    let source = Source { address: None, door: Door::Host };
    let host = archive.authenticate(source, Credential::Host).await?;
    let name = format!("host {}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let made = archive.create_token(&host, &name, "administrator", DAY, Scope::everything()).await;
    archive.close().await;
    Ok(made?.into())
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

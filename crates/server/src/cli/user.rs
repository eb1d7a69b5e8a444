//! `leadglass user`: who may sign in to a running archive, and what they may do.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use comfy_table::Table;
use serde_json::{Map, Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::peer::percent;
use super::scope::{Limits, words};
use crate::host::write_file;

/// Add, list, change, disable, reset and sign out users.
#[derive(clap::Args, Debug)]
pub struct User {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Add a user. A person's invitation is shown once: they choose their passphrase with it at
    /// /login, within a day.
    Add {
        /// The login name.
        name: String,
        /// The name for people.
        #[arg(long)]
        display: Option<String>,
        /// A program, not a person: it holds tokens and never signs in.
        #[arg(long)]
        service: bool,
        /// Write the invitation into this file (mode 0600) instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        rights: Rights,
        #[command(flatten)]
        connection: Connection,
    },
    /// All users.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Change what a user may do; they are signed out everywhere.
    Change {
        /// The login name.
        name: String,
        /// The name for people.
        #[arg(long)]
        display: Option<String>,
        #[command(flatten)]
        rights: Rights,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a user do nothing any longer.
    Disable {
        /// The login name.
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a disabled user in again.
    Enable {
        /// The login name.
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Take passphrase and factors away and invite anew: for who lost one.
    Reset {
        /// The login name.
        name: String,
        /// Write the invitation into this file (mode 0600) instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Sign a user out everywhere.
    Sessions {
        /// The login name.
        name: String,
        /// End them all.
        #[arg(long, required = true)]
        end: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

/// What a user may do: each role over the same scope.
#[derive(clap::Args, Debug)]
struct Rights {
    /// Roles; see docs/policy-matrix.txt.
    #[arg(long = "role", value_delimiter = ',', value_name = "ROLE")]
    roles: Vec<String>,
    /// Patient IDs of the user's own, to look at besides; may be given again.
    #[arg(long = "own-patients", value_name = "PATIENT ID")]
    own_patients: Vec<String>,
    #[command(flatten)]
    limits: Box<Limits>,
}

impl Rights {
    fn put_into(&self, request: &mut Map<String, Value>) {
        let scope = self.limits.scope();
        let right = |role: &String| match &scope {
            Value::Null => json!({ "role": role }),
            scope => json!({ "role": role, "scope": scope }),
        };
        if !self.roles.is_empty() {
            request.insert("rights".into(), self.roles.iter().map(right).collect());
        }
        if !self.own_patients.is_empty() {
            request.insert("patients".into(), json!(self.own_patients));
        }
    }
}

impl User {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Add { name, display, service, out, rights, connection } => {
                let mut request = Map::new();
                request.insert("name".into(), json!(name));
                request.insert("service".into(), json!(service));
                request.extend(display.map(|display| ("display".to_owned(), json!(display))));
                rights.put_into(&mut request);
                let answer = connection.api()?.post("/admin/v1/users", &Value::Object(request)).await?;
                if service {
                    output.say(
                        &answer,
                        format!("{name} is there; `leadglass token create --owner {name}` makes its tokens"),
                    )?;
                } else {
                    hand_over(output, &answer, out.as_deref())?;
                }
            }
            What::List { connection } => {
                let users = connection.api()?.get("/admin/v1/users").await?;
                output.say(&users, table(&users))?;
            }
            What::Change { name, display, rights, connection } => {
                let mut request = Map::new();
                request.extend(display.map(|display| ("display".to_owned(), json!(display))));
                rights.put_into(&mut request);
                change(&connection, &name, Value::Object(request)).await?;
                output.say(&json!({ "changed": name }), "changed")?;
            }
            What::Disable { name, connection } => {
                change(&connection, &name, json!({ "disabled": true })).await?;
                output.say(&json!({ "disabled": name }), "disabled")?;
            }
            What::Enable { name, connection } => {
                change(&connection, &name, json!({ "disabled": false })).await?;
                output.say(&json!({ "enabled": name }), "enabled")?;
            }
            What::Reset { name, out, connection } => {
                let path = format!("/admin/v1/users/{}/invitation", percent(&name));
                let answer = connection.api()?.post(&path, &json!({})).await?;
                hand_over(output, &answer, out.as_deref())?;
            }
            What::Sessions { name, end: _, connection } => {
                connection.api()?.delete(&format!("/admin/v1/users/{}/sessions", percent(&name))).await?;
                output.say(&json!({ "signed_out": name }), "signed out everywhere")?;
            }
        }
        Ok(Exit::Done)
    }
}

async fn change(connection: &Connection, name: &str, change: Value) -> anyhow::Result<()> {
    connection.api()?.patch(&format!("/admin/v1/users/{}", percent(name)), &change).await.map(drop)
}

/// The invitation: into a file, or printed.
fn hand_over(output: &Output, answer: &Value, out: Option<&Path>) -> anyhow::Result<()> {
    let invitation = answer["invitation"].as_str().context("the archive's answer has no invitation")?;
    match out {
        Some(path) => {
            write_file(path, invitation.as_bytes(), 0o600)?;
            let said = json!({ "name": answer["name"], "invitation_file": path });
            output.say(&said, format!("the invitation is in {}", path.display()))
        }
        None => output.say(answer, invitation),
    }
}

fn table(users: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["user", "name", "may", "signs in with", "sessions", "disabled"]);
    for user in users.as_array().into_iter().flatten() {
        let word = |field: &str| user[field].as_str().unwrap_or("").to_owned();
        let rights = user["rights"].as_array().into_iter().flatten();
        let rights: Vec<String> = rights
            .map(|right| format!("{} over {}", right["role"].as_str().unwrap_or(""), words(&right["scope"])))
            .collect();
        let factors: Vec<&str> = user["factors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let with = match (user["service"].as_bool(), user["issuer"].as_str()) {
            (Some(true), _) => "tokens alone".to_owned(),
            (_, Some(issuer)) => issuer.to_owned(),
            _ if factors.is_empty() => "an invitation".to_owned(),
            _ => factors.join(", "),
        };
        table.add_row([
            word("name"),
            word("display"),
            rights.join("\n"),
            with,
            user["sessions"].to_string(),
            word("disabled"),
        ]);
    }
    table
}

//! `leadglass sign-in`: passphrase and second factor for a token of one's own, for a day.
//!
//! What people type is read from the terminal without showing it, or from standard input, a line
//! each; never from arguments, which others can see. No session stays behind.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::connection::Connection;
use super::output::{Exit, Output};
use crate::client::Client;
use crate::host::write_file;
use crate::login::cookie;

/// Bytes of an answer.
const ANSWER_BYTES: usize = 1 << 20;

/// Sign in as an administrator, for a token of one's own for a day.
#[derive(clap::Args, Debug)]
pub struct SignIn {
    /// The login name.
    name: String,
    /// The token's role: one's own, or less.
    #[arg(long, default_value = "administrator")]
    role: String,
    /// Write the token into this file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl SignIn {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let mut page = Page { client: self.connection.client()?, cookies: BTreeMap::new() };
        let passphrase = asked("passphrase: ")?;
        let shown = json!({ "name": self.name, "passphrase": *passphrase });
        let step = page.post("/login/passphrase", &shown).await?;
        match (&step["second_factor"], &step["second_factor_due"]) {
            (Value::Object(second), _) => {
                ensure!(second["code"] == true, "that user signs in with a passkey: make the token with a browser");
                let code = asked("code of the app, or a recovery code: ")?;
                page.post("/login/code", &json!({ "code": *code })).await?;
            }
            (_, Value::Bool(true)) => bail!("a second factor is due: open /login with a browser and enrol one"),
            _ => {}
        }
        let name: String = self.name.chars().take(40).collect();
        let name = format!("{name} {}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let made = page.post("/admin/v1/tokens", &json!({ "name": name, "role": self.role, "lifetime_days": 1 })).await;
        page.post("/logout", &json!({})).await?;
        let made = made?;
        let secret = made["token"].as_str().context("the archive's answer has no token")?;
        match self.out {
            Some(path) => {
                write_file(&path, secret.as_bytes(), 0o600)?;
                output
                    .say(&json!({ "name": name, "token_file": path }), format!("the token is in {}", path.display()))?;
            }
            None => output.say(&made, secret)?,
        }
        Ok(Exit::Done)
    }
}

/// Our own page, as a browser has it: its cookies, and where its requests come from.
struct Page {
    client: Client,
    cookies: BTreeMap<String, Zeroizing<String>>,
}

impl Page {
    async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let authority = self.client.address().to_string();
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={}", **value)).collect();
        let mut request = Request::post(path)
            .header(header::HOST, &authority)
            .header(header::ORIGIN, format!("https://{authority}"))
            .header(header::CONTENT_TYPE, "application/json");
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let request = request.body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
        let response = self.client.open().await?.send_request(request).await?;
        let status = response.status();
        for line in response.headers().get_all(header::SET_COOKIE) {
            let pair = line.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("the archive's cookie")?;
            // A browser of our own is not remembered, and what is taken away is gone.
            if name == cookie::BROWSER || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned().into());
            }
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error)).context("the archive's answer")?.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let said = answer["detail"].as_str().or(answer["title"].as_str()).unwrap_or("no reason given");
        match status {
            StatusCode::FORBIDDEN => bail!("signed in, but that may not be done: {said}"),
            _ => bail!("the archive answers {}: {said}", status.as_u16()),
        }
    }
}

/// A line that somebody types; not shown on a terminal.
fn asked(what: &str) -> anyhow::Result<Zeroizing<String>> {
    let stdin = std::io::stdin();
    let hidden = stdin.is_terminal().then(|| Hidden::begin(what)).transpose()?;
    let mut line = Zeroizing::new(String::new());
    stdin.lock().read_line(&mut line).context("cannot read standard input")?;
    drop(hidden);
    let line = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    ensure!(!line.is_empty(), "nothing was typed");
    Ok(line)
}

/// A terminal that shows nothing of what is typed, as long as this lives.
struct Hidden(Termios);

impl Hidden {
    fn begin(what: &str) -> anyhow::Result<Hidden> {
        let before = tcgetattr(std::io::stdin()).context("the terminal")?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO;
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet).context("the terminal")?;
        eprint!("{what}");
        Ok(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
        eprintln!();
    }
}

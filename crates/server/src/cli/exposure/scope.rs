//! `leadglass exposure scope`: begin a scope file, look at what it comes to, sign it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use leadglass_dicom::clock::{Clock, SystemClock};
use leadglass_exposure::report::verdict::Verdict;
use leadglass_exposure::run::seconds;
use leadglass_exposure::scope::{Scope, Summary, template};
use leadglass_exposure::signature::{Purpose, SigningKey, beside};

use super::{Blame, Failure};
use crate::cli::output::Output;

/// Begin, check and sign the file that says what may be looked at.
#[derive(clap::Args, Debug)]
pub struct ScopeCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print a commented scope file with blanks to fill in.
    New,
    /// Say every mistake of a scope file, or what would be looked at and for how long.
    Check {
        /// The scope file.
        file: PathBuf,
    },
    /// Sign a scope file (Ed25519); the signature goes beside it.
    Sign {
        /// The scope file.
        file: PathBuf,
        /// The key, PKCS#8 PEM, mode 0600.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Make the key first.
        #[arg(long)]
        new_key: bool,
    },
}

impl ScopeCommand {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        match self.action {
            Action::New => {
                print!("{}", template());
                Ok(Verdict::Clean)
            }
            Action::Check { file } => {
                let scope = Scope::read(&file).usage()?;
                scope.holds_at(seconds(SystemClock.now())).usage()?;
                let summary = Summary::of(&scope);
                let said = serde_json::json!({
                    "sha256": hex::encode(summary.sha256),
                    "signed_by": summary.signed_by.map(|key| key.to_string()),
                    "addresses": summary.addresses().to_string(),
                    "probes": summary.probes().to_string(),
                    "deepest": summary.deepest(),
                    "sweep_seconds": summary.sweep().as_secs(),
                    "listed_hosts_seconds": summary.listed_hosts().as_secs(),
                });
                output.say(&said, &summary)?;
                Ok(Verdict::Clean)
            }
            Action::Sign { file, key, new_key } => {
                // An old signature beside it need not hold: this makes a new one.
                let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display())).usage()?;
                Scope::parse(&bytes, file.parent().unwrap_or(Path::new("."))).usage()?;
                sign(&file, &key, new_key, Purpose::Scope, output)
            }
        }
    }
}

/// Signs a file and puts the signature beside it.
pub fn sign(file: &Path, key: &Path, new_key: bool, purpose: Purpose, output: &Output) -> Result<Verdict, Failure> {
    let signing = if new_key {
        let made = SigningKey::generate(&aws_lc_rs::rand::SystemRandom::new())?;
        made.write(key).with_context(|| format!("cannot write the new key {}", key.display())).usage()?;
        made
    } else {
        SigningKey::read(key).with_context(|| format!("the key {}", key.display())).usage()?
    };
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display())).usage()?;
    let signature = beside(file);
    std::fs::write(&signature, signing.sign(purpose, &bytes))
        .with_context(|| format!("cannot write {}", signature.display()))?;
    let said = serde_json::json!({ "signature": signature, "public_key": signing.public().to_string() });
    output.say(&said, format!("signed by {}: {}", signing.public(), signature.display()))?;
    Ok(Verdict::Clean)
}

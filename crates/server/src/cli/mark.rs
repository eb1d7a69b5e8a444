//! `leadglass mark`: labels and restrictions of studies and patients.

use clap::Subcommand;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::peer::percent;

/// Label studies; restrict studies and patients to those who are cleared.
#[derive(clap::Args, Debug)]
pub struct Mark {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Set all labels and restrictions of a study or a patient; none takes them away.
    Set {
        #[command(flatten)]
        whose: Whose,
        /// A label of the study; may be given again.
        #[arg(long = "label", value_name = "NAME")]
        labels: Vec<String>,
        /// Only for those whose scope clears it: vip, staff, legal-hold, consent-withdrawn.
        #[arg(long = "restrict", value_delimiter = ',', value_name = "WHY")]
        restrictions: Vec<String>,
        /// Nobody has a reason to look at this patient: whoever does raises an alarm.
        #[arg(long)]
        canary: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// The labels and restrictions of a study or a patient.
    Show {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        connection: Connection,
    },
}

/// One of both.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Whose {
    /// A study, by its UID.
    #[arg(long, value_name = "UID")]
    study: Option<String>,
    /// All studies of a patient, those to come too, by Patient ID.
    #[arg(long, value_name = "PATIENT ID")]
    patient: Option<String>,
}

impl Whose {
    fn path(&self) -> String {
        match (&self.study, &self.patient) {
            (Some(study), _) => format!("/admin/v1/marks?study={}", percent(study)),
            (_, patient) => format!("/admin/v1/marks?patient={}", percent(patient.as_deref().unwrap_or_default())),
        }
    }
}

impl Mark {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Set { whose, labels, restrictions, canary, connection } => {
                let marks = json!({ "labels": labels, "restrictions": restrictions, "canary": canary });
                connection.api()?.put(&whose.path(), &marks).await?;
                output.say(&marks, "set")?;
            }
            What::Show { whose, connection } => {
                let marks = connection.api()?.get(&whose.path()).await?;
                let list = |name: &str| -> String {
                    let values = marks[name].as_array().into_iter().flatten().filter_map(Value::as_str);
                    values.collect::<Vec<_>>().join(", ")
                };
                let canary = if marks["canary"] == true { "\na canary" } else { "" };
                let (labels, restrictions) = (list("labels"), list("restrictions"));
                output.say(&marks, format!("labels: {labels}\nrestrictions: {restrictions}{canary}"))?;
            }
        }
        Ok(Exit::Done)
    }
}

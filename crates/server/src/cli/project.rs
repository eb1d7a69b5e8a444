//! `leadglass project`: makes and lists what things are de-identified for.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use comfy_table::Table;
use leadglass_dicom::deidentify::Profile;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};

/// Make and list projects that things are de-identified for.
#[derive(clap::Args, Debug)]
pub struct ProjectCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Make a project. Its key never leaves the archive, and its profile does not change.
    New {
        /// Its name: letters, digits, dots, dashes and underscores.
        name: String,
        /// A profile: options, device rules, words. See docs/DEIDENTIFICATION.md. Without one, the
        /// Basic Profile of PS3.15 alone.
        #[arg(long, value_name = "FILE")]
        profile: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
    /// All projects and their options.
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

impl ProjectCommand {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::New { name, profile, connection } => {
                let profile = profile.map(read).transpose()?.unwrap_or_default();
                let request = json!({ "name": name, "profile": profile });
                let made = connection.api()?.post("/admin/v1/projects", &request).await?;
                output.say(&made, format!("made {name}"))?;
            }
            What::List { connection } => {
                let projects = connection.api()?.get("/admin/v1/projects").await?;
                output.say(&projects, table(&projects))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// A profile's file, checked here too: its mistakes are told with their line.
fn read(path: PathBuf) -> anyhow::Result<Profile> {
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let profile: Profile = toml::from_str(&text).with_context(|| format!("{} is no profile", path.display()))?;
    profile.check().with_context(|| format!("{} makes no sense", path.display()))?;
    Ok(profile)
}

fn table(projects: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["name", "options", "device rules"]);
    for project in projects.as_array().into_iter().flatten() {
        let options = project["profile"]["options"].as_array().into_iter().flatten();
        let options: Vec<&str> = options.filter_map(Value::as_str).collect();
        let rules = project["profile"]["device"].as_array().map_or(0, Vec::len);
        table.add_row([project["name"].as_str().unwrap_or(""), &options.join("\n"), &rules.to_string()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadglass_dicom::deidentify::{PixelRule, ProfileOption};

    #[test]
    fn the_profile_of_the_manual_is_read() {
        let manual = include_str!("../../../../docs/DEIDENTIFICATION.md");
        let (_, rest) = manual.split_once("```toml\n").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let profile: Profile = toml::from_str(text).unwrap();
        assert_eq!(profile.check(), Ok(()));
        assert!(profile.options.has(ProfileOption::CleanPixelData));
        assert_eq!(profile.devices.len(), 3);
        assert!(matches!(&profile.devices[0].pixels, PixelRule::Blank(regions) if regions.len() == 2));
        assert_eq!(profile.devices[1].pixels, PixelRule::UltrasoundRegionsOnly);
        assert!(matches!(profile.devices[2].pixels, PixelRule::NothingBurnedIn(_)));
    }
}

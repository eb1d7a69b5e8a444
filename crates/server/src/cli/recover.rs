//! `leadglass recover`: a key file from the recovery kit.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use leadglass_archive::seal::RecoveryKit;

use super::output::{Exit, Output};

/// Make a key file from the recovery kit.
#[derive(clap::Args, Debug)]
pub struct Recover {
    /// A file with the kit's eight groups, one a line.
    #[arg(long, value_name = "FILE")]
    kit: PathBuf,
    /// The key file to make; it must not exist.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Recover {
    /// Runs it.
    pub fn run(self, output: &Output) -> anyhow::Result<Exit> {
        ensure!(!self.key.exists(), "{} exists: it is not overwritten", self.key.display());
        let text = std::fs::read_to_string(&self.kit).with_context(|| format!("cannot read {}", self.kit.display()))?;
        let text = zeroize::Zeroizing::new(text);
        let groups: Vec<&str> = text.lines().filter(|line| is_group(line)).collect();
        let key = RecoveryKit::parse(&groups.join("\n"))?;
        key.write_file(&self.key)?;
        output.say(&serde_json::json!({ "key": self.key }), format!("key file {} made", self.key.display()))?;
        Ok(Exit::Done)
    }
}

/// Whether the line is one of the kit's groups: `3) ABCD-EFGH`.
fn is_group(line: &str) -> bool {
    let number = line.trim_start().split_once(')').map(|(number, _)| number);
    number.is_some_and(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_in_the_whole_page() {
        let page = "CA (SHA-256):  ab\nThe master key:\n1) ABCD-EFGH\n2) ABCD-EFGH\n\nTo make (again) a key";
        assert_eq!(page.lines().filter(|line| is_group(line)).count(), 2);
    }
}

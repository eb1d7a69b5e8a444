//! What a first start makes: the setup code and the recovery kit.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::data::beside;
use crate::host::{Host, StartError, write_file};

/// Whether nothing lives in that data directory yet.
pub fn is_new(dir: &Path) -> bool {
    fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}

/// Where the setup code of an archive that is not set up is kept, mode 0600.
pub fn setup_code_path(dir: &Path) -> PathBuf {
    dir.join("setup-code")
}

/// Makes the one-time setup code and keeps it in its file, while setup is not done.
pub async fn issue_setup_code(host: &Host) -> Result<Option<String>, StartError> {
    if host.archive.is_set_up() {
        remove_setup_code(&host.config.data.dir);
        return Ok(None);
    }
    let code = host.archive.new_setup_code(host.operator()).await?;
    write_file(&setup_code_path(&host.config.data.dir), code.as_bytes(), 0o600)?;
    Ok(Some(code))
}

/// Removes the setup code's file, when setup is done.
pub fn remove_setup_code(dir: &Path) {
    let _ = fs::remove_file(setup_code_path(dir));
}

/// Writes the recovery kit next to the data directory, mode 0600: what one needs to open
/// this archive when its key is lost. It is to be printed or moved to a safe place.
pub async fn write_recovery_kit(host: &Host) -> Result<(), StartError> {
    let groups = host.archive.recovery_kit(host.operator()).await?;
    let kit = zeroize::Zeroizing::new(kit(host, &groups));
    write_file(&recovery_kit_path(&host.config.data.dir), kit.as_bytes(), 0o600)
}

/// Where the recovery kit is written.
pub fn recovery_kit_path(dir: &Path) -> PathBuf {
    beside(dir, "recovery-kit")
}

fn kit(host: &Host, groups: &str) -> String {
    format!(
        "Leadglass recovery kit\n\
         ======================\n\n\
         Whoever holds this page can read the archive. Print it or move it to a safe place,\n\
         then delete this file.\n\n\
         archive:       {}\n\
         AE title:      {}\n\
         CA (SHA-256):  {}\n\n\
         The master key:\n\n{groups}\n\
         To make a key file of it: leadglass recover --kit FILE --key FILE,\n\
         where the kit's file holds the eight groups above, one a line.\n",
        host.config.data.dir.display(),
        host.ae_title,
        host.tls.ca_sha256(),
    )
}

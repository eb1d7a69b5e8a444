//! What a first start makes: the setup code and the recovery kit.

use std::fs;
use std::path::{Path, PathBuf};

use leadglass_archive::KeySource;

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
/// this archive on another machine when the key file is lost. It is to be printed or moved
/// to a safe place. Only a key in a file has one: a passphrase or credential is with its owner.
pub fn write_recovery_kit(host: &Host) -> Result<(), StartError> {
    let KeySource::File(key_path) = host.config.data.key_source() else {
        return Ok(());
    };
    let key = fs::read(&key_path).map_err(StartError::io(format!("cannot read {}", key_path.display())))?;
    let key = zeroize::Zeroizing::new(key);
    let kit = zeroize::Zeroizing::new(kit(host, &key_path, &key));
    write_file(&recovery_kit_path(&host.config.data.dir), kit.as_bytes(), 0o600)
}

/// Where the recovery kit is written.
pub fn recovery_kit_path(dir: &Path) -> PathBuf {
    beside(dir, "recovery-kit")
}

fn kit(host: &Host, key_path: &Path, key: &[u8]) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(key);
    let check = hex::encode(&crate::tls::verify::fingerprint(key)[..8]);
    format!(
        "Leadglass recovery kit\n\
         ======================\n\n\
         Whoever holds this page can read the archive. Print it or move it to a safe place,\n\
         then delete this file.\n\n\
         archive:            {}\n\
         AE title:           {}\n\
         CA (SHA-256):       {}\n\
         key file:           {}\n\
         key, check digits:  {check}\n\n\
         To restore: decode the text between the lines into the key file and set its mode to 0600:\n\
         base64 -d > {}\n\n\
         -----\n{encoded}\n-----\n",
        host.config.data.dir.display(),
        host.ae_title,
        host.tls.ca_sha256(),
        key_path.display(),
        key_path.display(),
    )
}

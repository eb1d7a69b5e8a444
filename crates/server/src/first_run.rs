//! What a first start makes: the setup code and the recovery kit.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::data::beside;
use crate::host::{Host, StartError, write_file};

/// Name of the host secret that tells whether the recovery kit was written.
const KIT_SECRET: &str = "recovery-kit";
/// What it holds until the kit is written, and what from then on.
const KIT_DUE: &[u8] = b"due";
const KIT_WRITTEN: &[u8] = b"written";

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

/// Writes the recovery kit next to the data directory, mode 0600, unless this archive has
/// been given one: what one needs to open it when its key is lost. It is to be printed or
/// moved to a safe place. That it was written is kept in the keyring once it is on disk, so
/// a start that fails in between is made up for by the next.
pub async fn issue_recovery_kit(host: &Host) -> Result<(), StartError> {
    let (archive, operator) = (&host.archive, host.operator());
    if archive.host_secret(operator, KIT_SECRET, &|| KIT_DUE.to_vec()).await? != KIT_DUE {
        return Ok(());
    }
    let groups = archive.recovery_kit(operator).await?;
    let kit = zeroize::Zeroizing::new(kit(host, &groups));
    write_file(&recovery_kit_path(&host.config.data.dir), kit.as_bytes(), 0o600)?;
    Ok(archive.put_host_secret(operator, KIT_SECRET, KIT_WRITTEN).await?)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use leadglass_dicom::clock::SystemClock;

    use super::*;
    use crate::Config;

    async fn open(dir: &Path) -> Result<Arc<Host>, StartError> {
        let mut config = Config::default();
        config.data.dir = dir.to_owned();
        config.data.segment_bytes = 16 << 20;
        config.data.reserve_bytes = 1 << 20;
        Host::open(config, Arc::new(SystemClock)).await
    }

    #[tokio::test]
    async fn the_recovery_kit_is_made_once_also_beside_what_was_there_before() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("archive");
        fs::create_dir_all(dir.join("lost+found")).unwrap();
        open(&dir).await.unwrap().archive.close().await;
        fs::remove_file(recovery_kit_path(&dir)).unwrap();
        open(&dir).await.unwrap().archive.close().await;
        assert!(!recovery_kit_path(&dir).exists(), "a kit that was put away is not made again");
    }

    #[tokio::test]
    async fn a_list_of_breached_passphrases_that_cannot_be_read_keeps_it_from_starting() {
        let parent = tempfile::tempdir().unwrap();
        let list = parent.path().join("sums");
        let mut config = Config::default();
        config.data.dir = parent.path().join("archive");
        config.people.breached_sha1 = list.clone();
        let refused = Host::open(config.clone(), Arc::new(SystemClock)).await.err().unwrap();
        assert!(refused.to_string().contains("people.breached_sha1"), "{refused}");
        assert!(!config.data.dir.exists(), "nothing was made");
        fs::write(&list, format!("{}:1\n", "0A".repeat(20))).unwrap();
        Host::open(config, Arc::new(SystemClock)).await.unwrap().archive.close().await;
    }

    #[tokio::test]
    async fn a_start_that_could_not_write_the_kit_is_made_up_for() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("archive");
        let in_the_way = recovery_kit_path(&dir);
        fs::create_dir_all(in_the_way.join("full")).unwrap();
        assert!(matches!(open(&dir).await, Err(StartError::Io { .. })));
        fs::remove_dir_all(&in_the_way).unwrap();
        open(&dir).await.unwrap().archive.close().await;
        assert!(in_the_way.is_file());
    }
}

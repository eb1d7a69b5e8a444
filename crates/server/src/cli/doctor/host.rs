//! What files and system say: configuration, modes, key, space, lock.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use leadglass_archive::KeySource;

use super::Finding;
use crate::cli::whereabouts::Serving;
use crate::config::Config;
use crate::config::trail::{Delivery, Keeper};
use crate::first_run::{recovery_kit_path, setup_code_path};

/// All of them.
pub fn findings(config: &Config) -> Vec<Finding> {
    vec![
        configuration(config),
        data_directory(config),
        key(config),
        space(config),
        lock(config),
        recovery_kit(config),
        descriptors(config),
        setup(config),
        breached(config),
        alerts(config),
        checkpoints(config),
    ]
}

fn configuration(config: &Config) -> Finding {
    const WHAT: &str = "configuration";
    match config.check() {
        Ok(()) => Finding::fine(WHAT, "valid; TLS, authentication, sealing and trail have no off switch"),
        Err(error) => Finding::bad(WHAT, error.to_string(), "correct it; `leadglass config explain` has every key"),
    }
}

fn data_directory(config: &Config) -> Finding {
    mode_is("data directory", &config.data.dir, 0o700, "chmod 700, and make the service's user its owner")
}

fn key(config: &Config) -> Finding {
    const WHAT: &str = "master key";
    match config.data.key_source() {
        KeySource::File(path) | KeySource::PassphraseFile(path) => {
            if path.starts_with(&config.data.dir) {
                let advice = "move it out of the data directory: whoever copies that has the key too";
                return Finding::bad(WHAT, "inside the data directory", advice);
            }
            mode_is(WHAT, &path, 0o600, "chmod 600; if it is lost, `leadglass recover` makes it from the recovery kit")
        }
        KeySource::SystemdCredential(name) => Finding::fine(WHAT, format!("systemd credential {name}")),
    }
}

fn mode_is(what: &'static str, path: &Path, mode: u32, advice: &'static str) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o777 & !mode == 0 => {
            Finding::fine(what, path.display().to_string())
        }
        Ok(metadata) => {
            let is = metadata.permissions().mode() & 0o777;
            let detail = format!("{} has mode {is:o}: others may read it; {mode:o} is right", path.display());
            Finding::bad(what, detail, advice)
        }
        Err(error) => Finding::bad(what, format!("{}: {error}", path.display()), advice),
    }
}

fn space(config: &Config) -> Finding {
    const WHAT: &str = "disk space";
    const ADVICE: &str = "make room or enlarge the file system: below the reserve stores are refused";
    match rustix::fs::statvfs(&config.data.dir) {
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let needed = config.data.reserve_bytes.saturating_add(config.data.segment_bytes);
            let detail = format!("{} MiB free, reserve {} MiB", free >> 20, config.data.reserve_bytes >> 20);
            Finding::of(WHAT, free > needed, detail, ADVICE)
        }
        Err(error) => Finding::bad(WHAT, format!("cannot tell: {error}"), ADVICE),
    }
}

/// Whether the lock is held by the process that says it serves.
fn lock(config: &Config) -> Finding {
    const WHAT: &str = "lock";
    let serving = Serving::read(&config.data.dir).ok();
    let held = match File::open(config.data.dir.join("lock")).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => true,
        Ok(_) => false,
        Err(error) => return Finding::of(WHAT, false, format!("{error}"), "start `leadglass serve` once: it makes it"),
    };
    match (held, serving) {
        (true, Some(serving)) => Finding::fine(WHAT, format!("held by process {}", serving.pid)),
        (true, None) => Finding::bad(
            WHAT,
            "held, but no process says that it serves",
            "it is starting, or another command has the archive open: look again in a moment",
        ),
        (false, None) => Finding::fine(WHAT, "free: the archive is not open"),
        (false, Some(_)) => Finding::bad(
            WHAT,
            "free, though serving.json says a process serves: that process was killed",
            "start `leadglass serve`: it replays the log and loses nothing acknowledged",
        ),
    }
}

fn recovery_kit(config: &Config) -> Finding {
    let path = recovery_kit_path(&config.data.dir);
    match path.exists() {
        false => Finding::fine("recovery kit", "not on this host"),
        true => Finding::bad(
            "recovery kit",
            format!("{} is still here", path.display()),
            "print it or move it to a safe place, then delete it",
        ),
    }
}

fn descriptors(config: &Config) -> Finding {
    let needed = u64::from(config.limits.connections) * 2 + 256;
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let detail = format!("{allowed} allowed, {needed} may be needed");
    Finding::of("descriptors", allowed >= needed, detail, "raise LimitNOFILE= in the service's unit")
}

fn setup(config: &Config) -> Finding {
    let waiting = setup_code_path(&config.data.dir).exists();
    let detail = if waiting { "not done: nothing but setup answers" } else { "done, or never started" };
    Finding::of("setup", !waiting, detail, "run `leadglass setup` on this machine")
}

/// The list is the hospital's to bring: without it length, common words and names are looked at.
fn breached(config: &Config) -> Finding {
    const WHAT: &str = "passphrases";
    const ADVICE: &str = "fetch Have I Been Pwned's list of SHA-1 and name its file: `[people] breached_sha1`";
    let path = config.people.breached_sha1.display();
    match config.people.check_breached() {
        Err(error) => Finding::bad(WHAT, format!("{path}: {error}: none is taken"), ADVICE),
        Ok(()) if config.people.breached_sha1.as_os_str().is_empty() => {
            Finding::bad(WHAT, "no list of breached ones is compared with", ADVICE)
        }
        Ok(()) => Finding::fine(WHAT, format!("breached ones are refused by {path}")),
    }
}

/// Whether anybody hears of an alert who does not look into the trail.
fn alerts(config: &Config) -> Finding {
    const ADVICE: &str = "name who is to be told: `[[trail.deliveries]]`, docs/TRAIL.md";
    let deliveries = &config.trail.deliveries;
    // A folder tells nobody.
    let tells = |delivery: &&Delivery| !matches!(delivery, Delivery::FhirFile(_));
    let told: Vec<&str> = deliveries.iter().filter(tells).map(Delivery::name).collect();
    match told.is_empty() {
        true => Finding::bad("alerts", "nobody is told: they are in the trail of this machine alone", ADVICE),
        false => Finding::fine("alerts", format!("handed on to {}", told.join(", "))),
    }
}

/// Whether somebody elsewhere keeps checkpoints: without them who holds this machine can cut the
/// trail short.
fn checkpoints(config: &Config) -> Finding {
    const ADVICE: &str = "name a keeper elsewhere: `[[trail.checkpoints]]`, docs/TRAIL.md";
    let keepers: Vec<&str> = config.trail.checkpoints.iter().map(Keeper::name).collect();
    match keepers.is_empty() {
        true => Finding::bad("checkpoints", "none leaves this machine: who holds it can cut the trail short", ADVICE),
        false => Finding::fine("checkpoints", format!("kept by {}", keepers.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dir: &Path) -> Config {
        let mut config = Config::default();
        config.data.dir = dir.join("archive");
        config
    }

    #[test]
    fn a_key_that_others_may_read_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let path = dir.path().join("archive.key");
        fs::write(&path, "key").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!key(&config).fine);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(key(&config).fine);
    }

    #[test]
    fn whom_nobody_tells_and_what_nobody_keeps_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        let found = |config: &Config| [breached(config), alerts(config), checkpoints(config)].map(|seen| seen.fine);
        assert_eq!(found(&config), [false; 3]);
        let trail = |text: &str| Config::parse(text).unwrap().trail;
        config.trail = trail("[[trail.deliveries]]\nkind = 'fhir-file'\nname = 'a'\nfolder = '/a'");
        assert_eq!(found(&config), [false; 3], "a folder tells nobody");
        config.trail = trail(
            "[[trail.deliveries]]\nkind = 'syslog'\nname = 'a'\nto = 'h:1'\ntls = { ca = '/a' }\n\
             [[trail.checkpoints]]\nkind = 'file'\nname = 'b'\nfolder = '/b'",
        );
        config.people.breached_sha1 = dir.path().join("sums");
        assert_eq!(found(&config), [false, true, true], "a list that is not there");
        fs::write(&config.people.breached_sha1, "0A".repeat(20)).unwrap();
        assert_eq!(found(&config), [true; 3]);
    }

    #[test]
    fn a_lock_nobody_holds_while_one_should_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        fs::create_dir(&config.data.dir).unwrap();
        let file = File::create(config.data.dir.join("lock")).unwrap();
        assert!(lock(&config).fine);
        let address = "127.0.0.1:1".parse().unwrap();
        let serving = Serving { https: address, dicom: address, legacy: None, ae_title: "A".into(), pid: 1 };
        serving.write(&config.data.dir).unwrap();
        assert!(!lock(&config).fine);
        file.lock().unwrap();
        assert!(lock(&config).fine);
    }
}

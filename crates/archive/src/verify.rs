//! Checking what is on disk.

use std::path::Path;

use crate::access::requests;
use crate::log::{self, Report, VerifyOptions};
use crate::seal::Keyring;
use crate::{Archive, Caller, Refused, Settings, blocking, log_failed};

impl Archive {
    /// Checks every record: digests, seals, tree and checkpoints. `progress` hears (bytes
    /// done, bytes in all), from another thread. Damage is in the report, not an error.
    ///
    /// # Errors
    /// When the data directory cannot be read at all.
    pub async fn verify(
        &self,
        caller: &Caller,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Report, Refused> {
        self.perform(caller, requests::Verify, async move |_| {
            let inner = self.inner.clone();
            blocking(move || {
                report(&inner.settings.data_dir, &inner.keyring, None, progress).map_err(|error| log_failed(&error))
            })
            .await?
        })
        .await
    }

    /// The same for a data directory nobody serves, for the host's own command; `since` is
    /// a checkpoint kept elsewhere that the log must contain. Writes nothing.
    ///
    /// # Errors
    /// See [`crate::OpenError`].
    pub fn verify_offline(
        settings: &Settings,
        since: Option<&str>,
        progress: impl FnMut(u64, u64),
    ) -> Result<Report, crate::OpenError> {
        let keyring = Keyring::open_existing(&settings.data_dir, &settings.key_source)?;
        Ok(report(&settings.data_dir, &keyring, since, progress)?)
    }
}

fn report(
    data_dir: &Path,
    keyring: &Keyring,
    since: Option<&str>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, log::LogError> {
    let verifier = keyring.checkpoint_key().ok().map(|key| key.verifier());
    let options = VerifyOptions { verifier: verifier.as_ref(), since, keyring: Some(keyring) };
    log::verify(data_dir, &options, &mut progress)
}

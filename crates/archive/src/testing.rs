//! The harness of the tests: an archive in a directory of its own, a clock that moves when
//! told, callers of every role, and small data sets to store.
//!
//! Here and in the crates whose tests switch the feature `testing` on; never in a release.

mod sample;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leadglass_dicom::clock::ManualClock;
use leadglass_dicom::{AeTitle, TransferSyntax};
use tempfile::TempDir;

pub use self::sample::Sample;
use crate::access::people::PeopleSettings;
use crate::access::secret::sha256_hex;
use crate::access::{GrantedScope, Scope};
use crate::administer::{NewLegacyPeer, Peer, Verb};
use crate::index::{TrailQuery, TrailRow};
use crate::retrieve::Purpose;
use crate::store::{Incoming, StoreRefused, Stored};
use crate::{Archive, Caller, Credential, Door, KeySource, Operation, Refused, Selection, Settings, Source};

/// What the test's clock says at first: 2026-01-01.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// An archive of its own, removed with the value.
pub struct TestArchive {
    archive: Archive,
    settings: Settings,
    clock: Arc<ManualClock>,
    dir: Arc<TempDir>,
}

#[expect(clippy::expect_used, reason = "a harness fails by panicking")]
impl TestArchive {
    /// A fresh archive in a fresh directory.
    pub fn new() -> TestArchive {
        TestArchive::with(|_| {})
    }

    /// One whose settings differ.
    pub fn with(change: impl FnOnce(&mut Settings)) -> TestArchive {
        let dir = Arc::new(TempDir::new().expect("a temporary directory"));
        let clock = Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH + BEGINNING));
        let mut settings = Settings {
            data_dir: dir.path().join("data"),
            key_source: KeySource::File(dir.path().join("master.key")),
            reserve_bytes: 1 << 20,
            segment_bytes: 16 << 20,
            spill_bytes: 1 << 20,
            max_data_set_bytes: 1 << 30,
            scan: leadglass_dicom::scan::Limits::default(),
            people: PeopleSettings::default(),
            held: crate::held::HeldSettings::default(),
            clock: clock.clone(),
        };
        change(&mut settings);
        let archive = Archive::open(settings.clone()).expect("a fresh archive opens");
        TestArchive { archive, settings, clock, dir }
    }

    /// The archive.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.settings.data_dir
    }

    /// Closes it well and opens it again.
    pub async fn reopened(self) -> TestArchive {
        self.archive.close().await;
        self.opened_again()
    }

    /// A copy of the directory as it is at this moment, opened: what a crash would leave
    /// (without what the kernel had not written; `interop` cuts the power for that).
    pub fn after_crash(&self) -> TestArchive {
        let dir = Arc::new(TempDir::new().expect("a temporary directory"));
        copy(self.dir.path(), dir.path()).expect("the directory is copied");
        let settings = Settings {
            data_dir: dir.path().join("data"),
            key_source: KeySource::File(dir.path().join("master.key")),
            ..self.settings.clone()
        };
        let archive = Archive::open(settings.clone()).expect("an archive opens after a crash");
        TestArchive { archive, settings, clock: self.clock.clone(), dir }
    }

    /// Closes it and opens it with settings that differ.
    pub async fn with_settings(mut self, change: impl FnOnce(&mut Settings)) -> TestArchive {
        self.archive.close().await;
        change(&mut self.settings);
        self.opened_again()
    }

    /// Closes it, lets `meddle` at its data directory, and opens it again.
    pub async fn meddled(self, meddle: impl FnOnce(&Path)) -> TestArchive {
        self.archive.close().await;
        meddle(&self.settings.data_dir);
        self.opened_again()
    }

    fn opened_again(self) -> TestArchive {
        let TestArchive { archive, settings, clock, dir } = self;
        drop(archive);
        let archive = Archive::open(settings.clone()).expect("an archive opens again");
        TestArchive { archive, settings, clock, dir }
    }

    /// The host's operator.
    pub async fn host(&self) -> Caller {
        let source = Source { address: None, door: Door::Host };
        self.archive.authenticate(source, Credential::Host).await.expect("the host is known")
    }

    /// A caller with a token of that role, at that door.
    pub async fn caller(&self, role: &str, door: Door) -> Caller {
        self.scoped(role, door, Scope::everything()).await
    }

    /// A caller with a token of that role that reaches that far, at that door.
    pub async fn scoped(&self, role: &str, door: Door, scope: Scope) -> Caller {
        let name = format!("{role} {}", self.archive.inner.registry.tokens().len());
        let host = self.host().await;
        let made = self.archive.create_token(&host, &name, role, Duration::from_secs(24 * 3600), scope).await;
        let token = made.expect("a token is made");
        let known = self.archive.authenticate(network(door), Credential::ApiToken(token)).await;
        known.expect("the token is known")
    }

    /// A peer of that title that may do that, on an association.
    pub async fn peer(&self, ae: &str, verbs: &[Verb]) -> Caller {
        self.scoped_peer(ae, verbs, Scope::everything()).await
    }

    /// A peer of that title that may do that with the instances of that scope.
    pub async fn scoped_peer(&self, ae: &str, verbs: &[Verb], scope: Scope) -> Caller {
        let certificate_der = format!("certificate of {ae}").into_bytes();
        let peer = Peer {
            ae: ae.to_owned(),
            certificate_sha256: sha256_hex(&certificate_der),
            verbs: verbs.to_vec(),
            scope,
            address: Some("127.0.0.1:11112".into()),
            ..Peer::default()
        };
        self.archive.add_peer(&self.host().await, peer).await.expect("a peer is added");
        let calling_ae = AeTitle::parse(ae).expect("an AE title");
        let credential = Credential::Peer { certificate_der, calling_ae, user_identity: None };
        self.archive.authenticate(network(Door::Dimse), credential).await.expect("the peer is known")
    }

    /// Whether the policy lets that caller do that now, through the door they came by.
    #[must_use]
    pub fn reaches(&self, caller: &Caller, operation: Operation) -> bool {
        let registry = &self.archive.inner.registry;
        registry.reach(caller.proofs(), operation, caller.door(), self.archive.inner.clock.now()).is_some()
    }

    /// A legacy peer of that title, declared for thirty days, on an association in clear text.
    pub async fn legacy_peer(&self, ae: &str, scope: Scope) -> Caller {
        let source = network(Door::Legacy);
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
        let lifetime = Duration::from_secs(30 * 24 * 3600);
        let new = NewLegacyPeer { ae: ae.to_owned(), address, lifetime, scope, label: None, contact: None };
        self.archive.add_legacy_peer(&self.host().await, new).await.expect("a legacy peer is declared");
        let calling_ae = AeTitle::parse(ae).expect("an AE title");
        let source = Source { address: Some(address), ..source };
        self.archive.authenticate(source, Credential::Legacy { calling_ae }).await.expect("the legacy peer is known")
    }

    /// Stores a sample in explicit little endian, in chunks as a network brings them.
    ///
    /// # Errors
    /// Those of [`crate::store`].
    pub async fn store(&self, caller: &Caller, sample: &Sample) -> Result<Stored, StoreRefused> {
        self.store_bytes(caller, &sample.encode(), leadglass_dicom::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN).await
    }

    /// Stores these bytes of a data set.
    ///
    /// # Errors
    /// Those of [`crate::store`].
    pub async fn store_bytes(&self, caller: &Caller, bytes: &[u8], syntax: &str) -> Result<Stored, StoreRefused> {
        let uid = leadglass_dicom::Uid::parse(syntax).expect("a UID");
        let incoming =
            Incoming { transfer_syntax: TransferSyntax::from_uid(uid), announced: None, expected_study: None };
        let mut ingest = self.archive.store(caller, incoming).await?;
        for chunk in bytes.chunks(16 * 1024) {
            ingest.push(chunk).await?;
        }
        ingest.finish().await
    }

    /// The data set of that sample, as the caller gets it.
    ///
    /// # Errors
    /// Those of [`crate::retrieve`].
    pub async fn read(&self, caller: &Caller, sample: &Sample) -> Result<Vec<u8>, Refused> {
        let selection = Selection { instances: vec![sample.sop_uid()], ..Selection::default() };
        let retrieval = self.archive.retrieve(caller, selection, Purpose::ToCaller).await?;
        let mut bytes = Vec::new();
        let mut reader = retrieval.open(&retrieval.instances()[0]).await?;
        while let Some(chunk) = reader.next_chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        retrieval.complete().await?;
        Ok(bytes)
    }

    /// The trail, newest first, when all that was handed over has been written.
    pub async fn trail(&self) -> Vec<TrailRow> {
        self.archive.inner.committer.settled().await;
        let everything = GrantedScope::for_test(Scope::everything());
        let query = TrailQuery { limit: 1000, ..TrailQuery::default() };
        self.archive.inner.index.trail(&query, &everything).expect("the trail is read")
    }

    /// Moves the clock and does what is due then.
    pub async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.archive.tend(Some(self.archive.now_ns()));
        self.archive.summarize_settled();
        self.archive.inner.committer.settled().await;
    }

    /// From now on nothing can be written, as after a failed fsync.
    pub fn fail_writes(&self) {
        self.archive.inner.committer.fail("a failed fsync");
    }

    /// The last decision about an unknown sender is to be carried out, as after a crash between
    /// the two; what it was is read from the trail of decisions.
    pub async fn forget_that_it_was_carried_out(&self, sender: &str) {
        use crate::held::Decision;
        let held = self.archive.inner.registry.held(sender).expect("it was decided about");
        let was_discard = self.trail().await.iter().any(|row| row.action == "discard-held" && row.outcome == "done");
        let decision = if was_discard { Decision::Discard } else { Decision::Accept };
        let change = crate::change::Change::HeldDecided { held: crate::change::HeldFact { decision, ..held } };
        let entry = crate::trail::Alert::of(crate::trail::Event::HeldEnds).into_entry(self.archive.now_ns());
        self.archive.inner.committer.change_of_ours(change, entry).await.expect("the log is written");
    }

    /// Every file below the data directory.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.settings.data_dir.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder is read") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

impl Default for TestArchive {
    fn default() -> TestArchive {
        TestArchive::new()
    }
}

/// Whether that is taken for a new passkey: for those who make up bytes.
pub fn passkey_is_read(
    party: &crate::access::people::RelyingParty,
    challenge: &str,
    new: &crate::access::people::passkey::NewPasskey,
) -> bool {
    crate::access::people::passkey::registered(party, challenge, "made up", new).is_some()
}

/// The one-time code that an app shows at that hour, from its secret in base32.
#[must_use]
pub fn totp_code(secret: &str, now: SystemTime) -> String {
    crate::access::people::totp::code_at(secret, now)
}

fn network(door: Door) -> Source {
    Source { address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))), door }
}

/// Views before what they are views of, and that before its keys: what was written meanwhile
/// then looks as after a crash, not as if it had been cut off.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut entries: Vec<std::fs::DirEntry> = std::fs::read_dir(from)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| match entry.file_name().to_string_lossy().as_ref() {
        name if name.starts_with("index") => 0,
        "log" => 1,
        _ => 2,
    });
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

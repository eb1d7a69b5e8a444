//! No configuration opens a door: random valid ones are started, loaded with canary names and
//! looked at by a stranger, on every socket that the process listens on. Declared legacy peers are
//! among them, at the stranger's own address: their listeners are the only ones in clear text, and
//! tell a stranger nothing but that they do not know him.
//!
//! It runs in a network of its own (a namespace with a private and a public address), so that the
//! doors of an archive whose administrator has a second factor come out where others would come,
//! and others cannot. Where none can be made, all of it stays on the loopback and the figure says so.
//!
//! `LEADGLASS_CONFIGURATIONS` says how many (500; 10,000 with `LEADGLASS_FULL=1`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

mod network;
mod stranger;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use leadglass::gate::Shut;
use leadglass::host::{Host, StartError};
use leadglass::posture::Addresses;
use leadglass::{Config, Running, first_run};
use leadglass_archive::access::Scope;
use leadglass_archive::administer::NewLegacyPeer;
use leadglass_archive::store::Incoming;
use leadglass_archive::testing::{Sample, totp_code};
use leadglass_archive::{Caller, Credential, Door, Source};
use leadglass_dicom::clock::{Clock as _, SystemClock};
use leadglass_dicom::{TransferSyntax, Uid};

use crate::network::{OWN_NETWORK, PRIVATE, PUBLIC, each, in_own_network, listening};
use crate::stranger::{CANARY, CANARY_ID, Stranger, leak, legacy_leak};

/// How often an archive is started that was too slow to look at itself.
const TRIES: usize = 5;
/// Archives that run at a time.
const AT_ONCE: usize = 8;

/// Numbers that look random, all from one.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A key and values that are taken.
type Key = (&'static str, [u64; 3]);

/// A configuration as somebody could write it: a value here and there, within what is taken.
fn configuration(dice: &mut Dice, alone: bool) -> String {
    let mut text = String::from("[listen]\n");
    let address = match dice.below(if alone { 7 } else { 5 }) {
        0 => "0.0.0.0:0".to_owned(),
        1 => "[::1]:0".to_owned(),
        2 => "[::]:0".to_owned(),
        5 => format!("{PRIVATE}:0"),
        6 => format!("{PUBLIC}:0"),
        _ => format!("127.{}.{}.{}:0", dice.below(200), dice.below(200), 1 + dice.below(200)),
    };
    text.push_str(&format!("https = \"{address}\"\n"));
    if dice.one_in(2) {
        text.push_str(&format!("dicom = \"{address}\"\n"));
    } else {
        text.push_str("dicom = \"127.0.0.1:0\"\n");
    }
    if dice.one_in(3) {
        text.push_str("names = [\"archive.example\", \"192.0.2.9\"]\n");
    }
    let sections: [(&str, &[Key]); 4] = [
        (
            "limits",
            &[
                ("connections", [8, 64, 2048]),
                ("connections_per_address", [8, 64, 1024]),
                ("tls_handshake_s", [5, 10, 30]),
                ("stop_s", [1, 5, 30]),
                ("http_headers", [16, 100, 1000]),
                ("http2_streams", [1, 100, 1000]),
            ],
        ),
        (
            "dimse",
            &[
                ("associations_per_peer", [1, 8, 256]),
                ("max_pdu_bytes", [16384, 262_144, 4_194_304]),
                ("associate_s", [1, 30, 300]),
                ("idle_s", [1, 600, 86_400]),
            ],
        ),
        (
            "dicomweb",
            &[
                ("requests", [1, 16, 256]),
                ("requests_per_caller", [1, 16, 64]),
                ("results", [5000, 50_000, 1_000_000]),
                ("metadata_cache_bytes", [0, 1 << 20, 1 << 24]),
            ],
        ),
        ("scan", &[("depth", [1, 8, 64]), ("header_bytes", [65_536, 1 << 20, 1 << 24])]),
    ];
    for (section, keys) in sections {
        text.push_str(&format!("[{section}]\n"));
        for (key, values) in keys {
            if dice.one_in(2) {
                text.push_str(&format!("{key} = {}\n", values[dice.below(3) as usize]));
            }
        }
        if section == "dimse" && dice.one_in(3) {
            text.push_str(
                ["ae_title = \"ORTHANC\"\n", "ae_title = \"ANY-SCP\"\n", "ae_title = \"PACS\"\n"]
                    [dice.below(3) as usize],
            );
        }
    }
    if dice.one_in(3) {
        text.push_str("[dimse.legacy]\ninterface = \"lo\"\nport = 0\n");
    }
    text
}

/// How far an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Fresh,
    SetUp,
    /// Its administrator has a second factor.
    Ready,
}

/// What was drawn beside the configuration's text.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    stage: Stage,
    /// A legacy peer is declared.
    legacy: bool,
    /// `--i-accept-public-dimse`.
    public_dimse: bool,
}

fn config(text: &str, drawn: Drawn, folder: &std::path::Path) -> Config {
    let mut config = Config::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    config.data.dir = folder.join("archive");
    config.data.segment_bytes = 1 << 20;
    config.data.reserve_bytes = 1 << 20;
    config.consent.public_dimse = drawn.public_dimse;
    config.check().unwrap_or_else(|error| panic!("{error}\n{text}"));
    config
}

/// Where the doors of such an archive have to be.
fn expected(config: &Config, drawn: Drawn) -> Addresses {
    let at = Addresses::configured(&config.listen);
    let anybodys = at.dicom.ip().is_unspecified() || at.dicom.ip() == PUBLIC;
    if drawn.stage == Stage::Ready && (drawn.public_dimse || !anybodys) { at } else { at.on_loopback() }
}

/// An archive as configured, as far as drawn, with a canary in it.
async fn started(config: Config, drawn: Drawn, text: &str) -> Running {
    let host = Host::open(config, Arc::new(SystemClock)).await.unwrap();
    let at_host = Source { address: None, door: Door::Host };
    let operator = host.archive.authenticate(at_host, Credential::Host).await.unwrap();
    if drawn.stage >= Stage::SetUp {
        let code = first_run::issue_setup_code(&host).await.unwrap().unwrap();
        let source = Source { address: None, door: Door::Host };
        let setup = host.archive.authenticate(source, Credential::SetupCode(code)).await.unwrap();
        host.archive.complete_setup(&setup, "Ada").await.unwrap();
    }
    if drawn.stage == Stage::Ready {
        enrol(&host, &operator).await;
    }
    store_canary(&host, &operator).await;
    if drawn.legacy {
        declare(&host, &operator).await;
    }
    for _ in 0..TRIES {
        match Running::start(host.clone()).await {
            Ok(running) => return running,
            // A machine that is busy with other work looks at itself too slowly: then nothing opens.
            Err(StartError::Shut(Shut::Unfinished(_) | Shut::Unseen(_))) => {}
            Err(error) => panic!("{error}\n{text}"),
        }
    }
    panic!("its doors could not be looked at\n{text}")
}

/// The administrator does not get in without a second factor from now on.
async fn enrol(host: &Host, operator: &Caller) {
    let here = || Source { address: Some(Ipv4Addr::LOCALHOST.into()), door: Door::Admin };
    let archive = &host.archive;
    let invitation = archive.reset_user(operator, "ada").await.unwrap();
    let session = archive.accept_invitation(&here(), "ada", &invitation, "a lead apron in the attic").await.unwrap();
    let ada = archive.authenticate(here(), Credential::Session(session.secret.as_str().to_owned())).await.unwrap();
    let begun = archive.begin_totp(&ada).await.unwrap();
    archive.confirm_totp(&ada, &begun.ticket, &totp_code(&begun.secret, SystemClock.now())).await.unwrap();
}

/// A device that may store in clear text, from where the stranger is.
async fn declare(host: &Host, operator: &Caller) {
    let new = NewLegacyPeer {
        ae: "OLD-US".into(),
        address: IpAddr::from([127, 0, 0, 1]),
        lifetime: Duration::from_secs(86_400),
        scope: Scope::everything(),
        label: None,
        contact: None,
    };
    host.archive.add_legacy_peer(operator, new).await.unwrap();
}

async fn store_canary(host: &Host, operator: &Caller) {
    let sample = Sample { patient_name: CANARY.into(), patient_id: CANARY_ID.into(), side: 4, ..Sample::new(1, 1, 1) };
    let explicit = Uid::parse("1.2.840.10008.1.2.1").unwrap();
    let incoming =
        Incoming { transfer_syntax: TransferSyntax::from_uid(explicit), announced: None, expected_study: None };
    let mut ingest = host.archive.store(operator, incoming).await.unwrap();
    ingest.push(&sample.encode()).await.unwrap();
    ingest.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_configuration_opens_a_door() {
    let alone = std::env::var_os(OWN_NETWORK).is_some();
    if !alone && in_own_network("no_configuration_opens_a_door") {
        return;
    }
    let full = std::env::var_os("LEADGLASS_FULL").is_some();
    assert!(
        alone || !full,
        "no network of its own can be made here (unshare -n, ip): the loopback alone is not all of it"
    );
    let many = match std::env::var("LEADGLASS_CONFIGURATIONS") {
        Ok(many) => many.parse().unwrap(),
        _ if full => 10_000,
        _ => 500,
    };
    let before = listening();
    let (mut sockets, mut elsewhere, mut in_clear) = (0, 0, 0);
    for batch in (0..many).collect::<Vec<u64>>().chunks(AT_ONCE) {
        let archives = futures::future::join_all(batch.iter().map(|seed| an_archive(*seed, alone))).await;
        let open: Vec<(&str, SocketAddr)> = listening().difference(&before).copied().collect();
        let declared = archives.iter().filter(|one| one.legacy.is_some()).count();
        let doors = 2 * archives.len() + declared;
        assert_eq!(open.len(), doors, "two doors each, what is declared and nothing else, seeds {batch:?}: {open:?}");
        in_clear += declared;
        sockets += open.len();
        for (protocol, at) in &open {
            assert_eq!(*protocol, "tcp", "{at}, seeds {batch:?}");
        }
        let looks =
            open.iter().flat_map(|(_, at)| archives.iter().filter(|one| one.is_at(*at)).map(move |one| (one, *at)));
        let looks: Vec<(&AnArchive, SocketAddr)> = looks.collect();
        assert_eq!(looks.len(), open.len(), "every socket is a door of one of them");
        for (one, at) in &looks {
            assert!(at.ip().is_loopback() || one.is_out, "{at}, seed {}\n{}", one.seed, one.text);
            elsewhere += usize::from(!at.ip().is_loopback());
        }
        futures::future::join_all(looks.into_iter().map(|(one, at)| one.look(at))).await;
        futures::future::join_all(archives.into_iter().map(|one| one.running.stop())).await;
    }
    println!(
        "{many} configurations, {sockets} sockets, {elsewhere} of them off the loopback: 0 canary bytes, 0 associations, \
         0 clear-text listeners but {in_clear} declared legacy ones"
    );
    assert!(many < 100 || in_clear > 0, "legacy peers are among what is drawn");
    assert!(many < 100 || !alone || elsewhere > 0, "doors where others could come are among what is looked at");
}

/// One that runs, and how it was configured.
struct AnArchive {
    seed: u64,
    text: String,
    running: Running,
    /// Whether its doors may be where others come.
    is_out: bool,
    /// Where legacy peers are listened to, when some are declared.
    legacy: Option<SocketAddr>,
    stranger: Stranger,
    _folder: tempfile::TempDir,
}

async fn an_archive(seed: u64, alone: bool) -> AnArchive {
    let mut dice = Dice(seed);
    let text = configuration(&mut dice, alone);
    let folder = tempfile::tempdir().unwrap();
    let stage = match dice.below(3) {
        0 => Stage::Fresh,
        2 if alone => Stage::Ready,
        _ => Stage::SetUp,
    };
    let drawn = Drawn { stage, legacy: dice.one_in(2), public_dimse: dice.one_in(2) };
    let config = config(&text, drawn, folder.path());
    let at = expected(&config, drawn);
    let running = started(config, drawn, &text).await;
    let place = (running.https.ip(), running.dicom.ip());
    assert_eq!(place, (at.https.ip(), at.dicom.ip()), "{drawn:?}, seed {seed}\n{text}");
    let legacy = if stage > Stage::Fresh && drawn.legacy { listened_to(&running).await } else { None };
    let is_out = !at.are_loopback();
    AnArchive { seed, text, running, is_out, legacy, stranger: Stranger::of(folder.path()), _folder: folder }
}

/// Where that archive listens to legacy peers, as soon as it does or says why not; never when it is not configured to.
async fn listened_to(running: &Running) -> Option<SocketAddr> {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        let shown = running.posture().legacy?;
        if shown.open.is_some() || shown.closed.is_some() {
            return shown.open;
        }
        looks.tick().await;
    }
}

impl AnArchive {
    fn is_at(&self, at: SocketAddr) -> bool {
        [self.running.https, self.running.dicom].contains(&at) || self.legacy == Some(at)
    }

    async fn look(&self, door: SocketAddr) {
        for at in each(door) {
            let heard = self.stranger.ask(at).await;
            let lives = heard.iter().any(|(_, answer)| answer.starts_with(b"HTTP/1.1 200"));
            assert_eq!(lives, door == self.running.https, "what lives at {at}, seed {}\n{}", self.seed, self.text);
            for (asked, answer) in heard {
                let leak = if self.legacy == Some(door) { legacy_leak(&asked, &answer) } else { leak(&asked, &answer) };
                if let Some(leak) = leak {
                    panic!("{leak}: {asked} at {at}, seed {}\n{}", self.seed, self.text);
                }
            }
        }
    }
}

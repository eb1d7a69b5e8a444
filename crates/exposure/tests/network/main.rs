//! The network family against responders in this process: each service open, closed, lying,
//! silent, dripping, endless; names planted in all that they say.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a responder that does not start fails the test")]

mod shares;

use std::sync::Arc;
use std::time::Duration;

use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::evidence::Fact;
use leadglass_exposure::finding::{Confidence, Facet, Outcome, Severity, State};
use leadglass_exposure::probe::network::{self, Service};
use leadglass_exposure::probe::{Known, Speech};
use leadglass_exposure::scope::{CredentialOptIn, Scope, Vantage};
use leadglass_exposure::testing::{PLANTED, assert_no_names, look, run, scope};
use shares::{ntlm_challenge, smb2, smb2_negotiated};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// One thing that a responder does on a connection.
#[derive(Clone)]
enum Act {
    /// Says this.
    Say(Vec<u8>),
    /// Waits until something was heard.
    Hear,
    /// Says this again and again, until nobody listens.
    Forever(Vec<u8>),
    /// Hangs up.
    HangUp,
}

use Act::{Forever, HangUp, Hear, Say};

/// A responder that acts alike on each connection, and then holds it. Its port.
async fn respond(acts: Vec<Act>) -> u16 {
    respond_in_turn(vec![acts]).await
}

/// A responder that acts otherwise on each connection, the last for all that follow.
async fn respond_in_turn(turns: Vec<Vec<Act>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let turns = Arc::new(turns);
    tokio::spawn(async move {
        let mut turn = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let acts = turns[turn.min(turns.len() - 1)].clone();
            tokio::spawn(act(stream, acts));
            turn += 1;
        }
    });
    port
}

async fn act(mut stream: tokio::net::TcpStream, acts: Vec<Act>) {
    let mut heard = [0; 4096];
    for act in acts {
        match act {
            Say(bytes) => drop(stream.write_all(&bytes).await),
            Hear => drop(stream.read(&mut heard).await),
            Forever(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            HangUp => return,
        }
    }
    while stream.read(&mut heard).await.is_ok_and(|read| read > 0) {}
}

async fn audited_in(scope: Scope, port: u16, service: Service, depth: Depth) -> (Known, Vec<Outcome>) {
    let mut run = run(scope);
    run.limits.conversation = Duration::from_millis(400);
    let (known, outcomes) = look(&run, port, depth, async |look| {
        network::audit_as(look, service).await;
    })
    .await;
    assert_no_names(&outcomes);
    (known, outcomes)
}

/// What becomes of a service at depth 2.
async fn audited(acts: Vec<Act>, service: Service) -> Vec<Outcome> {
    audited_in(scope(), respond(acts).await, service, Depth::Canary).await.1
}

/// With the owner's word for blank log-ins.
fn opted_in() -> Scope {
    Scope { credentials: Some(CredentialOptIn { try_blank: true, try_default: false, lockout: 5 }), ..scope() }
}

fn part<'outcomes>(outcomes: &'outcomes [Outcome], name: &str) -> &'outcomes Outcome {
    let named = |outcome: &&Outcome| matches!(&outcome.facet, Facet::Part(part) if part.as_str() == name);
    outcomes.iter().find(named).unwrap_or_else(|| panic!("no part {name} in {outcomes:?}"))
}

fn only(outcomes: &[Outcome]) -> &Outcome {
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    &outcomes[0]
}

fn say(text: &str) -> Act {
    Say(text.as_bytes().to_vec())
}

/// A page of HTTP with planted names in head and body.
fn page(status: &str, fields: &str, body: &str) -> Vec<Act> {
    let [name, number, birth, clinic] = PLANTED;
    let body = format!("{body}<title>{clinic} {name} {number} {birth}</title>");
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nServer: {name}\r\n{fields}Content-Length: {length}\r\n\r\n");
    vec![Hear, say(&head), say(&body), HangUp]
}

#[tokio::test]
async fn postgresql_with_and_without_tls() {
    for (letter, state) in [("S", State::Pass), ("N", State::Finding)] {
        let outcomes = audited(vec![Hear, say(letter)], Service::Postgresql).await;
        assert_eq!(part(&outcomes, "transport").state, state);
        assert_eq!(part(&outcomes, "reach").state, State::Pass);
        assert_eq!(part(&outcomes, "access").state, State::SkippedByPolicy);
    }
    let refusal = "E\0\0\0\x40SFATAL\0C53300\0Mtoo many clients for PLANTED^JANE\0\0";
    let outcomes = audited(vec![Hear, say(refusal)], Service::Postgresql).await;
    assert_eq!(part(&outcomes, "transport").state, State::RefusedBefore);
}

fn mysql_greeting(capabilities: u16) -> Act {
    let mut body = b"\x0a5.5.5-10.11.6-PLANTED^JANE\0".to_vec();
    body.extend([1, 0, 0, 0]);
    body.extend(b"saltsalt\0");
    body.extend(capabilities.to_le_bytes());
    body.extend(b"Planted Clinic\0");
    Say([&[body.len() as u8, 0, 0, 0][..], &body].concat())
}

#[tokio::test]
async fn mysql_says_all_in_its_greeting() {
    for (capabilities, state) in [(0xffff, State::Pass), (0xf7ff, State::Finding)] {
        let outcomes = audited(vec![mysql_greeting(capabilities)], Service::Mysql).await;
        assert_eq!(part(&outcomes, "transport").state, state);
        let version = part(&outcomes, "access").evidence.fact("version");
        assert!(matches!(version, Some(Fact::Version(version)) if version.to_string() == "10.11.6"));
    }
    let refusal = b"\x30\0\0\0\xff\x6a\x04Host 'PLANTED^JANE' is not allowed to connect..".to_vec();
    let outcomes = audited(vec![Say(refusal), HangUp], Service::Mysql).await;
    assert_eq!(part(&outcomes, "access").state, State::RefusedBefore);
}

#[tokio::test]
async fn sql_server_tells_whether_it_encrypts() {
    for (encryption, state) in [(1, State::Pass), (3, State::Pass), (2, State::Finding)] {
        let mut answer = vec![4, 1, 0, 26, 0, 0, 1, 0, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
        answer.extend([15, 0, 0x10, 0x39, 0, 0, encryption]);
        let outcomes = audited(vec![Hear, Say(answer)], Service::Mssql).await;
        assert_eq!(part(&outcomes, "transport").state, state, "{encryption}");
    }
}

/// No year of birth, whole or as part of a version.
fn assert_no_dates(outcomes: &[Outcome]) {
    let said = format!("{outcomes:?}");
    assert!(["1960", "19, 60", "19.60"].iter().all(|digits| !said.contains(digits)), "{said}");
}

#[tokio::test]
async fn a_date_of_birth_is_no_version_and_no_status() {
    for version in ["19601231", "1960.12.31.4711", "1960.12.31", "19.60.12.31", "31.12.1960", "8.0.1960"] {
        let mut body = [&[10][..], version.as_bytes(), b"\0", b"\x01\0\0\0saltsalt\0"].concat();
        body.extend([0xff, 0xff]);
        body.extend(b"Planted Clinic\0");
        let greeting = Say([&[body.len() as u8, 0, 0, 0][..], &body].concat());
        let outcomes = audited(vec![greeting], Service::Mysql).await;
        assert_eq!(part(&outcomes, "access").evidence.fact("version"), None, "{version}");
        assert_no_dates(&outcomes);
    }
    let [high, low] = 1960_u16.to_be_bytes();
    let mut answer = vec![4, 1, 0, 26, 0, 0, 1, 0, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
    answer.extend([12, 31, high, low, 0, 0, 1]);
    assert_no_dates(&audited(vec![Hear, Say(answer)], Service::Mssql).await);
    let greet = [Hear, smb2_negotiated(1), Hear, ntlm_challenge(), Hear];
    let keeps_out = [&greet[..], &[smb2(1, 19_601_231, 4711, &[9, 0, 0, 0, 0, 0, 0, 0])]].concat();
    let turns = vec![vec![Hear, smb2_negotiated(1)], vec![Hear, HangUp], keeps_out];
    let (_, outcomes) = audited_in(opted_in(), respond_in_turn(turns).await, Service::Smb, Depth::Credentials).await;
    assert_eq!(part(&outcomes, "session").evidence.fact("status"), Some(&Fact::Code(u32::MAX)));
    assert_no_dates(&outcomes);
}

#[tokio::test]
async fn redis_open_and_with_a_password() {
    let outcomes = audited(vec![Hear, say("+PONG\r\n")], Service::Redis).await;
    assert_eq!(
        (part(&outcomes, "access").state, part(&outcomes, "access").severity),
        (State::Finding, Severity::Critical)
    );
    assert_eq!(part(&outcomes, "transport").state, State::Finding);
    for refusal in ["-NOAUTH PLANTED^JANE\r\n", "-DENIED Redis of Planted Clinic\r\n"] {
        let outcomes = audited(vec![Hear, say(refusal)], Service::Redis).await;
        assert_eq!(part(&outcomes, "access").state, State::Pass);
    }
}

#[tokio::test]
async fn consoles_over_http() {
    let open = page("200 OK", "", "{\"name\":\"PLANTED^JANE\",\"tagline\":\"You Know, for Search\"}");
    assert_eq!(part(&audited(open, Service::Elasticsearch).await, "access").severity, Severity::Critical);
    let closed = page("401 Unauthorized", "", "{\"error\":{\"type\":\"security_exception\"}}");
    assert_eq!(part(&audited(closed, Service::Elasticsearch).await, "access").state, State::Pass);
    let open = page("200 OK", "", "{\"management-major-version\":20,\"name\":\"PLANTED^JANE\"}");
    assert_eq!(part(&audited(open, Service::Wildfly).await, "access").state, State::Finding);
    let asks = "WWW-Authenticate: Digest realm=\"ManagementRealm\",nonce=\"PLANTED-MRN-4711\"\r\n";
    assert_eq!(part(&audited(page("401 No", asks, ""), Service::Wildfly).await, "access").state, State::Pass);
    // Another page is another thing.
    let other = only(&audited(page("200 OK", "", "welcome"), Service::Wildfly).await).state;
    assert_eq!(other, State::Error);
}

fn bson(elements: &[u8]) -> Vec<u8> {
    [&(elements.len() as u32 + 5).to_le_bytes()[..], elements, &[0]].concat()
}

fn op_msg(to: u32, document: &[u8]) -> Act {
    let words = [21 + document.len() as u32, 900, to, 2013, 0].map(u32::to_le_bytes);
    Say([&words.concat()[..], &[0], document].concat())
}

#[tokio::test]
async fn mongodb_open_and_closed() {
    let hello = bson(b"\x02setName\0\x0d\0\0\0PLANTED^JANE\0\x01ok\0\0\0\0\0\0\0\xf0\x3f");
    let listed = bson(b"\x01ok\0\0\0\0\0\0\0\xf0\x3f");
    let refused = bson(b"\x01ok\0\0\0\0\0\0\0\0\0\x02errmsg\0\x0d\0\0\0PLANTED^JANE\0\x10code\0\x0d\0\0\0");
    for (answer, state) in [(listed, State::Finding), (refused, State::Pass)] {
        let acts = vec![Hear, op_msg(1, &hello), Hear, op_msg(2, &answer)];
        assert_eq!(part(&audited(acts, Service::Mongodb).await, "access").state, state);
    }
    // Hung up after the hello: recognised, and its access is unclear.
    let acts = vec![Hear, op_msg(1, &hello), Hear, HangUp];
    assert_eq!(part(&audited(acts, Service::Mongodb).await, "access").state, State::Error);
}

fn ber(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, value.len() as u8][..], value].concat()
}

fn ldap(id: u8, tag: u8, operation: &[u8]) -> Vec<u8> {
    ber(0x30, &[ber(2, &[id]), ber(tag, operation)].concat())
}

#[tokio::test]
async fn a_directory_open_and_closed() {
    let attribute =
        |name: &str, value: &str| ber(0x30, &[ber(4, name.as_bytes()), ber(0x31, &ber(4, value.as_bytes()))].concat());
    let root = |extension: &str| {
        let attributes = [attribute("namingContexts", "o=PLANTED^JANE"), attribute("supportedExtension", extension)];
        let entry = [ber(4, b""), ber(0x30, &attributes.concat())].concat();
        Say([ldap(1, 0x64, &entry), ldap(1, 0x65, b"\x0a\x01\0\x04\0\x04\0")].concat())
    };
    let base = Say([ldap(2, 0x64, b"\x04\x0eo=PLANTED^JANE\x30\0"), ldap(2, 0x65, b"\x0a\x01\0\x04\0\x04\0")].concat());
    let hidden = Say(ldap(2, 0x65, b"\x0a\x01\x20\x04\0\x04\x0cPLANTED^JANE"));
    let open = audited(vec![Hear, root("1.2.3"), Hear, base], Service::Ldap).await;
    assert_eq!((part(&open, "access").state, part(&open, "transport").state), (State::Finding, State::Finding));
    let closed = audited(vec![Hear, root("1.3.6.1.4.1.1466.20037"), Hear, hidden], Service::Ldap).await;
    assert_eq!((part(&closed, "access").state, part(&closed, "transport").state), (State::Pass, State::Pass));
    // Not even the root DSE is shown.
    let strict = audited(vec![Hear, Say(ldap(1, 0x65, b"\x0a\x01\x08\x04\0\x04\0"))], Service::Ldap).await;
    assert_eq!(part(&strict, "access").state, State::Pass);
}

#[tokio::test]
async fn mllp_in_clear_is_found_without_a_message() {
    let port = respond(vec![Hear, HangUp]).await;
    let (_, outcomes) = audited_in(scope(), port, Service::Mllp, Depth::Handshake).await;
    let outcome = only(&outcomes);
    assert_eq!((outcome.state, outcome.confidence), (State::Finding, Confidence::Confirmed));
    // An alert is TLS, though not a welcome.
    let alert = Say(vec![0x15, 3, 3, 0, 2, 2, 40]);
    assert_eq!(only(&audited(vec![Hear, alert], Service::Mllp).await).state, State::Pass);
}

#[tokio::test]
async fn vnc_with_and_without_a_password() {
    let talk = |types: &[u8]| vec![say("RFB 003.008\n"), Hear, Say([&[types.len() as u8], types].concat())];
    let outcomes = audited(talk(&[1, 2]), Service::Vnc).await;
    assert_eq!((only(&outcomes).state, only(&outcomes).severity), (State::Finding, Severity::Critical));
    assert_eq!(only(&audited(talk(&[2, 19]), Service::Vnc).await).state, State::Pass);
    let refusal = vec![say("RFB 003.008\n"), Hear, say("\0\0\0\0\x0cPLANTED^JANE")];
    assert_eq!(only(&audited(refusal, Service::Vnc).await).state, State::RefusedBefore);
    let old = |chosen: u8| vec![say("RFB 003.003\n"), Hear, Say(vec![0, 0, 0, chosen])];
    assert_eq!(only(&audited(old(1), Service::Vnc).await).state, State::Finding);
    assert_eq!(only(&audited(old(2), Service::Vnc).await).state, State::Pass);
}

#[tokio::test]
async fn rdp_with_and_without_nla() {
    let confirm = |kind: u8, value: u8| Say(vec![3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, kind, 0, 8, 0, value, 0, 0, 0]);
    let state = async |act: Act| only(&audited(vec![Hear, act], Service::Rdp).await).state;
    assert_eq!(state(confirm(2, 1)).await, State::Finding);
    assert_eq!(state(confirm(2, 0)).await, State::Finding);
    assert_eq!(state(confirm(3, 5)).await, State::Pass);
    assert_eq!(state(Say(vec![3, 0, 0, 11, 6, 0xd0, 0, 0, 0, 0, 0])).await, State::Finding);
}

#[tokio::test]
async fn telnet_is_enough_of_a_finding() {
    let outcomes = audited(vec![Say(b"\xff\xfd\x18PLANTED^JANE login: ".to_vec())], Service::Telnet).await;
    assert_eq!((only(&outcomes).state, only(&outcomes).severity), (State::Finding, Severity::High));
    assert_eq!(only(&audited(vec![say("PLANTED^JANE login: ")], Service::Telnet).await).state, State::Error);
}

const FTP_GREETING: &str = "220-Welcome to Planted Clinic\r\n220 FTP of PLANTED^JANE\r\n";

#[tokio::test]
async fn ftp_with_and_without_tls() {
    let whole = |outcomes: &[Outcome], id: &str| outcomes.iter().find(|outcome| outcome.check.id == id).unwrap().state;
    let plain = audited(vec![say(FTP_GREETING), Hear, say("530 PLANTED^JANE\r\n")], Service::Ftp).await;
    assert_eq!((whole(&plain, "N-04"), whole(&plain, "N-05")), (State::Finding, State::SkippedByPolicy));
    let tls = audited(vec![say(FTP_GREETING), Hear, say("234 Proceed.\r\n")], Service::Ftp).await;
    assert_eq!(whole(&tls, "N-04"), State::Pass);
}

#[tokio::test]
async fn anonymous_ftp_is_tried_when_the_owner_says_so() {
    let tls = vec![say(FTP_GREETING), Hear, say("530 no\r\n")];
    let listing = "213-Status follows:\r\n\
        drwxr-xr-x    2 0        0            4096 Nov 22 12:00 .\r\n\
        -rw-r--r--    1 0        0             512 Nov 22 12:00 PLANTED^JANE.dcm\r\n\
        -rw-r--r--    1 0        0             512 Nov 22 12:00 DICOMDIR\r\n\
        drwxr-xr-x    2 0        0            4096 Nov 22 12:00 19601231\r\n\
        213 End of status\r\n";
    let lets_in = vec![
        say(FTP_GREETING),
        Hear,
        say("331 PLANTED^JANE\r\n"),
        Hear,
        say("230 Login of PLANTED^JANE\r\n"),
        Hear,
        say(listing),
        Hear,
        say("221 Bye\r\n"),
    ];
    let keeps_out = vec![say(FTP_GREETING), Hear, say("331 name\r\n"), Hear, say("530 Login incorrect.\r\n")];
    let port = respond_in_turn(vec![tls.clone(), lets_in]).await;
    let (_, outcomes) = audited_in(opted_in(), port, Service::Ftp, Depth::Credentials).await;
    let found = outcomes.iter().find(|outcome| outcome.check.id == "N-05").unwrap();
    assert_eq!((found.state, found.severity), (State::Finding, Severity::Critical));
    assert_eq!((found.evidence.count("entries"), found.evidence.count("dicom-entries")), (3, 2));
    let port = respond_in_turn(vec![tls.clone(), keeps_out]).await;
    let (_, outcomes) = audited_in(opted_in(), port, Service::Ftp, Depth::Credentials).await;
    assert_eq!(outcomes.iter().find(|outcome| outcome.check.id == "N-05").unwrap().state, State::Pass);
    // Depth without the owner's word, and the word without depth, are not enough.
    for (scope, depth) in [(scope(), Depth::Credentials), (opted_in(), Depth::Counts)] {
        let (_, outcomes) = audited_in(scope, respond(tls.clone()).await, Service::Ftp, depth).await;
        assert_eq!(outcomes.iter().find(|outcome| outcome.check.id == "N-05").unwrap().state, State::SkippedByPolicy);
    }
}

#[tokio::test]
async fn rsync_modules_open_and_closed() {
    let list = vec![
        say("@RSYNCD: 31.0\n"),
        Hear,
        say("Welcome to Planted Clinic\nPLANTED^JANE   \tPLANTED-MRN-4711\nother          \t\n@RSYNCD: EXIT\n"),
        HangUp,
    ];
    let select = |answer: &str| vec![say("@RSYNCD: 31.0\n"), Hear, say("Welcome to Planted Clinic\n"), say(answer)];
    let open = vec![list.clone(), select("@RSYNCD: AUTHREQD PLANTED\n"), select("@RSYNCD: OK\n")];
    let (_, outcomes) = audited_in(scope(), respond_in_turn(open).await, Service::Rsync, Depth::Canary).await;
    let rsync = part(&outcomes, "rsync");
    assert_eq!(
        (rsync.state, rsync.evidence.count("modules"), rsync.evidence.count("readable")),
        (State::Finding, 2, 1)
    );
    let closed = vec![list, select("@ERROR: access denied to PLANTED^JANE\n")];
    let (_, outcomes) = audited_in(scope(), respond_in_turn(closed).await, Service::Rsync, Depth::Canary).await;
    assert_eq!(part(&outcomes, "rsync").state, State::Pass);
}

#[tokio::test]
async fn webdav_and_buckets() {
    let state = async |acts, service: Service| {
        let outcomes = audited(acts, service).await;
        (part(&outcomes, service.name().as_str()).state, outcomes)
    };
    let found = page("207 Multi-Status", "", "<D:href>/PLANTED^JANE/</D:href>");
    assert_eq!(state(found, Service::Webdav).await.0, State::Finding);
    assert_eq!(state(page("401 No", "", ""), Service::Webdav).await.0, State::Pass);
    let listing = page("200 OK", "", "<ListBucketResult><Name>PLANTED^JANE</Name>");
    assert_eq!(state(listing, Service::S3).await.0, State::Finding);
    let refused = page("403 No", "", "<Error><Code>AccessDenied</Code><Resource>PLANTED^JANE</Resource></Error>");
    assert_eq!(state(refused, Service::S3).await.0, State::Pass);
}

#[tokio::test]
async fn a_port_that_speaks_http_is_asked_for_transports_and_stays_http() {
    let port = respond(page("405 No", "", "")).await;
    let run = run(scope());
    let (known, outcomes) = look(&run, port, Depth::Canary, async |look| {
        look.known.clear = Some(Speech::Http);
        network::audit(look).await;
        network::audit(look).await;
    })
    .await;
    assert_eq!(known.clear, Some(Speech::Http));
    let mut seen: Vec<_> = outcomes.iter().map(|outcome| (outcome.check.id, outcome.state)).collect();
    seen.sort();
    let expected = [("N-01", State::Finding), ("N-08", State::NotApplicable), ("N-08", State::NotApplicable)];
    assert_eq!(seen, expected, "each once, though asked twice");
}

#[tokio::test]
async fn an_unusual_port_tells_by_its_first_bytes() {
    let sniffed = async |acts: Vec<Act>| {
        let port = respond(acts).await;
        let mut scope = scope();
        scope.assets[0].ports = vec![port];
        let run = run(scope);
        let (known, outcomes) = look(&run, port, Depth::Canary, async |look| {
            network::audit(look).await;
        })
        .await;
        assert_no_names(&outcomes);
        (known.clear, outcomes)
    };
    let (speech, outcomes) = sniffed(vec![say("SSH-2.0-PLANTED^JANE\r\n")]).await;
    assert_eq!(speech, Some(Speech::Other(Service::Ssh.name())));
    assert_eq!(only(&outcomes).check.id, "N-01", "SSH is no finding");
    let (speech, _) = sniffed(vec![mysql_greeting(0xffff)]).await;
    assert_eq!(speech, Some(Speech::Other(Service::Mysql.name())));
    let (speech, _) = sniffed(vec![say("220 mail.planted-clinic ESMTP\r\n")]).await;
    assert_eq!(speech, None);
}

#[tokio::test]
async fn a_port_that_nobody_expects() {
    let noted = async |vantage: Vantage, expected: bool| {
        let mut scope = scope();
        scope.vantage = vantage;
        scope.assets[0].expected_ports = if expected { vec![9] } else { Vec::new() };
        let run = run(scope);
        let (_, outcomes) = look(&run, 9, Depth::Import, async |look| {
            network::audit(look).await;
        })
        .await;
        (only(&outcomes).state, only(&outcomes).severity)
    };
    assert_eq!(noted(Vantage::ServerVlan, true).await, (State::Pass, Severity::Info));
    assert_eq!(noted(Vantage::UserVlan, false).await, (State::Finding, Severity::Medium));
    assert_eq!(noted(Vantage::Internet, false).await, (State::Finding, Severity::High));
}

#[tokio::test]
async fn a_back_end_within_reach_of_users() {
    let mut scope = scope();
    scope.vantage = Vantage::UserVlan;
    let port = respond(vec![Hear, say("-NOAUTH no\r\n")]).await;
    let (_, outcomes) = audited_in(scope, port, Service::Redis, Depth::Canary).await;
    assert_eq!(part(&outcomes, "reach").state, State::Finding);
}

#[tokio::test]
async fn depth_1_sends_no_request() {
    let port = respond(vec![Hear, say("+PONG\r\n")]).await;
    let (_, outcomes) = audited_in(scope(), port, Service::Redis, Depth::Handshake).await;
    assert_eq!(only(&outcomes).state, State::SkippedByPolicy);
}

/// Whatever a target says, no check finds anything in it that is not there, ends late, or keeps a name.
#[tokio::test]
async fn hostile_answers_end_in_a_state_without_a_name() {
    let names = PLANTED.join(" ").into_bytes();
    let planted_everywhere = PLANTED.join("\r\n").into_bytes();
    let endless = |start: &[u8]| vec![Say(start.to_vec()), Forever(names.clone())];
    let mut scripts = vec![
        vec![HangUp],
        vec![Hear, HangUp],
        Vec::new(),
        vec![Hear],
        vec![Say(names.clone()), HangUp],
        vec![Hear, Say(planted_everywhere.clone()), HangUp],
        vec![Forever(planted_everywhere.clone())],
        vec![Forever(vec![0])],
        vec![Forever(vec![0xff])],
        vec![Hear, Say(vec![0xff; 4]), Forever(names.clone())],
    ];
    let beginnings: [&[u8]; 14] = [
        b"220-",
        b"RFB 003.008",
        b"@RSYNCD: 31.0\nPLANTED^JANE\t",
        b"\x4a\0\0\0\x0a",
        b"-NOAU",
        b"HTTP/1.1 207 ",
        b"HTTP/1.1 200 OK\r\n<ListBucket",
        b"\x80\0\xff\xff\0\0\0\x01",
        b"\0\0\xff\xff\xfeSMB\x40\0",
        b"\x30\x84\0\0\xff\xff\x02\x01\x01",
        b"\x04\x01\x02\0\0\0\0\0",
        b"\x03\0\0\x13\x0e\xd0\0",
        b"\xff\xff\xff\x7f\0\0\0\0\x01\0\0\0\xdd\x07\0\0",
        b"\x15\x03",
    ];
    for beginning in beginnings {
        scripts.push(vec![Hear, Say(beginning.to_vec()), HangUp]);
        scripts.push(vec![Say(beginning.to_vec()), HangUp]);
        scripts.push(endless(beginning));
    }
    for service in Service::all().filter(|service| *service != Service::Ssh) {
        let looks = scripts.iter().map(|script| async {
            let port = respond(script.clone()).await;
            let (_, outcomes) = audited_in(opted_in(), port, service, Depth::Credentials).await;
            assert!(!outcomes.is_empty(), "{service:?} ends in no state");
            // A listener that says no TLS is what N-03 finds; a 207 is what N-08 finds.
            let told = matches!(service, Service::Mllp | Service::Webdav);
            assert!(told || !outcomes.iter().any(Outcome::is_finding), "{service:?}: {outcomes:?}");
        });
        futures::future::join_all(looks).await;
    }
}

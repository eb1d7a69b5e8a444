//! Legacy peers: the listener that is there while one is declared, who gets in over it, and what
//! they get.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use leadglass_archive::access::Scope;
use leadglass_archive::administer::NewLegacyPeer;
use leadglass_archive::review::TrailQuery;
use leadglass_archive::{Refused, Selection, retrieve};
use leadglass_dicom::{AeTitle, Encoding};
use leadglass_dimse::message::{CStoreRequest, Priority};
use leadglass_dimse::{Association, AssociationError, Limits, Status, requestor, scu};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::*;

const DAY: Duration = Duration::from_secs(86_400);
const ECHO: (&str, &[&str]) = (VERIFICATION, &[IMPLICIT]);
/// As long as anything may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(100);

async fn started() -> TestServer {
    TestServer::start_with(|config| {
        config.dimse.legacy.interface = "lo".into();
        config.dimse.legacy.port = 0;
    })
    .await
}

async fn declare(server: &TestServer, ae: &str, address: [u8; 4], lifetime: Duration) {
    let address = IpAddr::from(address);
    let new =
        NewLegacyPeer { ae: ae.into(), address, lifetime, scope: Scope::everything(), label: None, contact: None };
    server.host().archive.add_legacy_peer(&server.administrator, new).await.unwrap();
}

/// Where legacy peers are listened to, once that is as `wanted`.
async fn listener(server: &TestServer, wanted: bool) -> Option<SocketAddr> {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let look = async {
        loop {
            looks.tick().await;
            let open = server.running.posture().legacy.unwrap().open;
            if open.is_some() == wanted {
                return open;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

async fn associate(
    server: &TestServer,
    from: [u8; 4],
    to: SocketAddr,
    asking: Asking,
) -> Result<Association<TcpStream>, AssociationError> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let stream = socket.connect(to).await.map_err(AssociationError::Io)?;
    let request = asking.between(&AeTitle::parse("US1").unwrap(), &server.host().ae_title);
    requestor::request(stream, request, &Limits::default()).await
}

fn rejected(ended: Result<Association<TcpStream>, AssociationError>) -> Option<(u8, u8, u8)> {
    match ended {
        Err(AssociationError::Rejected { result, reject_source, reason }) => Some((result, reject_source, reason)),
        _ => None,
    }
}

#[tokio::test]
async fn it_stores_and_nothing_else_is_accepted() {
    let server = started().await;
    assert_eq!(server.running.posture().legacy.unwrap().open, None, "nobody is declared");
    declare(&server, "US1", [127, 0, 0, 1], DAY).await;
    let at = listener(&server, true).await.unwrap();
    assert!(at.ip().is_loopback());
    let all: &[(&str, &[&str])] = &[
        ECHO,
        (CT, &[EXPLICIT]),
        (STUDY_FIND, &[EXPLICIT]),
        (STUDY_MOVE, &[EXPLICIT]),
        (STUDY_GET, &[EXPLICIT]),
        (COMMITMENT, &[EXPLICIT]),
    ];
    let asking = Asking::of(all).receiving(CT);
    let mut association = associate(&server, [127, 0, 0, 1], at, asking).await.unwrap();
    let accepted: Vec<&str> = association.contexts().iter().map(|c| c.abstract_syntax.as_str()).collect();
    assert_eq!(accepted, [VERIFICATION, CT]);
    assert!(association.roles().iter().all(|role| !role.scp), "nothing is sent back");
    assert_eq!(scu::echo(&mut association, 1).await.unwrap(), Status::SUCCESS);
    let image = TestImage::new(1, 1, 1);
    let bytes = image.bytes(Encoding::ExplicitLittleEndian);
    assert_eq!(store(&mut association, 3, &image, bytes).await.unwrap().status, Status::SUCCESS);
    let other = TestImage { name: "Somebody^Else", ..TestImage::new(1, 1, 1) };
    let bytes = other.bytes(Encoding::ExplicitLittleEndian);
    let status = store(&mut association, 3, &other, bytes).await.unwrap().status;
    assert_eq!(status, Status::DUPLICATE_SOP_INSTANCE, "it replaces nothing");
    association.release().await.unwrap();
    let selection = Selection { instances: vec![uid(&image.instance).into()], ..Selection::default() };
    let found = server.host().archive.retrieve(&server.administrator, selection, retrieve::Purpose::ToCaller).await;
    assert!(matches!(found, Err(Refused::NotAllowed)), "an administrator at the admin door fetches nothing");
}

#[tokio::test]
async fn whoever_is_not_declared_hears_one_and_the_same() {
    let server = started().await;
    declare(&server, "US1", [127, 0, 0, 1], DAY).await;
    declare(&server, "US2", [127, 0, 0, 2], DAY).await;
    let at = listener(&server, true).await.unwrap();
    let echo = || Asking::of(&[ECHO]);
    assert!(associate(&server, [127, 0, 0, 1], at, echo()).await.is_ok());
    assert!(associate(&server, [127, 0, 0, 2], at, echo().calling("US2")).await.is_ok());
    assert!(associate(&server, [127, 0, 0, 1], at, echo().identity(1, "somebody", "")).await.is_ok());
    for (from, asking) in [
        ([127, 0, 0, 2], echo()),
        ([127, 0, 0, 1], echo().calling("US2")),
        ([127, 0, 0, 1], echo().calling("us1")),
        ([127, 0, 0, 1], echo().calling("STRANGER")),
        ([127, 0, 0, 3], echo().calling("STRANGER")),
        ([127, 0, 0, 1], echo().called("ANY-SCP")),
        ([127, 0, 0, 1], echo().identity(2, "root", "secret")),
        ([127, 0, 0, 1], echo().identity(5, "eyJ", "")),
    ] {
        assert_eq!(rejected(associate(&server, from, at, asking).await), Some((1, 1, 3)), "{from:?}");
    }
}

#[tokio::test]
async fn a_revocation_ends_what_is_open_and_the_last_one_closes_the_listener() {
    let server = started().await;
    declare(&server, "US1", [127, 0, 0, 1], DAY).await;
    declare(&server, "US2", [127, 0, 0, 1], Duration::from_secs(1)).await;
    let at = listener(&server, true).await.unwrap();
    let mut association = associate(&server, [127, 0, 0, 1], at, Asking::of(&[ECHO])).await.unwrap();
    assert_eq!(scu::echo(&mut association, 1).await.unwrap(), Status::SUCCESS);
    server.host().archive.revoke_legacy_peer(&server.administrator, &"US1".parse().unwrap()).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, association.receive()).await.unwrap();
    assert!(ended.is_err(), "it is aborted: {ended:?}");
    assert_eq!(listener(&server, false).await, None, "the other one's second is over");
    assert!(TcpStream::connect(at).await.is_err(), "nobody listens there");
    declare(&server, "US1", [127, 0, 0, 1], DAY).await;
    let again = listener(&server, true).await.unwrap();
    assert!(associate(&server, [127, 0, 0, 1], again, Asking::of(&[ECHO])).await.is_ok());
    assert!(server.running.stop().await, "it stops within its time");
}

#[tokio::test]
async fn who_is_in_the_middle_of_something_is_cut_off_when_the_listener_closes() {
    let server = TestServer::start_with(|config| {
        config.dimse.legacy.interface = "lo".into();
        config.dimse.legacy.port = 0;
        config.dimse.message_s = 3600;
        config.limits.stop_s = 1;
    })
    .await;
    declare(&server, "US1", [127, 0, 0, 1], DAY).await;
    let at = listener(&server, true).await.unwrap();
    let mut association = associate(&server, [127, 0, 0, 1], at, Asking::of(&[(CT, &[EXPLICIT])])).await.unwrap();
    let image = TestImage::new(1, 1, 1);
    let request = CStoreRequest {
        message_id: association.next_message_id(),
        affected_sop_class: uid(CT),
        affected_sop_instance: uid(&image.instance),
        priority: Priority::Medium,
        move_originator: None,
    };
    association.begin_data(1, &request.into()).await.unwrap();
    association.send_data(&image.bytes(Encoding::ExplicitLittleEndian)).await.unwrap();
    let _ = server.running.stop().await;
    let ended = tokio::time::timeout(PATIENCE, association.receive()).await;
    assert!(ended.expect("it is cut off").is_err());
}

#[tokio::test]
async fn who_is_refused_in_clear_is_on_record_as_refused() {
    let server = started().await;
    declare(&server, "US1", [127, 0, 0, 1], DAY).await;
    declare(&server, "US2", [127, 0, 0, 2], DAY).await;
    let at = listener(&server, true).await.unwrap();
    let echo = || Asking::of(&[ECHO]);
    assert!(associate(&server, [127, 0, 0, 1], at, echo().called("ANY-SCP")).await.is_err());
    assert!(associate(&server, [127, 0, 0, 2], at, echo().calling("US2").identity(2, "root", "secret")).await.is_err());
    let archive = &server.host().archive;
    let tried = archive.trail(&server.administrator, TrailQuery { limit: 100, ..TrailQuery::default() }).await.unwrap();
    let of = |address: &str| -> Vec<String> {
        let rows = tried.iter().filter(|row| row.action == "authenticate" && row.address.as_deref() == Some(address));
        rows.map(|row| format!("{}{}", row.outcome, row.caller)).collect()
    };
    assert_eq!((of("127.0.0.1"), of("127.0.0.2")), (vec!["refused".to_owned()], vec!["refused".to_owned()]));
    assert!(associate(&server, [127, 0, 0, 1], at, echo()).await.is_ok());
}

#[tokio::test]
async fn without_an_interface_nobody_is_listened_to() {
    let server = TestServer::start().await;
    declare(&server, "US1", [127, 0, 0, 1], DAY).await;
    assert_eq!(server.running.posture().legacy, None);
    let elsewhere = TestServer::start_with(|config| config.dimse.legacy.interface = "no-such-wire".into()).await;
    declare(&elsewhere, "US1", [127, 0, 0, 1], DAY).await;
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let told = async {
        loop {
            looks.tick().await;
            if let Some(why) = elsewhere.running.posture().legacy.unwrap().closed {
                return why;
            }
        }
    };
    let why = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(why.contains("no-such-wire"), "{why}");
}

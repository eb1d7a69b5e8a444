//! Products' interfaces and consoles, and the two credential tries.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::site::{Asked, Log, answer, json, look, nothing, outcome, page, site, state};
use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::evidence::{Fact, Version};
use leadglass_exposure::finding::{Outcome, Severity, State};
use leadglass_exposure::run::{Limits, Run};
use leadglass_exposure::scope::{CredentialOptIn, Vantage};
use leadglass_exposure::testing;
use tokio::time::Instant;

const SYSTEM: &str = r#"{"ApiVersion":18,"DicomAet":"PLANTED^JANE","Name":"Planted Clinic","Version":"1.10.1",
    "IsHttpServerSecure":false,"OverwriteInstances":false}"#;

#[tokio::test]
async fn an_open_orthanc_tells_its_version_and_counts_and_no_name() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/" => answer(301, "Location: app/explorer.html\r\n", ""),
        "/system" => json(SYSTEM),
        "/statistics" => json(r#"{"CountPatients":2,"CountStudies":3,"CountSeries":"5","CountInstances":40}"#),
        _ => nothing(),
    })
    .await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(known.open);
    assert_eq!((known.studies, known.product_version), (Some(3), Version::new([1, 10, 1, 0])));
    let rest = outcome(&outcomes, "A-01");
    assert_eq!((rest.state, rest.evidence.count("series")), (State::Finding, 5));
    assert_eq!(state(&outcomes, "A-02"), State::Finding);
    assert_eq!(state(&outcomes, "A-03"), State::NotApplicable);
    testing::assert_no_names(&outcomes);
}

#[tokio::test]
async fn json_of_another_kind_is_no_orthanc() {
    let run = testing::run(testing::scope());
    for body in [r#"{"Version":"1"}"#, "[]", "{", r#"{"Version":1,"ApiVersion":2}"#, "\"x\""] {
        let (port, _) = site(move |asked| if asked.path == "/system" { json(body) } else { nothing() }).await;
        let (known, outcomes) = look(&run, port, Depth::Canary).await;
        assert!(!known.open && known.product.is_none());
        assert_eq!(state(&outcomes, "A-01"), State::NotApplicable, "{body}");
    }
}

#[tokio::test]
async fn an_open_dcm4chee_tells_how_many_studies_it_has() {
    let run = testing::run(testing::scope());
    let (port, log) = site(|asked| match asked.path.as_str() {
        "/dcm4chee-arc/aets" => json(r#"[{"dicomAETitle":"../../x"},{"dicomAETitle":"PACS"},{"dicomAETitle":"WORK"}]"#),
        "/dcm4chee-arc/aets/PACS/rs/studies/count" => json(r#"{"count":1234}"#),
        _ => nothing(),
    })
    .await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!((known.open, known.studies), (true, Some(1234)));
    assert_eq!(outcome(&outcomes, "A-03").evidence.count("entities"), 2);
    assert!(log.all().iter().all(|asked| !asked.path.contains("..")));
}

#[tokio::test]
async fn consoles_are_told_from_log_ins() {
    let conquest = |asked: &Asked| match asked.path.starts_with("/cgi-bin/dgate") {
        true => page("<title>CONQUEST DICOM server</title>"),
        false => nothing(),
    };
    let portainer = |asked: &Asked| if asked.path == "/" { page("<title>Portainer</title>") } else { nothing() };
    let run = testing::run(testing::scope());
    let (port, _) = site(conquest).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!((state(&outcomes, "A-04"), outcome(&outcomes, "A-04").severity), (State::Finding, Severity::High));
    let (port, _) = site(portainer).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "A-04"), State::Pass);
    let mut scope = testing::scope();
    scope.vantage = Vantage::UserVlan;
    let (_, outcomes) = look(&testing::run(scope), port, Depth::Canary).await;
    assert_eq!((state(&outcomes, "A-04"), outcome(&outcomes, "A-04").severity), (State::Finding, Severity::Low));
}

/// Stands for the minute between two tries.
const PAUSE: Duration = Duration::from_millis(150);

/// A run whose owner opted in to both tries.
fn opted_in(lockout: u8) -> Run {
    let mut scope = testing::scope();
    scope.credentials = Some(CredentialOptIn { try_blank: true, try_default: true, lockout });
    let usual = testing::run(testing::scope()).limits;
    Run { limits: Limits { between_log_ins: PAUSE, ..usual }, ..testing::run(scope) }
}

const ORTHANC: &str = "WWW-Authenticate: Basic realm=\"Orthanc Secure Area\"\r\n";

fn tries(log: &Log) -> Vec<String> {
    let all = log.all();
    let credentials = all.iter().filter_map(|asked| {
        let head = asked.head.to_ascii_lowercase();
        let start = head.find("authorization: ")?;
        asked.head[start..].lines().next().map(str::to_owned)
    });
    credentials.collect()
}

async fn try_out(run: &Run, accepts: &'static str) -> (Vec<Outcome>, Log, Duration) {
    let (port, log) = site(move |asked| match asked.head.contains(accepts) {
        true => json(SYSTEM),
        false => answer(401, ORTHANC, ""),
    })
    .await;
    let started = Instant::now();
    let (known, outcomes) = look(run, port, Depth::Credentials).await;
    assert_eq!(known.open, outcomes.iter().any(|outcome| outcome.is_finding() && outcome.check.opens));
    (outcomes, log, started.elapsed())
}

#[tokio::test]
async fn two_tries_at_most_and_the_pause_between_them() {
    let (outcomes, log, elapsed) = try_out(&opted_in(10), "nobody is let in").await;
    assert_eq!((state(&outcomes, "A-05"), state(&outcomes, "A-06")), (State::Pass, State::Pass));
    assert_eq!(tries(&log).len(), 2);
    assert!(elapsed >= PAUSE, "{elapsed:?}");
    assert_eq!(Limits::default().between_log_ins, Duration::from_secs(60));
}

#[tokio::test]
async fn one_system_behind_three_ports_gets_two_tries() {
    let (run, asks) = (opted_in(10), |_: &Asked| answer(401, ORTHANC, ""));
    let sites = [site(asks).await, site(asks).await, site(asks).await];
    let mut states = Vec::new();
    for (port, _) in &sites {
        let (_, outcomes) = look(&run, *port, Depth::Credentials).await;
        states.extend([state(&outcomes, "A-05"), state(&outcomes, "A-06")]);
    }
    let skipped = State::SkippedByPolicy;
    assert_eq!(states, [State::Pass, State::Pass, skipped, skipped, skipped, skipped]);
    assert_eq!(sites.iter().map(|(_, log)| tries(log).len()).sum::<usize>(), 2);
}

#[tokio::test]
async fn blank_credentials_let_in_end_the_tries() {
    let (outcomes, log, _) = try_out(&opted_in(10), "Basic Og==").await;
    assert_eq!((state(&outcomes, "A-05"), state(&outcomes, "A-06")), (State::Finding, State::SkippedByPolicy));
    assert_eq!(tries(&log).len(), 1);
}

#[tokio::test]
async fn delivered_credentials_are_found_by_their_id_alone() {
    let (outcomes, _, _) = try_out(&opted_in(10), "Basic b3J0aGFuYzpvcnRoYW5j").await;
    assert_eq!((state(&outcomes, "A-05"), state(&outcomes, "A-06")), (State::Pass, State::Finding));
    let written = serde_json::to_string(&outcomes).unwrap();
    assert!(written.contains("orthanc-delivered") && !written.contains("b3J0aGFuYzpvcnRoYW5j"));
}

#[tokio::test]
async fn an_early_lock_leaves_one_try_and_no_opt_in_leaves_none() {
    let (outcomes, log, _) = try_out(&opted_in(3), "nobody is let in").await;
    assert_eq!((state(&outcomes, "A-05"), state(&outcomes, "A-06")), (State::Pass, State::SkippedByPolicy));
    assert_eq!(tries(&log).len(), 1);
    let (outcomes, log, _) = try_out(&testing::run(testing::scope()), "nobody is let in").await;
    assert_eq!((state(&outcomes, "A-05"), state(&outcomes, "A-06")), (State::SkippedByPolicy, State::SkippedByPolicy));
    assert!(tries(&log).is_empty());
}

#[tokio::test]
async fn a_sign_of_a_lock_ends_the_tries() {
    for locked in ["429", "423", "403"] {
        let run = opted_in(10);
        let (port, log) = site(move |asked| match asked.head.contains("Basic") || asked.head.contains("basic") {
            true => answer(locked.parse().unwrap(), "", ""),
            false => answer(401, ORTHANC, ""),
        })
        .await;
        let (_, outcomes) = look(&run, port, Depth::Credentials).await;
        assert_eq!((state(&outcomes, "A-05"), state(&outcomes, "A-06")), (State::Error, State::SkippedByPolicy));
        assert_eq!(tries(&log).len(), 1, "{locked}");
    }
}

#[tokio::test]
async fn a_form_of_a_known_product_is_tried_with_its_own_pair() {
    let run = opted_in(10);
    let posts = std::sync::Arc::new(AtomicU32::new(0));
    let counted = posts.clone();
    let (port, log) = site(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/") => page("<title>Dicoogle PACS</title>"),
        ("POST", "/login") => {
            counted.fetch_add(1, Ordering::Relaxed);
            let right = asked.body == "username=dicoogle&password=dicoogle";
            if right { json(r#"{"user":"x","token":"PLANTED^JANE"}"#) } else { answer(401, "", "") }
        }
        _ => nothing(),
    })
    .await;
    let (_, outcomes) = look(&run, port, Depth::Credentials).await;
    assert_eq!((state(&outcomes, "A-05"), state(&outcomes, "A-06")), (State::Pass, State::Finding));
    assert_eq!(posts.load(Ordering::Relaxed), 2);
    let ended: Vec<Asked> = log.all().into_iter().filter(|asked| asked.path == "/logout").collect();
    assert_eq!(ended.len(), 1);
    assert!(ended[0].method == "POST" && ended[0].body.is_empty() && ended[0].head.contains(": PLANTED^JANE"));
    let fact = outcome(&outcomes, "A-06").evidence.fact("let-in").cloned();
    assert_eq!(fact, Some(Fact::Flag(true)));
    assert!(log.all().iter().all(|asked| asked.method != "PUT" && asked.method != "DELETE"));
    testing::assert_no_names(&outcomes);
}

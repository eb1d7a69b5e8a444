//! The family against targets that are closed, open, lying, dripping and silent.

use std::time::Duration;

use leadglass_dicom::AeTitle;

use super::hostile::{Answers, Target, acceptance, pdu, serve, serve_tls};
use super::*;
use crate::catalogue::Name;
use crate::catalogue::dimse::CHECKS;
use crate::evidence::{Bucket, Fact};
use crate::finding::{Confidence, Outcome, Severity, State};
use crate::probe::Known;
use crate::run::Run;
use crate::testing;

/// All find contexts of both roots, worklist, retrieve, storage and the rest.
const EVERYTHING: &[u8] = &[1, 3, 5, 9, 23, 29, 35, 37, 55];

fn run() -> Run {
    let mut run = testing::run(testing::scope());
    run.limits.conversation = Duration::from_millis(400);
    run.limits.congestion = Duration::ZERO;
    run
}

async fn look_at(run: &Run, target: Target, depth: Depth) -> (Known, Vec<Outcome>) {
    let port = serve(target).await;
    let (known, outcomes) = testing::look(run, port, depth, async |look| {
        greet(look, Over::Clear).await;
        audit(look).await;
    })
    .await;
    testing::assert_no_names(&outcomes);
    let kept = format!("{known:?}");
    assert!(testing::PLANTED.iter().all(|name| !kept.contains(name)), "{kept}");
    assert!(!kept.contains("1960"), "{kept}");
    (known, outcomes)
}

async fn outcomes_of(target: Target) -> Vec<Outcome> {
    look_at(&run(), target, Depth::Canary).await.1
}

fn of<'a>(outcomes: &'a [Outcome], id: &str) -> &'a Outcome {
    let mut found = outcomes.iter().filter(|outcome| outcome.check.id == id);
    let first = found.next().unwrap_or_else(|| panic!("{id} has no state"));
    assert!(found.next().is_none(), "{id} has two states");
    first
}

fn states(outcomes: &[Outcome]) -> Vec<(&'static str, State)> {
    CHECKS.iter().map(|check| (check.id, of(outcomes, check.id).state)).collect()
}

fn accepts(answers: Answers) -> Target {
    Target::Accepts(EVERYTHING.to_vec(), answers)
}

#[tokio::test]
async fn an_open_archive_is_found_open() {
    let (known, outcomes) = look_at(&run(), accepts(Answers::Status(0)), Depth::Canary).await;
    use State::{Finding, Pass, SkippedByPolicy};
    assert_eq!(
        states(&outcomes),
        [
            ("D-01", Finding),
            ("D-02", Finding),
            ("D-03", Finding),
            ("D-04", SkippedByPolicy),
            ("D-05", Finding),
            ("D-06", Finding),
            ("D-07", Finding),
            ("D-08", Finding),
            ("D-09", SkippedByPolicy),
            ("D-10", Finding),
            ("D-11", Finding),
            ("D-12", Finding),
            ("D-13", SkippedByPolicy),
            ("D-14", Pass),
        ]
    );
    assert!(known.open);
    assert_eq!(known.toolkit.map(Name::as_str), Some("dcmtk"));
    let served = of(&outcomes, "D-07");
    assert_eq!(served.evidence.fact("identifier-bytes"), Some(&Fact::Bytes(0)));
    assert_eq!(served.evidence.fact("status"), Some(&Fact::Code(0)));
    assert_eq!(of(&outcomes, "D-11").confidence, Confidence::Confirmed);
    assert_eq!(of(&outcomes, "D-06").severity, Severity::Info);
    let announced: Vec<_> = known.announced.iter().map(|announced| announced.check.as_str()).collect();
    assert_eq!(announced, ["D-07", "D-08", "D-02", "D-03"]);
}

#[tokio::test]
async fn an_abort_after_acceptance_is_offered_and_not_open() {
    let (known, outcomes) = look_at(&run(), accepts(Answers::AbortsFind), Depth::Canary).await;
    assert!(!known.open);
    assert_eq!(of(&outcomes, "D-05").state, State::Finding);
    assert_eq!(of(&outcomes, "D-06").state, State::Finding);
    assert_eq!(of(&outcomes, "D-07").state, State::Pass);
    assert_eq!(of(&outcomes, "D-07").evidence.fact("abort-source"), Some(&Fact::Code(0)));
    assert_eq!(of(&outcomes, "D-08").state, State::Pass, "asked again with the random caller");
    assert_eq!(of(&outcomes, "D-10").state, State::RefusedBefore);
    assert_eq!(of(&outcomes, "D-11").confidence, Confidence::Offered);
    let worklist: Vec<_> = known.announced.iter().filter(|announced| announced.check == "D-08").collect();
    assert_eq!(worklist.len(), 2);
}

#[tokio::test]
async fn refusing_statuses_are_no_service() {
    for (status, state) in [
        (0x0124, State::Pass),
        (0x0122, State::Pass),
        (0xA700, State::Pass),
        (0xA900, State::Pass),
        (0xC001, State::Error),
        (0xFE00, State::Error),
    ] {
        let outcomes = outcomes_of(accepts(Answers::Status(status))).await;
        assert_eq!(of(&outcomes, "D-07").state, state, "{status:04x}");
        assert_eq!(of(&outcomes, "D-07").evidence.fact("status"), Some(&Fact::Code(status.into())));
    }
}

#[tokio::test]
async fn matches_for_what_cannot_exist_are_cancelled_unread() {
    let run = run();
    let (known, outcomes) = look_at(&run, accepts(Answers::Endless), Depth::Counts).await;
    assert!(known.open);
    assert_eq!(of(&outcomes, "D-07").state, State::Finding);
    assert_eq!(of(&outcomes, "D-07").evidence.count("pending"), 1);
    assert_eq!(of(&outcomes, "D-09").state, State::Error);
}

#[tokio::test]
async fn answers_are_counted_unread_up_to_a_hundred() {
    for (matches, name, fact) in [
        (0, "studies", Fact::Bucket(Bucket::None)),
        (7, "studies", Fact::Bucket(Bucket::Ones)),
        (40, "studies", Fact::Bucket(Bucket::Tens)),
        (99, "studies", Fact::Bucket(Bucket::Tens)),
        (100, "studies", Fact::Bucket(Bucket::Hundreds)),
        (140, "studies", Fact::Bucket(Bucket::Hundreds)),
        (1_000, "studies-at-least", Fact::Count(100)),
    ] {
        let (_, outcomes) = look_at(&run(), accepts(Answers::Matches(matches)), Depth::Counts).await;
        let counted = of(&outcomes, "D-09");
        assert_eq!(counted.evidence.fact(name), Some(&fact), "{matches}");
        assert_eq!(counted.state, if matches == 0 { State::Pass } else { State::Finding });
    }
}

#[tokio::test]
async fn nothing_is_counted_unless_the_owner_opted_in() {
    let outcomes = outcomes_of(accepts(Answers::Matches(40))).await;
    assert_eq!(of(&outcomes, "D-09").state, State::SkippedByPolicy);
}

#[tokio::test]
async fn a_modality_has_one_association() {
    let (known, outcomes) = look_at(&run(), accepts(Answers::Aborts), Depth::Handshake).await;
    assert!(known.announced.is_empty());
    assert_eq!(of(&outcomes, "D-01").state, State::Finding);
    for skipped in ["D-02", "D-03", "D-05", "D-07", "D-08", "D-09", "D-10", "D-13"] {
        assert_eq!(of(&outcomes, skipped).state, State::SkippedByPolicy, "{skipped}");
    }
    assert_eq!(of(&outcomes, "D-06").severity, Severity::Medium, "no canary can tell");
}

#[tokio::test]
async fn reasons_of_rejections_tell_which_title_is_checked() {
    let mut scope = testing::scope();
    scope.assets[0].called_ae = AeTitle::parse("PACS").ok();
    scope.assets[0].known_calling_ae = AeTitle::parse("CT1").ok();
    let mut run = testing::run(scope);
    run.limits.conversation = Duration::from_millis(400);
    let (_, outcomes) = look_at(&run, Target::Checks("PACS", "CT1"), Depth::Canary).await;
    assert_eq!(of(&outcomes, "D-01").state, State::Finding);
    assert_eq!(of(&outcomes, "D-02").state, State::Pass);
    assert_eq!(of(&outcomes, "D-02").evidence.fact("reason"), Some(&Fact::Code(7)));
    assert_eq!(of(&outcomes, "D-03").state, State::Pass);
    assert_eq!(of(&outcomes, "D-04").state, State::Finding, "known, from a foreign address");
    for untold in ["D-05", "D-06", "D-07", "D-08", "D-10", "D-11", "D-12", "D-14"] {
        assert_eq!(of(&outcomes, untold).state, State::RefusedBefore, "{untold}");
    }
    let (_, outcomes) = look_at(&run, Target::Checks("OTHER", "CT1"), Depth::Canary).await;
    assert_eq!(of(&outcomes, "D-02").state, State::Pass);
    assert_eq!(of(&outcomes, "D-03").state, State::RefusedBefore);
    assert_eq!(of(&outcomes, "D-04").state, State::RefusedBefore);
}

#[tokio::test]
async fn a_busy_target_is_asked_once_more() {
    let outcomes = outcomes_of(Target::Rejects(1, [2, 3, 1])).await;
    assert_eq!(of(&outcomes, "D-05").state, State::Finding);
    let outcomes = outcomes_of(Target::Rejects(u32::MAX, [2, 3, 2])).await;
    assert_eq!(of(&outcomes, "D-01").state, State::Finding);
    for check in CHECKS.iter().filter(|check| check.id != "D-01" && check.depth <= Depth::Canary) {
        assert_eq!(of(&outcomes, check.id).state, State::Error, "{}", check.id);
    }
}

#[tokio::test]
async fn a_stopped_run_does_not_wait_for_a_busy_target() {
    let mut run = run();
    run.limits.congestion = Duration::from_secs(3600);
    let stop = run.stop.clone();
    let port = serve(Target::Rejects(u32::MAX, [2, 3, 1])).await;
    let looked = testing::look(&run, port, Depth::Canary, async |look| {
        assert!(greet(look, Over::Clear).await);
    });
    let (looked, ()) = tokio::join!(looked, async { stop.cancel() });
    assert!(looked.1.is_empty());
}

#[tokio::test]
async fn user_identity_is_asked_at_depth_4_only() {
    let (_, outcomes) = look_at(&run(), accepts(Answers::Status(0)), Depth::Credentials).await;
    assert_eq!(of(&outcomes, "D-13").state, State::Finding);
    assert_eq!(of(&outcomes, "D-13").evidence.fact("identity-answered"), Some(&Fact::Flag(false)));
}

#[tokio::test]
async fn hostile_answers_to_the_first_request_end_in_a_state() {
    let names = acceptance(&[(1, 0)], 0, testing::PLANTED[0].as_bytes(), testing::PLANTED[1].as_bytes());
    let born = testing::PLANTED[2].parse().unwrap();
    let dates = acceptance(&[(1, 0)], born, b"1.2.276.0.7230010.3.0.1960.12.31", b"OFFIS_DCMTK_19601231");
    let mut no_context = names.clone();
    no_context[72] = b'9';
    let oversized = pdu(2, &vec![0; 70_000]);
    let half = pdu(2, &names)[..60].to_vec();
    let gigabyte = vec![2, 0, 0x40, 0, 0, 0, 1];
    let odd_reject = pdu(3, &[0, 9, 9, 9]);
    let long_reject = pdu(3, &[0; 16]);
    for (what, target, state) in [
        ("oversized", Target::Says(oversized), State::Error),
        ("a gigabyte declared", Target::Says(gigabyte.clone()), State::Error),
        ("a gigabyte declared, and gone", Target::SaysAndCloses(gigabyte), State::Error),
        ("another application context", Target::Says(pdu(2, &no_context)), State::Error),
        ("a rejection with impossible codes", Target::Says(odd_reject), State::Error),
        ("a rejection of the wrong length", Target::Says(long_reject), State::Error),
        ("garbage items", Target::Says(pdu(2, &[0xff; 900])), State::Error),
        ("names in an acceptance", Target::Says(pdu(2, &names)), State::Finding),
        ("dates of birth as numbers of an acceptance", Target::Says(pdu(2, &dates)), State::Finding),
        ("half an acceptance", Target::Says(half.clone()), State::Error),
        ("half an acceptance, and gone", Target::SaysAndCloses(half), State::Error),
        ("a drip", Target::Drips(pdu(2, &names)), State::Error),
        ("silence", Target::Says(Vec::new()), State::NotApplicable),
        ("a banner", Target::Says(b"220 PLANTED^JANE".to_vec()), State::NotApplicable),
        ("an endless banner", Target::Drips(b"PLANTED^JANE".to_vec()), State::NotApplicable),
    ] {
        let began = tokio::time::Instant::now();
        let (known, outcomes) = look_at(&run(), target, Depth::Canary).await;
        assert!(began.elapsed() < Duration::from_secs(4), "{what} took too long");
        let noted = outcomes.iter().find(|outcome| outcome.check.id == "D-01").map(|outcome| outcome.state);
        // A port that is no home of DICOM and does not speak it has nothing to be told of.
        let expected = (state != State::NotApplicable).then_some(state);
        assert_eq!(noted, expected, "{what}");
        assert_eq!(known.clear.is_some(), state == State::Finding, "{what}");
    }
}

#[tokio::test]
async fn hostile_answers_to_requests_end_in_a_state() {
    for (what, answers, echo, find) in [
        ("nothing", Answers::Nothing, State::Error, State::Error),
        ("an abort", Answers::Aborts, State::Pass, State::Pass),
        ("a wrong context", Answers::WrongContext, State::Error, State::Error),
        ("garbage", Answers::Garbage, State::Error, State::Error),
        ("a gigabyte", Answers::Gigabyte, State::Error, State::Error),
        ("matches without end", Answers::Endless, State::Finding, State::Finding),
    ] {
        let began = tokio::time::Instant::now();
        let outcomes = outcomes_of(accepts(answers)).await;
        assert!(began.elapsed() < Duration::from_secs(6), "{what} took too long");
        assert_eq!(of(&outcomes, "D-05").state, echo, "{what}");
        assert_eq!(of(&outcomes, "D-07").state, find, "{what}");
        assert_eq!(states(&outcomes).len(), CHECKS.len(), "{what}");
    }
}

#[tokio::test]
async fn a_silent_home_of_dicom_is_an_error() {
    let mut scope = testing::scope();
    let port = serve(Target::Says(Vec::new())).await;
    scope.assets[0].called_ae = AeTitle::parse("PACS").ok();
    scope.assets[0].ports = vec![port];
    let mut run = testing::run(scope);
    run.limits.conversation = Duration::from_millis(200);
    let (_, outcomes) = testing::look(&run, port, Depth::Canary, async |look| {
        assert!(!greet(look, Over::Clear).await);
        audit(look).await;
    })
    .await;
    assert_eq!(of(&outcomes, "D-01").state, State::Error);
    assert_eq!(outcomes.len(), 1);
}

#[tokio::test]
async fn four_associations_at_most() {
    let run = run();
    for target in [accepts(Answers::Status(0)), accepts(Answers::AbortsFind), accepts(Answers::Aborts)] {
        let port = serve(target).await;
        testing::look(&run, port, Depth::Counts, async |look| {
            greet(look, Over::Clear).await;
            audit(look).await;
            assert_eq!(look.line.connects(), 4);
        })
        .await;
    }
}

/// As the engine does on a port where TLS is usual: behind TLS first.
async fn look_behind_tls(target: Target, mutual: bool) -> (Known, Vec<Outcome>) {
    let port = serve_tls(target, mutual).await;
    let mut scope = testing::scope();
    scope.assets[0].called_ae = AeTitle::parse("PACS").ok();
    scope.assets[0].ports = vec![port];
    let looked = testing::look(&testing::run(scope), port, Depth::Canary, async |look| {
        assert_eq!(greet(look, Over::Tls).await, !mutual);
        audit(look).await;
    })
    .await;
    testing::assert_no_names(&looked.1);
    looked
}

#[tokio::test]
async fn behind_tls_the_same_is_seen_and_clear_is_tried_too() {
    let (known, outcomes) = look_behind_tls(accepts(Answers::Status(0)), false).await;
    let facts = known.dicom.unwrap();
    assert!(facts.accepted_over_tls_without_certificate);
    assert_eq!(facts.refused_over_tls, None);
    assert_eq!(of(&outcomes, "D-01").state, State::Pass);
    for found in ["D-02", "D-03", "D-05", "D-07", "D-08", "D-11"] {
        assert_eq!(of(&outcomes, found).state, State::Finding, "{found}");
    }
    assert_eq!(known.clear, None);
    assert_eq!(known.behind_tls, Some(Speech::Dicom));
}

#[tokio::test]
async fn who_demands_a_certificate_keeps_strangers_out() {
    let (known, outcomes) = look_behind_tls(accepts(Answers::Status(0)), true).await;
    let facts = known.dicom.unwrap();
    assert!(!facts.accepted_over_tls_without_certificate);
    // RFC 8446 6.2: certificate_required.
    assert_eq!(facts.refused_over_tls, Some(RefusedOverTls::Alert(116)));
    assert_eq!(of(&outcomes, "D-01").state, State::Pass);
    for untold in ["D-02", "D-03", "D-05", "D-07", "D-08", "D-10", "D-11", "D-14"] {
        assert_eq!(of(&outcomes, untold).state, State::RefusedBefore, "{untold}");
    }
}

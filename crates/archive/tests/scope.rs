//! What a scope withholds: through every door it answers exactly as if it were not there.

#![expect(clippy::unwrap_used, reason = "test")]

use std::time::Duration;

use leadglass_archive::access::{Marked, Marks, Restriction, Scope, UserIdentity};
use leadglass_archive::administer::Verb;
use leadglass_archive::retrieve::{Commitment, Purpose, SopReference};
use leadglass_archive::search::Search;
use leadglass_archive::store::StoreRefused;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Credential, Door, Operation, Refused, Selection, Source};
use leadglass_dicom::query::{Query, QueryOptions, Root};
use leadglass_dicom::{AeTitle, DataSet, SopClassUid, SopInstanceUid, StudyInstanceUid, Tag, VR};

const COUNTS: [Tag; 4] = [Tag(0x0020, 0x1200), Tag(0x0020, 0x1206), Tag(0x0020, 0x1208), Tag(0x0020, 0x1209)];
const MODALITIES_IN_STUDY: Tag = Tag(0x0008, 0x0061);

/// Whether a sample is within.
type Within = fn(&Sample) -> bool;

fn of_modality(modality: &str) -> Scope {
    Scope { modalities: vec![modality.into()], ..Scope::default() }
}

fn of_patient(patient: &str) -> Scope {
    Scope { patient_ids: vec![patient.into()], ..Scope::default() }
}

/// Study 1 has a CT and an MR series, studies 2 and 3 only CTs.
fn samples() -> Vec<Sample> {
    let mr = |number| Sample { modality: "MR".into(), ..Sample::new(1, 2, number) };
    vec![Sample::new(1, 1, 1), Sample::new(1, 1, 2), mr(1), Sample::new(2, 1, 1), Sample::new(3, 1, 1)]
}

/// An archive with those samples that `kept` takes.
async fn archive_of(kept: impl Fn(&Sample) -> bool) -> TestArchive {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    test.peer("WORK1", &[Verb::Find]).await;
    for sample in samples().iter().filter(|sample| kept(sample)) {
        test.store(&administrator, sample).await.unwrap();
    }
    test
}

fn keys(level: &str, values: &[(Tag, VR, &str)]) -> Search {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, level);
    for tag in COUNTS {
        identifier.put_text(tag, VR::IS, "");
    }
    identifier.put_text(MODALITIES_IN_STUDY, VR::CS, "");
    for (tag, vr, value) in values {
        identifier.put_text(*tag, *vr, *value);
    }
    let options = QueryOptions { relational: true, ..QueryOptions::default() };
    let query = Query::from_identifier(Root::Patient, &options, &identifier).unwrap();
    Search { query, limit: None, offset: 0 }
}

async fn rows(test: &TestArchive, caller: &Caller, search: Search) -> Vec<DataSet> {
    let mut matches = test.archive().search(caller, search).await.unwrap();
    let mut rows = Vec::new();
    while let Some(page) = matches.next_page().await.unwrap() {
        rows.extend(page);
    }
    rows
}

fn one(sample: &Sample) -> Selection {
    Selection { instances: vec![sample.sop_uid()], ..Selection::default() }
}

/// Everything that can be read of the samples, as one text: what is there and what is not.
async fn all_there_is(test: &TestArchive, reader: &Caller, at_dimse: &Caller) -> String {
    let archive = test.archive();
    let mut told = String::new();
    for level in ["PATIENT", "STUDY", "SERIES", "IMAGE"] {
        for values in [
            &[][..],
            &[(Tag(0x0010, 0x0010), VR::PN, "doe*")],
            &[(MODALITIES_IN_STUDY, VR::CS, "MR")],
            &[(Tag(0x0010, 0x0020), VR::LO, "PAT-2")],
            &[(Tag(0x0028, 0x0004), VR::CS, "MONOCHROME2")],
        ] {
            told.push_str(&format!("{level} {values:?}: {:?}\n", rows(test, reader, keys(level, values)).await));
        }
    }
    let mut selections: Vec<Selection> = samples().iter().map(one).collect();
    for sample in samples() {
        selections.push(Selection { studies: vec![sample.study_uid()], ..Selection::default() });
        selections.push(Selection { series: vec![sample.series_uid()], ..Selection::default() });
        selections.push(Selection { patient_ids: vec![sample.patient_id], ..Selection::default() });
    }
    for selection in selections {
        for (caller, purpose) in
            [(reader, Purpose::Viewing), (reader, Purpose::ToCaller), (at_dimse, Purpose::ToPeer("WORK1".into()))]
        {
            match archive.retrieve(caller, selection.clone(), purpose).await {
                Err(refused) => told.push_str(&format!("{selection:?}: {refused:?}\n")),
                Ok(retrieval) => {
                    let metadata = retrieval.all_metadata().await.unwrap();
                    told.push_str(&format!("{selection:?}: {:?} {metadata:?}\n", retrieval.instances()));
                    for instance in retrieval.instances() {
                        retrieval.frame(instance, 1).await.unwrap();
                    }
                    retrieval.complete().await.unwrap();
                }
            }
        }
    }
    let sop_class = SopClassUid::parse(Sample::SOP_CLASS).unwrap();
    let references = samples()
        .into_iter()
        .map(|sample| SopReference { sop_class: sop_class.clone(), sop_instance: sample.sop_uid() });
    told.push_str(&format!("{:?}\n", archive.commit(at_dimse, references.collect()).await.unwrap()));
    told
}

#[tokio::test]
async fn what_is_out_of_scope_answers_as_what_is_not_there() {
    let whole = archive_of(|_| true).await;
    let verbs = [Verb::Find, Verb::Retrieve, Verb::Commit];
    let scopes: [(Scope, Within); 5] = [
        (of_modality("MR"), |sample| sample.modality == "MR"),
        (of_modality("CT"), |sample| sample.modality == "CT"),
        (of_patient("PAT-2"), |sample| sample.patient_id == "PAT-2"),
        (Scope { studies: vec![samples()[4].study.clone()], ..Scope::default() }, |sample| {
            sample.study == samples()[4].study
        }),
        (Scope { institutions: vec!["Elsewhere".into()], ..Scope::default() }, |_| false),
    ];
    for (at, (scope, within)) in scopes.into_iter().enumerate() {
        let ae = format!("VIEW{at}");
        let reader = whole.scoped("reader", Door::DicomWeb, scope.clone()).await;
        let peer = whole.scoped_peer(&ae, &verbs, scope.clone()).await;
        let seen = all_there_is(&whole, &reader, &peer).await;
        let only = archive_of(within).await;
        let reader = only.caller("reader", Door::DicomWeb).await;
        let peer = only.peer(&ae, &verbs).await;
        assert_eq!(seen, all_there_is(&only, &reader, &peer).await, "{scope}");
    }
}

#[tokio::test]
async fn nothing_goes_to_a_peer_that_it_may_not_have() {
    let test = archive_of(|_| true).await;
    let archive = test.archive();
    let host = test.host().await;
    test.scoped_peer("RESEARCH", &[Verb::Find], of_modality("MR")).await;
    let verbs = [Verb::Find, Verb::Retrieve];
    let cleared = Scope { cleared: vec![Restriction::Vip], ..Scope::everything() };
    let work = test.scoped_peer("WORK2", &verbs, cleared).await;
    let moved = async |ae: &str| {
        let studies = samples().iter().map(Sample::study_uid).collect();
        let selection = Selection { studies, ..Selection::default() };
        let retrieval = archive.retrieve(&work, selection, Purpose::ToPeer(ae.into())).await;
        retrieval.map(|retrieval| retrieval.instances().len())
    };
    assert_eq!((moved("WORK2").await.unwrap(), moved("RESEARCH").await.unwrap()), (5, 1));
    assert!(matches!(moved("NOBODY").await, Err(Refused::NotFound)));
    let vip = Marks { restrictions: [Restriction::Vip].into(), ..Marks::default() };
    archive.mark(&host, Marked::study(&samples()[0].study_uid()), vip).await.unwrap();
    assert_eq!(moved("WORK2").await.unwrap(), 5);
    assert!(
        matches!(moved("RESEARCH").await, Err(Refused::NotFound)),
        "whoever sends is cleared, whoever gets it is not"
    );
    archive.revoke_peer(&host, &AeTitle::parse("WORK2").unwrap()).await.unwrap();
    assert!(moved("WORK2").await.is_err());
}

#[tokio::test]
async fn a_view_made_of_a_whole_series_tells_nobody_of_the_rest() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    for number in 1..=12 {
        let modality = if number % 2 == 0 { "MR" } else { "CT" };
        test.store(&administrator, &Sample { modality: modality.into(), ..Sample::new(1, 1, number) }).await.unwrap();
    }
    test.pass(Duration::from_secs(60)).await;
    let reader = test.scoped("viewer", Door::DicomWeb, of_modality("MR")).await;
    let selection = Selection { studies: vec![Sample::new(1, 1, 1).study_uid()], ..Selection::default() };
    let retrieval = test.archive().retrieve(&reader, selection, Purpose::Viewing).await.unwrap();
    let metadata = retrieval.all_metadata().await.unwrap();
    assert_eq!((retrieval.instances().len(), metadata.len()), (6, 6));
    assert!(metadata.iter().all(|json| String::from_utf8_lossy(json.as_ref().unwrap()).contains("\"MR\"")));
}

#[tokio::test]
async fn a_limited_sender_cannot_draw_another_study_into_its_scope() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let foreign = Sample::new(1, 1, 1);
    test.store(&administrator, &foreign).await.unwrap();
    let scope = Scope { patient_ids: vec!["MINE".into()], ..Scope::default() };
    let sender = test.scoped_peer("CT9", &[Verb::Store], scope).await;
    let mine = |study| Sample { patient_id: "MINE".into(), ..Sample::new(study, 1, 2) };
    let refused = test.store(&sender, &mine(1)).await;
    assert!(matches!(refused, Err(StoreRefused::Refused(Refused::NotAllowed))), "{refused:?}");
    test.store(&sender, &mine(2)).await.unwrap();
    test.store(&sender, &Sample { patient_id: "MINE".into(), ..Sample::new(2, 1, 3) }).await.unwrap();
}

#[tokio::test]
async fn what_a_sender_may_not_send_is_refused_before_anything_is_kept() {
    let test = TestArchive::with(|settings| settings.spill_bytes = 64 * 1024);
    let modality = test.scoped_peer("MR1", &[Verb::Store], of_modality("MR")).await;
    let mr = Sample { modality: "MR".into(), ..Sample::new(1, 1, 1) };
    test.store(&modality, &mr).await.unwrap();
    // Whoever is refused has the key of the day in the trail, one for all.
    assert!(test.store(&modality, &Sample::new(9, 1, 1)).await.is_err());
    let host = test.host().await;
    let (files, counts) = (test.files(), test.archive().statistics(&host).await.unwrap().counts);
    let keyring = |test: &TestArchive| {
        let path = test.files().into_iter().find(|path| path.ends_with("keyring/keyring")).unwrap();
        std::fs::read(path).unwrap()
    };
    let keys = keyring(&test);
    for sample in [Sample::new(2, 1, 1), Sample { side: 700, ..Sample::new(2, 1, 2) }, Sample::new(1, 1, 2)] {
        let refused = test.store(&modality, &sample).await;
        assert!(matches!(refused, Err(StoreRefused::Refused(Refused::NotAllowed))), "{refused:?}");
    }
    // The next store would write a key that waits.
    test.store(&modality, &Sample { modality: "MR".into(), ..Sample::new(1, 1, 3) }).await.unwrap();
    assert_eq!((test.files(), keyring(&test)), (files, keys));
    let now = test.archive().statistics(&host).await.unwrap().counts;
    assert_eq!((now.studies, now.instances, now.quarantined), (counts.studies, counts.instances + 1, 0));
    let trail = test.trail().await;
    let refused: Vec<_> = trail.iter().filter(|row| row.action == "store" && row.outcome == "refused").collect();
    assert_eq!(refused.len(), 4);
    assert!(refused.iter().all(|row| row.caller == "MR1" && row.patient_id.is_some() && row.study.is_some()));
    let reader = test.caller("viewer", Door::DicomWeb).await;
    assert!(matches!(test.read(&reader, &Sample::new(2, 1, 1)).await, Err(Refused::NotFound)));
}

#[tokio::test]
async fn a_sender_is_told_of_commitment_for_its_own_alone() {
    let test = archive_of(|_| true).await;
    let sender = test.scoped_peer("MR1", &[Verb::Commit], of_modality("MR")).await;
    let sop_class = SopClassUid::parse(Sample::SOP_CLASS).unwrap();
    let unknown = SopInstanceUid::parse("1.2.3.4").unwrap();
    let of = |sop_instance| SopReference { sop_class: sop_class.clone(), sop_instance };
    let asked = vec![of(samples()[2].sop_uid()), of(samples()[0].sop_uid()), of(unknown)];
    let answers = test.archive().commit(&sender, asked).await.unwrap();
    assert_eq!(answers, [Commitment::Committed, Commitment::NoSuchObjectInstance, Commitment::NoSuchObjectInstance]);
}

#[tokio::test]
async fn a_user_on_a_peer_reaches_what_both_reach() {
    let test = archive_of(|_| true).await;
    let host = test.host().await;
    test.scoped_peer("VIEW1", &[Verb::Find, Verb::Retrieve], of_modality("CT")).await;
    let passcode = test
        .archive()
        .create_token(&host, "ada", "viewer", Duration::from_secs(60), of_patient("PAT-1"))
        .await
        .unwrap();
    let credential = Credential::Peer {
        certificate_der: b"certificate of VIEW1".to_vec(),
        calling_ae: AeTitle::parse("VIEW1").unwrap(),
        user_identity: Some(UserIdentity::UsernamePasscode("ada".into(), passcode)),
    };
    let source = Source { address: Some([192, 0, 2, 7].into()), door: Door::Dimse };
    let ada = test.archive().authenticate(source, credential).await.unwrap();
    let found = rows(&test, &ada, keys("IMAGE", &[])).await;
    assert_eq!(found.len(), 2);
    let study = |row: &DataSet| StudyInstanceUid::parse(row.text(Tag(0x0020, 0x000D)).unwrap()).unwrap();
    assert!(found.iter().all(|row| study(row) == samples()[0].study_uid()));
}

#[tokio::test]
async fn scopes_are_kept_and_a_change_of_one_holds_at_once() {
    let test = archive_of(|_| true).await;
    let sender = test.scoped_peer("CT1", &[Verb::Find], of_modality("CT")).await;
    test.scoped_peer("CT1", &[Verb::Find], of_modality("MR")).await;
    let found = rows(&test, &sender, keys("IMAGE", &[(Tag(0x0008, 0x0060), VR::CS, "")])).await;
    assert!(!found.is_empty() && found.iter().all(|row| row.text(Tag(0x0008, 0x0060)) == Some("MR")));
    test.scoped_peer("CT1", &[Verb::Store], of_modality("MR")).await;
    assert!(matches!(test.archive().search(&sender, keys("STUDY", &[])).await, Err(Refused::NotAllowed)));
    let host = test.host().await;
    let secret = test
        .archive()
        .create_token(&host, "ada", "viewer", Duration::from_secs(60), of_patient("PAT-2"))
        .await
        .unwrap();
    let test = test.reopened().await;
    let host = test.host().await;
    assert_eq!(test.archive().peers(&host).await.unwrap()[0].scope, of_modality("MR"));
    let tokens = test.archive().tokens(&host).await.unwrap();
    assert!(tokens.iter().any(|token| token.name == "ada" && token.scope == of_patient("PAT-2")));
    let source = Source { address: Some([192, 0, 2, 7].into()), door: Door::DicomWeb };
    let ada = test.archive().authenticate(source, Credential::ApiToken(secret)).await.unwrap();
    assert_eq!(rows(&test, &ada, keys("STUDY", &[])).await.len(), 1);
}

#[tokio::test]
async fn who_administers_is_not_limited_by_a_scope_it_could_lift() {
    let test = TestArchive::new();
    let host = test.host().await;
    for role in ["administrator", "auditor", "monitor"] {
        let made = test.archive().create_token(&host, role, role, Duration::from_secs(60), of_modality("CT")).await;
        assert!(matches!(made, Err(Refused::Invalid(_))), "{role}");
    }
    let made = test.archive().create_token(&host, "x", "viewer", Duration::from_secs(60), Scope::default()).await;
    assert!(matches!(made, Err(Refused::Invalid(_))));
}

#[tokio::test]
async fn what_is_restricted_is_not_there_for_whoever_is_not_cleared() {
    let test = archive_of(|_| true).await;
    let host = test.host().await;
    let reader = test.caller("reader", Door::DicomWeb).await;
    let all = rows(&test, &reader, keys("STUDY", &[])).await.len();
    let of_one = |row: &DataSet| row.text(Tag(0x0010, 0x0020)).is_some();
    assert!(rows(&test, &reader, keys("STUDY", &[])).await.iter().all(of_one));
    let study = samples()[0].study_uid();
    let vip = Marks { restrictions: [Restriction::Vip].into(), ..Marks::default() };
    test.archive().mark(&host, Marked::study(&study), vip.clone()).await.unwrap();
    assert_eq!(rows(&test, &reader, keys("STUDY", &[])).await.len(), all - 1);
    let selection = Selection { studies: vec![study.clone()], ..Selection::default() };
    let refused = test.archive().retrieve(&reader, selection.clone(), Purpose::ToCaller).await;
    assert!(matches!(refused, Err(Refused::NotFound)));
    assert!(test.archive().retrieve(&host, selection, Purpose::ToCaller).await.is_ok());
    // Its modality still brings more of it in.
    test.store(&test.peer("CT1", &[Verb::Store]).await, &Sample::new(1, 1, 99)).await.unwrap();
    let test = test.reopened().await;
    let (host, reader) = (test.host().await, test.caller("reader", Door::DicomWeb).await);
    assert_eq!(rows(&test, &reader, keys("STUDY", &[])).await.len(), all - 1);
    test.archive().mark(&host, Marked::study(&study), Marks::default()).await.unwrap();
    assert_eq!(rows(&test, &reader, keys("STUDY", &[])).await.len(), all);
}

#[tokio::test]
async fn a_defined_role_holds_what_it_says_until_it_says_otherwise() {
    let test = archive_of(|_| true).await;
    let host = test.host().await;
    let archive = test.archive();
    archive.define_role(&host, "night", [Operation::Search].into()).await.unwrap();
    for operation in [Operation::CreateToken, Operation::DefineRole, Operation::ReadHostSecret, Operation::Authenticate]
    {
        assert!(matches!(archive.define_role(&host, "more", [operation].into()).await, Err(Refused::Invalid(_))));
    }
    assert!(matches!(archive.define_role(&host, "viewer", [].into()).await, Err(Refused::Invalid(_))));
    assert_eq!(archive.roles(&host).await.unwrap()[0].name, "night");
}

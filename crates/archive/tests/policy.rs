//! Random callers, random studies, random changes of policy: what the archive lets them do is
//! what an oracle says that knows nothing of the archive's own way to decide.
//!
//! 4,000 accesses; 100,000 with `LEADGLASS_FULL=1`.

#![expect(clippy::unwrap_used, reason = "test")]

use std::collections::BTreeSet;
use std::time::Duration;

use leadglass_archive::access::{Marked, Marks, Restriction, Scope, UserIdentity};
use leadglass_archive::administer::{Peer, Verb};
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::search::Search;
use leadglass_archive::store::StoreRefused;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Credential, Door, Refused, Selection, Source};
use leadglass_dicom::query::{Query, QueryOptions, Root};
use leadglass_dicom::{DataSet, Tag, VR};

const STUDIES: u32 = 24;
const CALLERS: usize = 40;
/// Accesses between two changes of policy.
const CALM: u64 = 200;

/// Numbers that look random, all from one.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn some(&mut self, values: &[&str]) -> Vec<String> {
        values.iter().filter(|_| self.one_in(2)).map(|value| (*value).to_owned()).collect()
    }
}

/// The first instance of a study; it has one series and belongs to one of eight patients.
fn sample(study: u32, number: u32) -> Sample {
    Sample {
        patient_id: format!("P{}", study % 8),
        modality: ["CT", "MR", "US"][study as usize % 3].into(),
        institution: ["North", "South"][study as usize % 2].into(),
        department: ["", "Radiology", "Cardiology"][study as usize / 3 % 3].into(),
        referrer: ["", "Buc^Jerome", "Smith^John"][study as usize / 2 % 3].into(),
        side: 8,
        ..Sample::new(study, 1, number)
    }
}

fn random_scope(dice: &mut Dice) -> Scope {
    let cleared: Vec<Restriction> = Restriction::ALL.into_iter().filter(|_| dice.one_in(4)).collect();
    if dice.one_in(5) {
        return Scope { cleared, ..Scope::everything() };
    }
    let list = |dice: &mut Dice, values: &[&str]| if dice.one_in(3) { dice.some(values) } else { Vec::new() };
    let scope = Scope {
        modalities: list(dice, &["CT", "MR", "US"]),
        institutions: list(dice, &["North", "South"]),
        departments: list(dice, &["Radiology", "Cardiology"]),
        referring_physicians: list(dice, &["BUC^Jérôme", "smith^john"]),
        patient_ids: list(dice, &["P0", "P1", "P2", "P3", "P4"]),
        studies: if dice.one_in(4) { vec![sample(dice.below(8) as u32, 1).study] } else { Vec::new() },
        labels: list(dice, &["trial", "teaching"]),
        cleared: cleared.clone(),
        ..Scope::default()
    };
    // A scope that holds nothing is refused where rights are given.
    let lists = [&scope.modalities, &scope.institutions, &scope.departments, &scope.referring_physicians];
    let more = [&scope.patient_ids, &scope.studies, &scope.labels];
    if lists.iter().chain(&more).all(|list| list.is_empty()) { Scope { cleared, ..Scope::everything() } } else { scope }
}

/// What one proof of a caller is allowed: the acts, and over what.
#[derive(Clone, Debug)]
struct Allowed {
    find: bool,
    fetch: bool,
    store: bool,
    scope: Scope,
}

/// A caller, with what the oracle knows: a side for each proof.
struct Somebody {
    caller: Caller,
    sides: Vec<usize>,
}

struct World {
    test: TestArchive,
    host: Caller,
    dice: Dice,
    /// Sides by number: changed when a peer is.
    allowed: Vec<Allowed>,
    peers: Vec<(String, usize)>,
    somebodies: Vec<Somebody>,
    marks: Vec<Marks>,
    patients: Vec<BTreeSet<Restriction>>,
    stored: u32,
}

impl World {
    async fn new(seed: u64) -> World {
        let test = TestArchive::new();
        let host = test.host().await;
        let administrator = test.caller("administrator", Door::DicomWeb).await;
        for study in 0..STUDIES {
            test.store(&administrator, &sample(study, 1)).await.unwrap();
        }
        let mut world = World {
            test,
            host,
            dice: Dice(seed),
            allowed: Vec::new(),
            peers: Vec::new(),
            somebodies: Vec::new(),
            marks: vec![Marks::default(); STUDIES as usize],
            patients: vec![BTreeSet::new(); 8],
            stored: 1,
        };
        for number in 0..CALLERS {
            let somebody = if number % 2 == 0 { world.by_token(number).await } else { world.by_peer(number).await };
            world.somebodies.push(somebody);
        }
        world
    }

    async fn token(&mut self, number: usize) -> (String, usize) {
        let (role, find, fetch, store) =
            [("viewer", true, true, false), ("sender", false, false, true), ("reader", true, true, false)]
                [self.dice.below(3)];
        let scope = random_scope(&mut self.dice);
        let secret = self
            .test
            .archive()
            .create_token(&self.host, &format!("t{number}"), role, Duration::from_secs(86_400), scope.clone())
            .await
            .unwrap();
        self.allowed.push(Allowed { find, fetch, store, scope });
        (secret, self.allowed.len() - 1)
    }

    async fn by_token(&mut self, number: usize) -> Somebody {
        let (secret, side) = self.token(number).await;
        let source = Source { address: Some([192, 0, 2, 1].into()), door: Door::DicomWeb };
        let caller = self.test.archive().authenticate(source, Credential::ApiToken(secret)).await.unwrap();
        Somebody { caller, sides: vec![side] }
    }

    /// A peer, every second one with a user on it.
    async fn by_peer(&mut self, number: usize) -> Somebody {
        let ae = format!("PEER{number}");
        self.allowed.push(Allowed { find: false, fetch: false, store: false, scope: Scope::default() });
        let side = self.allowed.len() - 1;
        self.peers.push((ae.clone(), side));
        self.change_peer(self.peers.len() - 1).await;
        let (mut sides, mut user_identity) = (vec![side], None);
        if number % 4 == 1 {
            let (secret, user) = self.token(number).await;
            user_identity = Some(UserIdentity::UsernamePasscode(format!("t{number}"), secret));
            sides.push(user);
        }
        let credential = Credential::Peer {
            certificate_der: ae.clone().into_bytes(),
            calling_ae: ae.parse().unwrap(),
            user_identity,
        };
        let source = Source { address: Some([192, 0, 2, 2].into()), door: Door::Dimse };
        let caller = self.test.archive().authenticate(source, credential).await.unwrap();
        Somebody { caller, sides }
    }

    /// Other verbs and another scope for a peer: its callers live on.
    async fn change_peer(&mut self, at: usize) {
        let (ae, side) = self.peers[at].clone();
        let verbs = [Verb::Store, Verb::Find, Verb::Retrieve];
        let verbs: Vec<Verb> = verbs.into_iter().filter(|_| self.dice.one_in(2)).collect();
        let scope = random_scope(&mut self.dice);
        self.allowed[side] = Allowed {
            find: verbs.contains(&Verb::Find),
            fetch: verbs.contains(&Verb::Retrieve),
            store: verbs.contains(&Verb::Store),
            scope: scope.clone(),
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ae.as_bytes());
        let peer = Peer { certificate_sha256: hex::encode(digest.as_ref()), ae, verbs, scope, ..Peer::default() };
        self.test.archive().add_peer(&self.host, peer).await.unwrap();
    }

    async fn change_marks(&mut self) {
        let some = |dice: &mut Dice| Restriction::ALL.into_iter().filter(|_| dice.one_in(5)).collect::<BTreeSet<_>>();
        if self.dice.one_in(3) {
            let patient = self.dice.below(8);
            self.patients[patient] = some(&mut self.dice);
            let marks = Marks { restrictions: self.patients[patient].clone(), ..Marks::default() };
            let subject = Marked::Patient(format!("P{patient}"));
            self.test.archive().mark(&self.host, subject, marks).await.unwrap();
        } else {
            let study = self.dice.below(STUDIES as usize);
            let labels = self.dice.some(&["trial", "teaching"]).into_iter().collect();
            self.marks[study] = Marks { labels, restrictions: some(&mut self.dice), canary: false };
            let subject = Marked::study(&sample(study as u32, 1).study_uid());
            self.test.archive().mark(&self.host, subject, self.marks[study].clone()).await.unwrap();
        }
    }

    /// What the oracle says: each side's scope, restrictions unless something comes in.
    fn reaches(&self, somebody: &Somebody, study: u32, may: impl Fn(&Allowed) -> bool, guarded: bool) -> bool {
        let object = sample(study, 1);
        let marks = &self.marks[study as usize];
        let restrictions: BTreeSet<Restriction> =
            marks.restrictions.union(&self.patients[study as usize % 8]).copied().collect();
        somebody.sides.iter().map(|side| &self.allowed[*side]).all(|allowed| {
            let scope = &allowed.scope;
            let held = |list: &[String], value: &str| list.is_empty() || list.iter().any(|entry| entry == value);
            let physician = |list: &[String]| {
                list.is_empty()
                    || list.iter().any(|name| match name.as_str() {
                        "BUC^Jérôme" => object.referrer == "Buc^Jerome",
                        _ => object.referrer == "Smith^John",
                    })
            };
            let within = scope.everything
                || held(&scope.modalities, &object.modality)
                    && held(&scope.institutions, &object.institution)
                    && held(&scope.departments, &object.department)
                    && physician(&scope.referring_physicians)
                    && held(&scope.patient_ids, &object.patient_id)
                    && held(&scope.studies, &object.study)
                    && (scope.labels.is_empty() || scope.labels.iter().any(|label| marks.labels.contains(label)));
            may(allowed) && within && (!guarded || restrictions.iter().all(|one| scope.cleared.contains(one)))
        })
    }

    async fn access(&mut self) {
        let (at, study) = (self.dice.below(CALLERS), self.dice.below(STUDIES as usize) as u32);
        let act = self.dice.below(8);
        let somebody = &self.somebodies[at];
        let caller = &somebody.caller;
        let (expected, found) = match act {
            0..=3 => (self.reaches(somebody, study, |allowed| allowed.find, true), self.finds(caller, study).await),
            4..=6 => {
                let selection = Selection { studies: vec![sample(study, 1).study_uid()], ..Selection::default() };
                let answer = self.test.archive().retrieve(caller, selection, Purpose::ToCaller).await;
                (self.reaches(somebody, study, |allowed| allowed.fetch, true), answer.is_ok())
            }
            _ => {
                let stored = self.test.store(caller, &sample(study, self.stored + 1)).await;
                let allowed = !matches!(stored, Err(StoreRefused::Refused(Refused::NotAllowed)));
                assert_eq!(allowed, stored.is_ok(), "{stored:?}");
                let expected = self.reaches(somebody, study, |allowed| allowed.store, false);
                self.stored += u32::from(stored.is_ok());
                (expected, allowed)
            }
        };
        let sides: Vec<&Allowed> = somebody.sides.iter().map(|side| &self.allowed[*side]).collect();
        assert_eq!(found, expected, "act {act} on study {study} by {sides:?}, {:?}", self.marks[study as usize]);
    }

    async fn finds(&self, caller: &Caller, study: u32) -> bool {
        let mut identifier = DataSet::new();
        identifier.put_text(Tag(0x0008, 0x0052), VR::CS, "STUDY");
        identifier.put_text(Tag(0x0020, 0x000D), VR::UI, sample(study, 1).study);
        let query = Query::from_identifier(Root::Study, &QueryOptions::default(), &identifier).unwrap();
        match self.test.archive().search(caller, Search { query, limit: None, offset: 0 }).await {
            Ok(mut matches) => matches.next_page().await.unwrap().is_some(),
            Err(refused) => {
                assert!(matches!(refused, Refused::NotAllowed), "{refused:?}");
                false
            }
        }
    }
}

#[tokio::test]
async fn random_accesses_end_as_the_oracle_says() {
    let accesses = if std::env::var_os("LEADGLASS_FULL").is_some() { 100_000 } else { 4_000 };
    let mut world = World::new(4).await;
    let (mut granted, mut changes) = (0, 0);
    for access in 0..accesses {
        if access % CALM == CALM - 1 {
            let peer = world.dice.below(world.peers.len());
            world.change_peer(peer).await;
            world.change_marks().await;
            changes += 2;
        }
        world.access().await;
        granted = world.stored;
    }
    assert!(granted > 10 && changes > 10, "{granted} stored, {changes} changes: the world is too strict to tell");
}

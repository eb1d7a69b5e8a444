//! People: how they get in, how they do not, and when it ends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

use std::time::{Duration, SystemTime};

use leadglass_archive::access::Right;
use leadglass_archive::access::people::{Account, NewSession, OwnFactor, PeopleSettings, SignIn, SignInRefused};
use leadglass_archive::administer::{NewUser, UserChange};
use leadglass_archive::testing::TestArchive;
use leadglass_archive::{Caller, Credential, Door, Operation, Refused, Source};

const PASSPHRASE: &str = "a lead apron in the attic";
const MINUTE: Duration = Duration::from_secs(60);

fn from(last: u8) -> Source {
    Source { address: Some([192, 0, 2, last].into()), door: Door::Admin }
}

fn right(role: &str) -> Right {
    serde_json::from_value(serde_json::json!({ "role": role })).unwrap()
}

async fn add(test: &TestArchive, name: &str, role: &str) -> String {
    let new =
        NewUser { name: name.into(), display: None, service: false, rights: vec![right(role)], patients: Vec::new() };
    test.archive().add_user(&test.host().await, new).await.unwrap().unwrap()
}

/// A person who chose a passphrase and signed in by the invitation.
async fn person(test: &TestArchive, name: &str, role: &str) -> NewSession {
    let invitation = add(test, name, role).await;
    test.archive().accept_invitation(&from(1), name, &invitation, PASSPHRASE).await.unwrap()
}

async fn caller(test: &TestArchive, session: &str, door: Door) -> Caller {
    try_caller(test, session, door).await.unwrap()
}

async fn try_caller(test: &TestArchive, session: &str, door: Door) -> Option<Caller> {
    let credential = Credential::Session(session.to_owned());
    test.archive().authenticate(Source { door, ..from(1) }, credential).await.ok()
}

async fn session(test: &TestArchive, name: &str) -> NewSession {
    match test.archive().sign_in(&from(1), name, PASSPHRASE).await.unwrap() {
        SignIn::Session(session) => session,
        SignIn::SecondFactor { .. } => panic!("a second factor is due"),
    }
}

async fn ticket(test: &TestArchive, name: &str) -> String {
    match test.archive().sign_in(&from(1), name, PASSPHRASE).await.unwrap() {
        SignIn::SecondFactor { ticket, .. } => ticket,
        SignIn::Session(_) => panic!("no second factor is due"),
    }
}

/// What an app shows, from the secret as it was typed into it.
fn code(secret: &str, now: SystemTime) -> String {
    leadglass_archive::testing::totp_code(secret, now)
}

fn now(test: &TestArchive) -> SystemTime {
    use leadglass_dicom::clock::Clock as _;
    test.clock().now()
}

#[tokio::test]
async fn an_invitation_is_good_once_and_for_a_day_and_a_passphrase_signs_in_from_then_on() {
    let test = TestArchive::new();
    let archive = test.archive();
    let invitation = add(&test, " Ada ", "reader").await;
    let source = from(1);
    for short in ["", "short", "passwordpassword"] {
        let refused = archive.accept_invitation(&source, "ada", &invitation, short).await;
        assert!(matches!(refused, Err(SignInRefused::Refused(Refused::Invalid(_)))), "{short}");
    }
    let first = archive.accept_invitation(&source, "ADA", &invitation, PASSPHRASE).await.unwrap();
    assert_eq!((first.user.as_str(), first.second_factor_due), ("ada", false));
    assert!(matches!(
        archive.accept_invitation(&source, "ada", &invitation, PASSPHRASE).await,
        Err(SignInRefused::Wrong)
    ));
    let second = session(&test, "ada").await;
    assert_ne!(*first.secret, *second.secret, "each sign-in has its own secret");
    let ada = caller(&test, &second.secret, Door::DicomWeb).await;
    assert_eq!((ada.name(), ada.user(), ada.may(Operation::Search)), ("ada", Some("ada"), true));
    assert!(!ada.may(Operation::AddUser));
    let test = test.reopened().await;
    assert!(try_caller(&test, &second.secret, Door::DicomWeb).await.is_some(), "sessions are in the log");
    let late = add(&test, "bob", "reader").await;
    test.pass(24 * 60 * MINUTE).await;
    assert!(test.archive().accept_invitation(&source, "bob", &late, PASSPHRASE).await.is_err());
}

#[tokio::test]
async fn a_passphrase_of_the_sites_own_words_is_refused() {
    let of_the_site = "AgathastiftQuellheim";
    for (words, fit) in [(vec![], true), (vec!["Agathastift".to_owned(), "Quellheim".to_owned()], false)] {
        let settings = PeopleSettings { words, ..PeopleSettings::default() };
        let test = TestArchive::with(|of| of.people = settings);
        let invitation = add(&test, "ada", "reader").await;
        let taken = test.archive().accept_invitation(&from(1), "ada", &invitation, of_the_site).await;
        assert_eq!(taken.is_ok(), fit);
    }
}

#[tokio::test]
async fn whoever_is_wrong_hears_the_same() {
    let test = TestArchive::new();
    person(&test, "ada", "reader").await;
    person(&test, "eve", "reader").await;
    let gone = UserChange { disabled: Some(true), ..UserChange::default() };
    test.archive().change_user(&test.host().await, "eve", gone).await.unwrap();
    add(&test, "newcomer", "reader").await;
    let host = test.host().await;
    let service = NewUser {
        name: "robot".into(),
        display: None,
        service: true,
        rights: vec![right("reader")],
        patients: Vec::new(),
    };
    assert!(test.archive().add_user(&host, service).await.unwrap().is_none(), "a program has no invitation");
    let long = "x".repeat(100_000);
    for (n, (name, passphrase)) in [
        ("ada", "another lead apron in the attic"),
        ("nobody", PASSPHRASE),
        ("eve", PASSPHRASE),
        ("newcomer", PASSPHRASE),
        ("newcomer", ""),
        ("robot", PASSPHRASE),
        ("", ""),
        ("ada", ""),
        ("ada", long.as_str()),
        (long.as_str(), PASSPHRASE),
        ("ada\0", PASSPHRASE),
        ("ada' OR 1=1 --", PASSPHRASE),
    ]
    .into_iter()
    .enumerate()
    {
        let refused = test.archive().sign_in(&from(n as u8), name, passphrase).await.unwrap_err();
        assert_eq!(refused.to_string(), "that is not right", "{n}");
    }
}

#[tokio::test]
async fn who_administers_can_do_nothing_before_a_second_factor_is_enrolled() {
    let test = TestArchive::new();
    let archive = test.archive();
    let begun = person(&test, "ada", "administrator").await;
    assert!(begun.second_factor_due && !archive.has_administrator_with_second_factor());
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    assert!(matches!(archive.users(&ada).await, Err(Refused::NotAllowed)));
    assert!(matches!(archive.peers(&ada).await, Err(Refused::NotAllowed)));
    let web = caller(&test, &begun.secret, Door::DicomWeb).await;
    assert!(!web.may(Operation::Search));
    assert!(archive.account(&ada).await.unwrap().second_factor_due);

    let totp = archive.begin_totp(&ada).await.unwrap();
    assert!(totp.uri.starts_with("otpauth://totp/Leadglass:ada?secret="));
    assert!(archive.confirm_totp(&ada, &totp.ticket, "000000").await.is_err());
    let totp = archive.begin_totp(&ada).await.unwrap();
    let changed = archive.confirm_totp(&ada, &totp.ticket, &code(&totp.secret, now(&test))).await.unwrap();
    assert_eq!(changed.recovery_codes.len(), 10);
    assert!(!archive.is_current(&ada), "the session has a new secret: a fixed one is worth nothing");
    assert!(try_caller(&test, &begun.secret, Door::Admin).await.is_none());
    let ada = caller(&test, &changed.secret, Door::Admin).await;
    assert_eq!(archive.users(&ada).await.unwrap().len(), 1);
    assert!(archive.has_administrator_with_second_factor());
    assert!(matches!(archive.remove_factor(&ada, &OwnFactor::Totp).await, Err(Refused::Invalid(_))), "the last one");

    // The code that enrolled is not accepted again, the next one is, once.
    let due = ticket(&test, "ada").await;
    let used = code(&totp.secret, now(&test));
    assert!(archive.sign_in_second(&from(1), &due, &used).await.is_err());
    test.pass(MINUTE).await;
    let fresh = code(&totp.secret, now(&test));
    let signed_in = archive.sign_in_second(&from(1), &due, &fresh).await.unwrap();
    assert!(!signed_in.second_factor_due);
    let due = ticket(&test, "ada").await;
    assert!(archive.sign_in_second(&from(1), &due, &fresh).await.is_err(), "replayed");
    let test = test.reopened().await;
    let due = ticket(&test, "ada").await;
    assert!(test.archive().sign_in_second(&from(1), &due, &fresh).await.is_err(), "replayed after a restart");

    let recovery = &changed.recovery_codes[0];
    assert!(test.archive().sign_in_second(&from(1), &due, recovery).await.is_ok());
    let due = ticket(&test, "ada").await;
    assert!(test.archive().sign_in_second(&from(1), &due, recovery).await.is_err(), "a recovery code is good once");
}

#[tokio::test]
async fn a_second_factor_gets_five_tries() {
    let test = TestArchive::new();
    let archive = test.archive();
    let begun = person(&test, "ada", "reader").await;
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    let totp = archive.begin_totp(&ada).await.unwrap();
    archive.confirm_totp(&ada, &totp.ticket, &code(&totp.secret, now(&test))).await.unwrap();
    test.pass(MINUTE).await;
    let due = ticket(&test, "ada").await;
    for _ in 0..5 {
        assert!(archive.sign_in_second(&from(1), &due, "000000").await.is_err());
    }
    let right = code(&totp.secret, now(&test));
    assert!(archive.sign_in_second(&from(1), &due, &right).await.is_err(), "the ticket is void");
    test.pass(2 * MINUTE).await;
    let due = ticket(&test, "ada").await;
    assert!(archive.sign_in_second(&from(1), &due, &code(&totp.secret, now(&test))).await.is_ok());
}

#[tokio::test]
async fn where_all_need_two_factors_a_reader_does_too() {
    let everybody = PeopleSettings { second_factor_for_all: true, ..PeopleSettings::default() };
    let test = TestArchive::with(|settings| settings.people = everybody);
    let begun = person(&test, "ada", "reader").await;
    assert!(begun.second_factor_due);
    assert!(!caller(&test, &begun.secret, Door::DicomWeb).await.may(Operation::Search));
}

#[tokio::test]
async fn ten_thousand_guesses_reach_few_hashes_and_do_not_lock_the_owner_out() {
    let test = TestArchive::new();
    person(&test, "ada", "reader").await;
    let (mut looked_at, mut waited) = (0, 0);
    for n in 0..10_000u32 {
        let source = Source { address: Some((0x0a00_0000 + n % 500).to_be_bytes().into()), door: Door::Admin };
        match test.archive().sign_in(&source, "ada", "guess").await.unwrap_err() {
            SignInRefused::TooMany(_) => waited += 1,
            _ => looked_at += 1,
        }
    }
    // The invitation was a try as well.
    assert_eq!((looked_at, waited), (99, 9_901));
    session(&test, "ada").await;
    let mut from_one = 0;
    for _ in 0..1_000 {
        from_one += u32::from(!matches!(
            test.archive().sign_in(&from(1), "ada", "guess").await,
            Err(SignInRefused::TooMany(_))
        ));
    }
    assert_eq!(from_one, 10);
}

#[tokio::test]
async fn a_session_ends_by_idleness_by_its_time_and_by_whoever_ends_it() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    let used = person(&test, "ada", "reader").await;
    for _ in 0..(12 * 6 - 1) {
        test.pass(10 * MINUTE).await;
        assert!(try_caller(&test, &used.secret, Door::DicomWeb).await.is_some());
    }
    let ada = caller(&test, &used.secret, Door::DicomWeb).await;
    test.pass(10 * MINUTE).await;
    assert!(!archive.is_current(&ada), "twelve hours are over");
    let idle = session(&test, "ada").await;
    let ada = caller(&test, &idle.secret, Door::DicomWeb).await;
    test.pass(15 * MINUTE).await;
    assert!(!archive.is_current(&ada) && try_caller(&test, &idle.secret, Door::DicomWeb).await.is_none());

    let one = session(&test, "ada").await;
    let other = session(&test, "ada").await;
    let (first, second) =
        (caller(&test, &one.secret, Door::Admin).await, caller(&test, &other.secret, Door::Admin).await);
    archive.sign_out(&first).await.unwrap();
    assert!(!archive.is_current(&first) && archive.is_current(&second));
    archive.end_sessions(&host, "ada").await.unwrap();
    assert!(!archive.is_current(&second), "at once");
    assert!(matches!(archive.account(&second).await, Err(Refused::NotAllowed)));

    let old = session(&test, "ada").await;
    test.pass(14 * MINUTE).await;
    let kept = session(&test, "ada").await;
    test.pass(2 * MINUTE).await;
    let test = test.reopened().await;
    let archive = test.archive();
    assert!(try_caller(&test, &old.secret, Door::Admin).await.is_none(), "a restart makes no session young");
    assert!(try_caller(&test, &kept.secret, Door::Admin).await.is_some());
    let host = test.host().await;
    let viewer = UserChange { rights: Some(vec![right("viewer")]), ..UserChange::default() };
    archive.change_user(&host, "ada", viewer).await.unwrap();
    assert!(try_caller(&test, &kept.secret, Door::Admin).await.is_none(), "other rights, other session");
}

#[tokio::test]
async fn a_passphrase_is_changed_by_who_knows_it_and_soon_after_signing_in() {
    let test = TestArchive::new();
    let archive = test.archive();
    let old = person(&test, "ada", "reader").await;
    let elsewhere = session(&test, "ada").await;
    let ada = caller(&test, &old.secret, Door::Admin).await;
    let new = "nine grey cassettes on a shelf";
    assert!(matches!(archive.change_passphrase(&ada, "guess", new).await, Err(SignInRefused::Wrong)));
    archive.change_passphrase(&ada, PASSPHRASE, new).await.unwrap();
    assert!(try_caller(&test, &old.secret, Door::Admin).await.is_none());
    assert!(try_caller(&test, &elsewhere.secret, Door::Admin).await.is_none());
    assert!(archive.sign_in(&from(1), "ada", PASSPHRASE).await.is_err());
    let Ok(SignIn::Session(begun)) = archive.sign_in(&from(1), "ada", new).await else { panic!("signed in") };
    for _ in 0..4 {
        test.pass(10 * MINUTE).await;
        caller(&test, &begun.secret, Door::Admin).await;
    }
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    assert!(matches!(archive.begin_totp(&ada).await, Err(Refused::Invalid(_))), "half an hour is over");
}

#[tokio::test]
async fn a_token_never_allows_what_its_owner_may_not_do() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    person(&test, "ada", "viewer").await;
    let everything = leadglass_archive::access::Scope::everything();
    let made = archive.create_token_of(&host, Some("Ada"), "script", "administrator", 60 * MINUTE, everything.clone());
    let secret = made.await.unwrap();
    let at = |door| Source { door, ..from(1) };
    let token = archive.authenticate(at(Door::Admin), Credential::ApiToken(secret.clone())).await.unwrap();
    assert!(matches!(archive.users(&token).await, Err(Refused::NotAllowed)));
    assert!(!token.may(Operation::Store) && !token.may(Operation::ReadAccount));
    let viewing = archive.authenticate(at(Door::DicomWeb), Credential::ApiToken(secret.clone())).await.unwrap();
    assert!(viewing.may(Operation::Search) && viewing.user() == Some("ada"));
    let gone = UserChange { disabled: Some(true), ..UserChange::default() };
    archive.change_user(&host, "ada", gone).await.unwrap();
    assert!(!archive.is_current(&viewing));
    assert!(archive.authenticate(at(Door::DicomWeb), Credential::ApiToken(secret)).await.is_err());
    let alarm = archive.create_token_of(&host, None, "siren", "emergency", 60 * MINUTE, everything.clone()).await;
    assert!(matches!(alarm, Err(Refused::Invalid(_))), "no program takes a patient");
    let nobody = archive.create_token_of(&host, Some("eve"), "x", "viewer", 60 * MINUTE, everything).await;
    assert!(matches!(nobody, Err(Refused::Invalid(_))));
}

#[tokio::test]
async fn setup_makes_a_user_who_gets_in_by_an_invitation() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    let code = archive.new_setup_code(&host).await.unwrap();
    let newcomer = archive.authenticate(from(1), Credential::SetupCode(code)).await.unwrap();
    let token = archive.complete_setup(&newcomer, "The Administrator").await.unwrap();
    let token = archive.authenticate(from(1), Credential::ApiToken(token)).await.unwrap();
    let users = archive.users(&token).await.unwrap();
    assert_eq!((users[0].name.as_str(), users[0].factors.len()), ("the administrator", 0));
    let invitation = archive.reset_user(&token, "the administrator").await.unwrap();
    let session = archive.accept_invitation(&from(1), "the administrator", &invitation, PASSPHRASE).await.unwrap();
    assert!(session.second_factor_due);
}

#[tokio::test]
async fn setups_token_lives_a_day_and_ends_with_the_first_second_factor() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    let code = archive.new_setup_code(&host).await.unwrap();
    let newcomer = archive.authenticate(from(1), Credential::SetupCode(code)).await.unwrap();
    let secret = archive.complete_setup(&newcomer, "root").await.unwrap();
    let by_token = || async { archive.authenticate(from(1), Credential::ApiToken(secret.clone())).await };
    let token = by_token().await.unwrap();
    assert_eq!(archive.administrator_tokens(), 1);
    // Somebody else is made an administrator with it, and has a second factor first.
    let new = NewUser {
        name: "ada".into(),
        display: None,
        service: false,
        rights: vec![right("administrator")],
        patients: Vec::new(),
    };
    let invitation = archive.add_user(&token, new).await.unwrap().unwrap();
    let begun = archive.accept_invitation(&from(1), "ada", &invitation, PASSPHRASE).await.unwrap();
    assert!(archive.users(&token).await.is_ok());
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    let totp = archive.begin_totp(&ada).await.unwrap();
    archive.confirm_totp(&ada, &totp.ticket, &code_now(&test, &totp.secret)).await.unwrap();
    assert!(archive.has_administrator_with_second_factor());
    assert!(!archive.is_current(&token) && matches!(archive.users(&token).await, Err(Refused::NotAllowed)));
    assert!(by_token().await.is_err());
    assert_eq!(archive.administrator_tokens(), 0);

    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    let code = archive.new_setup_code(&host).await.unwrap();
    let newcomer = archive.authenticate(from(1), Credential::SetupCode(code)).await.unwrap();
    let secret = archive.complete_setup(&newcomer, "root").await.unwrap();
    test.pass(24 * 60 * MINUTE).await;
    assert!(test.archive().authenticate(from(1), Credential::ApiToken(secret)).await.is_err(), "a day later");
}

fn code_now(test: &TestArchive, secret: &str) -> String {
    code(secret, now(test))
}

#[tokio::test]
async fn a_token_that_administers_is_the_hosts_or_follows_a_second_factor_and_ends_with_the_day() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    let (day, everything) = (24 * 60 * MINUTE, leadglass_archive::access::Scope::everything);
    let begun = person(&test, "ada", "administrator").await;
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    let totp = archive.begin_totp(&ada).await.unwrap();
    let changed = archive.confirm_totp(&ada, &totp.ticket, &code_now(&test, &totp.secret)).await.unwrap();
    let ada = caller(&test, &changed.secret, Door::Admin).await;
    for role in ["administrator", "privacy-officer"] {
        let long = archive.create_token(&ada, role, role, day + MINUTE, everything()).await;
        assert!(matches!(long, Err(Refused::Invalid(_))), "{role}");
    }
    let secret = archive.create_token(&ada, "ada's", "administrator", day, everything()).await.unwrap();
    let token = archive.authenticate(from(1), Credential::ApiToken(secret)).await.unwrap();
    assert_eq!((token.user(), archive.users(&token).await.is_ok()), (Some("ada"), true));
    // A token makes no further one that administers: it would live for ever, a day at a time.
    let again = archive.create_token(&token, "again", "administrator", MINUTE, everything()).await;
    assert!(matches!(again, Err(Refused::Invalid(_))));
    assert!(archive.create_token(&token, "reads", "viewer", 30 * day, everything()).await.is_ok());
    assert!(archive.create_token(&host, "the host's", "administrator", 30 * day, everything()).await.is_ok());
    assert_eq!(archive.administrator_tokens(), 2);
    // Some ten minutes at a time, so that the session is not idle: then it is not fresh.
    for _ in 0..4 {
        test.pass(10 * MINUTE).await;
        assert!(try_caller(&test, &changed.secret, Door::Admin).await.is_some());
    }
    let stale = archive.create_token(&ada, "stale", "administrator", MINUTE, everything()).await;
    assert!(matches!(stale, Err(Refused::Invalid(_))), "who has not signed in just now signs in again");
}

#[tokio::test]
async fn tokens_in_another_persons_name_are_the_hosts_alone() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    person(&test, "cleared", "reader").await;
    let service = NewUser {
        name: "robot".into(),
        display: None,
        service: true,
        rights: vec![right("reader")],
        patients: Vec::new(),
    };
    archive.add_user(&host, service).await.unwrap();
    let begun = person(&test, "ada", "administrator").await;
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    let totp = archive.begin_totp(&ada).await.unwrap();
    let changed = archive.confirm_totp(&ada, &totp.ticket, &code_now(&test, &totp.secret)).await.unwrap();
    let ada = caller(&test, &changed.secret, Door::Admin).await;
    let administrator = test.caller("administrator", Door::Admin).await;
    let make = |caller: Caller, owner: Option<&'static str>, name: &'static str| async move {
        let everything = leadglass_archive::access::Scope::everything();
        archive.create_token_of(&caller, owner, name, "reader", MINUTE, everything).await
    };
    for caller in [&ada, &administrator] {
        let made = make(caller.clone(), Some("cleared"), "of another").await;
        assert!(matches!(made, Err(Refused::Invalid(_))), "{}", caller.name());
    }
    assert!(make(ada.clone(), Some("robot"), "of the robot").await.is_ok());
    assert!(make(host, Some("cleared"), "by the host").await.is_ok());
    make(ada.clone(), None, "her own").await.unwrap();
    let tokens = archive.tokens(&ada).await.unwrap();
    let own = tokens.iter().find(|token| token.name == "her own").unwrap();
    assert_eq!(own.owner.as_deref(), Some("ada"), "nobody who is somebody makes a nameless one");
}

#[tokio::test]
async fn who_signed_in_with_a_browser_is_kept_out_by_nobody_at_their_address() {
    let test = TestArchive::new();
    let archive = test.archive();
    person(&test, "ada", "reader").await;
    let browser = Some("a secret that the browser keeps");
    let with = |browser| archive.sign_in_with(&SOURCE, browser, "ada", PASSPHRASE);
    assert!(with(browser).await.is_ok());
    while !matches!(archive.sign_in(&from(1), "ada", "guess").await, Err(SignInRefused::TooMany(_))) {}
    for n in 0..40 {
        let _ = archive.sign_in(&from(1), &format!("somebody {n}"), "guess").await;
    }
    assert!(matches!(with(None).await, Err(SignInRefused::TooMany(_))));
    assert!(matches!(with(Some("another browser")).await, Err(SignInRefused::TooMany(_))));
    assert!(with(browser).await.is_ok());
    let test = test.reopened().await;
    assert!(test.archive().sign_in_with(&SOURCE, browser, "ada", PASSPHRASE).await.is_ok());
}

const SOURCE: Source =
    Source { address: Some(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))), door: Door::Admin };

#[tokio::test]
async fn who_has_the_passphrase_does_not_guess_the_code_and_somebody_is_told() {
    let test = TestArchive::new();
    let archive = test.archive();
    let begun = person(&test, "ada", "reader").await;
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    let totp = archive.begin_totp(&ada).await.unwrap();
    archive.confirm_totp(&ada, &totp.ticket, &code_now(&test, &totp.secret)).await.unwrap();
    // Somewhere else, with the passphrase: six times five guesses.
    let (mut guesses, mut told_at) = (0, None);
    for _ in 0..6 {
        test.clock().advance(MINUTE);
        let begun = archive.sign_in(&from(66), "ada", PASSPHRASE).await.unwrap();
        let SignIn::SecondFactor { ticket, .. } = begun else { panic!("no second factor is due") };
        for _ in 0..5 {
            match archive.sign_in_second(&from(66), &ticket, "not a code").await.unwrap_err() {
                SignInRefused::TooMany(_) => break,
                _ => guesses += 1,
            }
            if told_at.is_none() && archive.open_reviews() > 0 {
                told_at = Some(guesses);
            }
        }
    }
    assert_eq!(guesses, 20);
    assert_eq!(told_at, Some(10));
    let review = archive.reviews(&test.host().await).await.unwrap().pop().unwrap();
    assert_eq!((review.alarm, review.caller.as_str()), (leadglass_archive::administer::Alarm::SecondFactor, "ada"));
    // The owner is not kept out by it where they are at home.
    let due = ticket(&test, "ada").await;
    assert!(archive.sign_in_second(&from(1), &due, &code_now(&test, &totp.secret)).await.is_ok());
}

#[tokio::test]
async fn an_account_tells_its_owner_and_nobody_else() {
    let test = TestArchive::new();
    let begun = person(&test, "ada", "reader").await;
    let ada = caller(&test, &begun.secret, Door::Admin).await;
    let Account { name, sessions, passphrase, totp, idle_seconds, .. } = test.archive().account(&ada).await.unwrap();
    assert_eq!((name.as_str(), sessions.len(), passphrase, totp, idle_seconds), ("ada", 1, true, false, 900));
    assert!(sessions[0].current && sessions[0].network == "192.0.2.1");
    let auditor = test.caller("auditor", Door::Admin).await;
    assert!(matches!(test.archive().account(&auditor).await, Err(Refused::NotAllowed)));
    assert!(matches!(test.archive().account(&test.host().await).await, Err(Refused::NotAllowed)));
    // A session is not shown at the doors of machines.
    assert!(try_caller(&test, &begun.secret, Door::Dimse).await.is_none());
    assert!(try_caller(&test, &begun.secret, Door::Host).await.is_none());
}

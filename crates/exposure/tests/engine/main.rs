//! Runs of the engine against hosts made for it: whole, killed, resumed, in shards, broken off.

#![expect(clippy::unwrap_used, reason = "test")]

mod estate;
mod silence;
mod web;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use aws_lc_rs::digest;
use estate::Estate;
use leadglass_dicom::clock::ManualClock;
use leadglass_exposure::engine::{
    self, AuditError, Audited, BadLog, Ended, Job, MergeError, Options, Progress, Shard, Unbound, audit, verify_log,
};
use leadglass_exposure::finding::{Facet, State};
use leadglass_exposure::probe::version::Rules;
use leadglass_exposure::report::{Left, Report};
use leadglass_exposure::run::Limits;
use leadglass_exposure::scope::range::RangeSet;
use leadglass_exposure::scope::{AssetClass, Scope};
use leadglass_exposure::testing::{NOW, assert_no_names};
use tokio_util::sync::CancellationToken;

fn job(scope: &Scope, out: &Path) -> Job {
    Job {
        scope: Arc::new(scope.clone()),
        rules: Rules::built_in(),
        clock: Arc::new(ManualClock::new(UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs()))),
        entropy: [9; 32],
        limits: Limits { conversation: Duration::from_secs(3), ..Limits::default() },
        stop: CancellationToken::new(),
        options: Options { rate: Some(1_000_000), ..Options::new(out) },
    }
}

async fn whole(scope: &Scope, out: &Path) -> Audited {
    let audited = audit(job(scope, out), Arc::default()).await.unwrap();
    assert_eq!(audited.ended, Ended::Complete);
    audited
}

/// The part of a report that is the same for the same systems.
fn body(report: &Report) -> String {
    let report = Report { times: Default::default(), ..report.clone() };
    serde_json::to_string_pretty(&report).unwrap()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    (folder, out)
}

/// Numbers that look random and are the same each time.
fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[tokio::test]
async fn a_run_says_what_is_there_and_what_it_looked_at() {
    let estate = Estate::begin(1, 20).await;
    let (_folder, out) = folder();
    let progress = Arc::new(Progress::default());
    let audited = audit(job(&estate.scope, &out), progress.clone()).await.unwrap();
    let report = &audited.report;
    assert_eq!(audited.ended, Ended::Complete);
    let coverage = &report.coverage;
    assert_eq!((coverage.planned, coverage.tried, coverage.open, coverage.refused), (512, 512, 20, 492));
    assert_eq!((coverage.hosts, coverage.hosts_done, report.systems.len()), (20, 20, 20));
    assert!(report.systems.iter().all(|system| system.is_checked() && system.left.is_none()));
    let redis = report.systems.iter().flat_map(|system| &system.services);
    assert_eq!(redis.filter(|service| service.speaks.as_str() == "redis").count(), 20);
    assert!(report.systems.windows(2).all(|pair| pair[0].address < pair[1].address));
    let standing = progress.now();
    assert_eq!((standing.probes, standing.probes_planned), (512, 512));
    assert_eq!((standing.hosts, standing.hosts_planned, standing.open), (20, 20, 20));
    assert!(standing.findings.iter().sum::<u64>() >= 20);
    assert_no_names(report);
    let log = std::fs::read_to_string(out.join("run.log")).unwrap();
    assert!(!log.contains("PLANTED"));
    assert!(!out.join("run.key").exists(), "the key is forgotten when nothing is left to hash");
    let verified = verify_log(&out.join("run.log")).unwrap();
    assert_eq!((verified.ended, verified.torn), (Some(Ended::Complete), false));
    assert_eq!(Some(&verified.head), report.times.log_head.as_ref());
}

#[tokio::test]
async fn killed_at_twenty_points_and_resumed_it_says_the_same() {
    let estate = Estate::begin(2, 20).await;
    let (_folder, out) = folder();
    let (audited, turns) = counted(audit(job(&estate.scope, &out), Arc::default())).await;
    let expected = body(&audited.unwrap().report);
    let mut random = numbers(4711);
    let (mut interrupted, mut resumed) = (0, 0);
    for point in 0..20 {
        let (_folder, out) = folder();
        let mut begun = false;
        // Killed and, every second time, asked to stop; twice each before it may end.
        for kill in [point % 2 == 0, point % 3 == 0] {
            let mut job = job(&estate.scope, &out);
            job.entropy = [point as u8 + u8::from(begun); 32];
            job.options.resume = begun;
            let stop = job.stop.clone();
            let after = random(turns / 2 + 1);
            let run = audit(job, Arc::default());
            if kill {
                tokio::select! {
                    biased;
                    _ = run => {}
                    () = turn(after) => interrupted += 1,
                }
            } else {
                let (audited, ()) = tokio::join!(run, async {
                    turn(after).await;
                    stop.cancel();
                });
                interrupted += u32::from(audited.unwrap().ended == Ended::Stopped);
            }
            begun = out.join("run.log").exists();
        }
        let mut job = job(&estate.scope, &out);
        job.options.resume = begun;
        let audited = audit(job, Arc::default()).await.unwrap();
        assert_eq!(audited.ended, Ended::Complete);
        resumed += audited.report.times.resumed;
        assert_eq!(body(&audited.report), expected, "interrupted at point {point}");
        assert!(verify_log(&out.join("run.log")).is_ok());
    }
    assert!(interrupted >= 10, "only {interrupted} runs were interrupted");
    assert!(resumed >= 5, "only {resumed} runs were resumed");
}

/// Gives way so many times.
async fn turn(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// How often everybody else gave way until it was done.
async fn counted<T>(what: impl Future<Output = T>) -> (T, u64) {
    let mut turns = 0;
    let mut what = std::pin::pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return (done, turns),
            () = tokio::task::yield_now() => turns += 1,
        }
    }
}

#[tokio::test]
async fn a_resumed_run_keeps_its_key_and_a_lost_one_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let estate = Estate::begin(3, 3).await;
    let (_folder, out) = folder();
    stopped(&estate.scope, &out).await;
    let key = out.join("run.key");
    assert_eq!(std::fs::read(&key).unwrap(), [9; 32]);
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut again = job(&estate.scope, &out);
    (again.entropy, again.options.resume) = ([1; 32], true);
    again.stop.cancel();
    audit(again, Arc::default()).await.unwrap();
    assert_eq!(std::fs::read(&key).unwrap(), [9; 32]);
    std::fs::remove_file(&key).unwrap();
    assert!(matches!(resume(&estate.scope, &out).await, Err(AuditError::KeyLost(_))));
}

/// A run that is stopped before it did anything.
async fn stopped(scope: &Scope, out: &Path) {
    let job = job(scope, out);
    job.stop.cancel();
    assert_eq!(audit(job, Arc::default()).await.unwrap().ended, Ended::Stopped);
}

async fn resume(scope: &Scope, out: &Path) -> Result<Audited, AuditError> {
    let mut job = job(scope, out);
    job.options.resume = true;
    audit(job, Arc::default()).await
}

#[tokio::test]
async fn two_shards_merged_are_one_run() {
    let estate = Estate::begin(4, 20).await;
    let (_folder, out) = folder();
    let expected = whole(&estate.scope, &out).await.report;
    let mut shards = Vec::new();
    for number in [1, 2] {
        let (_folder, out) = folder();
        let mut job = job(&estate.scope, &out);
        job.options.shard = Shard::new(number, 2).unwrap();
        shards.push(audit(job, Arc::default()).await.unwrap().report);
    }
    assert!(shards.iter().all(|shard| !shard.systems.is_empty()), "a shard has nothing to do");
    assert_eq!(body(&engine::merge(shards.clone()).unwrap()), body(&expected));
    let turned = vec![shards[1].clone(), shards[0].clone()];
    assert_eq!(body(&engine::merge(turned).unwrap()), body(&expected));

    assert_eq!(engine::merge(shards[..1].to_vec()), Err(MergeError::Missing("2/2".to_owned())));
    let twice = vec![shards[0].clone(), shards[0].clone()];
    assert_eq!(engine::merge(twice), Err(MergeError::Overlap));
    assert_eq!(engine::merge(vec![expected]), Err(MergeError::NoShard));
    let mut other = shards.clone();
    other[1].plan.seed ^= 1;
    assert_eq!(engine::merge(other), Err(MergeError::Differ("seed")));
    assert_eq!(engine::merge(Vec::new()), Err(MergeError::Nothing));
}

#[tokio::test]
async fn a_run_is_not_gone_on_with_for_another_scope_or_other_options() {
    let estate = Estate::begin(5, 2).await;
    let (_folder, out) = folder();
    assert!(matches!(resume(&estate.scope, &out).await, Err(AuditError::NothingThere(_))));
    stopped(&estate.scope, &out).await;
    let again = audit(job(&estate.scope, &out), Arc::default()).await;
    assert!(matches!(again, Err(AuditError::AlreadyThere(_))));
    let mut other = estate.scope.clone();
    other.sha256[31] ^= 1;
    assert!(matches!(resume(&other, &out).await, Err(AuditError::OtherScope)));
    let mut other = job(&estate.scope, &out);
    (other.options.resume, other.options.seed) = (true, Some(77));
    assert!(matches!(audit(other, Arc::default()).await, Err(AuditError::OtherOptions("seed"))));
    let mut other = job(&estate.scope, &out);
    (other.options.resume, other.options.imported) = (true, vec!["127.0.0.1:1".parse().unwrap()]);
    assert!(matches!(audit(other, Arc::default()).await, Err(AuditError::OtherOptions("imports"))));
    assert_eq!(resume(&estate.scope, &out).await.unwrap().ended, Ended::Complete);
    // Killed between its last line and the end of its key.
    std::fs::write(out.join("run.key"), [9; 32]).unwrap();
    let read_again = resume(&estate.scope, &out).await.unwrap();
    assert!(!out.join("run.key").exists());
    assert_eq!((read_again.ended, read_again.report.systems.len()), (Ended::Complete, 2));
}

#[tokio::test]
async fn faster_than_the_ceiling_needs_the_owners_word() {
    let estate = Estate::begin(6, 1).await;
    let (_folder, out) = folder();
    let mut scope = estate.scope.clone();
    scope.firewall_exempt = false;
    for asked in [0, 2_001] {
        let mut job = job(&scope, &out);
        job.options.rate = Some(asked);
        assert!(matches!(audit(job, Arc::default()).await, Err(AuditError::TooFast { .. })), "{asked}");
    }
    assert!(!out.exists());
}

#[tokio::test]
async fn a_stop_is_heard_within_two_seconds() {
    let mut estate = Estate::begin(7, 0).await;
    for host in 1..=8 {
        estate.silent(host).await;
    }
    let (_folder, out) = folder();
    let mut job = job(&estate.scope, &out);
    job.limits.conversation = Duration::from_secs(600);
    let (stop, progress) = (job.stop.clone(), Arc::new(Progress::default()));
    let watched = progress.clone();
    let (audited, stopped) = tokio::join!(audit(job, progress), async {
        while watched.now().hosts_planned == 0 {
            tokio::task::yield_now().await;
        }
        turn(2_000).await;
        stop.cancel();
        Instant::now()
    });
    assert!(stopped.elapsed() < Duration::from_secs(2));
    let audited = audited.unwrap();
    assert_eq!(audited.ended, Ended::Stopped);
    let coverage = audited.report.coverage;
    assert_eq!((coverage.planned, coverage.open, coverage.hosts, coverage.hosts_done), (512, 8, 8, 0));
}

#[tokio::test]
async fn hosts_that_fall_silent_break_the_run_off() {
    let mut estate = Estate::begin(8, 10).await;
    for host in 100..110 {
        estate.dies_after(host, 1).await;
    }
    let (_folder, out) = folder();
    let audited = audit(job(&estate.scope, &out), Arc::default()).await.unwrap();
    assert_eq!(audited.ended, Ended::Breaker);
    assert!(audited.report.coverage.hosts_done < audited.report.coverage.hosts);
    assert_eq!(verify_log(&out.join("run.log")).unwrap().ended, Some(Ended::Breaker));
    assert!(audited.ended.reason().contains("2 %"));
}

#[tokio::test]
async fn a_silent_modality_of_a_range_is_met_once_and_with_its_first_message() {
    let estate = Estate::begin(18, 0).await;
    let (_folder, out) = folder();
    let mut scope = estate.scope.clone();
    scope.assets[0].class = AssetClass::Modality;
    scope.assets[0].addresses = estate.range(0, 7);
    (scope.assets[0].ports, scope.assets[0].services) = (vec![11112, 4242], Vec::new());
    let heard = [Estate::holding(estate.host(3), 11112).await, Estate::holding(estate.host(3), 4242).await];
    let mut job = job(&scope, &out);
    job.limits.conversation = Duration::from_millis(300);
    let audited = audit(job, Arc::default()).await.unwrap();
    assert_eq!(audited.ended, Ended::Complete);
    let heard: Vec<Option<u8>> = heard.iter().flat_map(|heard| heard.lock().unwrap().clone()).collect();
    assert_eq!(heard, [Some(1)], "an A-ASSOCIATE-RQ, and then nothing on either port");
    let systems = &audited.report.systems;
    assert_eq!((systems.len(), systems[0].address, systems[0].left), (1, estate.host(3), Some(Left::Strain)));
    let coverage = &audited.report.coverage;
    assert_eq!((coverage.planned, coverage.hosts, coverage.hosts_done), (16, 8, 7));
}

#[tokio::test]
async fn when_the_hours_end_so_does_the_run() {
    let estate = Estate::begin(9, 2).await;
    let (_folder, out) = folder();
    let mut scope = estate.scope.clone();
    scope.validity.until = NOW;
    let audited = audit(job(&scope, &out), Arc::default()).await.unwrap();
    assert_eq!((audited.ended, audited.report.coverage.tried), (Ended::NotPermitted, 0));
    let audited = resume(&estate.scope, &out).await.unwrap();
    assert_eq!((audited.ended, audited.report.systems.len()), (Ended::Complete, 2));
}

#[tokio::test]
async fn without_a_sweep_only_listed_and_imported_addresses_are_looked_at() {
    let estate = Estate::begin(10, 4).await;
    let (_folder, out) = folder();
    let mut scope = estate.scope.clone();
    scope.assets[0].listed = estate.range(1, 1).union(&estate.range(200, 200));
    let mut job = job(&scope, &out);
    job.options.sweep = false;
    let outside = "127.99.99.99:104".parse().unwrap();
    job.options.imported = vec![estate.endpoint(2), estate.endpoint(2), outside];
    job.options.dropped = 3;
    let report = audit(job, Arc::default()).await.unwrap().report;
    let addresses: Vec<_> = report.systems.iter().map(|system| (system.address, system.listed)).collect();
    assert_eq!(addresses, [(estate.host(1), true), (estate.host(2), false), (estate.host(200), true)]);
    let coverage = report.coverage;
    assert_eq!((coverage.planned, coverage.tried, coverage.open, coverage.refused), (5, 5, 2, 3));
    assert_eq!((coverage.hosts, coverage.hosts_done, coverage.dropped), (3, 3, 4));
}

#[tokio::test]
async fn urls_and_file_trees_of_the_scope_are_looked_at() {
    let estate = Estate::begin(15, 3).await;
    let (folder, out) = folder();
    std::fs::write(folder.path().join("PLANTED^JANE.dcm"), b"no DICOM").unwrap();
    let mut scope = estate.scope.clone();
    scope.assets[0].paths = vec![folder.path().to_owned(), folder.path().join("missing")];
    scope.assets[0].urls = vec![format!("http://{}/studies", estate.endpoint(2)), "http://127.99.99.99/".to_owned()];
    scope.assets[0].share_links = vec![format!("http://{}/s/1", estate.endpoint(3))];
    let progress = Arc::new(Progress::default());
    let report = audit(job(&scope, &out), progress.clone()).await.unwrap().report;
    assert_eq!(report.trees.iter().map(|tree| tree.root).collect::<Vec<_>>(), [0, 1]);
    assert!(report.trees.iter().all(|tree| !tree.outcomes.is_empty()));
    let standing = progress.now();
    assert_eq!((standing.trees, standing.trees_planned), (2, 2));
    assert!(standing.files > 0);
    let looked = |host, check: &str| {
        let system = report.systems.iter().find(|system| system.address == estate.host(host)).unwrap();
        system.outcomes().filter(|(_, outcome)| outcome.check.id == check && outcome.facet == Facet::Code(1)).count()
    };
    assert_eq!((looked(1, "W-10"), looked(2, "W-10"), looked(3, "W-10")), (0, 1, 0));
    assert_eq!((looked(2, "W-12"), looked(3, "W-12")), (0, 1));
    assert_no_names(&report);
    assert!(!std::fs::read_to_string(out.join("run.log")).unwrap().contains("PLANTED"));
}

#[tokio::test]
async fn a_host_out_of_time_is_left_and_said_to_be() {
    let mut estate = Estate::begin(11, 1).await;
    estate.silent(77).await;
    let (_folder, out) = folder();
    let mut job = job(&estate.scope, &out);
    job.limits.host = Duration::from_secs(1);
    let audited = audit(job, Arc::default()).await.unwrap();
    let left: Vec<_> = audited.report.systems.iter().map(|system| system.left).collect();
    assert_eq!((audited.ended, left), (Ended::Complete, vec![None, Some(Left::OutOfTime)]));
    assert_eq!((audited.report.coverage.hosts, audited.report.coverage.hosts_done), (2, 1));
}

#[tokio::test]
async fn a_modality_that_is_listed_gets_one_connection_to_a_port() {
    let estate = Estate::begin(12, 1).await;
    let (_folder, out) = folder();
    let mut scope = estate.scope.clone();
    scope.assets[0].class = AssetClass::Modality;
    scope.assets[0].addresses = estate.range(1, 1);
    scope.assets[0].listed = estate.range(1, 1);
    let report = whole(&scope, &out).await.report;
    assert_eq!((report.coverage.planned, report.coverage.open, report.coverage.refused), (2, 1, 1));
    assert_eq!(report.systems.len(), 1);
}

#[tokio::test]
async fn a_log_that_was_changed_is_refused_with_its_line() {
    let estate = Estate::begin(13, 6).await;
    let (_folder, out) = folder();
    whole(&estate.scope, &out).await;
    let path = out.join("run.log");
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let host = lines.iter().position(|line| line.contains("\"host\"")).unwrap();

    let changed = log.replacen("\"finding\"", "\"pass\"", 1);
    assert_ne!(changed, log);
    std::fs::write(&path, changed).unwrap();
    let broken = verify_log(&path).unwrap_err();
    assert!(matches!(&broken, BadLog::Broken { line, .. } if *line > host as u64 + 1), "{broken}");
    assert!(matches!(resume(&estate.scope, &out).await, Err(AuditError::BadLog(BadLog::Broken { .. }))));

    let without: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| *line).collect();
    std::fs::write(&path, without.join("\n") + "\n").unwrap();
    assert!(matches!(verify_log(&path), Err(BadLog::Broken { line: 2, .. })));

    // Whoever mends the chain after him still gets no text in.
    for (from, to) in [
        ("\"speaks\":\"redis\"", "\"speaks\":\"PLANTED^JANE\""),
        ("\"product\":null", "\"product\":\"PLANTED^JANE\""),
        ("\"left\":null", "\"left\":null,\"note\":\"PLANTED^JANE\""),
        (
            "\"announced\":[]",
            "\"announced\":[{\"port\":1,\"calling_ae\":\"PLANTED^JANE\",\"at\":1,\"check\":\"D-07\"}]",
        ),
        ("\"address\":\"127.", "\"address\":\"128."),
    ] {
        let line = lines[host].replacen(from, to, 1);
        assert_ne!(line, lines[host], "{from}");
        std::fs::write(&path, mended(&lines, host, &line)).unwrap();
        match resume(&estate.scope, &out).await {
            Err(AuditError::BadLog(error @ BadLog::Foreign { .. })) => {
                let said = error.to_string();
                assert!(said.contains(&format!("line {}", host + 1)) && !said.contains("PLANTED"), "{said}");
            }
            Err(other) => panic!("{from}: {other}"),
            Ok(_) => panic!("{from}: taken"),
        }
    }
}

#[tokio::test]
async fn log_and_report_name_each_other() {
    let estate = Estate::begin(15, 6).await;
    let (_folder, out) = folder();
    let report = whole(&estate.scope, &out).await.report;
    let path = out.join("run.log");
    let verified = verify_log(&path).unwrap();
    assert!(verified.is_whole());
    assert_eq!(verified.binds(&report), Ok(()));
    let read = leadglass_exposure::report::json::parse(&leadglass_exposure::report::json::canonical(&report)).unwrap();
    assert_eq!(verified.binds(&read), Ok(()), "as it is read back");

    let mut edited = report.clone();
    edited.systems[0].services.clear();
    assert_eq!(verified.binds(&edited), Err(Unbound::Report));
    edited = report.clone();
    edited.times.log_head = None;
    assert_eq!(verified.binds(&edited), Err(Unbound::Log));

    // Whoever rewrites the log with all its hashes has another last line.
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let host = lines.iter().position(|line| line.contains("\"finding\"")).unwrap();
    std::fs::write(&path, mended(&lines, host, &lines[host].replace("\"finding\"", "\"pass\""))).unwrap();
    let rewritten = verify_log(&path).unwrap();
    assert!(rewritten.is_whole(), "the chain holds");
    assert_eq!(rewritten.binds(&report), Err(Unbound::Log));

    // A log without its end is no whole run.
    std::fs::write(&path, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    assert!(!verify_log(&path).unwrap().is_whole());
    std::fs::write(&path, &log[..log.len() - 1]).unwrap();
    assert!(!verify_log(&path).unwrap().is_whole());
}

#[tokio::test]
async fn a_run_and_its_log_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let estate = Estate::begin(16, 2).await;
    let (_folder, out) = folder();
    let out = out.join("new");
    whole(&estate.scope, &out).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&out), mode(&out.join("run.log"))), (0o700, 0o600));
}

#[tokio::test]
async fn a_host_that_says_nothing_is_not_looked_at() {
    let silent = tokio::net::TcpListener::bind("127.31.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let hold = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    let (_folder, out) = folder();
    let address: std::net::IpAddr = "127.31.0.1".parse().unwrap();
    let mut scope = leadglass_exposure::testing::scope();
    scope.firewall_exempt = true;
    scope.assets[0].addresses = RangeSet::new([(address, address)]);
    scope.assets[0].listed = scope.assets[0].addresses.clone();
    scope.assets[0].ports = vec![port];
    let mut job = job(&scope, &out);
    job.limits.conversation = std::time::Duration::from_millis(50);
    let report = audit(job, Arc::default()).await.unwrap().report;
    hold.abort();
    let service = &report.systems[0].services[0];
    assert_eq!(service.speaks.as_str(), "unknown");
    for id in ["D-01", "D-06", "D-07", "T-02", "W-01", "W-02", "A-01", "N-02"] {
        let of: Vec<_> = service.outcomes.iter().filter(|outcome| outcome.check.id == id).collect();
        assert_eq!(of.len(), 1, "{id}");
        assert_eq!(of[0].state, State::Error, "{id}");
    }
    assert_eq!((report.coverage.hosts, report.coverage.hosts_done), (1, 0));
    assert!(!report.coverage.is_whole());
}

#[tokio::test]
async fn a_tree_and_a_name_that_are_not_there_were_not_looked_at() {
    let (_folder, out) = folder();
    let mut scope = leadglass_exposure::testing::scope();
    scope.firewall_exempt = true;
    scope.assets[0].addresses = RangeSet::default();
    scope.assets[0].paths = vec!["/nonexistent/not-mounted".into()];
    scope.assets[0].hosts = vec!["nobody.invalid".to_owned()];
    let coverage = whole(&scope, &out).await.report.coverage;
    assert_eq!((coverage.trees, coverage.trees_done), (1, 0));
    assert_eq!((coverage.names, coverage.names_found), (1, 0));
    assert!(!coverage.is_whole());
}

/// The log with one line changed and the chain made to fit.
fn mended(lines: &[&str], changed: usize, by: &str) -> String {
    let mut before = "0".repeat(64);
    let mut log = String::new();
    for (at, line) in lines.iter().enumerate() {
        let line = if at == changed { by } else { line };
        let rest = line.split_once(",\"entry\"").unwrap().1;
        let line = format!("{{\"before\":\"{before}\",\"entry\"{rest}");
        before = hex::encode(digest::digest(&digest::SHA256, line.as_bytes()));
        log += &line;
        log.push('\n');
    }
    log
}

#[tokio::test]
async fn a_torn_last_line_is_cut_and_the_run_goes_on() {
    let estate = Estate::begin(14, 6).await;
    let (_folder, out) = folder();
    let expected = body(&whole(&estate.scope, &out).await.report);
    let path = out.join("run.log");
    let log = std::fs::read(&path).unwrap();
    let lines = log.iter().filter(|byte| **byte == b'\n').count();
    let mut random = numbers(99);
    for cut in [log.len() - 1, log.len() - 40, 1, 0, 100, 700]
        .into_iter()
        .chain((0..14).map(|_| random(log.len() as u64) as usize))
    {
        std::fs::write(&path, &log[..cut]).unwrap();
        std::fs::write(out.join("run.key"), [9; 32]).unwrap();
        let verified = verify_log(&path).unwrap();
        assert_eq!(verified.torn, cut > 0 && log[cut - 1] != b'\n');
        assert!(verified.lines < lines as u64);
        let audited = resume(&estate.scope, &out).await.unwrap();
        assert_eq!((audited.ended, body(&audited.report)), (Ended::Complete, expected.clone()), "cut at {cut}");
        assert!(!verify_log(&path).unwrap().torn);
    }
}

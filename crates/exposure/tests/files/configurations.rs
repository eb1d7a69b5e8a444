//! Configurations that lie in a tree: Orthanc's switches (A-02), exports(5) (N-06).

use super::*;

/// All switches that open a door unless they are set, set well.
const SAFE: &str = r#"
  "AuthenticationEnabled": true, "DicomAlwaysAllowEcho": false, "DicomAlwaysAllowStore": false,
  "DicomCheckCalledAet": true, "DicomCheckModalityHost": true, "DicomTlsEnabled": true, "SslEnabled": true,
  "WebDavUploadAllowed": false"#;

fn of<'a>(tree: &'a Tree, id: &str) -> Option<&'a Outcome> {
    tree.outcomes.iter().find(|outcome| outcome.check.id == id)
}

#[test]
fn unsafe_switches_are_named_and_nothing_else_of_the_file() {
    let ground = Ground::new();
    let [name, number, ..] = PLANTED;
    let text = format!(
        "{{ // {name}\n \"Name\": \"{name}\", \"DicomAet\": \"{number}\", /* \"SslEnabled\": true */\n\
         \"RegisteredUsers\": {{\"{name}\": \"{number}\"}}, \"ExecuteLuaEnabled\": true, \"DicomCheckCalledAet\": false }}"
    );
    ground.file("etc/dicom.json", text.as_bytes(), 0o600);
    ground.file("package.json", b"{\"name\": \"x\", \"SslEnabled\": false}", 0o644);
    let tree = ground.walk();
    let found = outcome(&tree, "A-02");
    assert_eq!((found.state, found.severity), (State::Finding, Severity::High));
    assert_eq!(found.evidence.count("configurations"), 1);
    let Some(Fact::Names(names)) = found.evidence.fact("unsafe") else { panic!("{found:?}") };
    let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["DicomCheckCalledAet", "ExecuteLuaEnabled"]);
}

#[test]
fn a_configuration_passes_when_all_that_matters_is_set() {
    let ground = Ground::new();
    ground.file("orthanc.json", format!("{{ \"DicomPort\": 104, {SAFE} }}").as_bytes(), 0o600);
    assert_eq!(outcome(&ground.walk(), "A-02").state, State::Pass);
    ground.file("orthanc.json", b"{ \"DicomPort\": 104, \"SslEnabled\": true }", 0o600);
    assert_eq!(outcome(&ground.walk(), "A-02").state, State::RefusedBefore, "the rest is not told");
    ground.file("rest/rest.json", format!("{{ \"DicomPort\": 104, {SAFE} }}").as_bytes(), 0o600);
    assert_eq!(outcome(&ground.walk(), "A-02").state, State::Pass, "it is told in another file");
    ground.file("orthanc.json", b"{ \"DicomPort\": ", 0o600);
    assert_eq!(outcome(&ground.walk(), "A-02").state, State::Error);
    ground.file("orthanc.json", &[b' '; 300 * 1024], 0o600);
    assert_eq!(outcome(&ground.walk(), "A-02").evidence.count("unread-configurations"), 1);
}

#[test]
fn no_configuration_no_outcome_and_none_is_read_above_depth_2() {
    let ground = Ground::new();
    ground.file("a.json", b"[1, 2, 3]", 0o644);
    ground.file("exports", b"a list of exports\n", 0o644);
    assert!(of(&ground.walk(), "A-02").is_none() && of(&ground.walk(), "N-06").is_none());
    ground.file("orthanc.json", b"{ \"DicomPort\": 104, \"ExecuteLuaEnabled\": true }", 0o600);
    let run = testing::run(ground.scope());
    let options = Options { depth: Some(Depth::Handshake), ..Options::default() };
    let tree = walk_with(&run, &run.scope.assets[0], 0, &AtomicU64::new(0), options);
    assert_eq!(of(&tree, "A-02").map(|outcome| outcome.state), Some(State::SkippedByPolicy));
}

#[test]
fn exports_to_everyone_and_to_another_root() {
    let [name, number, ..] = PLANTED;
    for (text, state) in [
        (format!("/srv/{name} *(ro)\n"), State::Finding),
        (format!("/srv/{name} {number}.example(rw,no_root_squash)\n"), State::Finding),
        ("/srv/pacs 10.0.0.7(rw) @ct(ro)\n".to_owned(), State::Pass),
    ] {
        let ground = Ground::new();
        ground.file("etc/exports", text.as_bytes(), 0o644);
        ground.file("etc/exports.d/more.exports", b"/srv/more 10.0.0.0/24(ro)\n", 0o644);
        let tree = ground.walk();
        let found = outcome(&tree, "N-06");
        assert_eq!(found.state, state, "{text}");
        assert_eq!((found.evidence.count("exports"), tally(found, "clients", "network")), (2, 1));
    }
}

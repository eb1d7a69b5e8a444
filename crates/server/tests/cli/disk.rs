//! `verify` and `rebuild`, with the archive stopped; `peer` and the pages about all.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::harness::{Demo, json, leadglass, testdata};

#[test]
fn a_flipped_bit_is_named_and_the_index_is_made_again() {
    let mut demo = Demo::start();
    let folder = testdata("samples/neurolabusc-dcm_qa_ct").display().to_string();
    demo.run(&["send", &folder]);
    let keys = ["find", "--level", "image"];
    let (before, _) = demo.run(&keys);
    demo.stop();

    let data = demo.data();
    let (clean, code) = json(&leadglass(&["verify", "--data", &data, "--json"]));
    assert_eq!((code, clean["damaged"].as_array().unwrap().len()), (0, 0), "{clean}");

    fs::remove_file(Path::new(&data).join("index.db")).unwrap();
    let (rebuilt, code) = json(&leadglass(&["rebuild", "--data", &data, "--json"]));
    assert_eq!((&rebuilt["records"], code), (&clean["records"], 0), "{rebuilt}");
    demo.start_again();
    let (after, _) = demo.run(&keys);
    assert_eq!(after.as_array().unwrap().len(), 9);
    assert_eq!(after, before);
    demo.stop();

    let segment = fs::read_dir(Path::new(&data).join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.is_file()).min().unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&segment).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 300_000).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 300_000).unwrap();
    let (damaged, code) = json(&leadglass(&["verify", "--data", &data, "--json"]));
    assert_eq!(code, 3, "{damaged}");
    let named = &damaged["damaged"][0];
    assert!(named["segment"].is_u64() && named["offset"].as_u64().unwrap() <= 300_000, "{damaged}");
}

#[test]
fn a_key_file_elsewhere_opens_the_archive() {
    let mut demo = Demo::start();
    demo.stop();
    let (key, elsewhere) = (demo.path("archive.key"), demo.path("elsewhere.key"));
    fs::rename(&key, &elsewhere).unwrap();
    let data = demo.data();
    let (clean, code) = json(&leadglass(&["verify", "--data", &data, "--key-file", &elsewhere, "--json"]));
    assert_eq!(code, 0, "{clean}");
}

#[test]
fn peers_come_and_go() {
    let demo = Demo::start();
    let out = demo.path("bundle");
    let (bundle, code) = demo.run(&["peer", "add", "CT1", "--verbs", "store,find", "--out", &out]);
    assert_eq!((&bundle["ae"], code), (&"CT1".into(), 0), "{bundle}");
    for file in ["cert", "key"] {
        assert!(Path::new(bundle[file].as_str().unwrap()).exists(), "{bundle}");
    }
    let (peers, _) = demo.run(&["peer", "list"]);
    assert!(peers.as_array().unwrap().iter().any(|peer| peer["ae"] == "CT1"), "{peers}");
    let (_, code) = demo.run(&["peer", "revoke", "CT1"]);
    assert_eq!(code, 0);
}

#[test]
fn every_command_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().display().to_string();
    assert!(leadglass(&["man", "--out", &out]).status.success());
    for command in ["import", "export", "echo", "find", "get", "send", "verify", "doctor", "demo"] {
        assert!(dir.path().join(format!("leadglass-{command}.1")).exists(), "{command}");
    }
    let completions = leadglass(&["completions", "bash"]);
    assert!(String::from_utf8_lossy(&completions.stdout).contains("import"));
}

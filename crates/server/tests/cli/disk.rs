//! `verify` and `rebuild`, with the archive stopped; `peer` and the pages about all.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Demo, LEADGLASS, json, leadglass, testdata};

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
    // Nobody is enrolled whose bundle could not be kept: over another's, or below a file.
    for folder in [&out, bundle["cert"].as_str().unwrap()] {
        let arguments = ["peer", "add", "CT2", "--verbs", "store", "--out", folder, "--ready-file", &demo.ready()];
        let refused = leadglass(&arguments);
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).contains(folder), "the error names the path");
    }
    let (peers, _) = demo.run(&["peer", "list"]);
    assert!(!peers.as_array().unwrap().iter().any(|peer| peer["ae"] == "CT2"), "{peers}");
    assert!(peers.as_array().unwrap().iter().any(|peer| peer["ae"] == "CT1"), "{peers}");
    let (_, code) = demo.run(&["peer", "revoke", "CT1"]);
    assert_eq!(code, 0);
}

#[test]
fn serve_says_in_one_json_line_where_it_answers() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("archive").display().to_string();
    let arguments = ["serve", "--json", "--data", &data, "--https-port", "0", "--dicom-port", "0"];
    let mut process =
        Command::new(LEADGLASS).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(process.wait().unwrap().success());
    let up: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(up["dicom"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    assert!(Path::new(up["ca"].as_str().unwrap()).is_file(), "{line}");
    let code = fs::read_to_string(up["setup_code_file"].as_str().unwrap()).unwrap();
    assert!(!line.contains(code.trim()), "the code stays in its file");
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

//! `echo`, `send`, `find` and `get`: over mutual TLS, there and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::harness::{Demo, files, instance, leadglass, testdata};

/// The data sets of a folder by SOP Instance UID.
fn data_sets(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let instances = files(folder).into_iter().map(|path| instance(&path));
    instances.map(|(identity, data_set)| (identity.sop_instance.to_string(), data_set)).collect()
}

#[test]
fn what_is_sent_is_found_and_comes_back_as_it_was() {
    let demo = Demo::start();
    let (answer, code) = demo.run(&["echo"]);
    assert_eq!(code, 0, "{answer}");

    let folder = testdata("samples/neurolabusc-dcm_qa_ct");
    let (sent, code) = demo.run(&["send", &folder.display().to_string()]);
    assert_eq!((&sent["stored"], &sent["refused"], code), (&9.into(), &0.into(), 0), "{sent}");
    let study = instance(&folder.join("I10")).0.study.to_string();

    let (found, _) = demo.run(&["find", "-k", &format!("StudyInstanceUID={study}")]);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["00201208"]["Value"][0], 9, "{found}");
    let (images, _) =
        demo.run(&["find", "--level", "image", "-k", &format!("StudyInstanceUID={study}"), "--limit", "4"]);
    assert_eq!(images.as_array().unwrap().len(), 4, "{images}");
    let (none, _) = demo.run(&["find", "-k", "PatientName=NOBODY*"]);
    assert_eq!(none.as_array().unwrap().len(), 0, "{none}");

    let out = demo.path("out");
    let (got, code) = demo.run(&["get", "--study", &study, "--out", &out]);
    assert_eq!((&got["written"], &got["missing"], code), (&9.into(), &0.into(), 0), "{got}");
    assert_eq!(data_sets(Path::new(&out)), data_sets(&folder));
    let (again, _) = demo.run(&["get", "--study", &study, "--out", &out]);
    assert_eq!((&again["written"], &again["already_there"]), (&0.into(), &9.into()), "{again}");

    let one = instance(&folder.join("I50")).0;
    let (series, instance) = (one.series.to_string(), one.sop_instance.to_string());
    let single = demo.path("single");
    let (got, _) =
        demo.run(&["get", "--study", &study, "--series", &series, "--instance", &instance, "--out", &single]);
    assert_eq!(got["written"], 1, "{got}");
    assert!(Path::new(&single).join(format!("{instance}.dcm")).exists());
}

#[test]
fn files_of_every_kind_are_sent_and_the_refused_are_named() {
    let demo = Demo::start();
    let folder = demo.dir.path().join("in");
    fs::create_dir(&folder).unwrap();
    let whole = testdata("samples/imagingdatacommons-highdicom");
    for file in files(&whole) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let bytes = fs::read(testdata("samples/neurolabusc-dcm_qa_ct/I10")).unwrap();
    fs::write(folder.join("cut"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(folder.join("README"), vec![b'r'; 300]).unwrap();
    let (sent, code) = demo.run(&["send", &folder.display().to_string()]);
    assert_eq!(code, 3, "{sent}");
    assert_eq!((&sent["stored"], &sent["refused"], &sent["skipped"]), (&4.into(), &1.into(), &1.into()), "{sent}");
    let refused = sent["files"].as_array().unwrap().iter().find(|file| file["stored"] == false).unwrap();
    assert!(refused["file"].as_str().unwrap().ends_with("/cut"), "{sent}");
}

#[test]
fn a_stranger_gets_nothing() {
    let demo = Demo::start();
    let other = Demo::start();
    let ready: serde_json::Value = serde_json::from_slice(&fs::read(demo.ready()).unwrap()).unwrap();
    let foreign: serde_json::Value = serde_json::from_slice(&fs::read(other.ready()).unwrap()).unwrap();
    let address = format!("{}:{}", ready["dimse"]["host"].as_str().unwrap(), ready["dimse"]["port"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (called, cert, key, ca) = (
        text(&ready["dimse"]["ae"]),
        text(&foreign["peer"]["cert"]),
        text(&foreign["peer"]["key"]),
        text(&ready["ca"]),
    );
    let arguments = ["echo", "--address", &address, "--called", &called, "--calling", "DEMO"];
    let stranger = leadglass(&[&arguments[..], &["--cert", &cert, "--key", &key, "--ca", &ca]].concat());
    assert_eq!(stranger.status.code(), Some(1));
}

#[test]
fn the_log_names_a_study_by_a_key_and_nobody_by_name() {
    let mut demo = Demo::start();
    let folder = testdata("samples/neurolabusc-dcm_qa_ct");
    let (identity, _) = instance(&folder.join("I10"));
    let study = identity.study.to_string();
    demo.run(&["send", &folder.display().to_string()]);
    let (_, got) = demo.run(&["get", "--study", &study, "--out", &demo.path("got")]);
    let (_, exported) = demo.run(&["export", "--study", &study, "--out", &demo.path("study.zip")]);
    assert_eq!((got, exported), (0, 0));
    demo.stop();
    let log = fs::read_to_string(demo.path("log")).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut keys = std::collections::BTreeSet::new();
    for (what, caller) in [("find", "DEMO"), ("retrieve", "DEMO"), ("answered", "demo")] {
        // The demo's token has a name of its own: demo, and something that no other has.
        let is_caller = |line: &serde_json::Value| {
            line["caller"].as_str().is_some_and(|name| name.split('-').next() == Some(caller))
        };
        let of_study = lines.iter().filter(|line| line["message"] == what && is_caller(line));
        let named: Vec<&str> = of_study.filter_map(|line| line["study"].as_str()).filter(|key| *key != "-").collect();
        assert!(!named.is_empty(), "no line of {what} names a study: {log}");
        keys.extend(named);
    }
    assert_eq!(keys.len(), 1, "{keys:?}");
    for secret in [study, identity.series.to_string(), identity.sop_instance.to_string()] {
        assert!(!log.contains(&secret), "{log}");
    }
}

//! `import` and `export`: folders, zip files, media, what is refused, going on again.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use leadglass_dicom::scan::Limits;
use leadglass_dicom::{Tag, encode, part10};
use zip::write::SimpleFileOptions;

use crate::harness::{Demo, instance, json, leadglass, testdata};

const CORPUS: &str = "corpus/pydicom-pydicom";

/// Lays a medium out as its DICOMDIR says, and says which files it references.
fn medium(folder: &Path) -> Vec<PathBuf> {
    fs::create_dir(folder).unwrap();
    let bytes = fs::read(testdata(CORPUS).join("DICOMDIR")).unwrap();
    fs::write(folder.join("DICOMDIR"), &bytes).unwrap();
    let (meta, data_set) = part10::split(&bytes).unwrap();
    let directory = encode::decode(data_set, meta.transfer_syntax.encoding(), &Limits::default()).unwrap();
    let records = directory.items(Tag(0x0004, 0x1220)).iter();
    let ids = records.map(|record| record.texts(Tag(0x0004, 0x1500))).filter(|id| !id.is_empty());
    let files = ids.map(|id| {
        let path = id.iter().fold(folder.to_owned(), |path, component| path.join(component));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(testdata(CORPUS).join(id.last().unwrap()), &path).unwrap();
        path
    });
    files.collect()
}

#[test]
fn a_medium_is_imported_as_its_directory_says() {
    let demo = Demo::start();
    let folder = demo.dir.path().join("medium");
    let files = medium(&folder);
    fs::remove_file(&files[0]).unwrap();
    fs::copy(testdata(CORPUS).join("MR_small.dcm"), folder.join("EXTRA")).unwrap();
    fs::write(folder.join("VIEWER.EXE"), vec![b'M'; 4096]).unwrap();

    let directory = folder.join("DICOMDIR").display().to_string();
    let (alone, code) = demo.run(&["import", &directory]);
    assert_eq!(code, 3);
    assert_eq!((&alone["stored"], &alone["already_there"]), (&(files.len() - 1).into(), &0.into()), "{alone}");
    assert!(alone["refused"][0]["reason"].as_str().unwrap().contains("not there"), "{alone}");

    let (whole, code) = demo.run(&["import", &folder.display().to_string()]);
    assert_eq!(code, 3);
    assert_eq!((&whole["stored"], &whole["already_there"]), (&1.into(), &(files.len() - 1).into()), "{whole}");
    assert_eq!((&whole["skipped"], whole["refused"].as_array().unwrap().len()), (&1.into(), 1), "{whole}");
}

#[test]
fn zip_files_and_bare_data_sets_are_imported_and_refusals_are_reported() {
    let demo = Demo::start();
    let folder = demo.dir.path().join("in");
    fs::create_dir(&folder).unwrap();
    let mut zip = zip::ZipWriter::new(File::create(folder.join("some.zip")).unwrap());
    for (name, file) in [("../../a", "6154"), ("/b", "6247"), ("c", "6278")] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&fs::read(testdata(CORPUS).join(file)).unwrap()).unwrap();
    }
    zip.start_file("notes", SimpleFileOptions::default()).unwrap();
    zip.write_all(&[b'n'; 1000]).unwrap();
    zip.finish().unwrap();
    let (_, data_set) = instance(&testdata(CORPUS).join("MR_small_implicit.dcm"));
    fs::write(folder.join("bare"), &data_set).unwrap();
    let whole = fs::read(testdata(CORPUS).join("17106")).unwrap();
    fs::write(folder.join("cut"), &whole[..whole.len() - 100]).unwrap();

    let (folder, report, journal) = (folder.display().to_string(), demo.path("report.json"), demo.path("journal"));
    let arguments = ["import", &folder, "--report", &report, "--journal", &journal];
    let (first, code) = demo.run(&arguments);
    assert_eq!(code, 3);
    assert_eq!((&first["stored"], &first["skipped"]), (&4.into(), &1.into()), "{first}");
    assert_eq!(first["refused"].as_array().unwrap().len(), 1, "{first}");
    assert!(first["refused"][0]["source"].as_str().unwrap().ends_with("/cut"), "{first}");
    assert_eq!(fs::metadata(&report).unwrap().permissions().mode() & 0o777, 0o600);
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(written["refused"], first["refused"]);

    let (again, code) = demo.run(&arguments);
    assert_eq!((&again["stored"], &again["already_there"], code), (&0.into(), &4.into(), 3), "{again}");
}

#[test]
fn an_import_goes_on_where_it_ended() {
    let mut demo = Demo::start();
    let folder = demo.dir.path().join("medium");
    let files = medium(&folder);
    let first = demo.dir.path().join("first");
    fs::create_dir(&first).unwrap();
    for (at, file) in files.iter().take(10).enumerate() {
        fs::copy(file, first.join(at.to_string())).unwrap();
    }
    demo.run(&["import", &first.display().to_string()]);
    let (folder, journal) = (folder.display().to_string(), demo.path("journal"));
    let arguments = ["import", &folder, "--journal", &journal];
    let (rest, code) = demo.run(&arguments);
    assert_eq!(code, 0);
    assert_eq!((&rest["stored"], &rest["already_there"]), (&(files.len() - 10).into(), &10.into()), "{rest}");
    // The journal alone knows: nobody has to be asked.
    demo.stop();
    let (done, code) = demo.run(&arguments);
    assert_eq!((&done["already_there"], code), (&files.len().into(), 0), "{done}");
}

/// Other bytes under a UID that is there are refused, whatever is known of the UID and
/// however the file looks from outside.
#[test]
fn a_flipped_pixel_byte_is_refused_and_not_already_there() {
    let demo = Demo::start();
    let (file, journal) = (demo.dir.path().join("MR.dcm"), demo.path("journal"));
    fs::copy(testdata(CORPUS).join("MR_small.dcm"), &file).unwrap();
    let path = file.display().to_string();
    let arguments = ["import", &path, "--journal", &journal];
    let (first, code) = demo.run(&arguments);
    assert_eq!((&first["stored"], code), (&1.into(), 0), "{first}");

    // Without the journal the archive says that these very bytes are there.
    let (equal, code) = demo.run(&["import", &path]);
    assert_eq!((&equal["stored"], &equal["already_there"], code), (&0.into(), &1.into(), 0), "{equal}");

    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let pixel_data = bytes.windows(4).rposition(|tag| tag == [0xE0, 0x7F, 0x10, 0]).unwrap();
    bytes[pixel_data + 100] ^= 1;
    fs::write(&file, &bytes).unwrap();
    File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    // Twice: what is refused is not noted as done either.
    for _ in 0..2 {
        let (other, code) = demo.run(&arguments);
        assert_eq!((&other["stored"], &other["already_there"], code), (&0.into(), &0.into(), 3), "{other}");
        let reason = other["refused"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("0111") && reason.contains("other bytes"), "{other}");
    }
    let (identity, original) = instance(&testdata(CORPUS).join("MR_small.dcm"));
    let out = demo.path("kept.zip");
    demo.run(&["export", "--study", &identity.study.to_string(), "--out", &out]);
    let mut zip = zip::ZipArchive::new(File::open(&out).unwrap()).unwrap();
    let mut kept = 0;
    for at in 0..zip.len() {
        let mut bytes = Vec::new();
        zip.by_index(at).unwrap().read_to_end(&mut bytes).unwrap();
        if let Ok((_, data_set)) = part10::split(&bytes) {
            assert_eq!(data_set, original);
            kept += 1;
        }
    }
    assert_eq!(kept, 1);
}

#[test]
fn what_is_exported_is_whole_and_overwrites_nothing() {
    let demo = Demo::start();
    let folder = testdata("samples/neurolabusc-dcm_qa_ct");
    let (imported, _) = demo.run(&["import", &folder.display().to_string()]);
    assert_eq!(imported["stored"], 9);
    let (identity, data_set) = instance(&folder.join("I10"));
    let (study, out) = (identity.study.to_string(), demo.path("study.zip"));
    let (exported, code) = demo.run(&["export", "--study", &study, "--out", &out]);
    assert_eq!((&exported["instances"], code), (&9.into(), 0), "{exported}");
    let mut zip = zip::ZipArchive::new(File::open(&out).unwrap()).unwrap();
    let found = (0..zip.len()).any(|at| {
        let mut bytes = Vec::new();
        zip.by_index(at).unwrap().read_to_end(&mut bytes).unwrap();
        part10::split(&bytes).unwrap().1 == data_set
    });
    assert!(found, "the data set is not in the zip file as it was");

    let before = fs::metadata(&out).unwrap().modified().unwrap();
    let again = leadglass(&["export", "--study", &study, "--out", &out, "--ready-file", &demo.ready()]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(fs::metadata(&out).unwrap().modified().unwrap(), before);
    let unknown = demo.path("unknown.zip");
    let none = leadglass(&["export", "--study", "1.2.3", "--out", &unknown, "--ready-file", &demo.ready()]);
    assert_eq!((none.status.code(), Path::new(&unknown).exists()), (Some(1), false));
}

#[test]
fn without_a_token_nothing_is_imported() {
    let demo = Demo::start();
    let file = testdata(CORPUS).join("6154").display().to_string();
    let refused = leadglass(&["import", &file, "--data", &demo.data()]);
    assert_eq!(refused.status.code(), Some(1));
    let wrong = demo.path("wrong-token");
    fs::write(&wrong, "not-a-token").unwrap();
    let refused = leadglass(&["import", &file, "--data", &demo.data(), "--token-file", &wrong]);
    assert_eq!(refused.status.code(), Some(1));
    let (missing, code) = json(&leadglass(&["doctor", "--data", &demo.data(), "--json"]));
    assert!(missing.as_array().unwrap().iter().any(|finding| finding["what"] == "DICOM/TLS"), "{code} {missing}");
}

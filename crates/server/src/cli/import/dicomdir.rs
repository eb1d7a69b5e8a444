//! The directory of a medium, PS3.3 F: the files it references, none outside its folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use leadglass_dicom::scan::Limits;
use leadglass_dicom::{DataSet, Tag, Value, encode, part10};

/// Bytes of a DICOMDIR.
const MAX_BYTES: u64 = 256 << 20;
/// Components of a file ID, PS3.10 8.2.
const COMPONENTS: usize = 8;
const DIRECTORY_RECORD_SEQUENCE: Tag = Tag(0x0004, 0x1220);
const REFERENCED_FILE_ID: Tag = Tag(0x0004, 0x1500);

/// What a DICOMDIR references.
#[derive(Debug, Default)]
pub struct Media {
    /// Files that are there, each once.
    pub files: Vec<PathBuf>,
    /// File IDs that are refused, and why.
    pub refused: Vec<(String, String)>,
}

/// Reads a DICOMDIR; what it references is looked for below its own folder.
pub fn read(path: &Path) -> Result<Media, String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("a DICOMDIR of more than 256 MiB".into());
    }
    let (meta, data_set) = part10::split(&bytes).map_err(|error| error.to_string())?;
    if meta.transfer_syntax.is_deflated() {
        return Err("a DICOMDIR is not deflated".into());
    }
    let directory = encode::decode(data_set, meta.transfer_syntax.encoding(), &Limits::default());
    let directory = directory.map_err(|error| format!("a DICOMDIR that cannot be read: {error}"))?;
    Ok(referenced(&directory, folder))
}

fn referenced(directory: &DataSet, folder: &Path) -> Media {
    let mut media = Media::default();
    let mut seen = HashSet::new();
    for record in directory.items(DIRECTORY_RECORD_SEQUENCE) {
        let Some(Value::Text(id)) = record.element(REFERENCED_FILE_ID).map(|element| &element.value) else {
            continue;
        };
        match resolve(folder, id) {
            Ok(file) if seen.insert(file.clone()) => media.files.push(file),
            Ok(_) => {}
            Err(reason) => media.refused.push((shown(id), reason)),
        }
    }
    media
}

/// A file ID as a report shows it.
fn shown(id: &[String]) -> String {
    id.join("\\").chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The file below the folder that a file ID names: each component a plain name, each step
/// an entry of the folder reached, no link among them. Media are mounted in either case.
fn resolve(folder: &Path, id: &[String]) -> Result<PathBuf, String> {
    if id.is_empty() || id.len() > COMPONENTS {
        return Err(format!("a file ID of {} components", id.len()));
    }
    let mut at = folder.to_owned();
    for component in id {
        if matches!(component.as_str(), "" | "." | "..") || component.contains(['/', '\0']) {
            return Err("a file ID that leaves its folder".into());
        }
        at = child(&at, component).ok_or("named by the DICOMDIR, and not there")?;
        let metadata = fs::symlink_metadata(&at).map_err(|error| error.to_string())?;
        if metadata.is_symlink() {
            return Err("a link: a DICOMDIR names files alone".into());
        }
    }
    if at.is_file() { Ok(at) } else { Err("named by the DICOMDIR, and no file".into()) }
}

fn child(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if fs::symlink_metadata(&exact).is_ok() {
        return Some(exact);
    }
    let mut entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries.find(|entry| entry.file_name().eq_ignore_ascii_case(name)).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadglass_dicom::VR;

    fn directory(ids: &[&[&str]]) -> DataSet {
        let items = ids.iter().map(|id| {
            let mut record = DataSet::new();
            let id = id.iter().map(|component| (*component).to_owned()).collect();
            record.put(REFERENCED_FILE_ID, VR::CS, Value::Text(id));
            record
        });
        let mut directory = DataSet::new();
        directory.put(DIRECTORY_RECORD_SEQUENCE, VR::SQ, Value::Sequence(items.collect()));
        directory
    }

    #[test]
    fn no_file_id_leaves_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("medium");
        fs::create_dir_all(folder.join("images")).unwrap();
        fs::write(folder.join("images/i1"), "x").unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path(), folder.join("UP")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), folder.join("LINK")).unwrap();
        let absolute = dir.path().join("secret").display().to_string();
        let media = referenced(
            &directory(&[
                &["IMAGES", "I1"],
                &["images", "i1"],
                &["..", "secret"],
                &["../secret"],
                &[&absolute],
                &["UP", "secret"],
                &["LINK"],
                &["IMAGES"],
                &["GONE"],
                &[],
                &["A"; 9],
            ]),
            &folder,
        );
        assert_eq!(media.files, [folder.join("images/i1")]);
        assert_eq!(media.refused.len(), 9, "{:?}", media.refused);
    }
}

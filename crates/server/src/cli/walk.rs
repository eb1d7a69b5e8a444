//! Finding the files below what a command was given: links are followed, loops end.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Folders inside each other.
const DEPTH: usize = 100;

/// What was found below some paths.
#[derive(Debug, Default)]
pub struct Walked {
    /// Regular files, sorted within their folder.
    pub files: Vec<PathBuf>,
    /// What could not be looked at, and why.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// All regular files at or below the paths. A folder is entered once, however many links
/// lead to it; devices and sockets are left alone.
pub fn walk(paths: &[PathBuf]) -> Walked {
    let mut walked = Walked::default();
    let mut entered = HashSet::new();
    let mut waiting: Vec<(PathBuf, usize)> = paths.iter().rev().map(|path| (path.clone(), 0)).collect();
    while let Some((path, depth)) = waiting.pop() {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                walked.unreadable.push((path, error.to_string()));
                continue;
            }
        };
        if metadata.is_file() {
            walked.files.push(path);
        } else if metadata.is_dir() && entered.insert((metadata.dev(), metadata.ino())) {
            match children(&path) {
                _ if depth == DEPTH => walked.unreadable.push((path, "too many folders inside each other".into())),
                Ok(children) => waiting.extend(children.into_iter().rev().map(|child| (child, depth + 1))),
                Err(error) => walked.unreadable.push((path, error.to_string())),
            }
        }
    }
    walked
}

fn children(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut children: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    children.sort();
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_end_and_links_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/one"), "1").unwrap();
        fs::write(root.join("two"), "2").unwrap();
        std::os::unix::fs::symlink(root, root.join("a/loop")).unwrap();
        std::os::unix::fs::symlink(root.join("two"), root.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("broken")).unwrap();
        let walked = walk(&[root.to_owned()]);
        let names: Vec<_> = walked.files.iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect();
        assert_eq!(names, ["a/one", "link", "two"].map(PathBuf::from));
        assert_eq!(walked.unreadable.len(), 1);
    }
}

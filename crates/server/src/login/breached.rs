//! The administrator's list of breached passphrases: a sorted file, searched where it lies.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leadglass_archive::access::people::Breached;

/// Bytes of a line that cannot be longer: hash, colon, count.
const LONGEST_LINE: u64 = 80;
/// Lines that are looked at to tell whether the file is sorted.
const SAMPLES: u64 = 256;

/// Whether something is in that file. While it cannot be read nobody can tell, which the log says
/// too, and no passphrase is taken.
pub(crate) fn list(path: PathBuf) -> Breached {
    Arc::new(move |sum| match check(&path).and_then(|()| find(&path, &hex::encode_upper(sum))) {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "no passphrase is taken: the list of breached ones cannot be read");
            None
        }
    })
}

/// Refuses a file that cannot be read, one that begins with no SHA-1 in hexadecimal, and one whose
/// lines, looked at here and there, are not in ascending order: in those little would be found.
pub(crate) fn check(path: &Path) -> std::io::Result<()> {
    let wrong = |why| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
    let mut file = BufReader::new(File::open(path)?);
    let bytes = file.get_ref().metadata()?.len();
    let first = line_from(&mut file, 0)?;
    let Some(mut last) = first.filter(|line| line.len() == 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
    else {
        return wrong("it does not begin with a SHA-1 in hexadecimal");
    };
    for sample in 1..SAMPLES {
        let at = u64::try_from(u128::from(bytes) * u128::from(sample) / u128::from(SAMPLES)).unwrap_or(bytes);
        match line_from(&mut file, at)? {
            Some(line) if line < last => {
                return wrong("it is not sorted by the SHA-1: take the list that is ordered by hash");
            }
            Some(line) => last = line,
            None => break,
        }
    }
    Ok(())
}

/// Bisects the file by its bytes: from any byte the next line is found, and compared.
fn find(path: &Path, wanted: &str) -> std::io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut low, mut high) = (0, file.get_ref().metadata()?.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match line_from(&mut file, middle)? {
            Some(line) if line == wanted => return Ok(true),
            Some(line) if line.as_str() < wanted => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(line_from(&mut file, low)?.is_some_and(|line| line == wanted))
}

/// The hash of the first line that begins at that byte or later.
fn line_from(file: &mut BufReader<File>, at: u64) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    let mut line = Vec::new();
    if at > 0 {
        file.seek(SeekFrom::Start(at - 1))?;
        file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        line.clear();
    } else {
        file.seek(SeekFrom::Start(0))?;
    }
    file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line).trim().to_ascii_uppercase();
    Ok((!line.is_empty()).then(|| line.split(':').next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sums");
        let mut sums: Vec<String> = (0..500u32).map(|n| format!("{:040X}", u128::from(n) * 7_919_777_777)).collect();
        sums.sort();
        for text in [sums.iter().map(|sum| format!("{sum}:3\r\n")).collect::<String>(), sums.join("\n").to_lowercase()]
        {
            std::fs::write(&path, text).unwrap();
            for sum in &sums {
                assert!(find(&path, sum).unwrap(), "{sum}");
                assert!(!find(&path, &format!("{}F", &sum[..39])).unwrap() || sum.ends_with('F'));
            }
        }
        std::fs::write(&path, "").unwrap();
        assert!(!find(&path, &sums[0]).unwrap());
    }

    #[test]
    fn of_a_list_that_cannot_be_read_nobody_can_tell() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sums");
        let of = list(path.clone());
        assert_eq!(of(&[0xab; 20]), None, "it is not there");
        for wrong in ["", "password\n", "<html>not found</html>\n"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(check(&path).is_err() && of(&[0xab; 20]).is_none(), "{wrong:?}");
        }
        let by_count: Vec<String> = (0..200u8).rev().map(|n| format!("{}:7\n", hex::encode_upper([n; 20]))).collect();
        std::fs::write(&path, by_count.concat()).unwrap();
        assert!(check(&path).is_err() && of(&[7; 20]).is_none(), "not sorted by the sums");
        std::fs::write(&path, format!("{}:7\n", hex::encode_upper([0xab; 20]))).unwrap();
        assert_eq!((of(&[0xab; 20]), of(&[0xac; 20])), (Some(true), Some(false)));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(of(&[0xab; 20]), None, "it is gone");
        assert!(check(folder.path()).is_err(), "a folder");
    }
}

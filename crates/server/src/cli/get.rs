//! `leadglass get`: fetches a study, series or instance by C-GET into a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use bytes::Bytes;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::part10::write_file_meta;
use leadglass_dicom::query::QueryOptions;
use leadglass_dicom::{
    DataSet, SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, Tag, TransferSyntax, Uid, VR, Value,
};
use serde_json::json;

use super::connection::PeerConnection;
use super::output::{Exit, Output, Progress};
use crate::scu::Peering;
use crate::scu::fetch::{Sink, fetch};
use crate::scu::query::{identifier, query};

const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
/// The transfer syntaxes of PS3.6 Table A-1 that an archive may keep an object in, retired
/// ones too: each is a presentation context of its own, as an acceptor picks one of a context.
const TRANSFER_SYNTAXES: [&str; 55] = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.8.1",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.52",
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.54",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.56",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.58",
    "1.2.840.10008.1.2.4.59",
    "1.2.840.10008.1.2.4.60",
    "1.2.840.10008.1.2.4.61",
    "1.2.840.10008.1.2.4.62",
    "1.2.840.10008.1.2.4.63",
    "1.2.840.10008.1.2.4.64",
    "1.2.840.10008.1.2.4.65",
    "1.2.840.10008.1.2.4.66",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.92",
    "1.2.840.10008.1.2.4.93",
    "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.100.1",
    "1.2.840.10008.1.2.4.101",
    "1.2.840.10008.1.2.4.101.1",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.102.1",
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.103.1",
    "1.2.840.10008.1.2.4.104",
    "1.2.840.10008.1.2.4.104.1",
    "1.2.840.10008.1.2.4.105",
    "1.2.840.10008.1.2.4.105.1",
    "1.2.840.10008.1.2.4.106",
    "1.2.840.10008.1.2.4.106.1",
    "1.2.840.10008.1.2.4.107",
    "1.2.840.10008.1.2.4.108",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.204",
];
/// SOP classes of one association: each takes a context for every transfer syntax, one is
/// the C-GET's, and 128 is all there are (PS3.8 9.3.2.2).
const CLASSES: usize = 127 / TRANSFER_SYNTAXES.len();

/// Fetch a study, series or instance into a folder (C-GET over mutual TLS).
///
/// Files are named after their SOP Instance UIDs; one that is there is never overwritten.
/// Ends with 3 when something the archive has did not come.
#[derive(clap::Args, Debug)]
pub struct Get {
    #[command(flatten)]
    peer: PeerConnection,
    /// Study Instance UID.
    #[arg(long, value_name = "UID")]
    study: StudyInstanceUid,
    /// Series Instance UID: this series alone.
    #[arg(long, value_name = "UID")]
    series: Option<SeriesInstanceUid>,
    /// SOP Instance UID: this instance alone.
    #[arg(long, value_name = "UID", requires = "series")]
    instance: Option<SopInstanceUid>,
    /// The folder; made when absent, mode 0700.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The instances of one series by SOP class.
type Series = BTreeMap<Uid, Vec<String>>;

impl Get {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        use std::os::unix::fs::DirBuilderExt;
        let peering = self.peer.peering()?;
        let wanted = self.wanted(&peering).await?;
        ensure!(!wanted.is_empty(), "the archive has no such thing, or does not show it to {}", peering.calling);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.out);
        made.with_context(|| format!("cannot make {}", self.out.display()))?;
        let all: usize = wanted.values().flat_map(BTreeMap::values).map(Vec::len).sum();
        let mut folder = Folder::new(&self.out, Progress::of_records(output, "fetching"), all as u64);
        let mut told = false;
        for (series, classes) in &wanted {
            let failed = self.fetch_series(&peering, series, classes, &mut folder).await?;
            told |= failed > 0;
        }
        folder.progress.finish();
        if told {
            eprintln!(
                "leadglass: the archive reports objects it could not send. An object is kept in one transfer syntax, \
                 and comes only in that one or, uncompressed, in another: one in a private syntax is not asked for \
                 here. Other causes are in the archive's log."
            );
        }
        let Folder { written, already_there, .. } = folder;
        let missing = all.saturating_sub(written + already_there);
        let answer = json!({
            "written": written, "already_there": already_there, "missing": missing, "folder": self.out,
        });
        let text =
            format!("{written} written to {}, {already_there} already there, {missing} missing", self.out.display());
        output.say(&answer, text)?;
        Ok(if missing == 0 { Exit::Done } else { Exit::Found })
    }

    /// What there is to fetch, by series: the archive tells of each level below the other.
    async fn wanted(&self, peering: &Peering) -> anyhow::Result<BTreeMap<String, Series>> {
        let mut all_series = Vec::new();
        match &self.series {
            Some(series) => all_series.push(series.to_string()),
            None => {
                let mut asked = identifier(Level::Series);
                asked.put_text(Level::Study.unique_key(), VR::UI, self.study.as_str());
                asked.put(Level::Series.unique_key(), VR::UI, Value::Empty);
                query(peering, QueryOptions::default(), &asked, |found| {
                    all_series.extend(found.text(Level::Series.unique_key()).map(str::to_owned));
                    true
                })
                .await?;
            }
        }
        let mut wanted = BTreeMap::new();
        for series in all_series {
            let classes = self.instances(peering, &series).await?;
            if !classes.is_empty() {
                wanted.insert(series, classes);
            }
        }
        Ok(wanted)
    }

    async fn instances(&self, peering: &Peering, series: &str) -> anyhow::Result<Series> {
        let mut asked = identifier(Level::Instance);
        asked.put_text(Level::Study.unique_key(), VR::UI, self.study.as_str());
        asked.put_text(Level::Series.unique_key(), VR::UI, series);
        asked.put(SOP_CLASS_UID, VR::UI, Value::Empty);
        let instance = self.instance.as_ref().map_or("", SopInstanceUid::as_str);
        asked.put_text(Level::Instance.unique_key(), VR::UI, instance);
        let mut classes = Series::new();
        query(peering, QueryOptions::default(), &asked, |found| {
            let class = found.text(SOP_CLASS_UID).and_then(|class| Uid::parse(class).ok());
            if let (Some(class), Some(instance)) = (class, found.text(Level::Instance.unique_key())) {
                classes.entry(class).or_default().push(instance.to_owned());
            }
            true
        })
        .await?;
        Ok(classes)
    }

    /// One C-GET a series; several where its classes need more contexts than there are. Says
    /// how many objects the archive could not send.
    async fn fetch_series(
        &self,
        peering: &Peering,
        series: &str,
        classes: &Series,
        folder: &mut Folder<'_>,
    ) -> anyhow::Result<u32> {
        let mut failed = 0;
        let syntaxes: Vec<Uid> = TRANSFER_SYNTAXES.iter().map(|uid| Uid::parse(uid)).collect::<Result<_, _>>()?;
        let whole = self.instance.is_none() && classes.len() <= CLASSES;
        let all: Vec<_> = classes.iter().collect();
        for some in all.chunks(CLASSES) {
            let kinds: BTreeSet<(Uid, Uid)> = some
                .iter()
                .flat_map(|(class, _)| syntaxes.iter().map(|syntax| ((*class).clone(), syntax.clone())))
                .collect();
            let mut asked = identifier(if whole { Level::Series } else { Level::Instance });
            asked.put_text(Level::Study.unique_key(), VR::UI, self.study.as_str());
            asked.put_text(Level::Series.unique_key(), VR::UI, series);
            if !whole {
                put_list(&mut asked, some.iter().flat_map(|(_, instances)| instances.iter().cloned()).collect());
            }
            failed += fetch(peering, &asked, &kinds, folder).await?;
        }
        Ok(failed)
    }
}

fn put_list(identifier: &mut DataSet, instances: Vec<String>) {
    identifier.put(Level::Instance.unique_key(), VR::UI, Value::Text(instances));
}

/// Where the objects go. A file has its name only when it is whole.
struct Folder<'a> {
    path: &'a Path,
    progress: Progress,
    all: u64,
    written: usize,
    already_there: usize,
    current: Option<Current>,
}

struct Current {
    file: BufWriter<File>,
    partial: PathBuf,
    whole: PathBuf,
}

impl<'a> Folder<'a> {
    fn new(path: &'a Path, progress: Progress, all: u64) -> Folder<'a> {
        progress.at(0, all);
        Folder { path, progress, all, written: 0, already_there: 0, current: None }
    }
}

impl Sink for Folder<'_> {
    fn begin(&mut self, class: &SopClassUid, instance: &SopInstanceUid, syntax: &TransferSyntax) -> io::Result<()> {
        // The UID was parsed: digits and dots, no path.
        let whole = self.path.join(format!("{instance}.dcm"));
        if whole.symlink_metadata().is_ok() {
            self.already_there += 1;
            return Ok(());
        }
        let partial = self.path.join(format!(".{instance}.part"));
        let _ = fs::remove_file(&partial);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        let mut file = BufWriter::with_capacity(256 << 10, file);
        file.write_all(&write_file_meta(class, instance, syntax))?;
        self.current = Some(Current { file, partial, whole });
        Ok(())
    }

    fn chunk(&mut self, bytes: &Bytes) -> io::Result<()> {
        self.current.as_mut().map_or(Ok(()), |current| current.file.write_all(bytes))
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(Current { mut file, partial, whole }) = self.current.take() {
            file.flush()?;
            // A link, unlike a rename, does not replace what came to be there meanwhile.
            let linked = fs::hard_link(&partial, whole);
            fs::remove_file(partial)?;
            linked?;
            self.written += 1;
        }
        self.progress.at((self.written + self.already_there) as u64, self.all);
        Ok(())
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        if let Some(current) = self.current.take() {
            let _ = fs::remove_file(current.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transfer_syntax_is_asked_for_once_and_a_class_fits_an_association() {
        let all: BTreeSet<&str> = TRANSFER_SYNTAXES.into_iter().collect();
        assert_eq!(all.len(), TRANSFER_SYNTAXES.len());
        const { assert!(CLASSES >= 1) };
        for known in
            ["1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.112", "1.2.840.10008.1.2.4.106", "1.2.840.10008.1.2.4.108"]
        {
            assert!(all.contains(known), "{known}");
        }
        for syntax in TRANSFER_SYNTAXES {
            assert!(crate::scp::is_storable(&Uid::parse(syntax).unwrap()), "{syntax}");
        }
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (class, syntax) = (SopClassUid::parse("1.2.3").unwrap(), TransferSyntax::explicit_little_endian());
        let instance = SopInstanceUid::parse("1.2.3.4").unwrap();
        let path = dir.path().join("1.2.3.4.dcm");
        fs::write(&path, "mine").unwrap();
        let mut folder = Folder::new(dir.path(), Progress::of_records(&Output::new(true), ""), 2);
        folder.begin(&class, &instance, &syntax).unwrap();
        folder.chunk(&Bytes::from_static(b"other")).unwrap();
        folder.end().unwrap();
        assert_eq!((folder.written, folder.already_there), (0, 1));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
        folder.begin(&class, &instance, &syntax).unwrap();
        folder.chunk(&Bytes::from_static(b"other")).unwrap();
        folder.end().unwrap();
        assert!(fs::read(&path).unwrap().ends_with(b"other"));
        folder.begin(&class, &SopInstanceUid::parse("1.2.3.5").unwrap(), &syntax).unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

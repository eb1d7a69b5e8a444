//! Which SOP Instance UIDs the archive has already: one search a series, remembered for a
//! while. It tells "already there" from "stored" in the report and decides nothing: the
//! archive looks at the bytes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use leadglass_dicom::SeriesInstanceUid;
use leadglass_dicom::scan::Identity;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::cli::connection::Api;

/// Series remembered. Files of a series mostly lie together.
const SERIES: usize = 512;
/// Instances asked for at once.
const PAGE: usize = 1000;

/// SOP Instance UIDs of one series.
type Instances = Mutex<HashSet<String>>;

/// The SOP Instance UIDs that the archive has, series by series.
pub struct Known {
    api: Arc<Api>,
    series: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    by_uid: HashMap<SeriesInstanceUid, Arc<OnceCell<Instances>>>,
    oldest_first: VecDeque<SeriesInstanceUid>,
}

impl Known {
    /// Nothing is known yet.
    pub fn new(api: Arc<Api>) -> Known {
        Known { api, series: Mutex::default() }
    }

    /// Whether the archive has that SOP Instance UID in that series.
    pub async fn has(&self, identity: &Identity) -> anyhow::Result<bool> {
        let cell = self.cell(identity);
        let instances = cell.get_or_try_init(|| self.ask(identity)).await?;
        Ok(instances.lock().contains(identity.sop_instance.as_str()))
    }

    /// Remembers that it has it now.
    pub fn add(&self, identity: &Identity) {
        if let Some(instances) = self.cell(identity).get() {
            instances.lock().insert(identity.sop_instance.to_string());
        }
    }

    fn cell(&self, identity: &Identity) -> Arc<OnceCell<Instances>> {
        let mut series = self.series.lock();
        if let Some(cell) = series.by_uid.get(&identity.series) {
            return cell.clone();
        }
        if series.oldest_first.len() == SERIES
            && let Some(oldest) = series.oldest_first.pop_front()
        {
            series.by_uid.remove(&oldest);
        }
        let cell = Arc::<OnceCell<Instances>>::default();
        series.oldest_first.push_back(identity.series.clone());
        series.by_uid.insert(identity.series.clone(), cell.clone());
        cell
    }

    async fn ask(&self, identity: &Identity) -> anyhow::Result<Instances> {
        let (study, series) = (&identity.study, &identity.series);
        let mut instances = HashSet::new();
        loop {
            let offset = instances.len();
            let path = format!(
                "/dicom-web/studies/{study}/series/{series}/instances?includefield=00080018&limit={PAGE}&offset={offset}"
            );
            let rows = self.api.get(&path).await?;
            let before = instances.len();
            let uids = rows.as_array().into_iter().flatten().filter_map(|row| row["00080018"]["Value"][0].as_str());
            instances.extend(uids.map(str::to_owned));
            if instances.len() - before < PAGE {
                return Ok(Mutex::new(instances));
            }
        }
    }
}

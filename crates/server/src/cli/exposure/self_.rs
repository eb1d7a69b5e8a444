//! `leadglass exposure self`: this host's running archive, as a stranger sees it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use leadglass_dicom::AeTitle;
use leadglass_dicom::clock::{Clock, SystemClock};
use leadglass_exposure::report::verdict::Verdict;
use leadglass_exposure::run::seconds;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::terms::Judging;
use super::{Blame, Failure};
use crate::cli::output::Output;
use crate::cli::whereabouts::{Serving, Whereabouts};
use crate::gate::{Look, judge};
use crate::tls::verify::fingerprint;

/// Look at this host's running archive as a stranger would.
#[derive(clap::Args, Debug)]
pub struct SelfAudit {
    #[command(flatten)]
    archive: Whereabouts,
    /// The folder for report and log, a new one; `self-audit-` and the second unless named.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    judging: Judging,
}

impl SelfAudit {
    /// Runs it.
    pub async fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let judging = self.judging.read()?;
        let dir = self.archive.load().usage()?.data.dir;
        let serving = Serving::read(&dir).context("nothing to look at: start `leadglass serve`").usage()?;
        let authority = CertificateDer::from_pem_file(dir.join("ca.pem")).context("the archive's ca.pem").usage()?;
        let named = || PathBuf::from(format!("self-audit-{}", seconds(SystemClock.now())));
        let out = self.out.clone().unwrap_or_else(named);
        let look = Look {
            dicom: serving.dicom,
            https: serving.https,
            legacy: serving.legacy,
            ae_title: AeTitle::parse(&serving.ae_title).context("the title in serving.json")?,
            authority_sha256: fingerprint(&authority),
            folder: out.clone(),
        };
        let report = look.look(Arc::new(SystemClock)).await?;
        if let Some(legacy) = serving.legacy {
            eprintln!(
                "leadglass: declared: legacy peers are listened to at {legacy}, in clear text and unauthenticated"
            );
        }
        let verdict = judging.conclude(&report, &out, output)?;
        match judge(&report, serving.dicom, serving.https, serving.legacy) {
            Ok(()) => Ok(verdict),
            Err(shut) => {
                eprintln!("leadglass: {shut}");
                Ok(verdict.max(Verdict::Findings))
            }
        }
    }
}

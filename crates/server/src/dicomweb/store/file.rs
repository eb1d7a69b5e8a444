//! A Part 10 file on its way into the archive: the wrapper is read and dropped, the data set
//! goes on as it comes.

use leadglass_dicom::part10::{FileMeta, Part10Reader};

use super::arrival::Arrival;
use super::instances::Instances;
use super::outcome::{Failure, FailureReason};
use crate::web::Problem;

/// Reads one file.
pub struct FileReader {
    state: State,
}

enum State {
    /// Before the data set.
    Front(Part10Reader),
    /// In the data set.
    DataSet(Box<Arrival>, Names),
    /// Refused; the rest of the file is not looked at.
    Failed(Failure),
}

/// What the file meta information says the instance is: good enough for a failure's entry.
pub struct Names {
    sop_class: Option<String>,
    sop_instance: Option<String>,
}

impl FileReader {
    /// At the first byte of a file whose meta information takes at most so many bytes.
    pub fn new(most_meta: usize) -> FileReader {
        FileReader { state: State::Front(Part10Reader::of_at_most(most_meta)) }
    }

    /// Takes the next bytes of the file.
    pub async fn push(&mut self, chunk: &[u8], instances: &mut Instances) -> Result<(), Problem> {
        match &mut self.state {
            State::Failed(_) => Ok(()),
            State::Front(reader) => match reader.push(chunk) {
                Ok(None) => Ok(()),
                Ok(Some((meta, data))) => self.open(meta, &data, instances).await,
                Err(_) => self.fail(Failure::of_unknown(FailureReason::CannotUnderstand)),
            },
            State::DataSet(ingest, names) => match ingest.push(chunk).await {
                Ok(()) => Ok(()),
                Err(refused) => {
                    let failure = names.failure((&refused).into());
                    self.fail(failure)
                }
            },
        }
    }

    /// The file has ended.
    pub async fn finish(mut self, instances: &mut Instances) -> Result<(), Problem> {
        if let State::Front(reader) = self.state {
            self.state = State::Failed(Failure::of_unknown(FailureReason::CannotUnderstand));
            if let Ok((meta, data)) = reader.finish() {
                self.open(meta, &data, instances).await?;
            }
        }
        match self.state {
            State::DataSet(ingest, names) => {
                instances.finish(*ingest, names.failure(FailureReason::ProcessingFailure)).await
            }
            State::Failed(failure) => {
                instances.failed(failure);
                Ok(())
            }
            State::Front(_) => Ok(()),
        }
    }

    async fn open(&mut self, meta: FileMeta, data: &[u8], instances: &mut Instances) -> Result<(), Problem> {
        let names = Names {
            sop_class: meta.sop_class.map(|uid| uid.to_string()),
            sop_instance: meta.sop_instance.map(|uid| uid.to_string()),
        };
        match instances.open(meta.transfer_syntax).await? {
            Err(reason) => self.fail(names.failure(reason)),
            Ok(mut ingest) => match ingest.push(data).await {
                Ok(()) => {
                    self.state = State::DataSet(Box::new(ingest), names);
                    Ok(())
                }
                Err(refused) => self.fail(names.failure((&refused).into())),
            },
        }
    }

    fn fail(&mut self, failure: Failure) -> Result<(), Problem> {
        self.state = State::Failed(failure);
        Ok(())
    }
}

impl Names {
    fn failure(&self, reason: FailureReason) -> Failure {
        Failure { reason, sop_class: self.sop_class.clone(), sop_instance: self.sop_instance.clone() }
    }
}

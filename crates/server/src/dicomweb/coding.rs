//! JSON answers in the content coding the client likes best.

use async_compression::Level;
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;

use super::accept::Coding;
use crate::web::Problem;

/// Answers smaller than this are not worth a coding.
const WORTH_CODING_BYTES: usize = 1024;

/// The coding that pays for an answer of so many bytes.
pub fn worthwhile(wanted: Coding, bytes: usize) -> Coding {
    if bytes < WORTH_CODING_BYTES { Coding::Identity } else { wanted }
}

/// The pieces, coded as one. Works on a thread for work, so that connections go on.
pub async fn encode(pieces: Vec<Bytes>, coding: Coding) -> Result<Bytes, Problem> {
    let work = move || futures::executor::block_on(encode_here(pieces, coding));
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.map_err(Problem::internal)
}

async fn encode_here(pieces: Vec<Bytes>, coding: Coding) -> std::io::Result<Bytes> {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    match coding {
        Coding::Identity => Ok(pieces.concat().into()),
        Coding::Gzip => {
            let mut encoder = GzipEncoder::with_quality(Vec::with_capacity(length / 8), Level::Fastest);
            for piece in pieces {
                encoder.write_all(&piece).await?;
            }
            encoder.shutdown().await?;
            Ok(encoder.into_inner().into())
        }
        Coding::Zstd => {
            let mut encoder = ZstdEncoder::with_quality(Vec::with_capacity(length / 8), Level::Fastest);
            for piece in pieces {
                encoder.write_all(&piece).await?;
            }
            encoder.shutdown().await?;
            Ok(encoder.into_inner().into())
        }
    }
}

//! Why the index does not answer.

/// Why the index does not answer. No variant repeats a value.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file is not an index under this key, or was damaged: delete it, it is rebuilt from the log.
    #[error("the index cannot be read with this key; delete it and it is rebuilt from the log")]
    Unreadable,
    /// The file was written by another version: delete it, it is rebuilt from the log.
    #[error("the index has schema {found}, this version reads {expected}; delete it and it is rebuilt from the log")]
    OtherSchema {
        /// In the file.
        found: i64,
        /// Of this version.
        expected: i64,
    },
    /// The question is longer than the limits allow.
    #[error("the request has too many values: at most {most}")]
    TooManyValues {
        /// The limit.
        most: usize,
    },
    /// A value in the index is not what was written: delete it, it is rebuilt from the log.
    #[error("the index is damaged ({0}); delete it and it is rebuilt from the log")]
    Damaged(&'static str),
    /// The work a single search may cost was used up.
    #[error("the search is too broad")]
    TooBroad,
    /// The disk is full; nothing of the batch is there, and it can be applied again.
    #[error("the disk is full")]
    NoRoom,
    /// What is durable could not be applied: an answer would lack it.
    #[error("the index lacks the latest records; see why nothing is stored at present")]
    Behind,
    /// SQLite or the disk says no. SQLite's text names columns, never values.
    #[error("index: {0}")]
    Engine(String),
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> IndexError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => IndexError::Unreadable,
            Some(rusqlite::ErrorCode::OperationInterrupted) => IndexError::TooBroad,
            Some(rusqlite::ErrorCode::DiskFull) => IndexError::NoRoom,
            _ => IndexError::Engine(error.to_string()),
        }
    }
}

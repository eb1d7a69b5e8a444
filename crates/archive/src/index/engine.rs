//! The database engine: how connections are opened, and the pool that readers come from.
//!
//! Together with the DDL in `migrations/` this is all that is SQLite's own.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Rows, Statement};
use zeroize::Zeroizing;

use super::IndexError;
use super::progress::Progress;

/// The schema this version reads and writes.
const SCHEMA: i64 = 4;
const FIRST: &str = include_str!("migrations/0001_first.sql");
/// The longest a search may take.
const SEARCH: Duration = Duration::from_secs(30);
/// Steps of SQLite's machine between two looks at the clock: a few milliseconds.
const STEPS: i32 = 100_000;
/// Page cache of a reader and of the writer, in KiB. A search that looks at a thousand studies, all
/// there are for somebody, reads several thousand pages that lie apart: with less room each
/// page is read, checked and deciphered again for every search.
const READER_CACHE_KIB: i64 = 8 * 1024;
const SEARCH_CACHE_KIB: i64 = 32 * 1024;
const WRITER_CACHE_KIB: i64 = 64 * 1024;
/// Prepared statements kept by a connection.
const STATEMENTS: usize = 128;

/// What all clones of an index share.
pub(super) struct Engine {
    path: PathBuf,
    key: Zeroizing<[u8; 32]>,
    lanes: [Pool; 3],
    /// How far the log has been applied.
    pub(super) progress: Progress,
}

/// Whose readers: each kind has its own, so that slow searches keep nobody else from reading.
#[derive(Clone, Copy)]
pub(super) enum Lane {
    /// The committer's, and whoever must not wait for callers.
    Ours,
    /// What is named is looked up.
    LookUp,
    /// Searches, which end after a time.
    Search,
}

/// Connections of one lane.
struct Pool {
    idle: Mutex<Idle>,
    returned: Condvar,
    /// At one time; further readers wait.
    most: usize,
    /// Page cache of each, in KiB.
    cache_kib: i64,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    open: usize,
}

impl Pool {
    fn of(most: usize, cache_kib: i64) -> Pool {
        Pool { idle: Mutex::default(), returned: Condvar::new(), most, cache_kib }
    }
}

impl Engine {
    /// Opens or makes the file; returns the writer's connection beside.
    pub(super) fn open(path: &Path, key: &Zeroizing<[u8; 32]>) -> Result<(Engine, Connection), IndexError> {
        let mut writer = connect(path, key, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        writer.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        migrate(&mut writer)?;
        let applied = meta(&writer, "applied")?;
        let engine = Engine {
            path: path.to_owned(),
            key: key.clone(),
            lanes: [Pool::of(2, READER_CACHE_KIB), Pool::of(8, READER_CACHE_KIB), Pool::of(8, SEARCH_CACHE_KIB)],
            progress: Progress::from(unsigned(applied)),
        };
        Ok((engine, writer))
    }

    /// Reads on a connection of the pool, all within one view of the data.
    pub(super) fn read<T>(
        &self,
        lane: Lane,
        read: impl FnOnce(&Connection) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let pool = &self.lanes[lane as usize];
        let mut lent = Lent { connection: Some(self.lend(pool)?), pool };
        let Some(connection) = lent.connection.as_mut() else { return Err(IndexError::Damaged("no connection")) };
        if let Lane::Search = lane {
            let until = Instant::now() + SEARCH;
            connection.progress_handler(STEPS, Some(move || Instant::now() > until))?;
        }
        let transaction = connection.unchecked_transaction()?;
        let answer = read(&transaction)?;
        transaction.finish()?;
        Ok(answer)
    }

    /// Where the log has been applied to.
    pub(super) fn applied(&self) -> u64 {
        self.progress.applied()
    }

    fn lend(&self, pool: &Pool) -> Result<Connection, IndexError> {
        let mut idle = pool.idle.lock();
        loop {
            if let Some(connection) = idle.connections.pop() {
                return Ok(connection);
            }
            if idle.open < pool.most {
                idle.open += 1;
                break;
            }
            pool.returned.wait(&mut idle);
        }
        drop(idle);
        self.reader(pool.cache_kib).inspect_err(|_| {
            pool.idle.lock().open -= 1;
            pool.returned.notify_one();
        })
    }

    fn reader(&self, cache_kib: i64) -> Result<Connection, IndexError> {
        let connection = connect(&self.path, &self.key, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "cache_size", -cache_kib)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// A connection on loan; it goes back when this is dropped, a panic included.
struct Lent<'a> {
    connection: Option<Connection>,
    pool: &'a Pool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.idle.lock().connections.push(connection);
            self.pool.returned.notify_one();
        }
    }
}

fn connect(path: &Path, key: &[u8; 32], flags: OpenFlags) -> Result<Connection, IndexError> {
    // SQLCipher's OpenSSL cleans up when the process exits, under threads that still read: a
    // crash. Initialized here first, it registers no such clean-up.
    openssl_sys::init();
    // SQLite calls itself initialized before SQLCipher is: whoever opens at that very moment, in
    // another thread, finds no cipher. So one opens first, and the others wait.
    static FIRST_OF_ALL: Once = Once::new();
    FIRST_OF_ALL.call_once(|| drop(Connection::open_in_memory()));
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // A raw key, written as SQLCipher wants it: no derivation, no text from outside.
    let key = Zeroizing::new(format!("x'{}'", hex::encode(key)));
    connection.pragma_update(None, "key", key.as_str())?;
    // Half the cost of a page by the default, SHA-512.
    connection.pragma_update(None, "cipher_hmac_algorithm", "HMAC_SHA256")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // LIKE as the standard has it: case-sensitive.
    connection.pragma_update(None, "case_sensitive_like", true)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The first page is read here, so that a wrong key shows now.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn migrate(writer: &mut Connection) -> Result<(), IndexError> {
    let fresh: i64 = writer.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if fresh == 0 {
        let transaction = writer.transaction()?;
        transaction.execute_batch(FIRST)?;
        transaction.execute("INSERT INTO meta (name, value) VALUES ('schema', $1), ('applied', 0)", [SCHEMA])?;
        transaction.commit()?;
    }
    match meta(writer, "schema")? {
        SCHEMA => Ok(()),
        found => Err(IndexError::OtherSchema { found, expected: SCHEMA }),
    }
}

fn meta(connection: &Connection, name: &str) -> Result<i64, IndexError> {
    Ok(connection.query_row("SELECT value FROM meta WHERE name = $1", [name], |row| row.get(0))?)
}

/// A statement under construction: its text and the values of `$1..$n`. Text comes from this
/// program alone; values only ever become parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Sql {
    /// The values.
    pub(super) values: Vec<Value>,
}

impl Sql {
    /// Takes a value; returns the parameter that stands for it.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// `($1, $2, …)` of texts.
    pub(super) fn list<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> String {
        let list: Vec<String> = texts.into_iter().map(|text| self.bind(text.to_owned())).collect();
        format!("({})", list.join(", "))
    }
}

/// Runs a statement; `$n` takes the n-th value, wherever it stands in the text.
pub(super) fn query<'s>(statement: &'s mut Statement<'_>, values: &[Value]) -> Result<Rows<'s>, IndexError> {
    for (n, value) in values.iter().enumerate() {
        if let Some(place) = statement.parameter_index(&format!("${}", n + 1))? {
            statement.raw_bind_parameter(place, value)?;
        }
    }
    Ok(statement.raw_query())
}

/// A count or position as the engine holds it. What exceeds 63 bits does not occur.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count or position as we hold it.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

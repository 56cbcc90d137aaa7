//! All SQL lives here, a file per group of tables. Nothing in here knows about HTTP.
//!
//! Reads go through pooled connections that cannot write; writes go through the one
//! writer thread. A function that reads takes [`Db`], one that writes takes [`Tx`],
//! which is also a [`Db`].

mod alarm;
mod boot;
mod file;
mod filters;
mod freelist;
pub mod ids;
mod ledger_writer;
mod migrations;
mod open_guard;
mod pragmas;
mod priority;
mod read_only;
mod reserve;
mod row;
mod rows;
mod savepoints;
mod scrub;
mod sealing;
mod value;
mod verify;
mod wal_file;
mod wal_pairing;
mod wal_watch;
mod writer;

pub mod admins;
pub mod aliases;
pub mod audit;
pub mod backup;
pub mod data_inventory;
pub mod deleted_projects;
pub mod erased_identifiers;
pub mod events;
pub mod export;
pub mod export_links;
pub mod figures;
pub mod file_kind;
pub mod fragment;
pub mod fragments;
pub mod history;
pub mod holds;
pub mod imports;
pub mod interactions;
pub mod jobs;
pub mod keys;
pub mod kinds;
pub mod layout;
pub mod maintenance;
mod marks;
pub mod mentions;
pub mod message_keys;
pub mod messages;
pub mod name_changes;
pub mod old_secrets;
mod open_read_only;
pub mod overview;
pub mod pages;
pub mod projects;
pub mod recordings;
pub mod regulations;
pub mod repairs;
pub mod salts;
pub mod search;
pub mod search_scope;
pub mod second_factors;
pub mod seen;
pub mod sequences;
pub mod sessions;
pub mod sign_ins;
pub mod sign_of_life;
pub mod suppressions;
pub mod users;
pub mod waiting;

use std::cell::Cell;
use std::ops::{ControlFlow, Deref};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Connection, ErrorCode, params_from_iter};
use tokio::sync::oneshot;

use crate::clock::{Clock, Millis, Reading};
use crate::error::{Error, Result};
use crate::ledger::{Act, Entry, MacKey, Names, Position, mac};
use crate::trace::Who;
use crate::worker_signal::WorkerSignal;
use alarm::Alarm;
pub use file::Pages;
pub use ledger_writer::Beside;
use ledger_writer::LedgerWriter;
pub use ledger_writer::position as ledger_position;
use marks::Marks;
use message_keys::MessageKeys;
use name_changes::NameChanges;
pub use priority::{Background, BackgroundTx, Erasing, ErasingTx, Normal, NormalTx, Priority, TxOf};
pub use read_only::Access;
use reserve::DiskReserve;
use row::Row;
use savepoints::{Opening, Savepoints};
use scrub::Scrub;
pub use scrub::{Emptied, Totals};
pub use sealing::Purpose;
use value::Value;
pub use verify::{Scope, Stamp, Verdict, is_own, search_all, used_leaves};
use wal_watch::WalWatch;
use writer::Writer;

/// Connections for long reads: so many scans run at a time, the next is told to wait.
pub const SCANS: u32 = 4;
/// A scan is interrupted after this long.
const SCAN_TIME: Duration = Duration::from_secs(5);
/// A short read that is none is interrupted, too: while it lasts, the WAL only grows.
const READ_TIME: Duration = Duration::from_secs(30);
/// A short read waits as long for a connection.
const TURN: Duration = Duration::from_secs(5);
/// A start waits as long for all of them: the machine may be busy with starting.
const OPEN_TIME: Duration = Duration::from_secs(30);
/// Steps of SQLite between two looks at the time.
const STEPS: i32 = 1_000;

/// The database: pools of readers and the one writer.
pub struct Store {
    points: Pool<SqliteConnectionManager>,
    scans: Pool<SqliteConnectionManager>,
    /// None: nothing is written.
    writer: Option<Writer>,
    /// The file itself. Closed last: closing it drops the locks that SQLite holds on it.
    file: Pages,
    path: PathBuf,
    wal: PathBuf,
    folder: PathBuf,
    /// Told how far the ledger is on disk.
    growth: Growth,
    secret: [u8; 32],
    /// Every page was looked at since the start.
    scanned: AtomicBool,
    reserve: Arc<DiskReserve>,
    watch: Arc<WalWatch>,
    alarm: Arc<Alarm>,
    name_changes: Arc<NameChanges>,
}

/// Who hears that the ledger has grown.
#[derive(Clone, Default)]
struct Growth(Arc<RwLock<Vec<Hearer>>>);

type Hearer = Box<dyn Fn(&Position) + Send + Sync>;

impl Growth {
    fn add(&self, hearer: Hearer) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(hearer);
    }

    fn tell(&self, position: &Position) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|hearer| hearer(position));
    }
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// What digests of identifiers are keyed with.
    pub secret: [u8; 32],
    pub clock: Clock,
    pub worker_signal: Arc<WorkerSignal>,
    /// Point reads that may run at a time.
    pub points: u32,
    pub scrub_mode: ScrubMode,
    /// Bytes of room that are kept for erasing.
    pub reserve: u64,
    /// Bytes of WAL that a reader may hold up before only erasing writes.
    pub wal_limit: u64,
    pub loss: Loss,
}

/// The largest WAL, unless it is said otherwise.
pub const WAL_LIMIT: u64 = 4 * 1024 * 1024 * 1024;

/// What becomes of a database that has lost what was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Refuse,
    /// The operator knows, and goes on without it.
    Accept,
}

/// What keeps the file free of stale bytes. Each part can be left out by the tests that
/// must then find some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrubMode {
    Whole,
    NoScrub,
    NoScrubNorSecureDelete,
}

/// A connection to read with.
pub struct Db<'a> {
    conn: &'a Connection,
}

/// The open write transaction. It has one time, and hands out the ids.
pub struct Tx<'a> {
    db: Db<'a>,
    time: Reading,
    who: Who,
    /// People that were registered in it.
    registrations: Cell<u32>,
    /// How many people may be registered, and in how many seconds again. None: any number.
    room: Cell<Option<(u32, u64)>>,
    savepoints: Savepoints,
    resources: &'a WriterContext,
}

/// What the writer lends to every transaction.
pub struct WriterContext {
    ids: ids::Ids,
    secret: [u8; 32],
    message_keys: MessageKeys,
    worker_signal: Arc<WorkerSignal>,
    ledger_writer: LedgerWriter,
    marks: Marks,
    name_changes: Arc<NameChanges>,
}

/// What runs beside the connections.
struct Running {
    writer: Option<Writer>,
    name_changes: Arc<NameChanges>,
    growth: Growth,
    reserve: Arc<DiskReserve>,
    watch: Arc<WalWatch>,
    alarm: Arc<Alarm>,
}

impl Running {
    /// Where nothing is written.
    fn read_only(path: &Path, options: &Options) -> Running {
        Running {
            writer: None,
            name_changes: Arc::default(),
            growth: Growth::default(),
            reserve: Arc::new(DiskReserve::of(path.parent().unwrap_or(Path::new(".")), 0)),
            watch: Arc::new(WalWatch::new(path, options.wal_limit)),
            alarm: Arc::default(),
        }
    }
}

impl Store {
    /// Opens (or makes) the database at `path` and brings it to this version's schema.
    /// Another program's file, a newer schema than this program knows, or SQLite built with
    /// unfit options, is [`Error::Unavailable`], and nothing is changed.
    ///
    /// The entries are those of the ledger beside it that the database has not seen: they
    /// are to be replayed, and [`Tx::caught_up`] to be called, before anybody is served.
    pub fn open(path: &Path, options: Options) -> Result<(Store, Vec<Entry>)> {
        Store::open_beside(path, options, Beside::Its, &|_| Ok(()))
    }

    /// The same, with the word which ledger it is to be opened with. Before a schema that is older
    /// is changed, `before` is called with its number; where that fails, nothing is changed.
    pub fn open_beside(
        path: &Path,
        options: Options,
        beside: Beside,
        before: &dyn Fn(usize) -> Result<()>,
    ) -> Result<(Store, Vec<Entry>)> {
        pragmas::check_build()?;
        let reserve = Arc::new(DiskReserve::of(path.parent().unwrap_or(Path::new(".")), options.reserve));
        let opened = match Store::open_with(path, options.clone(), &reserve, beside, before) {
            // Not even the index of the WAL has room, and SQLite calls that an I/O error.
            Err(_) if reserve.give_up_if_full() => Store::open_with(path, options, &reserve, beside, before),
            outcome => outcome,
        }?;
        reserve.take()?;
        Ok(opened)
    }

    fn open_with(
        path: &Path,
        options: Options,
        reserve: &Arc<DiskReserve>,
        beside: Beside,
        before: &dyn Fn(usize) -> Result<()>,
    ) -> Result<(Store, Vec<Entry>)> {
        let Options { secret, clock, worker_signal, scrub_mode, wal_limit, loss, .. } = options.clone();
        let schema =
            open_guard::check(path, migrations::NEWEST, loss, Access::Usual).map_err(with_way_out)?;
        if schema > 0 && schema < migrations::NEWEST {
            before(schema)?;
        }
        let (conn, ids, scrub) = open_writer(path, scrub_mode, loss, reserve).map_err(with_way_out)?;
        boot::note(path);
        let growth = Growth::default();
        let ledger = ledger_of(path);
        // The first write to the WAL, which has to be marked as every other.
        let (ledger_writer, unseen) = scrub.transaction(&conn, || {
            LedgerWriter::open(&conn, &ledger, &secret, clock.now(), growth.clone(), beside)
        })?;
        let marks = scrub.transaction(&conn, || Marks::open(&conn, path))?;
        let had_old = "SELECT EXISTS (SELECT 1 FROM upkeep WHERE task = ?1)";
        let had_old =
            conn.query_row(had_old, [maintenance::MESSAGE_KEYS], |row| row.get(0)).map_err(from_sql)?;
        let (watch, alarm) = (Arc::new(WalWatch::new(path, wal_limit)), Arc::<Alarm>::default());
        let name_changes = Arc::<NameChanges>::default();
        let writer = Writer::start(
            conn,
            WriterContext {
                ids,
                secret,
                message_keys: MessageKeys::new(&secret, had_old),
                worker_signal,
                ledger_writer,
                marks,
                name_changes: Arc::clone(&name_changes),
            },
            clock,
            scrub,
            Arc::clone(reserve),
            Arc::clone(&watch),
            Arc::clone(&alarm),
        )?;
        let reserve = Arc::clone(reserve);
        let running = Running { writer: Some(writer), name_changes, growth, reserve, watch, alarm };
        Ok((Store::assembled(path, &options, running, Access::Usual)?, unseen))
    }

    fn assembled(path: &Path, options: &Options, running: Running, access: Access) -> Result<Store> {
        let Running { writer, name_changes, growth, reserve, watch, alarm } = running;
        Ok(Store {
            points: pool(path, options.points, access)?,
            scans: pool(path, SCANS, access)?,
            writer,
            file: Pages::open(path)?,
            path: path.to_owned(),
            wal: wal_of(path),
            growth,
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            secret: options.secret,
            scanned: AtomicBool::new(false),
            reserve,
            watch,
            alarm,
            name_changes,
        })
    }

    /// Whether nothing is written: see [`Store::open_read_only`].
    pub fn is_read_only(&self) -> bool {
        self.writer.is_none()
    }

    /// [`Error::ReadOnly`] where nothing is written.
    fn writer(&self) -> Result<&Writer> {
        self.writer.as_ref().ok_or(Error::ReadOnly)
    }

    /// A short read, on the caller's thread. All its queries see one state of the file.
    pub fn read<T>(&self, run: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        let conn = self.points.get_timeout(TURN).map_err(|_| Error::Unavailable("all readers are busy"))?;
        self.alarm.heed(for_some_time(&conn, READ_TIME, || snapshot(&conn, run)))
    }

    /// A read that may be long: interrupted after some seconds. [`Error::Unavailable`]
    /// when too many run already. It blocks; not for an async thread.
    pub fn scan<T>(&self, run: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        let conn = self.scans.try_get().ok_or(Error::Unavailable("too many long reads are running"))?;
        self.alarm.heed(for_some_time(&conn, SCAN_TIME, || snapshot(&conn, run)))
    }

    /// What is to be said of a WAL that a reader holds up. None: nothing.
    pub fn held_wal(&self) -> Option<String> {
        self.watch.note()
    }

    /// Queues a write; see `writer.rs`. `clock` stamps its transaction.
    pub fn submit<P, T, F>(&self, clock: Clock, who: Who, mut run: F) -> Result<oneshot::Receiver<Result<T>>>
    where
        P: Priority,
        T: Send + 'static,
        F: FnMut(&TxOf<P>) -> Result<T> + Send + 'static,
    {
        self.writer()?.submit(P::PRIORITY, clock, who, move |tx| run(&TxOf::of(tx)))
    }

    /// Scrubs some of the pages that were written, behind the requests. Returns how many
    /// wait still. It blocks, as the next ones do.
    pub fn scrub(&self) -> Result<usize> {
        self.writer()?.maintain(|conn, scrub| scrub.chunk(conn).map(|()| scrub.waiting()))
    }

    /// The disk is full: gives the reserve up, so that erasing goes on.
    pub fn make_room(&self) {
        self.reserve.give_up();
    }

    /// Takes the WAL into the file and empties it.
    pub fn empty_wal(&self) -> Result<Emptied> {
        self.writer()?.maintain(|conn, scrub| scrub.empty(conn))
    }

    /// What was scrubbed and folded in since the start.
    pub fn totals(&self) -> Result<Totals> {
        self.writer()?.maintain(|_, scrub| Ok(scrub.totals()))
    }

    /// These pages are to be scrubbed.
    pub fn mark_dirty(&self, pages: Vec<u32>) -> Result<()> {
        self.writer()?.maintain(move |_, scrub| {
            scrub.mark_dirty(pages);
            Ok(())
        })
    }

    /// Zeroes some leaves of the freelist; see [`freelist::blank`].
    fn blank(&self, leaves: Vec<u32>) -> Result<Vec<u32>> {
        self.writer()?.maintain(move |conn, scrub| freelist::blank(conn, scrub, leaves))
    }

    /// Zeroes the unused rest of some trunks of the freelist; see [`freelist::trim`].
    fn trim(&self, trunks: Vec<u32>) -> Result<Vec<u32>> {
        self.writer()?.maintain(move |conn, scrub| freelist::trim(conn, scrub, trunks))
    }

    /// The key that [`fragments`] were taken down with.
    pub fn search_key(&self) -> fragment::SearchKey {
        search_key(&self.secret)
    }

    /// The MAC that seals a recovery key.
    pub fn recovery_seal(&self, key: &[u8]) -> [u8; 32] {
        keyed(&self.secret, RECOVERY_KEY, &[key])
    }

    /// A digest that says nothing without the secret; `purpose` sets it apart from others.
    pub fn keyed(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        keyed(&self.secret, purpose, parts)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that it lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `told` hears from now on, on the writer's thread, up to where the ledger is on disk and
    /// recorded; of where it stands now, too. It must not wait.
    pub fn on_ledger_growth(&self, told: impl Fn(&Position) + Send + Sync + 'static) -> Result<()> {
        let told = Arc::new(told);
        let later = Arc::clone(&told);
        self.growth.add(Box::new(move |position| later(position)));
        told(&self.read(ledger_writer::position)?);
        Ok(())
    }

    /// The bytes of the file, as they lie on the disk.
    pub fn file(&self) -> &Pages {
        &self.file
    }

    /// Whether the room that is kept for erasing is in use.
    pub fn is_short_of_room(&self) -> bool {
        self.reserve.is_given_up()
    }

    /// By which the ledger's lines show that they were written here.
    pub fn mac_key(&self) -> MacKey {
        MacKey::new(&self.secret)
    }

    /// Where the ledger of erasures lies, for those who read it.
    pub fn ledger(&self) -> PathBuf {
        ledger_of(&self.wal)
    }

    /// Finishes what waits and folds the WAL in. Later writes are refused.
    pub fn stop(&self) {
        if let Some(writer) = &self.writer {
            writer.stop();
        }
    }
}

/// The writer's connection, on a database of this version's schema that has all of its WAL. Whose file
/// it is was asked before.
fn open_writer(
    path: &Path,
    scrub_mode: ScrubMode,
    loss: Loss,
    reserve: &Arc<DiskReserve>,
) -> Result<(Connection, ids::Ids, Scrub)> {
    let mut conn = Connection::open(path).map_err(from_sql)?;
    if loss == Loss::Accept {
        check_soundness(&conn)?;
    }
    if pragmas::rebuild(&conn).map_err(from_sql)? {
        log::warn!("the database had other settings than erasing needs: it was written anew");
    }
    pragmas::writer(&conn, scrub_mode).map_err(from_sql)?;
    migrations::run(&mut conn)?;
    let ids = ids::Ids::load(&conn)?;
    let mut scrub = Scrub::new(&conn, path, scrub_mode, Arc::clone(reserve))?;
    // What a kill left in the WAL goes through the scrub before anything else.
    scrub.checkpoint(&conn)?;
    Ok((conn, ids, scrub))
}

/// Without a part of its WAL a database may be made of pages of two times.
fn check_soundness(conn: &Connection) -> Result<()> {
    let said: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(from_sql)?;
    match said.as_str() {
        "ok" => Ok(()),
        _ => Err(Error::Damaged(said)),
    }
}

/// A fault that SQLite or the system names, with what can be done about it. What a disk fails with is
/// said by the command line, wherever it fails.
fn with_way_out(error: Error) -> Error {
    match error {
        Error::Internal(why) => Error::Internal(format!(
            "{why}. Copy the data directory to another place before anything else; `usher verify` says what can \
             be read, and `usher restore` puts a backup in its place"
        )),
        error => error,
    }
}

/// Interrupts what runs for longer.
fn for_some_time<T>(conn: &Connection, longest: Duration, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + longest;
    conn.progress_handler(STEPS, Some(move || Instant::now() > deadline)).map_err(from_sql)?;
    let outcome = run();
    conn.progress_handler(0, None::<fn() -> bool>).map_err(from_sql)?;
    outcome
}

/// Runs a read in a transaction, which also takes the file's lock once for all queries.
fn snapshot<T>(conn: &Connection, run: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
    let execute =
        |sql| conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(from_sql);
    execute("BEGIN")?;
    let outcome = run(&Db { conn });
    // An interrupted query may have ended the transaction already.
    if !conn.is_autocommit() {
        execute("ROLLBACK")?;
    }
    outcome
}

/// The key that [`fragments`] are taken down with.
pub fn search_key(secret: &[u8; 32]) -> fragment::SearchKey {
    fragment::SearchKey::new(keyed(secret, "search", &[]))
}

/// The ledger of erasures beside a database.
pub fn ledger_of(database: &Path) -> PathBuf {
    database.with_file_name("erasures.ledger")
}

fn wal_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}

/// The index of its WAL.
fn index_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-shm");
    path.into()
}

/// What is to be said of the WAL of a database that nobody has open: see `wal_file.rs`.
pub fn wal_fault(database: &Path) -> Result<Option<&'static str>> {
    wal_file::look(database).map(wal_file::Found::fault)
}

/// Whether there is a WAL with anything in it.
fn has_wal(database: &Path) -> bool {
    std::fs::metadata(wal_of(database)).is_ok_and(|about| about.len() > 0)
}

fn pool(path: &Path, size: u32, access: Access) -> Result<Pool<SqliteConnectionManager>> {
    let manager = match access {
        Access::Usual => SqliteConnectionManager::file(path).with_init(pragmas::reader),
        Access::ReadOnly => read_only::manager(path)?,
    };
    Pool::builder()
        .max_size(size)
        .test_on_check_out(false)
        .connection_timeout(OPEN_TIME)
        .build(manager)
        .map_err(|error| {
            Error::Internal(format!(
                "{error}: within {} seconds not enough connections to it could be opened. Where the machine is busy, \
                 start again once it is less so; else see to the disk",
                OPEN_TIME.as_secs()
            ))
        })
}

impl<'a> Tx<'a> {
    fn new(
        conn: &'a Connection,
        (time, who): (Reading, Who),
        opening: Opening,
        resources: &'a WriterContext,
    ) -> Tx<'a> {
        Tx {
            db: Db { conn },
            time,
            who,
            registrations: Cell::new(0),
            room: Cell::new(None),
            savepoints: Savepoints::new(opening),
            resources,
        }
    }

    /// The transaction's time: one instant, however long it runs.
    pub fn now(&self) -> Millis {
        self.time.now
    }

    /// Whether the clock is trusted, so that what cannot be undone, and nobody ordered just now,
    /// may be done.
    pub fn trusts_clock(&self) -> bool {
        self.time.standing.is_trusted()
    }

    /// Who asks, and in which request.
    pub fn who(&self) -> Who {
        self.who
    }

    /// Counts a person that is registered. [`Error::RateLimited`] if it is one too many.
    pub fn note_registration(&self) -> Result<()> {
        let before = self.registrations.get();
        if let Some((room, retry_after)) = self.room.get()
            && before >= room
        {
            return Err(Error::RateLimited { retry_after });
        }
        self.registrations.set(before + 1);
        Ok(())
    }

    /// So many people may be registered in this transaction, and others in so many seconds.
    pub fn limit_registrations(&self, room: u32, retry_after: u64) {
        self.room.set(Some((room, retry_after)));
    }

    /// How many people were registered so far.
    pub fn registrations(&self) -> u32 {
        self.registrations.get()
    }

    /// Writes an act down in the ledger, before this transaction commits.
    pub fn append_to_ledger(&self, act: Act) {
        self.resources.ledger_writer.append(self.now(), act);
    }

    /// The same for an act of another time.
    pub fn append_to_ledger_at(&self, at: Millis, act: Act) {
        self.resources.ledger_writer.append(at, act);
    }

    /// The keyed digests under which the ledger knows people, names and keys.
    pub fn names(&self) -> &Names {
        &self.resources.ledger_writer.names
    }

    /// Where the ledger stands; without what this transaction entered.
    pub fn ledger(&self) -> Position {
        self.resources.ledger_writer.position()
    }

    /// All that the ledger orders is done, once this transaction commits.
    pub fn caught_up(&self) {
        self.resources.ledger_writer.catch_up();
    }

    /// A new user or session id.
    pub fn next_id(&self) -> i64 {
        self.resources.ids.next(self.now())
    }

    /// This number of a sequence was given out.
    fn note_number(&self, name: &str, number: i64) {
        self.resources.marks.note(name, number);
    }

    /// Sequences go on this much farther, if nothing but the ledger says how far they had come
    /// before the database was put back.
    pub fn leave_room(&self, entries: i64) -> Result<()> {
        match self.resources.marks.were_there() {
            true => Ok(()),
            false => sequences::leave_room(self, entries),
        }
    }

    /// Tells the worker that something may be due. It looks once this is committed, for
    /// it looks from within the writer's queue.
    pub fn wake_worker(&self) {
        self.resources.worker_signal.ring();
    }

    fn secret(&self) -> &[u8; 32] {
        &self.resources.secret
    }

    fn message_keys(&self) -> &MessageKeys {
        &self.resources.message_keys
    }

    /// A digest that says nothing without the secret; `purpose` sets it apart from others.
    pub fn keyed(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        keyed(self.secret(), purpose, parts)
    }

    /// What is searched for is keyed with.
    fn search_key(&self) -> fragment::SearchKey {
        search_key(self.secret())
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Db<'a>;

    fn deref(&self) -> &Db<'a> {
        &self.db
    }
}

impl Db<'_> {
    /// The rows of a query, each read by `read`.
    fn rows<T>(&self, sql: &str, params: &[Value], read: impl Fn(&Row) -> Result<T>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.each(sql, params, |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Hands over each row of a query.
    fn each(&self, sql: &str, params: &[Value], mut see: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        self.walk(sql, params, |row| see(row).map(|()| ControlFlow::Continue(())))
    }

    /// The same until somebody has seen enough.
    fn walk(
        &self,
        sql: &str,
        params: &[Value],
        mut see: impl FnMut(&Row) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(sql).map_err(from_sql)?;
        let mut rows = statement.query(params_from_iter(params)).map_err(from_sql)?;
        while let Some(row) = rows.next().map_err(from_sql)? {
            if see(&Row::of(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first row of a query, if it has one.
    fn row<T>(&self, sql: &str, params: &[Value], read: impl FnOnce(&Row) -> Result<T>) -> Result<Option<T>> {
        let mut statement = self.conn.prepare_cached(sql).map_err(from_sql)?;
        let mut rows = statement.query(params_from_iter(params)).map_err(from_sql)?;
        rows.next().map_err(from_sql)?.map(|row| read(&Row::of(row))).transpose()
    }
}

impl Tx<'_> {
    /// Runs one statement; the number of rows it changed.
    fn execute(&self, sql: &str, params: &[Value]) -> Result<usize> {
        self.savepoints.before_write(self.conn)?;
        let mut statement = self.conn.prepare_cached(sql).map_err(from_sql)?;
        statement.execute(params_from_iter(params)).map_err(from_sql)
    }

    /// The same for a statement that returns the row it wrote.
    fn execute_for_row<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl FnOnce(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.savepoints.before_write(self.conn)?;
        self.row(sql, params, read)
    }
}

/// What a recovery key is sealed with: see [`keyed`].
pub const RECOVERY_KEY: &str = "recovery key";

/// HMAC-SHA256 of some parts, under a key of its own for each purpose.
pub fn keyed(secret: &[u8; 32], purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    mac(&mac(secret, &[purpose.as_bytes()]), parts)
}

/// SQLite's errors carry no values of rows, only names of columns and codes.
fn from_sql(error: rusqlite::Error) -> Error {
    // There is no room for the index of the WAL.
    if error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE) {
        return Error::DiskFull;
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DiskFull,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Damaged(error.to_string()),
        Some(ErrorCode::OperationInterrupted) => Error::Unavailable("the query took too long"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Unavailable("another program holds the database")
        }
        // The file is there, or was when it was opened: it is the disk that does not do what is asked.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            Error::DiskFails(error.to_string())
        }
        Some(ErrorCode::OutOfMemory) => Error::Unavailable("there is too little memory"),
        None if is_odd_row(&error) => value::odd_row(),
        _ => Error::internal(error),
    }
}

/// A value was read that no version writes there: no UTF-8, no JSON, out of its range, an unknown word.
fn is_odd_row(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}

//! The writer's side of the ledger of erasures: the acts of a group are written down, and
//! synced, before the group commits; the commit records how far the database has seen them.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Db, Growth, from_sql};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::ledger::{Act, Entry, Ledger, LedgerError, LedgerId, MacKey, Names, Position, look};

pub struct LedgerWriter {
    ledger: RefCell<Ledger>,
    pub names: Names,
    /// Acts of the open transaction, in the order in which they were done.
    acts: RefCell<Vec<(Millis, Act)>>,
    /// The open transaction has caught up with the ledger, and is to record it.
    caught_up: Cell<bool>,
    /// Entries from here on are to be voided, and could not be yet: nothing else may be
    /// entered, for the next start would take them for done.
    to_void: Cell<Option<u64>>,
    growth: Growth,
    /// See [`digest`].
    secret: [u8; 16],
    /// The number of the last entry that was told of.
    told: Cell<Option<u64>>,
}

/// Which ledger a database is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The one that it was written beside.
    Its,
    /// That one is lost, and somebody has decided to go on with a new one, which says so; or with
    /// the one that was begun so before.
    ANewOne,
}

impl LedgerWriter {
    /// Opens the ledger beside a database, or begins one beside a new database. The entries
    /// are those that the database has not seen. [`Error::Internal`] with the way out where
    /// the two do not belong together.
    pub fn open(
        conn: &Connection,
        path: &Path,
        secret: &[u8; 32],
        now: Millis,
        growth: Growth,
        beside: Beside,
    ) -> Result<(LedgerWriter, Vec<Entry>)> {
        let mark = mark(conn)?;
        check_secret(conn, secret)?;
        let mac_key = MacKey::new(secret);
        let (ledger, entries) = match (mark, beside) {
            (None, _) if !path.exists() => {
                (Ledger::create(path, now, &mac_key).map_err(Error::internal)?, Vec::new())
            }
            (Some(mark), Beside::ANewOne) => anew(path, &mark, now, &mac_key)?,
            (mark, _) => opened(Ledger::open(path, mark.as_ref(), &mac_key).map_err(Error::internal)?),
        };
        let digest = digest(secret, ledger.position().ledger);
        if entries.is_empty() {
            record(conn, &ledger.position(), &digest)?;
        }
        let ledger_writer = LedgerWriter {
            ledger: RefCell::new(ledger),
            secret: digest,
            names: Names::new(secret),
            acts: RefCell::default(),
            caught_up: Cell::new(false),
            to_void: Cell::new(None),
            growth,
            told: Cell::new(None),
        };
        Ok((ledger_writer, entries))
    }

    pub fn append(&self, at: Millis, act: Act) {
        self.acts.borrow_mut().push((at, act));
    }

    /// How many acts the open transaction has; to go back to, with [`LedgerWriter::forget`].
    pub fn entered(&self) -> usize {
        self.acts.borrow().len()
    }

    pub fn forget(&self, entered: usize) {
        self.acts.borrow_mut().truncate(entered);
    }

    pub fn catch_up(&self) {
        self.caught_up.set(true);
    }

    /// After the commit: what the database has recorded may be copied, and its head signed.
    pub fn tell(&self) {
        let position = self.position();
        if self.told.replace(Some(position.seq)) != Some(position.seq) {
            self.growth.tell(&position);
        }
    }

    pub fn position(&self) -> Position {
        self.ledger.borrow().position()
    }

    /// Before the commit: what was done is on disk in the ledger, and the database records
    /// it. Returns the first entry's number, if there is one: it must be voided if the commit
    /// fails. An error leaves the ledger as it was.
    pub fn settle(&self, conn: &Connection) -> Result<Option<u64>> {
        let acts = std::mem::take(&mut *self.acts.borrow_mut());
        if acts.is_empty() {
            if self.caught_up.take() {
                record(conn, &self.position(), &self.secret)?;
            }
            return Ok(None);
        }
        self.caught_up.set(false);
        if let Some(from) = self.to_void.get() {
            self.void(from, acts.first().map_or(0, |(at, _)| *at));
            if self.to_void.get().is_some() {
                return Err(Error::Unavailable("the ledger of erasures cannot be written"));
            }
        }
        let mut ledger = self.ledger.borrow_mut();
        let first = ledger.position().seq + 1;
        let at = acts.last().map_or(0, |(at, _)| *at);
        let position = ledger.append_each(acts).map_err(|error| match error.kind() {
            // An act that cannot be: no fault of the disk's.
            ErrorKind::InvalidInput => Error::internal(format!("the ledger cannot be written: {error}")),
            _ => Error::of_file("the ledger cannot be written", &error),
        })?;
        drop(ledger);
        match record(conn, &position, &self.secret) {
            Ok(()) => Ok(Some(first)),
            Err(error) => {
                self.void(first, at);
                Err(error)
            }
        }
    }

    /// The transaction of these entries came to nothing.
    pub fn void(&self, from: u64, at: Millis) {
        self.to_void.set(Some(from));
        match self.ledger.borrow_mut().append_each([(at, Act::Void { from })]) {
            Ok(_) => self.to_void.set(None),
            Err(error) => log::error!("ledger entries from {from} on could not be voided yet: {error}"),
        }
    }
}

fn opened((ledger, entries, opened): (Ledger, Vec<Entry>, crate::ledger::Opened)) -> (Ledger, Vec<Entry>) {
    if opened.cut > 0 {
        log::warn!("{} bytes of an unfinished entry were cut off the ledger", opened.cut);
    }
    (ledger, entries)
}

/// A ledger in the place of the one that a database was written beside, with all its entries: a
/// new one, whose first says what was lost; or the one that was begun so already. Where the
/// database's own is there, or another's, nothing is given up: [`Error::Unavailable`].
fn anew(path: &Path, mark: &Position, now: Millis, mac_key: &MacKey) -> Result<(Ledger, Vec<Entry>)> {
    if path.exists() {
        let unfit = |why: LedgerError| {
            Error::internal(format!(
                "{why} (a new ledger is started only where none exists: move this one away)"
            ))
        };
        let seen = look(path, mac_key, &[], |_, _| {}).map_err(unfit)?;
        if seen.lost == Some(mark.ledger) {
            return Ok(opened(Ledger::open(path, None, mac_key).map_err(Error::internal)?));
        }
        let seen = look(path, mac_key, &[*mark], |_, _| {}).map_err(unfit)?;
        seen.places.into_iter().try_for_each(|place| place.map(drop)).map_err(unfit)?;
        return Err(Error::Unavailable("erasures.ledger exists and matches: a new ledger is not needed"));
    }
    // Made under another name, so that a kill leaves none, or one that says what was lost.
    let draft = path.with_extension("ledger.begun");
    let _ = std::fs::remove_file(&draft);
    let mut ledger = Ledger::create(&draft, now, mac_key).map_err(Error::internal)?;
    ledger.append(now, &[Act::Anew { lost: mark.ledger, seq: mark.seq }]).map_err(Error::internal)?;
    drop(ledger);
    std::fs::rename(&draft, path).map_err(Error::internal)?;
    Ok(opened(Ledger::open(path, None, mac_key).map_err(Error::internal)?))
}

/// How far the database has seen the ledger. [`Error::Internal`] if it never saw one.
pub fn position(db: &Db) -> Result<Position> {
    mark(db.conn)?.ok_or_else(|| Error::internal("the database has no ledger"))
}

/// None: it never saw one.
fn mark(conn: &Connection) -> Result<Option<Position>> {
    let row = conn
        .query_row("SELECT ledger, seq, head, offset FROM ledger_mark", [], |row| {
            Ok((
                row.get::<_, [u8; 16]>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, [u8; 32]>(2)?,
                row.get::<_, i64>(3)?,
            ))
        })
        .optional()
        .map_err(from_sql)?;
    row.map(|(ledger, seq, head, offset)| {
        Ok(Position {
            ledger: LedgerId(ledger),
            seq: u64::try_from(seq).map_err(Error::internal)?,
            head,
            offset: u64::try_from(offset).map_err(Error::internal)?,
        })
    })
    .transpose()
}

/// [`Error::Unavailable`] if the database was made with another secret: nobody who is erased
/// would be found in the ledger, and nobody who is in the ledger in the database.
pub fn check_secret(conn: &Connection, secret: &[u8; 32]) -> Result<()> {
    let sql = "SELECT ledger, secret FROM ledger_mark";
    let known: Option<([u8; 16], [u8; 16])> =
        conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(from_sql)?;
    match known {
        Some((ledger, known)) if known != digest(secret, LedgerId(ledger)) => Err(Error::Unavailable(
            "secrets/store.key is not the key that usher.db was made with: put that one back, or restore a backup",
        )),
        _ => Ok(()),
    }
}

/// Tells by a ledger whether a secret is the same.
fn digest(secret: &[u8; 32], ledger: LedgerId) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&super::keyed(secret, "ledger secret", &[&ledger.0])[..16]);
    short
}

fn record(conn: &Connection, position: &Position, secret: &[u8; 16]) -> Result<()> {
    let seq = i64::try_from(position.seq).map_err(Error::internal)?;
    let offset = i64::try_from(position.offset).map_err(Error::internal)?;
    conn.prepare_cached(
        "INSERT INTO ledger_mark (one, ledger, seq, head, offset, secret) VALUES (1, ?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (one) DO UPDATE SET ledger = excluded.ledger, seq = excluded.seq, head = excluded.head,
             offset = excluded.offset, secret = excluded.secret",
    )
    .and_then(|mut upsert| upsert.execute(params![position.ledger.0, seq, position.head, offset, secret]))
    .map_err(from_sql)?;
    Ok(())
}

//! The savepoints of a transaction: one for each closure, and one for each part of it that may fail by
//! itself. They are opened once something is written in them that may have to be undone alone.
//!
//! A savepoint costs more than the row that is written in it: SQLite copies every page that it is the first
//! to change. What people do is written by [`Tx::plainly`], after everything was asked that can be refused,
//! and opens none. Where that must be undone all the same, for a fault of the disk or a panic, the
//! transaction is lost, and each closure of its group runs again by itself, in savepoints opened at once.

use std::cell::{Cell, RefCell};

use rusqlite::Connection;

use super::{Tx, from_sql};
use crate::error::Result;

/// When savepoints are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    AtOnce,
    WhenNeeded,
}

/// What a savepoint is around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    Closure,
    Part,
}

impl Around {
    fn open(self) -> &'static str {
        match self {
            Around::Closure => "SAVEPOINT task",
            Around::Part => "SAVEPOINT part",
        }
    }

    fn undo(self) -> &'static str {
        match self {
            Around::Closure => "ROLLBACK TO task",
            Around::Part => "ROLLBACK TO part",
        }
    }

    fn release(self) -> &'static str {
        match self {
            Around::Closure => "RELEASE task",
            Around::Part => "RELEASE part",
        }
    }
}

struct Level {
    around: Around,
    is_open: bool,
    /// Something was written plainly while it was not open.
    has_plain: bool,
}

pub struct Savepoints {
    opening: Opening,
    /// From the outside in. Those that are open come first.
    levels: RefCell<Vec<Level>>,
    is_plain: Cell<bool>,
    is_lost: Cell<bool>,
}

impl Savepoints {
    pub fn new(opening: Opening) -> Savepoints {
        Savepoints {
            opening,
            levels: RefCell::default(),
            is_plain: Cell::new(false),
            is_lost: Cell::new(false),
        }
    }

    pub fn enter(&self, conn: &Connection, around: Around) -> Result<()> {
        self.levels.borrow_mut().push(Level { around, is_open: false, has_plain: false });
        if self.opening == Opening::WhenNeeded {
            return Ok(());
        }
        let outcome = self.open(conn);
        if outcome.is_err() {
            self.levels.borrow_mut().pop();
        }
        outcome
    }

    /// Something is about to be written.
    pub fn before_write(&self, conn: &Connection) -> Result<()> {
        if !self.is_plain.get() {
            return self.open(conn);
        }
        self.levels.borrow_mut().iter_mut().filter(|level| !level.is_open).for_each(|level| {
            level.has_plain = true;
        });
        Ok(())
    }

    fn open(&self, conn: &Connection) -> Result<()> {
        for level in self.levels.borrow_mut().iter_mut().filter(|level| !level.is_open) {
            execute(conn, level.around.open())?;
            level.is_open = true;
        }
        Ok(())
    }

    /// Leaves the innermost one; what was written in it stays if it is good.
    pub fn leave(&self, conn: &Connection, is_good: bool) -> Result<()> {
        let level = self.levels.borrow_mut().pop();
        level.map_or(Ok(()), |level| self.close(conn, &level, is_good))
    }

    /// The same for the outermost; a panic has left those within it as they were.
    pub fn end(&self, conn: &Connection, is_good: bool) -> Result<()> {
        let levels = std::mem::take(&mut *self.levels.borrow_mut());
        levels.first().map_or(Ok(()), |level| self.close(conn, level, is_good))
    }

    fn close(&self, conn: &Connection, level: &Level, is_good: bool) -> Result<()> {
        if !is_good && level.has_plain {
            self.is_lost.set(true);
        }
        // After a full disk there is no transaction to go on with; the writer sees to it.
        if !level.is_open || conn.is_autocommit() {
            return Ok(());
        }
        if !is_good {
            execute(conn, level.around.undo())?;
        }
        execute(conn, level.around.release())
    }

    /// Whether something should have been undone, and could not be by itself.
    pub fn are_lost(&self) -> bool {
        self.is_lost.get()
    }
}

impl Tx<'_> {
    /// Runs `part` in a savepoint of its own: if it fails, what it wrote is undone and
    /// the rest of the transaction goes on.
    pub fn nested<T>(&self, part: impl FnOnce() -> Result<T>) -> Result<T> {
        self.savepoints.enter(self.conn, Around::Part)?;
        let (entered, registrations) = (self.resources.ledger_writer.entered(), self.registrations());
        let outcome = part();
        if outcome.is_err() {
            self.registrations.set(registrations);
            self.resources.ledger_writer.forget(entered);
        }
        self.savepoints.leave(self.conn, outcome.is_ok())?;
        outcome
    }

    /// Runs `part`, whose writes are followed by nothing that can be refused: no savepoint is opened for
    /// them. Faults of the store alone may make the closure fail after it.
    pub fn plainly<T>(&self, part: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.savepoints.is_plain.replace(true);
        let outcome = part();
        self.savepoints.is_plain.set(before);
        outcome
    }
}

fn execute(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(from_sql)?;
    Ok(())
}

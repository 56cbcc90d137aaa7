//! Importing a file: read on a thread of its own, taken in behind all requests, some records at a time.
//! How far it came is written with what was taken, so that after a kill nothing is done twice.

use std::collections::HashSet;
use std::io::{Cursor, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::App;
use crate::error::{Error, Result};
use crate::imports::{self, Detected, Gauge, Kind, Map, Options, Packed, Source, Stop};
use crate::model::ProjectId;
use crate::people::imports::{self as rules, Begun, Counts, Fault, File, How, Record, Taken};
use crate::store::BackgroundTx;
pub use crate::store::imports::Status;

/// By so much of its beginning a file is known again.
pub const HEAD: usize = 64 * 1024;
/// Records handed over at a time, and bytes of them.
const BATCH: usize = 1_000;
const BATCH_BYTES: u64 = 2 * 1024 * 1024;
/// A transaction takes no longer than this where others may wait for it.
const TURN: Duration = Duration::from_millis(20);
/// Where none of so many records can be taken, it is a file of another form.
const NONE_GOOD: u64 = 1_000;
/// So many new people of a dry run are told apart; what comes after is counted each time.
const TOLD_APART: usize = 2_000_000;

/// So many faults end an import, unless somebody says otherwise.
pub const MAX_FAULTS: u64 = 1_000;

/// What is to be imported, and how.
pub struct Job {
    pub project: ProjectId,
    pub packed: Packed,
    /// None: it is not known before it is read.
    pub size: Option<u64>,
    /// Its first [`HEAD`] bytes.
    pub head: Vec<u8>,
    pub wanted: Wanted,
    pub rejects: Option<Rejects>,
}

/// How somebody wants it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// None: it is found out.
    pub source: Option<Source>,
    pub map: Option<Map>,
    pub kind: Kind,
    pub at_import: bool,
    pub revive: bool,
    pub dry_run: bool,
    pub restart: bool,
    pub max_faults: u64,
}

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted {
            source: None,
            map: None,
            kind: Kind::default(),
            at_import: false,
            revive: false,
            dry_run: false,
            restart: false,
            max_faults: MAX_FAULTS,
        }
    }
}

impl Wanted {
    /// The source of a file: as given, else as detected. A table with a map is a table.
    pub fn detect(&self, packed: Packed) -> Result<Detected, String> {
        match (self.source, &self.map) {
            (Some(source), _) => Ok(Detected { source, words: String::new() }),
            (None, Some(_)) => Ok(Detected { source: Source::Csv, words: "a table, with --map".to_owned() }),
            (None, None) => imports::detect(packed),
        }
    }

    /// How it is read, as a part of what a file is known again by.
    fn words(&self) -> String {
        let map = self.map.as_ref().map(Map::to_string).unwrap_or_default();
        format!("\n{map}\n{}\n{}\n{}", self.kind.as_str(), self.at_import, self.revive)
    }
}

/// Where records go, as they stand in the file, that cannot be taken. After a kill some may be there twice.
#[derive(Clone)]
pub struct Rejects(Arc<Mutex<Box<dyn Write + Send>>>);

impl Rejects {
    pub fn new(into: impl Write + Send + 'static) -> Rejects {
        Rejects(Arc::new(Mutex::new(Box::new(into))))
    }

    fn write<'a>(&self, lines: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        let mut into = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = |error| Error::of_file("the file of rejects", &error);
        for line in lines {
            into.write_all(line).and_then(|()| into.write_all(b"\n")).map_err(fault)?;
        }
        into.flush().map_err(fault)
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// None: a dry run, which is not kept.
    pub id: Option<i64>,
    pub source: Source,
    pub status: Status,
    pub counts: Counts,
    /// The first of them.
    pub faults: Vec<Fault>,
    /// It went on behind so many records.
    pub resumed_after: u64,
    /// It was done before, and nothing was read.
    pub was_done: bool,
    /// Why it ended before the end.
    pub ended_by: Option<String>,
}

/// Told how many bytes of the file are done. An error ends it there; what is done stays done.
pub type Progress<'a> = &'a dyn Fn(u64) -> Result<()>;

/// Imports over HTTP that are read at a time: each has a thread while its client sends.
const AT_A_TIME: usize = 4;

/// Who may import now.
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Places {
        Places(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl App {
    /// A place for one that is sent by a client, until it is dropped. [`Error::Unavailable`] if none is free.
    pub fn import_place(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.inner.importing.0).try_acquire_owned();
        place.map_err(|_| Error::Unavailable("too many imports are running; try again later"))
    }

    /// Imports a file whose form is known. It blocks; not for an async thread.
    pub fn import(&self, job: Job, source: Source, progress: Progress) -> Result<Outcome> {
        let Job { project, packed, size, head, wanted, rejects } = job;
        let begun = match wanted.dry_run {
            true => None,
            false => {
                let head = [&head[..], wanted.words().as_bytes()].concat();
                let file = File { project, source: source.as_str(), size, head };
                let restart = wanted.restart;
                Some(self.write_blocking(move |tx| rules::begin(tx, &file, restart))?)
            }
        };
        let resumed_after = begun.as_ref().map_or(0, |begun| begun.record);
        if let Some(begun) = begun.as_ref().filter(|begun| begun.status == Status::Done) {
            return Ok(outcome(source, begun, Status::Done, (resumed_after, true), None));
        }
        let options = Options {
            source,
            map: wanted.map.clone(),
            kind: wanted.kind,
            wants_raw: rejects.is_some(),
            revive: wanted.revive,
            done: resumed_after,
        };
        let how = How {
            revive: wanted.revive,
            again: begun.as_ref().is_some_and(|begun| begun.again),
            at_import: wanted.at_import,
            dry_run: wanted.dry_run,
        };
        let mut taking = Taking {
            app: self,
            project,
            how,
            rejects: rejects.clone(),
            max_faults: wanted.max_faults,
            begun: begun.unwrap_or_else(nothing_kept),
            told_apart: HashSet::new(),
        };
        let gauge = Gauge::default();
        let (send, batches) = sync_channel(1);
        let ended = std::thread::scope(|scope| {
            let (gauge, options, rejects) = (&gauge, &options, rejects);
            let reader = scope.spawn(move || read(packed, gauge, options, rejects, send));
            let ended = taking.all(&batches, gauge, progress);
            // The reader ends where it finds nobody to hand over to.
            drop(batches);
            let read = reader.join().unwrap_or_else(|_| Err(Stop::Unreadable("it could not be read".into())));
            match (ended, read) {
                (Ok(None), Err(Stop::Unreadable(why))) => Ok(Some((Status::Running, why))),
                (Ok(None), Err(Stop::Failed(error))) => Err(error),
                (ended, _) => ended,
            }
        })?;
        let (status, why) = match ended {
            None => (Status::Done, None),
            Some((status, why)) => (status, Some(why)),
        };
        let begun = taking.begun;
        if !wanted.dry_run && status != Status::Running {
            let begun = begun.clone();
            self.write_blocking(move |tx| rules::finish(tx, project, &begun, status))?;
        }
        let mut outcome = outcome(source, &begun, status, (resumed_after, false), why);
        outcome.id = outcome.id.filter(|_| !wanted.dry_run);
        Ok(outcome)
    }
}

fn outcome(
    source: Source,
    begun: &Begun,
    status: Status,
    (resumed_after, was_done): (u64, bool),
    ended_by: Option<String>,
) -> Outcome {
    let (counts, faults) = (begun.counts.clone(), begun.faults.clone());
    Outcome { id: Some(begun.id), source, status, counts, faults, resumed_after, was_done, ended_by }
}

/// Of a dry run.
fn nothing_kept() -> Begun {
    Begun {
        id: 0,
        status: Status::Running,
        record: 0,
        counts: Counts::default(),
        faults: Vec::new(),
        again: false,
    }
}

/// The first bytes of a stream, and the stream from its beginning.
pub fn with_head(mut stream: Box<dyn Read + Send>) -> std::io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    stream.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Box::new(Cursor::new(head).chain(stream))))
}

/// Reads a file and hands its records over, some at a time.
fn read(
    packed: Packed,
    gauge: &Gauge,
    options: &Options,
    rejects: Option<Rejects>,
    send: SyncSender<Vec<Record>>,
) -> Result<(), Stop> {
    let mut batch: Vec<Record> = Vec::new();
    let mut since = 0;
    let mut see = |record: Record| {
        let offset = record.offset;
        batch.push(record);
        // Of another text in the same file, offsets begin anew.
        if batch.len() >= BATCH || offset.saturating_sub(since) >= BATCH_BYTES {
            since = offset;
            return send.send(std::mem::take(&mut batch)).map_err(|_| Stop::Enough);
        }
        since = since.min(offset);
        Ok(())
    };
    // So the rejects of a table are a table, too.
    let mut head = |names: &[u8]| match &rejects {
        Some(rejects) if options.done == 0 => rejects.write([names].into_iter()).map_err(Stop::Failed),
        _ => Ok(()),
    };
    let outcome = imports::read(packed, gauge, options, &mut head, &mut see);
    if !batch.is_empty() && !matches!(outcome, Err(Stop::Enough)) {
        send.send(batch).map_err(|_| Stop::Enough)?;
    }
    outcome
}

struct Taking<'a> {
    app: &'a App,
    project: ProjectId,
    how: How,
    rejects: Option<Rejects>,
    max_faults: u64,
    begun: Begun,
    /// New people of a dry run.
    told_apart: HashSet<u64>,
}

impl Taking<'_> {
    /// Takes all in. Some: it ends so before the end of the file, and why.
    fn all(
        &mut self,
        batches: &Receiver<Vec<Record>>,
        gauge: &Gauge,
        progress: Progress,
    ) -> Result<Option<(Status, String)>> {
        for batch in batches {
            let batch = Arc::new(batch);
            let mut from = 0;
            while from < batch.len() {
                from += self.some(&batch, from)?;
                if let Some(why) = self.is_hopeless() {
                    return Ok(Some((Status::Failed, why)));
                }
            }
            progress(gauge.packed())?;
        }
        Ok(None)
    }

    fn some(&mut self, batch: &Arc<Vec<Record>>, from: usize) -> Result<usize> {
        let (records, project, how) = (Arc::clone(batch), self.project, self.how);
        let (begun, rejects) = (self.begun.clone(), self.rejects.clone());
        let (taken, begun) = self.app.write_blocking(move |tx: &BackgroundTx| {
            let records = &records[from..];
            let started = Instant::now();
            let is_enough = || started.elapsed() >= TURN;
            let taken = match how.dry_run {
                true => undone(tx, project, records, how)?,
                false => rules::take(tx, project, records, how, &is_enough)?,
            };
            if let Some(rejects) = &rejects {
                let mut places: Vec<usize> = taken.faults.iter().map(|(place, _)| *place).collect();
                places.dedup();
                rejects.write(places.iter().filter_map(|place| records.get(*place)?.raw.as_deref()))?;
            }
            let last = taken.done.checked_sub(1).and_then(|last| records.get(last));
            let to = last.map_or((begun.record, 0), |last| (last.number, last.offset));
            match how.dry_run {
                true => Ok((taken, None)),
                false => rules::advance(tx, &begun, &taken, to).map(|begun| (taken, Some(begun))),
            }
        })?;
        match begun {
            Some(begun) => self.begun = begun,
            None => self.note_undone(&taken),
        }
        Ok(taken.done.max(1))
    }

    fn note_undone(&mut self, taken: &Taken) {
        let counts = &mut self.begun.counts;
        counts.add(&taken.counts);
        for name in &taken.created {
            let is_new = self.told_apart.len() >= TOLD_APART || self.told_apart.insert(*name);
            counts.users += u64::from(is_new);
        }
        let room = rules::FAULTS_KEPT.saturating_sub(self.begun.faults.len());
        self.begun.faults.extend(taken.faults.iter().take(room).map(|(_, fault)| fault.clone()));
    }

    /// Why it is not worth going on.
    fn is_hopeless(&self) -> Option<String> {
        let Counts { records, faults, .. } = self.begun.counts;
        if records >= NONE_GOOD && faults >= records {
            return Some(format!(
                "none of the first {records} records could be taken: is it of another form?"
            ));
        }
        (faults > self.max_faults)
            .then(|| format!("more than {} records could not be taken", self.max_faults))
    }
}

/// What would become of records: all of it is undone.
fn undone(tx: &BackgroundTx, project: ProjectId, records: &[Record], how: How) -> Result<Taken> {
    let mut taken = None;
    let outcome: Result<()> = tx.nested(|| {
        taken = Some(rules::take(tx, project, records, how, &|| false)?);
        Err(Error::Conflict("a dry run"))
    });
    match (taken, outcome) {
        (Some(taken), _) => Ok(taken),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Ok(Taken::default()),
    }
}

//! `usher verify` without a receipt: the whole directory, as it lies there. Nothing in it is
//! changed. A line a check, with figures.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use crate::app::ledger_evidence::{self, Known};
use crate::archive::{self, BackupError, Identities, keys};
use crate::clock::Millis;
use crate::erasure::replay;
use crate::files::no_link;
use crate::ledger::{self, LedgerId, MacKey, UNSEALED};
use crate::model::JobId;
use crate::proof::audit::{self as log, Link, Position as Place};
use crate::proof::chain;
use crate::proof::check::check_one;
use crate::proof::ledger_head::Head;
use crate::proof::receipt::{Receipt, of_file_name};
use crate::proof::signing::{PublicKey, Signer};
use crate::start::ledgers;
use crate::store::backup::{self, OfflineDatabase};
use crate::store::{
    Access, Pages, RECOVERY_KEY, audit, fragments, jobs, keyed, search_all, search_key, used_leaves,
    wal_fault,
};

/// How a line begins that is no good news.
pub const WRONG: &str = "WRONG";
/// Faults of one check that are named.
const NAMED: usize = 10;
/// The index of the WAL, which is made anew where the database is opened.
const INDEX: &str = "usher.db-shm";
/// Beside a server a file may be caught between two writes.
const TRIES: u32 = 3;
/// Rows of the audit log read at a time.
const ROWS: u32 = 1_000;
/// Jobs whose fragments are searched for: all that a day leaves.
const JOBS: u32 = 1_000_000;

/// What is looked at.
pub struct Directory<'a> {
    path: &'a Path,
    /// Opened by the server: closing it would drop the locks of SQLite.
    file: &'a Pages,
    /// Whether a backup is being made, from a copy that is not encrypted.
    is_copied: &'a dyn Fn() -> bool,
    access: Access,
}

/// What a check came to: its figures, or what it found.
struct Outcome {
    figures: String,
    faults: Vec<String>,
}

type Check<'a> = (&'static str, Box<dyn FnOnce() -> Result<Outcome> + 'a>);

impl<'a> Directory<'a> {
    pub fn of(path: &'a Path, file: &'a Pages, is_copied: &'a dyn Fn() -> bool) -> Directory<'a> {
        Directory { path, file, is_copied, access: Access::Usual }
    }

    /// The same, with the word whether anything may be written beside it.
    fn within(self, access: Access) -> Directory<'a> {
        Directory { access, ..self }
    }

    fn database(&self) -> PathBuf {
        self.path.join("usher.db")
    }

    fn ledger(&self) -> PathBuf {
        self.path.join("erasures.ledger")
    }

    fn backups(&self) -> PathBuf {
        self.path.join("backups")
    }
}

/// The lines about a directory that nobody serves.
pub fn offline(path: &Path, access: Access) -> Result<Vec<String>> {
    let database = path.join("usher.db");
    let file = Pages::open(&database).with_context(|| format!("cannot open {}", database.display()))?;
    // Before the database is opened, which makes the index of the WAL anew.
    let fault = wal_fault(&database)?;
    // The next start has to find the same: where something of the WAL is missing, its index alone knows.
    let index = fault.and_then(|_| fs::read(path.join(INDEX)).ok());
    let mut lines = all(&Directory::of(path, &file, &|| false).within(access));
    if let Some(index) = index {
        put_index(path, &index).context("cannot put usher.db-shm back as it was")?;
    }
    lines.extend(fault.map(|fault| format!("{WRONG}  write-ahead log: {fault}")));
    Ok(lines)
}

fn put_index(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = no_link();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path.join(INDEX))?;
    Ok(file.write_all(bytes)?)
}

/// The same beside a server. What was found only once is not found again.
pub fn beside_a_server(directory: &Directory) -> Vec<String> {
    let mut lines = all(directory);
    for _ in 1..TRIES {
        if !lines.iter().any(|line| line.starts_with(WRONG)) {
            break;
        }
        lines = all(directory);
    }
    lines
}

fn all(directory: &Directory) -> Vec<String> {
    let offline =
        OfflineDatabase::open_as(&directory.database(), directory.access).map_err(|error| error.to_string());
    let offline = || offline.as_ref().map_err(|error| anyhow!("the database cannot be opened: {error}"));
    // What grows is read in this order: a receipt that comes meanwhile is not missed.
    let last = offline().and_then(|offline| Ok(offline.read(jobs::last_receipt)?));
    let key = ledgers::public_key(directory.path);
    let good = || key.as_ref().map_err(|error| anyhow!("{error:#}"));
    let receipts = good().map(|key| receipts(directory.path, key)).unwrap_or_default();
    let checks: [Check; 11] = [
        ("signing key", Box::new(|| signing_key(directory.path, good()?))),
        ("receipts", Box::new(|| chain_of_receipts(directory.path, good()?, receipts.len(), last?))),
        ("audit log", Box::new(|| audit_log(offline()?, &receipts, good()?))),
        ("ledger of erasures", Box::new(|| ledger_file(directory, offline()?))),
        ("receipts in the ledger", Box::new(|| places(directory, receipts.clone(), good()?))),
        ("database", Box::new(|| sound(directory, offline()?))),
        ("numbers", Box::new(|| numbers(directory, offline()?))),
        ("free space", Box::new(|| free_space(directory.file))),
        ("traces of the erased", Box::new(|| traces(directory, offline()?))),
        ("backups", Box::new(|| backups(directory, offline()?))),
        ("leftovers", Box::new(|| leftovers(directory))),
    ];
    checks.into_iter().flat_map(|(name, check)| said(name, check())).collect()
}

fn said(name: &str, outcome: Result<Outcome>) -> Vec<String> {
    let (figures, faults) = match outcome {
        Ok(Outcome { figures, faults }) => (figures, faults),
        Err(error) => (String::new(), vec![format!("{error:#}")]),
    };
    if faults.is_empty() {
        return vec![format!("good   {name}: {figures}")];
    }
    let more = faults.len().saturating_sub(NAMED);
    let mut lines: Vec<String> = vec![format!("{WRONG}  {name}: {}", faults[0])];
    lines.extend(faults.iter().take(NAMED).skip(1).map(|fault| format!("         {fault}")));
    if more > 0 {
        lines.push(format!("         and {more} more"));
    }
    lines
}

fn signing_key(dir: &Path, key: &PublicKey) -> Result<Outcome> {
    let at = dir.join("secrets/signing.key");
    let secret = fs::read(&at).with_context(|| format!("cannot read {}", at.display()))?;
    let fits = secret.try_into().is_ok_and(|secret: [u8; 32]| Signer::of(&secret).public() == *key);
    let fault = (!fits).then(|| "signing.pub does not match secrets/signing.key".to_owned());
    Ok(Outcome { figures: key.to_string(), faults: fault.into_iter().collect() })
}

/// The receipts that are good by themselves.
fn receipts(dir: &Path, key: &PublicKey) -> Vec<Receipt> {
    let entries = fs::read_dir(dir.join("receipts")).into_iter().flatten().flatten();
    let files = entries.filter(|entry| of_file_name(&entry.file_name().to_string_lossy()).is_some());
    files.filter_map(|entry| check_one(&fs::read(entry.path()).ok()?, key).ok()).collect()
}

fn chain_of_receipts(dir: &Path, key: &PublicKey, good: usize, last: Option<i64>) -> Result<Outcome> {
    let folder = dir.join("receipts");
    if !folder.exists() && last.is_none() {
        return Ok(Outcome { figures: "none yet".into(), faults: Vec::new() });
    }
    let report = chain::check_chain(&folder, key, None)?;
    let mut faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    // Without its hash, for the database does not know it: only that there was one.
    if let Some(last) =
        last.and_then(|last| u64::try_from(last).ok()).filter(|last| *last > report.last.number)
    {
        faults.push(format!(
            "the database knows receipt {last}, but {} is the last one here: the end of the chain is missing",
            report.last.number
        ));
    }
    Ok(Outcome { figures: format!("{good} in one chain, each signed"), faults })
}

fn audit_log(offline: &OfflineDatabase, receipts: &[Receipt], key: &PublicKey) -> Result<Outcome> {
    // What a restore has replaced: up to its time, from its row on, or, whatever its row, after the
    // last one before it. An older state may have been put back meanwhile, and have gone its own way.
    let gaps = offline.read(|db| {
        let mut gaps = audit::gaps(db, replay::RESTORED)?;
        gaps.extend(audit::gaps(db, replay::REPLAYED)?);
        Ok(gaps)
    })?;
    let went = |place: &Place, at: Millis| {
        let is_in = |gap: &audit::Gap| at <= gap.until && (place.seq >= gap.row || at > gap.from);
        gaps.iter().any(is_in)
    };
    let notes: Vec<Place> = receipts
        .iter()
        .filter_map(|receipt| Some((receipt.in_the_log()?, receipt.done.completed_at)))
        .filter(|(place, at)| !went(place, *at))
        .map(|(place, _)| place)
        .collect();
    let heads = offline.read(audit::heads)?;
    let trouble = RefCell::new(None);
    let report = log::check(rows(offline, &trouble), &heads, &notes, key);
    if let Some(error) = trouble.into_inner() {
        return Err(error).context("the audit log is unreadable");
    }
    let figures = format!(
        "{} rows in one chain, {} signed heads, {} receipts match, {} replaced by restores",
        report.rows,
        heads.len(),
        notes.len(),
        receipts.len() - notes.len()
    );
    let strays = offline.read(audit::strays)?;
    let strays = strays.iter().map(|seq| format!("row {seq} comes before the first row: it was inserted"));
    let faults = strays.chain(report.faults.iter().map(ToString::to_string)).collect();
    Ok(Outcome { figures, faults })
}

/// The rows of the log, some at a time.
fn rows<'a>(
    offline: &'a OfflineDatabase,
    trouble: &'a RefCell<Option<crate::error::Error>>,
) -> impl Iterator<Item = Link> + 'a {
    let mut from = 0;
    let batches = std::iter::from_fn(move || match offline.read(|db| audit::after(db, from, ROWS)) {
        Ok(batch) => {
            from = batch.last()?.row.seq;
            Some(batch)
        }
        Err(error) => {
            *trouble.borrow_mut() = Some(error);
            None
        }
    });
    batches.flatten()
}

fn mac_key(directory: &Directory) -> Result<MacKey> {
    Ok(MacKey::new(&store_key(directory)?))
}

fn store_key(directory: &Directory) -> Result<[u8; 32]> {
    let at = directory.path.join("secrets/store.key");
    let secret = fs::read(&at).with_context(|| format!("cannot read {}", at.display()))?;
    secret.try_into().map_err(|_| anyhow!("{} is damaged", at.display()))
}

fn ledger_file(directory: &Directory, offline: &OfflineDatabase) -> Result<Outcome> {
    let mark = offline.ledger()?;
    let mac_key = mac_key(directory)?;
    let report = ledger::check(&directory.ledger(), Some(&mark), Some(&mac_key));
    let mut faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    if let Some(ledger) = report.ledger.filter(|ledger| *ledger != mark.ledger) {
        faults.push(format!("it is ledger {ledger}, but the database belongs to ledger {}", mark.ledger));
    }
    let how = match report.version {
        UNSEALED => "in one chain, without MACs (version 1): the next start upgrades it",
        _ => "in one chain, each with its MAC",
    };
    let figures = format!("{} entries {how}; the database has {}", report.entries, mark.seq);
    Ok(Outcome { figures, faults })
}

/// What the signed head, receipts and backups say of the ledger is what is there.
fn places(directory: &Directory, receipts: Vec<Receipt>, key: &PublicKey) -> Result<Outcome> {
    let path = directory.ledger();
    let mut known = Known::default();
    let head = Head::read(directory.path, key)?;
    head.iter().for_each(|head| known.head(head));
    known.backups_in(&directory.backups(), key);
    let count = receipts.len();
    receipts.into_iter().for_each(|receipt| known.receipt(receipt));
    if ledger::version_of(&path) == Some(UNSEALED) {
        let faults = match head {
            Some(_) => vec!["it has version 1, but a signed head names version 2".to_owned()],
            None => Vec::new(),
        };
        return Ok(Outcome { figures: "not checked in a ledger of version 1".into(), faults });
    }
    let (seen, contradictions) = known.contradictions(&path, &mac_key(directory)?)?;
    let mut faults: Vec<String> = contradictions.iter().map(ToString::to_string).collect();
    if let Some(head) = &head {
        faults.extend(
            ledger_evidence::check_owner(head, &seen).err().map(|contradiction| contradiction.to_string()),
        );
    }
    let ours = known.receipts_of(seen.end.ledger).count();
    // Of a ledger that was lost nothing can be looked for; any other is no ledger of this directory.
    let ledgers = [Some(seen.end.ledger), seen.lost];
    let strays = known.receipts_of_others(&ledgers);
    faults.extend(strays.map(|receipt| {
        format!(
            "receipt {} names the ledger {}, which does not exist here",
            receipt.place.unwrap_or(receipt.number),
            receipt.ledger.id
        )
    }));
    let figures = match count - ours {
        0 => format!("{ours} found at their positions"),
        lost => format!("{ours} found at their positions, {lost} belong to a lost ledger"),
    };
    Ok(Outcome { figures, faults })
}

fn sound(directory: &Directory, offline: &OfflineDatabase) -> Result<Outcome> {
    // What is damaged may not even let itself be checked as a whole: the rows are read all the same.
    let mut faults = offline.faults().unwrap_or_else(|error| vec![error.to_string()]);
    let mut rows = offline.rows()?;
    faults.append(&mut rows.faults);
    let figures =
        format!("{} pages valid, all references valid; {} rows read", directory.file.count()?, rows.read);
    Ok(Outcome { figures, faults })
}

fn numbers(directory: &Directory, offline: &OfflineDatabase) -> Result<Outcome> {
    let (figures, faults) = match offline.faults_of_numbers(&directory.database())? {
        Some(faults) => ("the file has all issued numbers", faults),
        None => ("the next start writes the file", Vec::new()),
    };
    Ok(Outcome { figures: figures.to_owned(), faults })
}

fn free_space(file: &Pages) -> Result<Outcome> {
    let (mut pages, mut faults) = (0_u64, Vec::new());
    file.range(1..file.count()? + 1, |number, page| {
        pages += 1;
        match file.is_stale(number, page) {
            Ok(false) => {}
            Ok(true) => faults.push(format!("page {number} has data in its free space")),
            Err(odd) => faults.push(format!("page {number} is not as SQLite writes it: {}", odd.0)),
        }
    })?;
    let used = used_leaves(file)?;
    faults.extend(used.iter().map(|number| format!("page {number} is free but has data")));
    Ok(Outcome { figures: format!("{pages} pages, all free space is zero"), faults })
}

fn traces(directory: &Directory, offline: &OfflineDatabase) -> Result<Outcome> {
    let key = search_key(&store_key(directory)?);
    let (jobs, failed, sought) = offline.read(|db| {
        let failed = jobs::failed(db)?;
        let jobs = [fragments::of_ended(db, JOBS)?, failed.clone()].concat();
        let mut all = Vec::new();
        for job in &jobs {
            all.extend(fragments::of(db, key, *job)?);
        }
        Ok((jobs.len(), failed, all))
    })?;
    let under_way = if (directory.is_copied)() { backup::left(&directory.backups())? } else { Vec::new() };
    let verdict = search_all(directory.file, &directory.database(), key, &sought, &under_way)?;
    let found = verdict.found.iter().filter(|(_, found)| !found.places.is_empty());
    let found = found.map(|(job, found)| {
        format!("values of the user erased by job {job} are in {}", found.places.join("; "))
    });
    let faults = waiting(&failed).into_iter().chain(found).collect();
    let figures = format!(
        "searched {} bytes for {} values of {jobs} erasures, none found",
        verdict.bytes, verdict.fragments
    );
    Ok(Outcome { figures, faults })
}

/// Of those nobody says that they are gone.
fn waiting(failed: &[JobId]) -> Option<String> {
    let names: Vec<String> = failed.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("1 erasure failed and needs attention: job {one}; retry it on its page")),
        all => Some(format!(
            "{} erasures failed and need attention: jobs {}; retry them on their pages",
            all.len(),
            all.join(", ")
        )),
    }
}

fn backups(directory: &Directory, offline: &OfflineDatabase) -> Result<Outcome> {
    let secrets = directory.path.join("secrets");
    let machine = Identities::machine(&secrets)?;
    let listed = archive::list(&directory.backups())?;
    let (mut opened, mut closed, mut faults) = (0_u64, 0_u64, Vec::new());
    let secret = store_key(directory)?;
    if let Err(refusal) = keys::check_recovery(&secrets, |key| keyed(&secret, RECOVERY_KEY, &[key])) {
        faults.push(refusal.to_string());
    }
    // A ledger that was lost and replaced is this installation's, too.
    let seen = ledger::look(&directory.ledger(), &mac_key(directory)?, &[], |_, _| {}).ok();
    let ledgers = [Some(offline.ledger()?.ledger), seen.and_then(|seen| seen.lost)];
    for backup in listed {
        let foreign = backup.manifest.as_ref().ok().map(|manifest| &manifest.ledger.ledger);
        if let Some(ledger) = foreign.filter(|id| !ledgers.contains(&LedgerId::parse(id))) {
            faults.push(format!(
                "{} belongs to another installation (ledger {ledger}) and cannot be restored here",
                backup.path.display()
            ));
        }
        match archive::check(&backup.path, &machine) {
            Ok(_) => opened += 1,
            // Of another machine: the owner's key opens it.
            Err(BackupError::NoKeyFits { .. }) => closed += 1,
            Err(refusal) => faults.push(refusal.to_string()),
        }
    }
    let figures = match closed {
        0 => format!("{opened} opened and complete"),
        _ => format!("{opened} opened and complete; {closed} need the recovery key"),
    };
    Ok(Outcome { figures, faults })
}

/// What a kill has left, which nobody has encrypted.
fn leftovers(directory: &Directory) -> Result<Outcome> {
    let mut left = archive::left_unpacked(directory.path)?;
    let kept = ["usher.db.before-restore", "usher.db.before-restore-wal"];
    left.extend(kept.map(|name| directory.path.join(name)));
    let copies = backup::left(&directory.backups())?;
    if !(directory.is_copied)() {
        left.extend(copies);
    }
    // A backup may have ended since the folder was read.
    left.retain(|path| path.exists());
    let faults = left.iter().map(|path| {
        format!(
            "{} is an unencrypted leftover from a crash: the next start removes it",
            path.strip_prefix(directory.path).unwrap_or(path).display()
        )
    });
    Ok(Outcome { figures: "no leftovers from a crash".into(), faults: faults.collect() })
}

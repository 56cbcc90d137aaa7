//! A backup in the place of the database, and then what was ordered since, before anybody is
//! served. Until the last moment nothing is changed; a kill at any step leaves the old database
//! or the new one.

mod incoming;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use crate::app::ledger_evidence::{self, Known};
use crate::app::{App, BackupPolicy, backups};
use crate::archive::{self, Identities, Unpacked};
use crate::atomic_file;
use crate::clock::{Clock, Millis};
use crate::data_dir::{DataDir, State};
use crate::erasure::replay::Replayed;
use crate::files::open_beside;
use crate::ledger::{self, MacKey, Position, ReplayEstimate, UNSEALED};
use crate::proof::ledger_head::Head;
use crate::proof::signing::PublicKey;
use crate::start::{self, LedgerChoice, Settings, ledgers};
use crate::store::backup::{self, OfflineDatabase};
use crate::store::jobs;
use crate::worker;
use incoming::Incoming;

/// What is to be restored, and with what.
pub struct Request {
    /// The backup.
    pub file: PathBuf,
    /// The keys that the owner gave; that of the machine is tried, too.
    pub owners: Identities,
    pub ledger: LedgerChoice,
    /// How backups are kept: receipts of what is erased again name the backups that hold it.
    pub policy: BackupPolicy,
}

/// What is told on the way. Where nobody can be told, the restore goes on.
pub enum Notice {
    /// The backup is good: when it was made, and the most that will be done once more. Nothing
    /// was changed yet.
    Ahead(Millis, ReplayEstimate),
    Warning(String),
}

/// What was done.
pub struct Restored {
    /// When the backup was made.
    pub made_at: Millis,
    /// What the ledger had ordered since.
    pub done: Replayed,
}

/// Puts it back. `settings` are those of a start; their ledger is that of the request.
pub fn run(
    data: &DataDir,
    settings: &Settings,
    request: &Request,
    clock: Clock,
    tell: &dyn Fn(Notice),
) -> anyhow::Result<Restored> {
    // An earlier one that was killed; what it kept aside is only there between two steps.
    start::sweep(data)?;
    let ready = prepare(data, request, tell)?;
    let made_at = ready.unpacked.manifest.made_at;
    tell(Notice::Ahead(made_at, ready.again));
    put_secrets(data, &ready, &request.owners)?;
    swap(data, &ready)?;
    // There is a backup of the database already: it comes out of one.
    let settings = Settings { ledger: request.ledger, backup_before_upgrade: false, ..settings.clone() };
    let app = match start::open(data, &settings, clock) {
        Ok(app) => app,
        Err(error) => {
            put_back(data)
                .with_context(|| format!("{error:#}; and the previous database could not be put back"))?;
            return Err(
                error.context("the backup could not be opened; the previous database is back in place")
            );
        }
    };
    app.set_backup_policy(request.policy.clone());
    let done = app.replayed();
    if request.ledger == LedgerChoice::New {
        tell(Notice::Warning(ledgers::given_up(&done)));
    }
    let erased = clean(&app);
    let signed = app.sign_audit_head();
    app.stop();
    erased?;
    signed?;
    Ok(Restored { made_at, done })
}

/// All that is needed, checked, in a folder of its own.
struct Ready {
    unpacked: Unpacked,
    /// The ledger to be put into the directory, which has none.
    ledger: Option<PathBuf>,
    /// Receipts lay beside the backup, and belong into the directory.
    receipts: bool,
    /// The most that will have to be done once more.
    again: ReplayEstimate,
}

/// Unpacks the backup and holds it against what is there. Changes nothing, but that a ledger of
/// version 1 is brought over.
fn prepare(data: &DataDir, request: &Request, tell: &dyn Fn(Notice)) -> anyhow::Result<Ready> {
    let Request { file, owners, ledger: choice, .. } = request;
    let without_ledger = *choice == LedgerChoice::New;
    let manifest = archive::read_manifest(file)?;
    let mark =
        backups::position(&manifest.ledger).context("the backup's position in the ledger is unreadable")?;
    let is_empty = State::of(data.path()) != State::Begun && !data.ledger().exists();
    if !is_empty && !without_ledger {
        check_own(data, &mark, choice.newest(), tell)?;
    }
    let keys = owners.clone().and(Identities::machine(&data.secrets())?);
    let unpacked = archive::unpack(file, &keys, data.path())?;
    let here = || {
        format!(
            "cannot open the database out of {}, unpacked in {}: see to that disk, and restore again; nothing was \
             replaced",
            file.display(),
            unpacked.folder().display()
        )
    };
    let offline = OfflineDatabase::open(&unpacked.database()).with_context(here)?;
    if let Some(fault) = offline.faults()?.first() {
        bail!("the database in {} is damaged: {fault}; use another backup", file.display());
    }
    if offline.ledger()? != mark {
        bail!("{} is not valid: its database has another position in the ledger", file.display());
    }
    let key = signing_key(&unpacked, file)?;
    let receipts = offline.read(jobs::last_receipt)?.unwrap_or_default().unsigned_abs();
    drop(offline);
    let store_key = data.secrets().join("store.key");
    if store_key.exists() && fs::read(&store_key)? != fs::read(unpacked.store_key())? {
        bail!(
            "{} is of another installation: its secret is not {}; restore it into an empty directory",
            file.display(),
            store_key.display()
        );
    }
    let mac_key = mac_key(&unpacked.store_key())?;
    let mut ledger = None;
    let mut beside_it = false;
    if is_empty {
        let beside = file.parent().unwrap_or(Path::new("")).join("erasures.ledger");
        beside_it = true;
        let mut incoming = Incoming::take(folder_of(&beside), &unpacked.folder().join("receipts"), &key)?;
        if let Some(warning) = incoming.warning() {
            tell(Notice::Warning(warning));
        }
        ledger = match without_ledger {
            true => {
                refuse_needless(&beside, &mark, &mac_key)?;
                None
            }
            false => Some(take_ledger(&beside, &unpacked, &mark, &mac_key, &key, choice.newest())?),
        };
        if incoming.taken < receipts {
            tell(Notice::Warning(format!(
                "{receipts} receipts were written before the backup, but only {} valid ones are beside it: \
                 put the others into {} before the next start. Otherwise new receipts take their numbers, and \
                 `usher verify` lists the missing ones",
                incoming.taken,
                data.receipts().display()
            )));
        }
    }
    backup::prepare(&unpacked.database(), manifest.made_at).with_context(here)?;
    File::open(unpacked.database()).and_then(|database| database.sync_all()).with_context(here)?;
    let again = match without_ledger {
        true => ReplayEstimate::default(),
        false => {
            let counted =
                ReplayEstimate::count(ledger.as_ref().unwrap_or(&data.ledger()), &[mark], &mac_key).pop();
            counted.transpose()?.unwrap_or_default()
        }
    };
    Ok(Ready { unpacked, ledger, receipts: beside_it, again })
}

/// Where the ledger of the backup is there and fits, nothing has to be given up.
fn refuse_needless(beside: &Path, mark: &Position, mac_key: &MacKey) -> anyhow::Result<()> {
    let seen = ledger::look(beside, mac_key, &[*mark], |_, _| {});
    if seen.is_ok_and(|seen| seen.places.iter().all(Result::is_ok)) {
        bail!(
            "the ledger of erasures {} exists and matches: restore without --without-ledger",
            beside.display()
        );
    }
    Ok(())
}

/// The ledger from beside the backup, into the folder of what was unpacked: brought over, if it is
/// of version 1, and held against all that lies there and is signed.
fn take_ledger(
    beside: &Path,
    unpacked: &Unpacked,
    mark: &Position,
    mac_key: &MacKey,
    key: &PublicKey,
    asked: Option<u64>,
) -> anyhow::Result<PathBuf> {
    let ours = unpacked.folder().join("erasures.ledger");
    copy(beside, &ours).with_context(|| {
        format!(
            "the ledger of erasures must be beside the backup, at {}: without it, users erased since would come \
             back. Put its newest copy there, from where backups are copied to. If there is no copy, use \
             --without-ledger, which prints what is lost",
            beside.display()
        )
    })?;
    let lies = || format!("beside the backup, at {}", beside.display());
    let folder = folder_of(beside);
    let mut known = Known::default();
    known.backups_in(folder, key);
    known.receipts_in(folder, key);
    if ledger::version_of(&ours) == Some(UNSEALED) {
        let kept = unpacked.folder().join("erasures.ledger.version-1");
        ledgers::carry_over(&ours, mac_key, &[*mark], &known, &kept).context(CANNOT).with_context(lies)?;
    }
    check_place(&ours, mark, mac_key).with_context(lies)?;
    known.check(&ours, mac_key, asked).context(CANNOT).with_context(lies)?;
    Ok(ours)
}

const CANNOT: &str = "the backup cannot be restored beside this ledger";

/// The key that signed what lies beside the backup, out of the backup.
fn signing_key(unpacked: &Unpacked, file: &Path) -> anyhow::Result<PublicKey> {
    let text = fs::read_to_string(unpacked.signing_pub())?;
    let key: PublicKey = text.parse().map_err(|why| anyhow!("signing.pub in {}: {why}", file.display()))?;
    if unpacked.manifest.key.is_some_and(|named| named != key.hex()) {
        bail!("{} is not valid: it was signed by another key than the one it contains", file.display());
    }
    Ok(key)
}

fn mac_key(store_key: &Path) -> anyhow::Result<MacKey> {
    let secret: [u8; 32] = fs::read(store_key)
        .with_context(|| format!("cannot read {}", store_key.display()))?
        .try_into()
        .map_err(|_| anyhow!("{} is damaged: it must have 32 bytes", store_key.display()))?;
    Ok(MacKey::new(&secret))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The ledger has all that a database has seen.
fn check_place(path: &Path, mark: &Position, mac_key: &MacKey) -> anyhow::Result<()> {
    let seen = ledger::look(path, mac_key, &[*mark], |_, _| {}).context(CANNOT)?;
    seen.places.into_iter().try_for_each(|place| place.map(drop)).context(CANNOT)
}

/// The ledger that is there has all that the backup has seen, is no older than the database that is
/// there (entries would be missing), and what is signed about it.
fn check_own(
    data: &DataDir,
    mark: &Position,
    asked: Option<u64>,
    tell: &dyn Fn(Notice),
) -> anyhow::Result<()> {
    let path = data.ledger();
    let store_key = data.secrets().join("store.key");
    if path.exists() && !store_key.exists() {
        bail!(
            "{} is missing, but the ledger of erasures exists: put the key back, or move {} beside the backup",
            store_key.display(),
            path.display()
        );
    }
    if !path.exists() {
        let missing = ledger::LedgerError::Missing { path };
        return Err(anyhow::Error::from(missing).context(CANNOT));
    }
    let secret = data.store_secret()?;
    ledgers::upgrade(data, &secret)?;
    let mac_key = MacKey::new(&secret);
    check_place(&path, mark, &mac_key)?;
    if State::of(data.path()) == State::Begun
        && let Some(old) = old_mark(data, tell)?
    {
        check_place(&path, &old, &mac_key)?;
    }
    let mut known = Known::default();
    let key = ledgers::public_key(data.path())?;
    let head = Head::read(data.path(), &key)?;
    head.iter().for_each(|head| known.head(head));
    known.receipts_in(&data.receipts(), &key);
    known.backups_in(&data.backups(), &key);
    let looked = known.check(&path, &mac_key, asked).context(CANNOT)?;
    head.map_or(Ok(()), |head| ledger_evidence::check_owner(&head, &looked)).context(CANNOT)
}

/// How far the database that is there has seen the ledger. None: it does not read.
fn old_mark(data: &DataDir, tell: &dyn Fn(Notice)) -> anyhow::Result<Option<Position>> {
    let old = data.database();
    let mark = backup::seen(&old).with_context(|| {
        format!(
            "{} cannot be read, so it is not replaced: make it readable, or move it away to restore the backup \
             without it",
            old.display()
        )
    })?;
    if mark.is_none() {
        // That is why there is a restore.
        tell(Notice::Warning("the current database is unreadable and is replaced".to_owned()));
    }
    Ok(mark)
}

/// The secrets of the backup, and receipts and ledger from beside it, where the directory has
/// none. The ledger is the last: until it is there, the next restore takes all of them again.
fn put_secrets(data: &DataDir, ready: &Ready, owners: &Identities) -> anyhow::Result<()> {
    let Unpacked { manifest, .. } = &ready.unpacked;
    data.make_secrets()?;
    let secrets = data.secrets();
    for (from, to) in [
        (ready.unpacked.store_key(), secrets.join("store.key")),
        (ready.unpacked.signing_key(), secrets.join("signing.key")),
        (ready.unpacked.signing_pub(), data.path().join("signing.pub")),
    ] {
        if !to.exists() {
            rename(&from, &to)?;
        }
    }
    // The owner's key stays theirs.
    let first = owners.fingerprints().0.into_iter().next();
    if !secrets.join("recovery.pub").exists() && first.as_ref() == Some(&manifest.recipients.recovery) {
        owners.adopt(&secrets)?;
    }
    if ready.receipts {
        put_receipts(data, &ready.unpacked.folder().join("receipts"))?;
    }
    if let Some(ledger) = &ready.ledger {
        rename(ledger, &data.ledger())?;
    }
    Ok(())
}

/// One by one: a restore that was killed, or a database that was lost, may have left some.
fn put_receipts(data: &DataDir, from: &Path) -> anyhow::Result<()> {
    let folder = data.receipts();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = folder.join(entry.file_name());
        if !to.exists() {
            fs::rename(entry.path(), &to).with_context(|| format!("cannot make {}", to.display()))?;
        }
    }
    atomic_file::sync_folder(&folder)?;
    Ok(atomic_file::sync_folder(data.path())?)
}

/// The new database in the place of the old one, which is kept aside.
fn swap(data: &DataDir, ready: &Ready) -> anyhow::Result<()> {
    let (database, kept) = (data.database(), data.kept());
    data.forget_kept()?;
    if database.exists() {
        // A WAL that was left beside it would be taken for the new one's.
        let wal = data.path().join("usher.db-wal");
        // One that does not read takes its WAL along.
        if !backup::fold(&database)? && wal.exists() {
            rename(&wal, &data.kept_wal())?;
        }
        fs::hard_link(&database, &kept).with_context(|| format!("cannot make {}", kept.display()))?;
    }
    backup::forget_wal(&database)?;
    atomic_file::sync_folder(data.path())?;
    rename(&ready.unpacked.database(), &database)
}

fn put_back(data: &DataDir) -> anyhow::Result<()> {
    backup::forget_wal(&data.database())?;
    match data.kept().exists() {
        true => rename(&data.kept(), &data.database())?,
        false => fs::remove_file(data.database()).context("cannot remove the database")?,
    }
    data.settle_kept()
}

/// Erases down to the bytes the users who are to be erased again, and what a copy has beside its
/// rows.
fn clean(app: &App) -> anyhow::Result<()> {
    worker::tick(app)?;
    if !app.store().is_scanned() {
        app.store().full_scan(&|| true)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // What lies beside a backup may have been put there by somebody who could not read what it leads to.
    let mut from = open_beside(from)?;
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut from, &mut to)?;
    to.sync_all()
}

/// On the disk when it returns.
fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot make {}", to.display()))?;
    Ok(atomic_file::sync_name(to)?)
}

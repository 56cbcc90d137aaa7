//! The handle that handlers, pages, commands and the worker hold.

mod audit_head;
pub mod backups;
pub mod condition;
pub mod due;
pub mod figures;
pub mod finding;
mod heads;
pub mod importing;
pub mod ledger_evidence;
pub mod readiness;
mod regulations;
pub mod scans;
mod sign_ins;
mod time;

use std::path::{Path, PathBuf};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::keyring::Keyring;
use crate::archive::{self, Notices};
use crate::clock::{Clock, Millis};
use crate::edge::Edge;
use crate::erasure::replay::{LagCause, Replayed};
use crate::erasure::{jobs, replay};
use crate::error::{Error, Result};
use crate::ledger::{Entry, Looked, Orders};
use crate::metrics::Requests;
use crate::people::repairs;
use crate::projects;
use crate::proof::check::{check_one, figures as figures_of};
use crate::proof::figures::JobNumbers;
use crate::proof::hex::Hex;
use crate::proof::ledger_head::Head;
use crate::proof::receipt::Receipt;
use crate::proof::receipts::{Last, Receipts};
use crate::proof::signing::Signer;
use crate::store::search_scope::SearchScope;
use crate::store::{self, BackgroundTx, Db, Priority, Store, TxOf, ledger_position, maintenance};
use crate::tls::Certificates;
use crate::trace::{Actor, RequestId, Source, Who};
use crate::worker_signal::WorkerSignal;
use heads::Heads;
use ledger_evidence::Known;
use readiness::Watch;
use scans::Scans;

#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Stamps this handle's writes.
    clock: Clock,
    /// Who writes with it, outside of requests.
    actor: Actor,
}

/// What an app is made of.
pub struct Parts {
    /// An open store, and what its ledger has that it has not seen.
    pub store: (Store, Vec<Entry>),
    pub keyring: Keyring,
    pub worker_signal: Arc<WorkerSignal>,
    pub clock: Clock,
    /// How long a clock that jumped is not trusted; 0: it always is.
    pub clock_grace: Millis,
    /// The largest recording of a session, in bytes.
    pub recording_limit: usize,
    pub signer: Signer,
    pub receipts: Receipts,
    /// The folder that backups are made in.
    pub backups: PathBuf,
}

/// The parts once the store was held against its ledger.
struct Made {
    store: Store,
    keyring: Keyring,
    worker_signal: Arc<WorkerSignal>,
    clock: Clock,
    recording_limit: usize,
    signer: Signer,
    receipts: Receipts,
    backups: PathBuf,
}

struct Inner {
    store: Store,
    keyring: Keyring,
    worker_signal: Arc<WorkerSignal>,
    recording_limit: usize,
    signer: Signer,
    receipts: Mutex<Receipts>,
    backups: PathBuf,
    heads: OnceLock<Heads>,
    replayed: Mutex<Replayed>,
    proving: Mutex<SearchScope>,
    backing_up: RwLock<()>,
    backup_policy: OnceLock<BackupPolicy>,
    edge: OnceLock<Edge>,
    tls: OnceLock<Certificates>,
    kept: Mutex<time::Kept>,
    scans: Arc<Scans>,
    requests: Requests,
    watch: Watch,
    sign_ins: sign_ins::InMemory,
    finding: finding::Finding,
    exports: Arc<Semaphore>,
    importing: importing::Places,
}

/// Exports that are written at a time.
const EXPORTS: usize = 4;

/// How backups are made and kept.
#[derive(Clone)]
pub struct BackupPolicy {
    /// None: only when somebody asks for one.
    pub every: Option<Millis>,
    /// How long they are kept.
    pub keep: Millis,
    /// Who copies them to another place.
    pub copies: Option<Notices>,
}

impl Default for BackupPolicy {
    fn default() -> BackupPolicy {
        BackupPolicy { every: None, keep: archive::KEEP, copies: None }
    }
}

impl App {
    /// Catches up with the ledger, makes the first project if there is none, loads the keys.
    /// [`Error::Internal`] with the way out if the ledger is older, or another, than its signed
    /// head or the last receipt say.
    pub fn new(parts: Parts) -> Result<App> {
        App::with_head(parts, None)
    }

    /// The same where somebody has decided which entry of the ledger is its newest.
    pub fn with_head(parts: Parts, asked: Option<u64>) -> Result<App> {
        let Parts {
            store: (store, unseen),
            keyring,
            worker_signal,
            clock,
            clock_grace,
            recording_limit,
            signer,
            receipts,
            backups,
        } = parts;
        let (behind, looked) = check_ledger(&store, &signer, &receipts, &unseen, asked)?;
        let head = Head::read(store.folder(), &signer.public()).map_err(Error::internal)?;
        let signed_by = head.map(|head| i64::from_be_bytes(head.run.0));
        let begun = time::begin(&store, &clock, clock_grace, &unseen, &receipts)?;
        let mut receipts = receipts;
        let (unknown, first) = learn(&mut receipts, &store)?;
        let parts = Made { store, keyring, worker_signal, clock, recording_limit, signer, receipts, backups };
        let app = App::made_of(parts)?;
        time::note_begun(&app, begun)?;
        let entries = unseen.len();
        if !unknown.is_empty() || first > 0 {
            app.write_blocking(move |tx| jobs::go_on_after(tx, &unknown, first))?;
        }
        let orders = (!unseen.is_empty()).then(|| Orders::from(unseen.as_slice()));
        let named = if looked.lost.is_some() { app.good_receipts() } else { Vec::new() };
        // In one transaction: a kill in between would leave a database out of a backup that does
        // not know it any more, and has not caught up.
        let is_restored = app.read(|db| maintenance::done_at(db, maintenance::RESTORED))?.is_some();
        let actor = if is_restored { Actor::Operator } else { Actor::System };
        // The number of this run, too: what is not known as restored has to have that of the head.
        let run = fastrand::i64(..);
        let done = app.by(actor).write_blocking(move |tx| {
            replay::note_restored(tx, entries)?;
            maintenance::note_run(tx, run, signed_by)?;
            orders.as_ref().map(|orders| replay::run(tx, orders, behind, &named)).transpose()
        })?;
        if let Some(done) = done {
            log::info!("caught up with the ledger: {done}");
            *app.inner.replayed.lock().unwrap_or_else(PoisonError::into_inner) = done;
        }
        app.write_blocking(projects::ensure_first)?;
        app.sign_heads(Hex(run.to_be_bytes()))?;
        app.keep_time()?;
        app.reload_keys()?;
        Ok(app)
    }

    /// An app over a store that is read alone: the same checks, and nothing is written, now or later.
    pub fn read_only(parts: Parts) -> Result<App> {
        let Parts {
            store: (store, unseen),
            keyring,
            worker_signal,
            clock,
            clock_grace,
            recording_limit,
            signer,
            receipts,
            backups,
        } = parts;
        check_ledger(&store, &signer, &receipts, &unseen, None)?;
        time::begin(&store, &clock, clock_grace, &unseen, &receipts)?;
        let made = Made { store, keyring, worker_signal, clock, recording_limit, signer, receipts, backups };
        let app = App::made_of(made)?;
        app.reload_keys()?;
        Ok(app)
    }

    fn made_of(made: Made) -> Result<App> {
        let Made { store, keyring, worker_signal, clock, recording_limit, signer, receipts, backups } = made;
        let (open, last) = (store.read(jobs::open)?, receipts.last().number);
        let watch = Watch::over(store.folder());
        Ok(App {
            inner: Arc::new(Inner {
                store,
                keyring,
                worker_signal,
                recording_limit,
                signer,
                receipts: Mutex::new(receipts),
                backups,
                heads: OnceLock::new(),
                replayed: Mutex::default(),
                proving: Mutex::new(SearchScope::after_start(open, last)),
                backing_up: RwLock::default(),
                backup_policy: OnceLock::new(),
                edge: OnceLock::new(),
                tls: OnceLock::new(),
                kept: Mutex::default(),
                scans: Arc::default(),
                requests: Requests::default(),
                watch,
                sign_ins: sign_ins::InMemory::default(),
                finding: finding::Finding::default(),
                exports: Arc::new(Semaphore::new(EXPORTS)),
                importing: importing::Places::default(),
            }),
            clock,
            actor: Actor::System,
        })
    }

    /// Whether nothing is written: every write is [`Error::ReadOnly`].
    pub fn is_read_only(&self) -> bool {
        self.inner.store.is_read_only()
    }

    /// Signs how far the ledger has come, from now on until the stop.
    fn sign_heads(&self, run: Hex<8>) -> Result<()> {
        let Inner { store, signer, heads, .. } = &*self.inner;
        let now = store.read(ledger_position)?;
        let signing = Heads::start(store.folder(), signer.clone(), self.clock.clone(), run, now)?;
        store.on_ledger_growth(signing.hearer())?;
        let _ = heads.set(signing);
        Ok(())
    }

    /// All receipts whose signatures are good.
    fn good_receipts(&self) -> Vec<Receipt> {
        let key = self.signer().public();
        let listed = self.receipts().below(None, usize::MAX);
        let read = listed.into_iter().filter_map(|listed| listed.file_bytes().ok());
        read.filter_map(|bytes| check_one(&bytes, &key).ok()).collect()
    }

    /// The same app, whose writes through this handle happen at another time.
    pub fn at(&self, clock: Clock) -> App {
        App { clock, ..self.clone() }
    }

    /// The same app, held by somebody else.
    pub fn by(&self, actor: Actor) -> App {
        App { actor, ..self.clone() }
    }

    /// What was caught up with at the start.
    pub fn replayed(&self) -> Replayed {
        *self.inner.replayed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What receipts and the audit log's heads are signed with.
    pub fn signer(&self) -> &Signer {
        &self.inner.signer
    }

    fn kept(&self) -> MutexGuard<'_, time::Kept> {
        self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chain of receipts.
    pub fn receipts(&self) -> MutexGuard<'_, Receipts> {
        self.inner.receipts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while erasures are proven, with what is still to be searched for whom.
    pub fn proving(&self) -> MutexGuard<'_, SearchScope> {
        self.inner.proving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while a backup is made or backups are pruned.
    pub fn backing_up(&self) -> RwLockWriteGuard<'_, ()> {
        self.inner.backing_up.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held by those, as many as there are, for whom none may be made meanwhile. None: one is
    /// being made.
    pub fn no_backup(&self) -> Option<RwLockReadGuard<'_, ()>> {
        match self.inner.backing_up.try_read() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// How backups are made and kept from now on; the first word counts.
    pub fn set_backup_policy(&self, backup_policy: BackupPolicy) {
        let _ = self.inner.backup_policy.set(backup_policy);
    }

    /// How backups are made and kept.
    pub fn backup_policy(&self) -> BackupPolicy {
        self.inner.backup_policy.get().cloned().unwrap_or_default()
    }

    /// Where the server stands; the first word counts.
    pub fn stands_at(&self, edge: Edge) {
        let _ = self.inner.edge.set(edge);
    }

    /// Where the server stands: behind no proxy, with no address of its own, unless it was said.
    pub fn edge(&self) -> &Edge {
        self.inner.edge.get_or_init(Edge::default)
    }

    /// What the server shows where it speaks TLS itself; the first word counts.
    pub fn shows(&self, certificates: Certificates) {
        let _ = self.inner.tls.set(certificates);
    }

    /// The certificate, where the server speaks TLS itself.
    pub fn tls(&self) -> Option<&Certificates> {
        self.inner.tls.get()
    }

    /// What was answered since the start.
    pub fn requests(&self) -> &Requests {
        &self.inner.requests
    }

    /// The folder that backups are made in.
    pub fn backups(&self) -> &Path {
        &self.inner.backups
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    pub fn worker_signal(&self) -> &Arc<WorkerSignal> {
        &self.inner.worker_signal
    }

    /// The files under it all, for the worker and for checks.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Held while an export is written. [`Error::Unavailable`] if too many are.
    pub fn exporting(&self) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.inner.exports).try_acquire_owned();
        turn.map_err(|_| Error::Unavailable("too many exports are running; try again"))
    }

    /// The largest recording of a session, in bytes.
    pub fn recording_limit(&self) -> usize {
        self.inner.recording_limit
    }

    /// A short read, right here.
    pub fn read<T>(&self, run: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        self.inner.store.read(run)
    }

    /// A read that may be long, on a thread of its own and for some seconds at most. Who finds
    /// no place waits for a while, see [`scans`].
    pub async fn scan<T, F>(&self, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Db) -> Result<T> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let request = RequestId::current().unwrap_or_default();
        let turn = inner.scans.enter(Actor::current()).await?;
        let scan = move || {
            let outcome = request.sync_scope(|| inner.store.scan(run));
            drop(turn);
            outcome
        };
        tokio::task::spawn_blocking(scan).await.map_err(Error::internal)?
    }

    /// A short read on a thread of its own, for those who read one after the other.
    pub async fn read_aside<T, F>(&self, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Db) -> Result<T> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let request = RequestId::current().unwrap_or_default();
        let read = move || request.sync_scope(|| inner.store.read(run));
        tokio::task::spawn_blocking(read).await.map_err(Error::internal)?
    }

    /// A write: answered once it is on disk. `run` may be called twice; see
    /// [`crate::store`]. The verb that it calls says by its `tx` what it comes before.
    pub async fn write<P, T, F>(&self, mut run: F) -> Result<T>
    where
        P: Priority,
        T: Send + 'static,
        F: FnMut(&TxOf<P>) -> Result<T> + Send + 'static,
    {
        let request = RequestId::current().unwrap_or_default();
        let who = Who::current();
        let Some(source) = who.source else {
            let run = move |tx: &TxOf<P>| request.sync_scope(|| run(tx));
            let answer = self.inner.store.submit(self.clock.clone(), who, run)?;
            return answer.await.map_err(|_| Error::Unavailable("the server is stopping"))?;
        };
        let counting = self.keyring().counting(source);
        let made = Arc::clone(&counting);
        let run = move |tx: &TxOf<P>| {
            if let Some((room, retry_after)) = counting.left(tx.now()) {
                tx.limit_registrations(room, retry_after);
            }
            let outcome = request.sync_scope(|| run(tx));
            if outcome.is_ok() {
                counting.count(tx.registrations(), tx.now());
            }
            outcome
        };
        let answer = self.inner.store.submit(self.clock.clone(), who, run)?;
        let outcome = answer.await.map_err(|_| Error::Unavailable("the server is stopping"))?;
        if outcome.is_err() {
            made.take_back();
        } else if made.has_passed_half() {
            self.raise_alarm(source).await;
        }
        outcome
    }

    /// Half of what may be is made. What was asked for is done; the alarm stands in the log.
    async fn raise_alarm(&self, source: Source) {
        let note = move |tx: &BackgroundTx| repairs::raise_alarm(tx, source);
        if let Ok(answer) = self.inner.store.submit(self.clock.clone(), Who::current(), note) {
            let _ = answer.await;
        }
    }

    /// The same for a thread that may wait.
    pub fn write_blocking<P, T, F>(&self, run: F) -> Result<T>
    where
        P: Priority,
        T: Send + 'static,
        F: FnMut(&TxOf<P>) -> Result<T> + Send + 'static,
    {
        let who = Who { actor: self.actor, ..Who::default() };
        let answer = self.inner.store.submit(self.clock.clone(), who, run)?;
        answer.blocking_recv().map_err(|_| Error::Unavailable("the server is stopping"))?
    }

    /// To be called after a change of keys or projects.
    pub fn reload_keys(&self) -> Result<()> {
        self.read(|db| self.inner.keyring.load(db))
    }

    /// Waits until something may be due, `longest` at most.
    pub fn sleep(&self, longest: Duration) {
        self.inner.worker_signal.sleep(longest);
    }

    /// How many handles there are. Each thread that served has one, and the database open, for a moment
    /// after the server has ended.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.inner)
    }

    /// Finishes the writes that wait and folds the WAL in; later ones are refused.
    pub fn stop(&self) {
        self.stop_finding();
        self.inner.store.stop();
        if let Some(heads) = self.inner.heads.get() {
            heads.stop();
        }
    }
}

/// Receipts that the database does not know: it is older than they are, or a kill came between the
/// two. Their projects' chains go on after them. Returns the numbers of their jobs, and the last
/// number of those of version 1, which do not say whose they are: 0 for none.
fn learn(receipts: &mut Receipts, store: &Store) -> Result<(Vec<JobNumbers>, u64)> {
    let known = store.read(store::jobs::last_receipt)?.unwrap_or_default().unsigned_abs();
    let (mut unknown, mut first) = (Vec::new(), 0);
    for listed in receipts.after(known) {
        let figures = listed.file_bytes().ok().and_then(|bytes| figures_of(&bytes));
        let name = listed.file_name();
        match (listed.read(), figures) {
            (Ok(stored), figures) => {
                let Receipt { project, number, .. } = stored.receipt;
                match project {
                    Some(project) => receipts.follow(project, Last { number, hash: stored.hash }),
                    None => first = number.max(first),
                }
                unknown.extend(figures.map(|figures| figures.job));
            }
            (Err(trouble), _) => log::error!("receipt {name} cannot be read: {trouble}"),
        }
    }
    Ok((unknown, first))
}

/// Holds the ledger against its signed head and the last receipt: who cuts it off, or puts an older
/// one there, has no key to sign those again. Says why the database is behind it, if it is.
fn check_ledger(
    store: &Store,
    signer: &Signer,
    receipts: &Receipts,
    unseen: &[Entry],
    asked: Option<u64>,
) -> Result<(LagCause, Looked)> {
    let (key, position) = (signer.public(), store.read(ledger_position)?);
    let mut known = Known::default();
    let head = Head::read(store.folder(), &key).map_err(Error::internal)?;
    head.iter().for_each(|head| known.head(head));
    if let Some(last) = receipts.numbered(receipts.last().number)
        && let Ok(receipt) = check_one(&last.file_bytes().map_err(Error::internal)?, &key)
    {
        known.receipt(receipt);
    }
    let looked = known.check(&store.ledger(), &store.mac_key(), asked).map_err(Error::internal)?;
    if let Some(head) = &head {
        ledger_evidence::check_owner(head, &looked).map_err(Error::internal)?;
    }
    let (runs, restored) =
        store.read(|db| Ok((maintenance::runs(db)?, maintenance::done_at(db, maintenance::RESTORED)?)))?;
    // A stop between ledger and database leaves the run that signed the head, and a database that
    // has seen all that was signed: a head is signed of what was committed.
    let stopped = head.is_some_and(|head| {
        head.ledger.0 == position.ledger.0
            && head.seq <= position.seq
            && runs.this.is_some_and(|run| run.to_be_bytes() == head.run.0)
    });
    let behind = match stopped && restored.is_none() && !unseen.is_empty() {
        true => LagCause::Stopped,
        false => LagCause::PutBack,
    };
    Ok((behind, looked))
}

//! What keys open, in memory: a request is let in without a query. It is loaded at the
//! start and again after each change of a key or a project, by the verb that changes them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::access::key_addresses::Allowed;
use crate::access::rate_limit::{Allowance, KeyLimiter, Limit, Refusals};
use crate::access::registration_limit::{Counting, NewPeople};
use crate::access::{keys, rotation};
use crate::clock::{Clock, DAY, HOUR, Millis};
use crate::error::{Error, Result};
use crate::model::{Credential, Key, KeyId, ProjectId, Scope, Scopes};
use crate::projects;
use crate::projects::origins;
use crate::secrets;
use crate::store::Db;
use crate::trace::{Actor, Source};

pub struct Keyring {
    clock: Clock,
    limit: Limit,
    people: Arc<NewPeople>,
    by_hash: RwLock<HashMap<[u8; 32], Secret>>,
    /// Secrets of keys that were revoked since their counts were taken.
    retired: Mutex<Vec<Secret>>,
    failed_sign_ins: Mutex<FailedSignIns>,
    refusals: Refusals,
}

/// So many sign-ins that fail in an hour are written down one by one, the rest in sums.
const FAILED_SIGN_INS: u64 = 20;

#[derive(Default)]
struct FailedSignIns {
    hour: i64,
    noted: u64,
    more: u64,
}

/// What was counted in memory.
#[derive(Debug, Default)]
pub struct Counts {
    /// When keys were last used.
    pub uses: Vec<(KeyId, Millis)>,
    /// When ingest tokens were.
    pub tokens: Vec<(ProjectId, Millis)>,
    /// When secrets were that others have replaced, by their hash.
    pub old: Vec<([u8; 32], Millis)>,
    /// Requests from addresses that their keys are not good from.
    pub refused_addresses: Vec<(KeyId, u64)>,
    /// When keys that are not public last came from a browser.
    pub browsers: Vec<(KeyId, Millis)>,
    /// Reads over the API, by key and day (its first millisecond, UTC).
    pub reads: Vec<(KeyId, Millis, u64)>,
    /// Requests of pages of sites that are not on their project's list.
    pub refused_origins: Vec<(ProjectId, u64)>,
    /// Sign-ins that failed, beyond those that were written down by themselves.
    pub failed_sign_ins: u64,
}

/// One secret of a key or a project: the present one, or one that it has replaced.
struct Secret {
    access: Arc<Access>,
    hash: [u8; 32],
    is_old: bool,
    /// From then on it opens nothing.
    ends_at: Option<Millis>,
    /// Last use that was not written down yet; 0 for none.
    used_at: AtomicI64,
}

/// What one key opens, with whichever of its secrets.
pub struct Access {
    /// None: a project's public ingest token.
    pub key: Option<KeyId>,
    /// None: every project.
    pub project: Option<ProjectId>,
    pub scopes: Scopes,
    is_public: bool,
    limiter: Option<KeyLimiter>,
    /// When it last came from a browser, not written down yet; 0 for never.
    browser_at: AtomicI64,
    /// Reads that were not written down yet: the day in the upper half, their number in the
    /// lower one; and those of days before.
    reads: AtomicU64,
    earlier: Mutex<Vec<(Millis, u64)>>,
    /// Sites whose pages may send to the project.
    origins: RwLock<Arc<[String]>>,
    /// Requests of pages of other sites that were not written down yet.
    refused_origins: AtomicU64,
    /// Where it is good from.
    from: RwLock<Arc<Allowed>>,
    /// Requests from elsewhere that were not written down yet.
    refused_addresses: AtomicU64,
}

impl Keyring {
    pub fn new(clock: Clock, limit: Limit) -> Keyring {
        let people = Arc::new(NewPeople::new(limit.is_none()));
        let refusals = Refusals::new(clock.clone(), limit);
        Keyring {
            clock,
            limit,
            people,
            by_hash: RwLock::default(),
            retired: Mutex::default(),
            failed_sign_ins: Mutex::default(),
            refusals,
        }
    }

    /// What a write is to count of the new people that it makes.
    pub fn counting(&self, source: Source) -> Arc<Counting> {
        Arc::new(Counting::new(Arc::clone(&self.people), source))
    }

    /// New people that public credentials made.
    pub fn people(&self) -> &NewPeople {
        &self.people
    }

    /// Reads all keys and tokens again. What a key has used of its limit stays.
    pub fn load(&self, db: &Db) -> Result<()> {
        let mut fresh = HashMap::new();
        let mut held = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        // All are read before anything is taken out: a fault leaves what is there.
        let (keys, projects, old) = (keys::list(db)?, projects::list(db)?, rotation::list(db)?);
        self.people.set_limits(projects.iter().map(|project| (project.id, &project.intake)));
        // A new secret opens what the one before opens, within the same limit.
        let known: HashMap<Credential, Arc<Access>> = held
            .values()
            .filter_map(|secret| Some((secret.access.of()?, Arc::clone(&secret.access))))
            .collect();
        let mut add = |hash: [u8; 32], access: &Arc<Access>, is_old: bool, ends_at: Option<Millis>| {
            let used_at = held.remove(&hash).map_or(0, |before| before.used_at.into_inner());
            let (access, used_at) = (Arc::clone(access), AtomicI64::new(used_at));
            fresh.insert(hash, Secret { access, hash, is_old, ends_at, used_at });
        };
        for key in keys.into_iter().filter(|key| key.revoked_at.is_none()) {
            let of = Credential::Key(key.id);
            let access = known.get(&of).cloned().unwrap_or_else(|| Arc::new(self.access(&key)));
            *access.from.write().unwrap_or_else(PoisonError::into_inner) =
                Arc::new(Allowed::of(&key.addresses));
            add(key.hash, &access, false, key.expires_at);
            for old in old.iter().filter(|old| old.of == of) {
                add(old.hash, &access, true, Some(old.ends_at));
            }
        }
        let lists: HashMap<ProjectId, Arc<[String]>> =
            projects.iter().map(|project| (project.id, project.origins.clone().into())).collect();
        for project in projects {
            let of = Credential::Token(project.id);
            let scopes = Scopes::of(&[Scope::Ingest]);
            let access = known
                .get(&of)
                .cloned()
                .unwrap_or_else(|| Arc::new(self.opening(None, Some(project.id), scopes, true)));
            add(secrets::hash(&project.ingest_token), &access, false, None);
            for old in old.iter().filter(|old| old.of == of) {
                add(old.hash, &access, true, Some(old.ends_at));
            }
        }
        for Secret { access, .. } in fresh.values() {
            if let Some(list) = access.project.and_then(|project| lists.get(&project)) {
                *access.origins.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(list);
            }
        }
        let gone = std::mem::replace(&mut *held, fresh);
        self.retired().extend(gone.into_values());
        Ok(())
    }

    /// What this secret opens for a request from an address. [`Error::UnknownKey`] if nothing: nobody
    /// is told that it did before its end, or would from elsewhere.
    pub fn open(&self, secret: &str, address: impl FnOnce() -> Option<IpAddr>) -> Result<Arc<Access>> {
        // Looked up by a hash, so that the time it takes says nothing of any key.
        // A key that was read from a file may end with the file's newline.
        let hash = secrets::hash(secret.trim_ascii());
        let held = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let found = held.get(&hash).ok_or(Error::UnknownKey)?;
        // By the clock in force now: nothing is loaded again when an end comes.
        let now = self.clock.now();
        if found.ends_at.is_some_and(|end| now >= end) {
            return Err(Error::UnknownKey);
        }
        found.access.judge_address(address)?;
        found.used_at.store(now, Ordering::Relaxed);
        Ok(Arc::clone(&found.access))
    }

    /// Whether it is a secret that opens something now, from somewhere. Nothing is counted.
    pub fn knows(&self, secret: &str) -> bool {
        let hash = secrets::hash(secret.trim_ascii());
        let held = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        held.get(&hash).is_some_and(|found| found.ends_at.is_none_or(|end| self.clock.now() < end))
    }

    /// What was counted since the last time; it counts as written down from here on.
    pub fn take_counts(&self) -> Counts {
        let retired = std::mem::take(&mut *self.retired());
        let held = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let failed = &mut self.failed_sign_ins.lock().unwrap_or_else(PoisonError::into_inner).more;
        let mut counts = Counts { failed_sign_ins: std::mem::take(failed), ..Counts::default() };
        for secret in held.values().chain(&retired) {
            let access = &secret.access;
            let used_at = secret.used_at.swap(0, Ordering::Relaxed);
            if used_at > 0 {
                match access.of() {
                    _ if secret.is_old => counts.old.push((secret.hash, used_at)),
                    Some(Credential::Key(id)) => counts.uses.push((id, used_at)),
                    Some(Credential::Token(id)) => counts.tokens.push((id, used_at)),
                    None => {}
                }
            }
            let refused = access.refused_origins.swap(0, Ordering::Relaxed);
            let of_project = access.project.filter(|_| refused > 0);
            counts.refused_origins.extend(of_project.map(|project| (project, refused)));
            let Some(key) = access.key else { continue };
            let elsewhere = access.refused_addresses.swap(0, Ordering::Relaxed);
            counts.refused_addresses.extend((elsewhere > 0).then_some((key, elsewhere)));
            let browser_at = access.browser_at.swap(0, Ordering::Relaxed);
            counts.browsers.extend((browser_at > 0).then_some((key, browser_at)));
            let mut reads = std::mem::take(&mut *access.earlier());
            reads.extend(unpack(access.reads.swap(0, Ordering::Relaxed)));
            counts.reads.extend(reads.into_iter().map(|(day, count)| (key, day, count)));
        }
        counts
    }

    /// Requests without a good key, by address.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Counts a sign-in that failed. True: it is to be written down; false: in a flood, it is
    /// counted with others.
    pub fn count_failed_sign_in(&self) -> bool {
        let hour = self.clock.now().div_euclid(HOUR);
        let mut failed = self.failed_sign_ins.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.hour != hour {
            (failed.hour, failed.noted) = (hour, 0);
        }
        if failed.noted < FAILED_SIGN_INS {
            failed.noted += 1;
            return true;
        }
        failed.more += 1;
        false
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Secret>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn access(&self, key: &Key) -> Access {
        self.opening(Some(key.id), key.project, key.scopes, key.is_public)
    }

    fn opening(
        &self,
        key: Option<KeyId>,
        project: Option<ProjectId>,
        scopes: Scopes,
        is_public: bool,
    ) -> Access {
        let limiter = self.limit.map(|limit| KeyLimiter::new(limit, self.clock.clone()));
        Access {
            key,
            project,
            scopes,
            is_public,
            limiter,
            browser_at: AtomicI64::new(0),
            reads: AtomicU64::new(0),
            earlier: Mutex::default(),
            origins: RwLock::new(Arc::from([])),
            refused_origins: AtomicU64::new(0),
            from: RwLock::new(Arc::new(Allowed::Everywhere)),
            refused_addresses: AtomicU64::new(0),
        }
    }
}

impl Access {
    /// Whether anybody may have it: an ingest token, or a key that is made to be public.
    pub fn is_public(&self) -> bool {
        self.is_public
    }

    /// Whose secrets open it.
    fn of(&self) -> Option<Credential> {
        self.key.map(Credential::Key).or(self.project.map(Credential::Token))
    }

    /// [`Error::UnknownKey`] if it is not good from this address. Those are counted.
    fn judge_address(&self, address: impl FnOnce() -> Option<IpAddr>) -> Result<()> {
        let from = Arc::clone(&self.from.read().unwrap_or_else(PoisonError::into_inner));
        if from.allows(address) {
            return Ok(());
        }
        self.refused_addresses.fetch_add(1, Ordering::Relaxed);
        Err(Error::UnknownKey)
    }

    /// Who acts with it.
    pub fn actor(&self) -> Actor {
        match self.key {
            Some(id) if self.is_public => Actor::PublicKey(id.0),
            Some(id) => Actor::Key(id.0),
            None => Actor::Token,
        }
    }

    /// Notes that it came from a browser, where a key that is not public has no business.
    pub fn note_browser(&self, clock: &Clock) {
        if !self.is_public {
            self.browser_at.store(clock.now(), Ordering::Relaxed);
        }
    }

    /// [`Error::Forbidden`] without the scope.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        Err(Error::Forbidden(match scope {
            Scope::Ingest => "the key lacks the scope ingest",
            Scope::Read => "the key lacks the scope read",
            Scope::Write => "the key lacks the scope write",
            Scope::Delete => "the key lacks the scope delete",
            Scope::Admin => "the key lacks the scope admin",
            Scope::Export => "the key lacks the scope export",
        }))
    }

    /// [`Error::Forbidden`] if the project has a list of sites whose pages may send to it, and
    /// this origin is not on it. Those are counted.
    pub fn judge_origin(&self, origin: &str) -> Result<()> {
        let list = Arc::clone(&self.origins.read().unwrap_or_else(PoisonError::into_inner));
        if origins::allows(&list, origin) {
            return Ok(());
        }
        self.refused_origins.fetch_add(1, Ordering::Relaxed);
        Err(Error::Forbidden("this project does not accept data from this origin"))
    }

    /// Counts a read over the API, for the audit.
    pub fn count_read(&self, clock: &Clock) {
        let day = clock.now().div_euclid(DAY).max(0).unsigned_abs();
        let next = |packed: u64| match unpack(packed) {
            Some((at, _)) if at.unsigned_abs() / DAY.unsigned_abs() == day => packed + 1,
            _ => (day << 32) + 1,
        };
        let before =
            self.reads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| Some(next(packed)));
        if let Ok(packed) = before
            && next(packed) != packed + 1
        {
            self.earlier().extend(unpack(packed));
        }
    }

    fn earlier(&self) -> MutexGuard<'_, Vec<(Millis, u64)>> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and says whether it is one too many. None without limit.
    pub fn spend(&self) -> Option<Allowance> {
        self.limiter.as_ref().map(KeyLimiter::spend)
    }
}

/// The day and the number of reads. None: there are none.
fn unpack(packed: u64) -> Option<(Millis, u64)> {
    let (day, count) = (packed >> 32, packed & u64::from(u32::MAX));
    (count > 0).then(|| (i64::try_from(day).unwrap_or(0) * DAY, count))
}

//! Sign-ins as the pages open and end them. They are rows; those of a read-only instance are kept in
//! memory alone, and end with it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::App;
use crate::access::sign_ins::From;
use crate::access::{admins, credentials, second_factor, sign_ins};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Admin, AdminId, SignIn};
use crate::secrets;
use crate::store::{Db, NormalTx, Purpose};

/// Sign-ins that are kept at most; beyond that the oldest end.
const MOST: usize = 1_000;

/// What a read-only instance keeps in the place of rows.
#[derive(Default)]
pub(super) struct InMemory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The oldest first.
    open: Vec<SignIn>,
    /// Hashes of sign-ins that stand in the database and were ended since the start.
    ended: HashSet<[u8; 32]>,
    /// The last step of which a code was taken, by admin.
    steps: HashMap<AdminId, i64>,
}

impl InMemory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that have not ended at `now`.
    fn fresh(&self, now: Millis) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept();
        kept.open.retain(|sign_in| {
            now < sign_in.created_at + sign_ins::LONGEST && now - sign_in.seen_at < sign_ins::IDLE
        });
        kept
    }

    fn open(&self, admin: AdminId, from: From, now: Millis) -> Result<String> {
        let token = secrets::token("")?;
        let From { address, browser } = from;
        let hash = secrets::hash(&token);
        let mut kept = self.fresh(now);
        if kept.open.len() >= MOST {
            kept.open.remove(0);
        }
        kept.open.push(SignIn { hash, admin, created_at: now, seen_at: now, address, browser });
        Ok(token)
    }
}

impl App {
    /// Opens a sign-in of somebody whose password was checked; see [`sign_ins::open_with_password`].
    pub async fn sign_in(&self, admin: &Admin, from: From) -> Result<String> {
        let admin = admin.clone();
        if !self.is_read_only() {
            return self.write(move |tx| sign_ins::open_with_password(tx, &admin, &from)).await;
        }
        self.inner.sign_ins.open(admin.id, from, self.clock().now())
    }

    /// The same with a code of the second factor; see [`sign_ins::open_with_code`]. A read-only instance
    /// takes none of the recovery codes, for it could not keep that they are used up.
    pub async fn sign_in_with_code(
        &self,
        (admin, password_hash): (AdminId, String),
        code: String,
        from: From,
    ) -> Result<Option<String>> {
        if !self.is_read_only() {
            let open = move |tx: &NormalTx| sign_ins::open_with_code(tx, admin, &password_hash, &code, &from);
            return self.write(open).await;
        }
        let now = self.clock().now();
        let taken = self.inner.sign_ins.kept().steps.get(&admin).copied().unwrap_or(i64::MIN);
        let step = self.read(|db| {
            credentials::current(db, admin, &password_hash)?;
            let unseal = |sealed: &[u8]| self.store().unseal(Purpose::SecondFactor, admin.0, sealed);
            second_factor::step_of(db, admin, (now, taken), &code, unseal)
        })?;
        let Some(step) = step else { return Ok(None) };
        {
            let mut kept = self.inner.sign_ins.kept();
            let last = kept.steps.entry(admin).or_insert(i64::MIN);
            // Of two that came with the same code one is too late.
            if *last >= step {
                return Ok(None);
            }
            *last = step;
        }
        self.inner.sign_ins.open(admin, from, now).map(Some)
    }

    /// Somebody tried to sign in, and may not: see [`admins::refuse`].
    pub async fn refuse_sign_in(&self) -> Result<()> {
        match self.write(admins::refuse).await {
            Err(Error::ReadOnly) => {
                log::warn!("somebody failed to sign in; read-only, the audit log does not have it");
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Who is signed in with this token at `now`, and since when.
    pub fn signed_in(&self, db: &Db, token: &str, now: Millis) -> Result<Option<(Admin, SignIn)>> {
        if !self.is_read_only() {
            return sign_ins::signed_in(db, token, now);
        }
        let hash = secrets::hash(token);
        let found = {
            let kept = self.inner.sign_ins.fresh(now);
            if kept.ended.contains(&hash) {
                return Ok(None);
            }
            kept.open.iter().find(|sign_in| sign_in.hash == hash).cloned()
        };
        match found {
            Some(sign_in) => Ok(admins::by_id(db, sign_in.admin)?.map(|admin| (admin, sign_in))),
            None => sign_ins::signed_in(db, token, now),
        }
    }

    /// Keeps that a sign-in is used now.
    pub async fn note_seen(&self, sign_in: &SignIn) -> Result<()> {
        let hash = sign_in.hash;
        if !self.is_read_only() {
            return self.write(move |tx| sign_ins::note_seen(tx, &hash)).await;
        }
        let now = self.clock().now();
        let mut kept = self.inner.sign_ins.kept();
        if let Some(sign_in) = kept.open.iter_mut().find(|sign_in| sign_in.hash == hash) {
            sign_in.seen_at = sign_in.seen_at.max(now);
        }
        Ok(())
    }

    /// The one with this token signs out.
    pub async fn sign_out(&self, token: String) -> Result<()> {
        if !self.is_read_only() {
            return self.write(move |tx| sign_ins::sign_out(tx, &token)).await;
        }
        let hash = secrets::hash(&token);
        let mut kept = self.inner.sign_ins.kept();
        let before = kept.open.len();
        kept.open.retain(|sign_in| sign_in.hash != hash);
        if kept.open.len() == before {
            kept.ended.insert(hash);
        }
        Ok(())
    }

    /// An admin's, the newest first.
    pub fn sign_ins_of(&self, db: &Db, admin: AdminId, now: Millis) -> Result<Vec<SignIn>> {
        let mut listed = sign_ins::list(db, admin, now)?;
        if self.is_read_only() {
            let kept = self.inner.sign_ins.fresh(now);
            listed.retain(|sign_in| !kept.ended.contains(&sign_in.hash));
            listed.extend(kept.open.iter().filter(|sign_in| sign_in.admin == admin).cloned());
            listed.sort_by_key(|sign_in| std::cmp::Reverse(sign_in.created_at));
        }
        Ok(listed)
    }
}

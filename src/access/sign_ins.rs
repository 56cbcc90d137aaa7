//! Sign-ins of admins: 256 random bits in a cookie, kept as a hash.

use std::net::IpAddr;

use crate::access::{credentials, second_factor};
use crate::clock::{HOUR, MINUTE, Millis};
use crate::error::{Error, Result};
use crate::model::{Admin, AdminId, SignIn};
use crate::secrets;
use crate::store::{Db, ErasingTx, NormalTx, Tx, admins, audit, sign_ins};

/// The longest that a sign-in lasts.
pub const LONGEST: Millis = 12 * HOUR;
/// It ends after so long without a request.
pub const IDLE: Millis = HOUR;
/// That it is used is written down so often, at most: by so much it may end too soon.
pub const SEEN_EVERY: Millis = 5 * MINUTE;
/// The longest name of a browser that is kept, in characters.
const BROWSER_MAX: usize = 100;

/// Where somebody signs in.
#[derive(Debug, Clone, Default)]
pub struct From {
    pub address: Option<IpAddr>,
    /// The browser's name and system.
    pub browser: Option<String>,
}

/// What callers know a sign-in by: a part of its hash, with which nobody gets in.
pub type Name = [u8; 16];

/// The name of a sign-in.
pub fn name(sign_in: &SignIn) -> Name {
    let mut name = Name::default();
    name.copy_from_slice(&sign_in.hash[..16]);
    name
}

/// Opens a sign-in; the token is for the admin's cookie. It is a fresh one each time.
pub fn open(tx: &NormalTx, admin: &Admin, from: &From) -> Result<String> {
    let token = secrets::token("")?;
    let browser: Option<String> = from.browser.as_ref().map(|name| name.chars().take(BROWSER_MAX).collect());
    let expires_at = tx.now() + LONGEST;
    sign_ins::open(tx, &secrets::hash(&token), admin.id, expires_at, from.address, browser.as_deref())?;
    admins::note_sign_in(tx, admin.id)?;
    note(tx, "sign in", None)?;
    Ok(token)
}

/// The same by somebody whose password was checked. [`Error::Conflict`] if it is another by now, or is not
/// enough any more.
pub fn open_with_password(tx: &NormalTx, admin: &Admin, from: &From) -> Result<String> {
    let admin = credentials::current(tx, admin.id, &admin.password_hash)?;
    if second_factor::is_asked_for(tx, admin.id)? {
        return Err(Error::Conflict("a second factor was turned on meanwhile; sign in again"));
    }
    open(tx, &admin, from)
}

/// The same with a code of the second factor, by somebody whose password was checked with this hash.
/// None: the code is wrong, or was used already. [`Error::Conflict`] if the password is another by now.
pub fn open_with_code(
    tx: &NormalTx,
    admin: AdminId,
    password_hash: &str,
    code: &str,
    from: &From,
) -> Result<Option<String>> {
    let admin = credentials::current(tx, admin, password_hash)?;
    if second_factor::is_asked_for(tx, admin.id)? && !second_factor::take(tx, admin.id, code)? {
        credentials::note(tx, "fail second factor", admin.id)?;
        return Ok(None);
    }
    open(tx, &admin, from).map(Some)
}

/// Who is signed in with this token at `now`, and since when.
pub fn signed_in(db: &Db, token: &str, now: Millis) -> Result<Option<(Admin, SignIn)>> {
    let Some(sign_in) = sign_ins::by_hash(db, &secrets::hash(token), now, now - IDLE)? else {
        return Ok(None);
    };
    Ok(admins::by_id(db, sign_in.admin)?.map(|admin| (admin, sign_in)))
}

/// Whether it is to be written down that a sign-in is used at `now`.
pub fn is_news(sign_in: &SignIn, now: Millis) -> bool {
    now - sign_in.seen_at >= SEEN_EVERY
}

/// Writes down that a sign-in is used.
pub fn note_seen(tx: &NormalTx, hash: &[u8; 32]) -> Result<()> {
    sign_ins::note_seen(tx, hash)
}

/// An admin's, the newest first.
pub fn list(db: &Db, admin: AdminId, now: Millis) -> Result<Vec<SignIn>> {
    sign_ins::of(db, admin, now, now - IDLE)
}

/// The one with this token signs out.
pub fn sign_out(tx: &ErasingTx, token: &str) -> Result<()> {
    match sign_ins::close(tx, &secrets::hash(token))? {
        true => note(tx, "sign out", None),
        false => Ok(()),
    }
}

/// Ends one of an admin's. [`Error::NotFound`] if there is none of this name.
pub fn end(tx: &ErasingTx, admin: AdminId, name: Name) -> Result<()> {
    let found = list(tx, admin, tx.now())?.into_iter().find(|sign_in| self::name(sign_in) == name);
    let found = found.ok_or(Error::NotFound("sign-in"))?;
    sign_ins::close(tx, &found.hash)?;
    credentials::note(tx, "end sign-in", admin)
}

/// Ends all of an admin's but the one that is used `here`.
pub fn end_others(tx: &ErasingTx, admin: AdminId, here: &[u8; 32]) -> Result<()> {
    sign_ins::close_all_of(tx, admin, Some(here))?;
    credentials::note(tx, "end other sign-ins", admin)
}

/// Ends all of an admin's.
pub fn end_all_of(tx: &ErasingTx, admin: AdminId) -> Result<()> {
    sign_ins::close_all_of(tx, admin, None)?;
    credentials::note(tx, "end all sign-ins", admin)
}

/// Forgets those that have ended, and links that set passwords no more. How many sign-ins.
pub fn prune(tx: &Tx) -> Result<usize> {
    admins::prune_links(tx)?;
    sign_ins::prune(tx, tx.now() - IDLE)
}

fn note(tx: &Tx, action: &str, reason: Option<&str>) -> Result<()> {
    audit::append(tx, &audit::Entry { action, reason, ..audit::Entry::default() })
}

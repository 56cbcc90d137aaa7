//! The second factor of an admin: codes of an app, and recovery codes for when it is not there.

use data_encoding::BASE32_NOPAD;

use crate::access::{admins as rules, credentials, totp};
use crate::clock::{MINUTE, Millis};
use crate::error::{Error, Result};
use crate::ledger::Act;
use crate::model::{Admin, AdminId};
use crate::store::second_factors::{self, SecondFactor};
use crate::store::{Db, ErasingTx, NormalTx, Purpose, Tx, audit, sign_ins as sign_in_rows};

/// So long a secret waits for its first code.
pub const SET_UP: Millis = 15 * MINUTE;
/// How many recovery codes there are at first.
pub const RECOVERY_CODES: usize = 10;
/// Letters and digits of one: 60 bits.
const RECOVERY_LENGTH: usize = 12;
/// They are written in groups.
const GROUP: usize = 4;

/// Whether an admin has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Off,
    On {
        /// Recovery codes that were not used.
        codes: usize,
    },
    /// It ended after the backup that this database came out of: no code of an app fits.
    Ended {
        codes: usize,
    },
}

pub fn standing(db: &Db, admin: AdminId) -> Result<Standing> {
    let Some(factor) = active(db, admin)? else { return Ok(Standing::Off) };
    let codes = second_factors::recovery_codes(db, admin)?.len();
    Ok(if factor.secret.is_empty() { Standing::Ended { codes } } else { Standing::On { codes } })
}

/// What an admin's second factor is told from others by, before and after; nothing where there is none.
pub fn mark(db: &Db, admin: AdminId) -> Result<Vec<u8>> {
    Ok(active(db, admin)?.map(|factor| factor.secret).unwrap_or_default())
}

/// Whether the password alone does not let the admin in.
pub fn is_asked_for(db: &Db, admin: AdminId) -> Result<bool> {
    Ok(active(db, admin)?.is_some())
}

fn active(db: &Db, admin: AdminId) -> Result<Option<SecondFactor>> {
    Ok(second_factors::of(db, admin)?.filter(|factor| factor.confirmed_at.is_some()))
}

/// A new secret for an app, which counts once a code of it was entered. [`Error::Conflict`] if there is
/// one that counts.
pub fn begin(tx: &NormalTx, admin: AdminId) -> Result<Vec<u8>> {
    if is_asked_for(tx, admin)? {
        return Err(Error::Conflict("the second factor is already on; turn it off first"));
    }
    let mut secret = vec![0; totp::SECRET];
    getrandom::fill(&mut secret).map_err(Error::internal)?;
    let sealed = tx.seal(Purpose::SecondFactor, admin.0, &secret)?;
    second_factors::put(tx, admin, &sealed, None)?;
    Ok(secret)
}

/// Whether everybody must have one.
pub fn is_needed(db: &Db) -> Result<bool> {
    second_factors::is_needed(db)
}

/// Whether an admin has to set one up before anything else.
pub fn is_owed(db: &Db, admin: AdminId) -> Result<bool> {
    Ok(is_needed(db)? && !is_asked_for(db, admin)?)
}

/// From now on everybody must have one, or nobody must. [`Error::Conflict`] if `by` has none.
pub fn set_needed(tx: &NormalTx, by: AdminId, needed: bool) -> Result<()> {
    if needed == is_needed(tx)? {
        return Ok(());
    }
    if !is_asked_for(tx, by)? {
        return Err(Error::Conflict("set up your own second factor before requiring it for all admins"));
    }
    if needed {
        tx.append_to_ledger(Act::CredentialEnded { credential: credentials::of_passwords_alone(tx) });
    }
    second_factors::set_needed(tx, needed)?;
    let action = if needed { "require second factors" } else { "make second factors optional" };
    audit::append(tx, &audit::Entry { action, ..audit::Entry::default() })
}

/// What came of the first code.
pub enum Confirmed {
    /// The recovery codes, which nobody can read again.
    On(Vec<String>),
    /// The code is none of the secret's; it waits for another. The secret is not shown again: who finds
    /// the browser open has not given the password.
    Wrong,
}

/// The code shows that the app has the secret: from now on the password alone lets nobody in. All
/// sign-ins end but the one `here`. [`Error::Conflict`] if nothing was begun, or the password is another
/// by now.
pub fn confirm(tx: &NormalTx, admin: &Admin, code: &str, here: &[u8; 32]) -> Result<Confirmed> {
    let admin = &credentials::current(tx, admin.id, &admin.password_hash)?;
    let is_fresh = |factor: &SecondFactor| tx.now() - factor.created_at < SET_UP;
    let begun = second_factors::of(tx, admin.id)?.filter(|factor| factor.confirmed_at.is_none());
    let begun = begun.filter(is_fresh);
    let begun = begun.ok_or(Error::Conflict("no second factor is being set up; start again"))?;
    let secret = unsealed(tx, admin.id, &begun);
    let secret = secret.ok_or(Error::Conflict("the secret is unreadable; start again"))?;
    let Given::Code(code) = read(code) else { return Ok(Confirmed::Wrong) };
    let Some(step) = totp::step_of(&secret, tx.now(), begun.last_step, &code) else {
        return Ok(Confirmed::Wrong);
    };
    second_factors::confirm(tx, admin.id)?;
    second_factors::note_step(tx, admin.id, step)?;
    tx.append_to_ledger(Act::CredentialEnded { credential: credentials::of_password_alone(tx, admin) });
    sign_in_rows::close_all_of(tx, admin.id, Some(here))?;
    credentials::note(tx, "turn on second factor", admin.id)?;
    new_codes(tx, admin.id).map(Confirmed::On)
}

/// Takes a code of the app, or a recovery code, once. False: it is wrong, or was taken already.
pub fn take(tx: &Tx, admin: AdminId, code: &str) -> Result<bool> {
    let Some(factor) = active(tx, admin)? else { return Ok(false) };
    match read(code) {
        Given::Code(code) => {
            // Where it ended, or was sealed under another secret, no code fits.
            let Some(secret) = unsealed(tx, admin, &factor) else { return Ok(false) };
            let Some(step) = totp::step_of(&secret, tx.now(), factor.last_step, &code) else {
                return Ok(false);
            };
            second_factors::note_step(tx, admin, step)?;
            Ok(true)
        }
        Given::Recovery(code) => {
            let digest = tx.digest(Purpose::RecoveryCode, admin.0, code.as_bytes());
            if !end_code(tx, admin, &digest)? {
                return Ok(false);
            }
            let reason = match second_factors::recovery_codes(tx, admin)?.len() {
                1 => format!("admin {admin}: 1 is left"),
                left => format!("admin {admin}: {left} are left"),
            };
            let action = "use recovery code";
            audit::append(tx, &audit::Entry { action, reason: Some(&reason), ..audit::Entry::default() })?;
            Ok(true)
        }
        Given::Neither => Ok(false),
    }
}

/// The step of which this is a code of the app, where nothing is written down: `unseal` opens the secret,
/// and steps up to `taken` are over. None: it is wrong, or was taken already. A recovery code is none:
/// that it is used up could not be kept.
pub fn step_of(
    db: &Db,
    admin: AdminId,
    (now, taken): (Millis, i64),
    code: &str,
    unseal: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Result<Option<i64>> {
    let (Some(factor), Given::Code(code)) = (active(db, admin)?, read(code)) else { return Ok(None) };
    let secret = unseal(&factor.secret);
    Ok(secret.and_then(|secret| totp::step_of(&secret, now, factor.last_step.max(taken), &code)))
}

/// Recovery codes in the place of those that are left, for who has a code of either kind. None: the
/// code is wrong. [`Error::Conflict`] without a second factor.
pub fn renew_codes(tx: &ErasingTx, admin: AdminId, code: &str) -> Result<Option<Vec<String>>> {
    if !may_change(tx, admin, code)? {
        return Ok(None);
    }
    end_codes(tx, admin)?;
    credentials::note(tx, "renew recovery codes", admin)?;
    new_codes(tx, admin).map(Some)
}

/// From now on the password alone lets in, for who has a code of either kind. False: the code is wrong.
/// Where everybody must have one, another is set up before anything else: so a phone is replaced.
/// [`Error::Conflict`] without a second factor.
pub fn turn_off(tx: &ErasingTx, admin: AdminId, code: &str) -> Result<bool> {
    if !may_change(tx, admin, code)? {
        return Ok(false);
    }
    remove(tx, admin)?;
    credentials::note(tx, "turn off second factor", admin)?;
    Ok(true)
}

fn may_change(tx: &Tx, admin: AdminId, code: &str) -> Result<bool> {
    if !is_asked_for(tx, admin)? {
        return Err(Error::Conflict("there is no second factor"));
    }
    if take(tx, admin, code)? {
        return Ok(true);
    }
    credentials::note(tx, "fail second factor", admin)?;
    Ok(false)
}

/// The same on the machine, for somebody who has no code any more; the admin's sign-ins end.
/// [`Error::NotFound`] if there is no such admin, [`Error::Conflict`] without a second factor.
pub fn turn_off_by_operator(tx: &ErasingTx, name: &str) -> Result<()> {
    let admin = rules::by_name(tx, name)?.ok_or(Error::NotFound("admin"))?;
    if !is_asked_for(tx, admin.id)? {
        return Err(Error::Conflict("this admin has no second factor"));
    }
    remove(tx, admin.id)?;
    sign_in_rows::close_all_of(tx, admin.id, None)?;
    credentials::note(tx, "turn off second factor", admin.id)
}

/// Removes a second factor and its codes, and has the ledger say so.
fn remove(tx: &Tx, admin: AdminId) -> Result<()> {
    if let Some(factor) = active(tx, admin)?.filter(|factor| !factor.secret.is_empty()) {
        let credential = credentials::of_second_factor(tx, admin, &factor.secret);
        tx.append_to_ledger(Act::CredentialEnded { credential });
    }
    end_codes(tx, admin)?;
    second_factors::remove(tx, admin).map(drop)
}

fn end_codes(tx: &Tx, admin: AdminId) -> Result<()> {
    let left = second_factors::recovery_codes(tx, admin)?;
    left.iter().try_for_each(|digest| end_code(tx, admin, digest).map(drop))
}

/// False: there is none with this digest.
fn end_code(tx: &Tx, admin: AdminId, digest: &[u8; 32]) -> Result<bool> {
    if !second_factors::remove_recovery_code(tx, admin, digest)? {
        return Ok(false);
    }
    tx.append_to_ledger(Act::CredentialEnded {
        credential: credentials::of_recovery_code(tx, admin, digest),
    });
    Ok(true)
}

fn new_codes(tx: &Tx, admin: AdminId) -> Result<Vec<String>> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(Error::internal)?;
            let code: String = BASE32_NOPAD.encode(&random).chars().take(RECOVERY_LENGTH).collect();
            let digest = tx.digest(Purpose::RecoveryCode, admin.0, code.as_bytes());
            second_factors::add_recovery_code(tx, admin, &digest)?;
            Ok(grouped(&code.to_lowercase()))
        })
        .collect()
}

fn unsealed(tx: &Tx, admin: AdminId, factor: &SecondFactor) -> Option<Vec<u8>> {
    tx.unseal(Purpose::SecondFactor, admin.0, &factor.secret)
}

/// What somebody has entered, in the one way in which it is compared.
enum Given {
    Code(String),
    Recovery(String),
    Neither,
}

/// Spaces and hyphens are for the eye alone, and so is the case.
fn read(text: &str) -> Given {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let text = text.to_ascii_uppercase();
    match text.len() {
        totp::DIGITS if text.bytes().all(|byte| byte.is_ascii_digit()) => Given::Code(text),
        RECOVERY_LENGTH if text.is_ascii() => Given::Recovery(text),
        _ => Given::Neither,
    }
}

/// `abcd-efgh-ijkl`; also how a secret is shown.
pub fn grouped(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(GROUP).map(|group| group.iter().collect::<String>()).collect::<Vec<String>>().join("-")
}

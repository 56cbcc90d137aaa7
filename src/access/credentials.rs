//! What of an admin lets somebody in, and its end. The ledger knows of the end, so that no older copy
//! of the database takes again what has ended: a password that was changed, a recovery code that was
//! used, a second factor that was turned off, a password that was enough alone before there was one.
//!
//! What came in its place, the ledger does not say. After such a copy is put back the admin is let in
//! again on the machine.

use crate::access::totp;
use crate::error::{Error, Result};
use crate::ledger::{Act, Pseudonym};
use crate::model::{Admin, AdminId};
use crate::store::{Db, NormalTx, Tx, admins, audit, second_factors, sign_ins as sign_in_rows};

/// What stands where the hash of a password would be: there is none, or it has ended.
pub const NONE: &str = "";

/// The admin's password is another from now on, and every sign-in ends but the one `here`. `before` is
/// the hash that the present password was checked with. [`Error::Conflict`] if it is another by now.
pub fn change_password(
    tx: &Tx,
    admin: AdminId,
    before: &str,
    hash: &str,
    here: Option<&[u8; 32]>,
) -> Result<Admin> {
    let admin = current(tx, admin, before)?;
    set_password(tx, &admin, hash)?;
    sign_in_rows::close_all_of(tx, admin.id, here)?;
    note(tx, "change password", admin.id)?;
    Ok(Admin { password_hash: hash.to_owned(), ..admin })
}

/// Sets another password. Nothing else changes, and nothing is noted in the audit log.
pub fn set_password(tx: &Tx, admin: &Admin, hash: &str) -> Result<()> {
    if admin.has_password() {
        tx.append_to_ledger(Act::CredentialEnded { credential: of_password(tx, admin) });
    }
    admins::set_password(tx, admin.id, hash)
}

/// The admin, whose password was checked with this hash. [`Error::Conflict`] if it is another by now, or
/// the admin is gone.
pub fn current(db: &Db, admin: AdminId, password_hash: &str) -> Result<Admin> {
    let admin = admins::by_id(db, admin)?.filter(|admin| admin.password_hash == password_hash);
    admin.ok_or(Error::Conflict("the password was changed meanwhile; sign in again"))
}

/// Somebody who is signed in was asked for the password, and gave another.
pub fn refuse(tx: &NormalTx, admin: AdminId) -> Result<()> {
    note(tx, "fail to give password", admin)
}

/// Ends what has ended by the ledger. How many.
pub fn end_again(tx: &Tx, has_ended: impl Fn(Pseudonym) -> bool) -> Result<u64> {
    let mut ended = 0;
    if has_ended(of_passwords_alone(tx)) && !second_factors::is_needed(tx)? {
        second_factors::set_needed(tx, true)?;
        ended += 1;
    }
    for admin in admins::list(tx)? {
        let factor = second_factors::of(tx, admin.id)?;
        let secret = factor.as_ref().map(|factor| factor.secret.as_slice()).unwrap_or_default();
        let is_on = factor.as_ref().is_some_and(|factor| factor.confirmed_at.is_some());
        let must_have = !is_on && has_ended(of_password_alone(tx, &admin));
        if must_have || has_ended(of_second_factor(tx, admin.id, secret)) {
            second_factors::put(tx, admin.id, &[], Some(tx.now()))?;
            note(tx, "end second factor", admin.id)?;
            ended += 1;
        }
        if is_on {
            // Codes of these minutes may have been taken after the backup was made.
            second_factors::note_step(tx, admin.id, totp::newest_step(tx.now()))?;
        }
        for digest in second_factors::recovery_codes(tx, admin.id)? {
            if has_ended(of_recovery_code(tx, admin.id, &digest)) {
                second_factors::remove_recovery_code(tx, admin.id, &digest)?;
                ended += 1;
            }
        }
        if has_ended(of_password(tx, &admin)) {
            admins::set_password(tx, admin.id, NONE)?;
            note(tx, "end password", admin.id)?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// What stands for a password in the ledger; its hash has a salt of its own.
fn of_password(tx: &Tx, admin: &Admin) -> Pseudonym {
    tx.names().of_admin("password", admin.id, admin.password_hash.as_bytes())
}

/// The same for the password where no second factor is asked for.
pub(super) fn of_password_alone(tx: &Tx, admin: &Admin) -> Pseudonym {
    tx.names().of_admin("password alone", admin.id, admin.password_hash.as_bytes())
}

/// The same for all passwords, where everybody must have a second factor.
pub(super) fn of_passwords_alone(tx: &Tx) -> Pseudonym {
    tx.names().of_admin("passwords alone", AdminId(0), &[])
}

/// What stands for a second factor, by its secret as it is sealed.
pub(super) fn of_second_factor(tx: &Tx, admin: AdminId, sealed: &[u8]) -> Pseudonym {
    tx.names().of_admin("second factor", admin, sealed)
}

/// What stands for a recovery code, by its digest.
pub(super) fn of_recovery_code(tx: &Tx, admin: AdminId, digest: &[u8; 32]) -> Pseudonym {
    tx.names().of_admin("recovery code", admin, digest)
}

/// Writes down what was done about an admin.
pub(super) fn note(tx: &Tx, action: &str, admin: AdminId) -> Result<()> {
    let reason = format!("admin {admin}");
    audit::append(tx, &audit::Entry { action, reason: Some(&reason), ..audit::Entry::default() })
}

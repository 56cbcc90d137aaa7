//! People who sign in to the pages.

use crate::access::passwords;
use crate::error::{Error, Place, Result};
use crate::model::{Admin, AdminId, Reach, Role};
use crate::projects::label;
use crate::store::{BackgroundTx, Db, NormalTx, Tx, admins, audit};

/// The shortest password, in characters.
pub const PASSWORD_MIN: usize = 10;
const PASSWORD_MAX: usize = 1_000;

/// argon2id of a password. Slow on purpose: not on the writer's thread, nor on one that
/// serves others. [`Error::Invalid`] on `password` if it is too short or too long.
pub fn hash_password(password: &str) -> Result<String> {
    check_password(password)?;
    passwords::hash(password)
}

/// [`Error::Invalid`] on `password` if it is too short or too long.
pub fn check_password(password: &str) -> Result<()> {
    let fault = |message: String| Err(Error::invalid(Place::Body, "password", message));
    match password.chars().count() {
        0..PASSWORD_MIN => fault(format!("must have at least {PASSWORD_MIN} characters")),
        PASSWORD_MIN..=PASSWORD_MAX => Ok(()),
        _ => fault(format!("must have at most {PASSWORD_MAX} characters")),
    }
}

/// Whether the password is the admin's. As slow as [`hash_password`], also when there is
/// no such admin, or its password has ended, so that the time it takes tells nothing.
pub fn is_password(admin: Option<&Admin>, password: &str) -> bool {
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG91cnM$\
                          2mvvUR1zOQvQ4t2cVIkLD9vvPO5bvNjDLTsQYJu4XYc";
    let set = admin.filter(|admin| admin.has_password()).map(|admin| admin.password_hash.as_str());
    passwords::is_of(set.unwrap_or(NOBODY), password) && set.is_some()
}

/// A new admin of a role, and of some projects. [`Error::NameTaken`], or [`Error::Invalid`] on `name`.
pub(super) fn insert(
    tx: &Tx,
    name: &str,
    password_hash: &str,
    role: Role,
    reach: &Reach,
    action: &str,
) -> Result<Admin> {
    let name = name.trim();
    check_name(name)?;
    if admins::by_name(tx, name)?.is_some() {
        return Err(Error::NameTaken { what: "an admin", name: name.to_owned() });
    }
    let admin = admins::insert(tx, name, password_hash, role, reach)?;
    note(tx, action, Some(&format!("admin {}", admin.id)))?;
    Ok(admin)
}

pub(super) fn note(tx: &Tx, action: &str, reason: Option<&str>) -> Result<()> {
    audit::append(tx, &audit::Entry { action, reason, ..audit::Entry::default() })
}

/// [`Error::Invalid`] on `name` if nobody can be called that.
pub fn check_name(name: &str) -> Result<()> {
    label::check(name.trim(), 100)
}

/// The first admin, the owner. [`Error::Conflict`] once there is one.
pub fn create_owner(tx: &NormalTx, name: &str, password_hash: &str) -> Result<Admin> {
    if admins::any(tx)? {
        return Err(Error::Conflict("the owner's password was set already; sign in"));
    }
    insert(tx, name, password_hash, Role::Owner, &Reach::All, "set up owner")
}

/// Everybody who can sign in.
pub fn list(db: &Db) -> Result<Vec<Admin>> {
    admins::list(db)
}

pub fn by_id(db: &Db, id: AdminId) -> Result<Option<Admin>> {
    admins::by_id(db, id)
}

pub fn by_name(db: &Db, name: &str) -> Result<Option<Admin>> {
    admins::by_name(db, name.trim())
}

/// Whether anybody can sign in yet.
pub fn any(db: &Db) -> Result<bool> {
    admins::any(db)
}

/// Somebody tried to sign in, and may not. Whose name it was is not written down: it may be
/// anybody's, or a password in the wrong field.
pub fn refuse(tx: &NormalTx) -> Result<()> {
    note(tx, "fail to sign in", None)
}

/// The same for some of a flood.
pub fn refuse_many(tx: &BackgroundTx, count: u64) -> Result<()> {
    match count {
        0 => Ok(()),
        count => note(tx, "fail to sign in", Some(&format!("{count} more times"))),
    }
}

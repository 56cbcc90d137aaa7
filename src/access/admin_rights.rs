//! Admins come, are given a role and projects, and go. Passwords are set by a link, once.

use crate::access::{admin_ends, admins as rules, credentials};
use crate::clock::{HOUR, Millis};
use crate::error::{Error, Place, Result};
use crate::ledger::Act;
use crate::model::{Admin, AdminId, Reach, Role};
use crate::secrets;
use crate::store::{Db, ErasingTx, NormalTx, Tx, admins, projects, sign_ins as sign_in_rows};

/// How long a link sets a password: it may have been seen, or lie in a file.
pub const LINK: Millis = HOUR;

/// Whether the last owner may go: on the machine, where another one can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastOwner {
    Stays,
    MayGo,
}

const LAST: Error = Error::Conflict(
    "this is the last owner: make another one first, or use --last-owner with `usher admin` on the machine",
);

/// The admin with this id. [`Error::NotFound`].
pub fn get(db: &Db, id: AdminId) -> Result<Admin> {
    admins::by_id(db, id)?.ok_or(Error::NotFound("admin"))
}

/// The admin of this name. [`Error::NotFound`].
pub fn named(db: &Db, name: &str) -> Result<Admin> {
    rules::by_name(db, name)?.ok_or(Error::NotFound("admin"))
}

/// A new admin without a password, and the token of the link that sets one. [`Error::NameTaken`],
/// or [`Error::Invalid`] on `name` or `projects`.
pub fn invite(tx: &NormalTx, name: &str, role: Role, reach: &Reach) -> Result<(Admin, String)> {
    check_reach(tx, reach)?;
    let admin = rules::insert(tx, name, credentials::NONE, role, reach, "create admin")?;
    rules::note(tx, "give role", Some(&format!("admin {}: {}, {}", admin.id, role.as_str(), words(reach))))?;
    let token = new_link(tx, &admin)?;
    Ok((admin, token))
}

/// [`Error::NameTaken`], or [`Error::Invalid`] on `name`.
pub fn rename(tx: &NormalTx, id: AdminId, name: &str) -> Result<()> {
    let (admin, name) = (get(tx, id)?, name.trim());
    rules::check_name(name)?;
    if admin.name == name {
        return Ok(());
    }
    if admins::by_name(tx, name)?.is_some() {
        return Err(Error::NameTaken { what: "an admin", name: name.to_owned() });
    }
    admins::rename(tx, id, name)?;
    rules::note(tx, "rename admin", Some(&format!("admin {id}")))
}

/// Gives an admin another role, other projects, or both. What they may do less is in the ledger, so
/// that no older copy gives it back. [`Error::Conflict`] for the last owner, [`Error::Invalid`] on
/// `projects`.
pub fn change(tx: &ErasingTx, id: AdminId, role: Role, reach: &Reach, last: LastOwner) -> Result<()> {
    let admin = get(tx, id)?;
    check_reach(tx, reach)?;
    if !is_owner(role, reach) {
        check_last(tx, &admin, last)?;
    }
    admin_ends::rights(tx, &admin, role, reach)?;
    if admin.role != role {
        admins::set_role(tx, id, role)?;
        let reason = format!("admin {id}: {} to {}", admin.role.as_str(), role.as_str());
        rules::note(tx, "change role", Some(&reason))?;
    }
    if admin.reach != *reach {
        admins::set_reach(tx, id, reach)?;
        rules::note(tx, "change projects of admin", Some(&format!("admin {id}: {}", words(reach))))?;
    }
    Ok(())
}

/// Removes an admin, whose sign-ins end. [`Error::Conflict`] for the last owner.
pub fn remove(tx: &ErasingTx, id: AdminId, last: LastOwner) -> Result<()> {
    let admin = get(tx, id)?;
    check_last(tx, &admin, last)?;
    admin_ends::account(tx, &admin);
    sign_in_rows::close_all_of(tx, id, None)?;
    admins::remove(tx, id)?;
    rules::note(tx, "remove admin", Some(&format!("admin {id}")))
}

/// Ends an admin's password and sign-ins; the token of the link that sets another.
pub fn reset_password(tx: &ErasingTx, id: AdminId) -> Result<String> {
    let admin = get(tx, id)?;
    credentials::set_password(tx, &admin, credentials::NONE)?;
    sign_in_rows::close_all_of(tx, id, None)?;
    rules::note(tx, "reset password", Some(&format!("admin {id}")))?;
    new_link(tx, &admin)
}

fn new_link(tx: &Tx, admin: &Admin) -> Result<String> {
    let token = secrets::token("")?;
    admins::keep_link(tx, admin.id, &secrets::hash(&token), tx.now().saturating_add(LINK))?;
    Ok(token)
}

/// What a link is good for.
#[derive(Debug)]
pub enum Link {
    Opens(Admin),
    /// Its hour is over.
    Ended,
    /// There is none, or it was used.
    Unknown,
}

pub fn link(db: &Db, token: &str, now: Millis) -> Result<Link> {
    Ok(match admins::by_link(db, &secrets::hash(token))? {
        Some((admin, until)) if now < until => Link::Opens(admin),
        Some(_) => Link::Ended,
        None => Link::Unknown,
    })
}

/// Sets the password of the link's admin; the link has done its work then. [`Error::NotFound`] if
/// it opens nothing.
pub fn set_by_link(tx: &NormalTx, token: &str, password_hash: &str) -> Result<Admin> {
    let Link::Opens(admin) = link(tx, token, tx.now())? else { return Err(Error::NotFound("link")) };
    credentials::set_password(tx, &admin, password_hash)?;
    // So that a database from before, without a password to end, does not take it again.
    tx.append_to_ledger(Act::CredentialEnded { credential: tx.names().key(&secrets::hash(token)) });
    admins::forget_link(tx, admin.id)?;
    sign_in_rows::close_all_of(tx, admin.id, None)?;
    rules::note(tx, "set password", Some(&format!("admin {}", admin.id)))?;
    Ok(admin)
}

fn is_owner(role: Role, reach: &Reach) -> bool {
    role == Role::Owner && reach.is_all()
}

/// [`Error::Conflict`] if nobody else may do everything, and can sign in.
fn check_last(tx: &Tx, admin: &Admin, last: LastOwner) -> Result<()> {
    if last == LastOwner::MayGo || !is_owner(admin.role, &admin.reach) {
        return Ok(());
    }
    let is_other =
        |other: &Admin| other.id != admin.id && is_owner(other.role, &other.reach) && other.has_password();
    if rules::list(tx)?.iter().any(is_other) { Ok(()) } else { Err(LAST) }
}

fn check_reach(tx: &Tx, reach: &Reach) -> Result<()> {
    let Reach::Only(listed) = reach else { return Ok(()) };
    let fault = |why: &str| Err(Error::invalid(Place::Body, "projects", why));
    if listed.is_empty() {
        return fault("must be all, or at least one");
    }
    for project in listed {
        if projects::by_id(tx, *project)?.is_none() {
            return fault("must be existing projects");
        }
    }
    Ok(())
}

/// Projects as the audit log has them: by their numbers.
fn words(reach: &Reach) -> String {
    match reach {
        Reach::All => "all projects".to_owned(),
        Reach::Only(projects) => {
            let numbers: Vec<String> = projects.iter().map(ToString::to_string).collect();
            format!("projects {}", numbers.join(", "))
        }
    }
}

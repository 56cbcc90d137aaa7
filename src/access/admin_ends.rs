//! What admins could do and can no longer, in the ledger: a copy of the database from before does
//! not bring it back. The ledger has digests alone, so that each right that ends is entered by
//! itself; a right that is given later is not entered, and must be given again after a restore.

use crate::access::{credentials, roles};
use crate::error::Result;
use crate::ledger::{Act, Pseudonym};
use crate::model::{Admin, ProjectId, Reach, Role};
use crate::projects;
use crate::store::{Tx, admins, sign_ins as sign_in_rows};

/// What stands for something of an admin. The time tells an admin from another who has the number
/// in a copy that was put back.
fn of(tx: &Tx, admin: &Admin, what: &str) -> Pseudonym {
    tx.names().of_admin(what, admin.id, &admin.created_at.to_be_bytes())
}

fn of_role(tx: &Tx, admin: &Admin, role: Role) -> Pseudonym {
    of(tx, admin, &format!("role {}", role.as_str()))
}

fn of_project(tx: &Tx, admin: &Admin, project: ProjectId) -> Pseudonym {
    of(tx, admin, &format!("project {project}"))
}

fn of_all_projects(tx: &Tx, admin: &Admin) -> Pseudonym {
    of(tx, admin, "all projects")
}

fn end(tx: &Tx, credential: Pseudonym) {
    tx.append_to_ledger(Act::CredentialEnded { credential });
}

/// The admin is removed.
pub fn account(tx: &Tx, admin: &Admin) {
    end(tx, of(tx, admin, "account"));
}

/// The admin has another role, or other projects: what is lost by that has ended.
pub fn rights(tx: &Tx, admin: &Admin, role: Role, reach: &Reach) -> Result<()> {
    if !roles::includes(role, admin.role) {
        // All roles that may do more than the new one: a copy may have any of them.
        for other in Role::ALL.into_iter().filter(|other| !roles::includes(role, *other)) {
            end(tx, of_role(tx, admin, other));
        }
    }
    if admin.reach.is_all() && !reach.is_all() {
        end(tx, of_all_projects(tx, admin));
    }
    for project in projects::list(tx)? {
        if admin.reach.has(project.id) && !reach.has(project.id) {
            end(tx, of_project(tx, admin, project.id));
        }
    }
    Ok(())
}

/// Takes from the admins of a copy what has ended since. How many lost something.
pub fn replay(tx: &Tx, has_ended: impl Fn(Pseudonym) -> bool) -> Result<u64> {
    let mut lost = 0;
    for admin in admins::list(tx)? {
        if has_ended(of(tx, &admin, "account")) {
            sign_in_rows::close_all_of(tx, admin.id, None)?;
            admins::remove(tx, admin.id)?;
            credentials::note(tx, "remove admin", admin.id)?;
            lost += 1;
            continue;
        }
        let mut loses = false;
        if has_ended(of_role(tx, &admin, admin.role)) {
            loses = true;
            credentials::note(tx, "change role", admin.id)?;
            match Role::ALL.into_iter().find(|role| !has_ended(of_role(tx, &admin, *role))) {
                Some(role) => admins::set_role(tx, admin.id, role)?,
                // Of several changes the last cannot be told: an owner sets it anew.
                None => {
                    admins::set_role(tx, admin.id, Role::Auditor)?;
                    admins::set_reach(tx, admin.id, &Reach::Only(Vec::new()))?;
                }
            }
        }
        let admin = admins::by_id(tx, admin.id)?.unwrap_or(admin);
        let all_ended = admin.reach.is_all() && has_ended(of_all_projects(tx, &admin));
        let listed: Vec<ProjectId> = match &admin.reach {
            Reach::All if !all_ended => Vec::new(),
            Reach::All => projects::list(tx)?.into_iter().map(|project| project.id).collect(),
            Reach::Only(listed) => listed.clone(),
        };
        let kept: Vec<ProjectId> =
            listed.iter().copied().filter(|project| !has_ended(of_project(tx, &admin, *project))).collect();
        if all_ended || kept.len() < listed.len() {
            admins::set_reach(tx, admin.id, &Reach::Only(kept))?;
            credentials::note(tx, "change projects of admin", admin.id)?;
            loses = true;
        }
        lost += u64::from(loses);
    }
    Ok(lost)
}

//! What each role may do. The pages ask before they do anything; the table in docs/access.md
//! says the same in words.

use crate::error::{Error, Result};
use crate::model::{Admin, ProjectId, Role};

/// Something that an admin may do, or may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Find one person by a whole value, and look at the page.
    FindPeople,
    /// See lists of people.
    ListPeople,
    /// See values of people as they are. Without it they are masked.
    SeeValues,
    /// Uncover one value that is masked, with a reason, which is written down.
    RevealValues,
    /// Move people to the trash, and restore them.
    MovePeople,
    /// Change the profile of people.
    EditPeople,
    ErasePeople,
    /// Put people under a legal hold or a restriction, and end both; see why.
    HoldPeople,
    /// See that there are holds and restrictions, and until when.
    SeeHolds,
    /// Take along all that is held of a person, or make a link by which the person does.
    ExportPeople,
    SeeJobs,
    /// Cancel and retry jobs.
    RunJobs,
    SeeReceipts,
    /// The audit log as a whole.
    SeeAudit,
    SeeBackups,
    SeeClock,
    ConfirmClock,
    SeeProjects,
    /// Settings of a project that are no credentials.
    ChangeSettings,
    /// Tokens, secrets and origins of a project, and API keys.
    ChangeCredentials,
    MakeProjects,
    ManageAdmins,
}

use Permission::{
    ChangeCredentials, ChangeSettings, ConfirmClock, EditPeople, ErasePeople, ExportPeople, FindPeople,
    HoldPeople, ListPeople, MakeProjects, ManageAdmins, MovePeople, RevealValues, RunJobs, SeeAudit,
    SeeBackups, SeeClock, SeeHolds, SeeJobs, SeeProjects, SeeReceipts, SeeValues,
};

impl Permission {
    pub const ALL: [Permission; 22] = [
        FindPeople,
        ListPeople,
        SeeValues,
        RevealValues,
        MovePeople,
        EditPeople,
        ErasePeople,
        HoldPeople,
        SeeHolds,
        ExportPeople,
        SeeJobs,
        RunJobs,
        SeeReceipts,
        SeeAudit,
        SeeBackups,
        SeeClock,
        ConfirmClock,
        SeeProjects,
        ChangeSettings,
        ChangeCredentials,
        MakeProjects,
        ManageAdmins,
    ];

    /// It is about the whole installation: only admins of all projects have it.
    pub fn is_of_all_projects(self) -> bool {
        matches!(self, SeeAudit | SeeBackups | SeeClock | ConfirmClock | MakeProjects | ManageAdmins)
    }
}

/// What a role may do, of the projects that its admin works on.
pub fn permissions(role: Role) -> &'static [Permission] {
    match role {
        Role::Owner => &Permission::ALL,
        Role::PrivacyOfficer => &[
            FindPeople,
            ListPeople,
            SeeValues,
            RevealValues,
            MovePeople,
            EditPeople,
            ErasePeople,
            HoldPeople,
            SeeHolds,
            ExportPeople,
            SeeJobs,
            RunJobs,
            SeeReceipts,
            SeeAudit,
            SeeBackups,
            SeeClock,
            SeeProjects,
            ChangeSettings,
        ],
        Role::Support => &[FindPeople, RevealValues, MovePeople],
        Role::Auditor => &[SeeHolds, SeeJobs, SeeReceipts, SeeAudit],
    }
}

/// Whether an admin has a permission, of the projects that they work on.
pub fn may(admin: &Admin, permission: Permission) -> bool {
    permissions(admin.role).contains(&permission)
        && (!permission.is_of_all_projects() || admin.reach.is_all())
}

/// [`Error::Forbidden`] unless [`may`].
pub fn check(admin: &Admin, permission: Permission) -> Result<()> {
    match may(admin, permission) {
        true => Ok(()),
        false if permissions(admin.role).contains(&permission) => Err(Error::Forbidden(
            "This is only for admins of all projects. An owner can change your projects.",
        )),
        false => Err(Error::Forbidden("Your role does not allow this. An owner can change your role.")),
    }
}

/// Whether a role may do all that another may.
pub fn includes(role: Role, other: Role) -> bool {
    permissions(other).iter().all(|permission| permissions(role).contains(permission))
}

/// A key never exceeds its maker. [`Error::Forbidden`]; [`Error::ProjectNotFound`] for a project
/// that the maker does not see.
pub fn check_maker(maker: &Admin, project: Option<ProjectId>) -> Result<()> {
    // Owners alone make keys, and may do what any scope allows: there is nothing of scopes to compare.
    check(maker, ChangeCredentials)?;
    match project {
        Some(project) if maker.reach.has(project) => Ok(()),
        Some(_) => Err(Error::ProjectNotFound),
        None if maker.reach.is_all() => Ok(()),
        None => Err(Error::Forbidden("Only admins of all projects can create a key for the organisation.")),
    }
}

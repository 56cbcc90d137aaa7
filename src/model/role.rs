//! What an admin may do, and of which projects.

use super::ProjectId;

/// What an admin is for. What each may do stands in `access::roles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// People and what is done for them; no keys, no admins.
    PrivacyOfficer,
    /// Finds one person at a time, with values masked.
    Support,
    /// Reads what was done; sees no people.
    Auditor,
}

impl Role {
    /// The one that may do the most first.
    pub const ALL: [Role; 4] = [Role::Owner, Role::PrivacyOfficer, Role::Support, Role::Auditor];

    /// As rows, forms and the command line have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::PrivacyOfficer => "privacy-officer",
            Role::Support => "support",
            Role::Auditor => "auditor",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// As pages say it.
    pub fn label(self) -> &'static str {
        match self {
            Role::Owner => "Owner",
            Role::PrivacyOfficer => "Privacy officer",
            Role::Support => "Support",
            Role::Auditor => "Auditor",
        }
    }
}

/// The projects that an admin works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Those that come later, too.
    All,
    /// These alone; none, if the list is empty.
    Only(Vec<ProjectId>),
}

impl Reach {
    pub fn is_all(&self) -> bool {
        *self == Reach::All
    }

    pub fn has(&self, project: ProjectId) -> bool {
        match self {
            Reach::All => true,
            Reach::Only(projects) => projects.contains(&project),
        }
    }
}

//! Names that stand for nobody: what a client sends that has no id to send. Through them strangers
//! would become one person.

use crate::error::Result;
use crate::model::{Identifier, Intake, ProjectId};
use crate::store::{Db, projects};

/// Compared without regard to letter case and to space around them.
pub const USUAL: [&str; 13] = [
    "undefined",
    "null",
    "nil",
    "none",
    "nan",
    "0",
    "true",
    "false",
    "anonymous",
    "guest",
    "[object object]",
    "(null)",
    "00000000-0000-0000-0000-000000000000",
];

/// Whether a name stands for nobody in a project.
pub fn is_one(db: &Db, project: ProjectId, name: &Identifier) -> Result<bool> {
    Ok(projects::intake(db, project)?.is_some_and(|intake| is_in(&intake, name.as_str())))
}

/// The names that stand for nobody in a project, its own or the usual ones.
pub fn in_force(intake: &Intake) -> Vec<String> {
    intake.placeholders.clone().unwrap_or_else(|| USUAL.map(str::to_owned).into())
}

/// Whether a name is one of them.
pub(super) fn is_in(intake: &Intake, name: &str) -> bool {
    let name = name.trim();
    match &intake.placeholders {
        Some(own) => own.iter().any(|one| one.trim().eq_ignore_ascii_case(name)),
        None => is_zeros(name) || USUAL.iter().any(|one| one.eq_ignore_ascii_case(name)),
    }
}

/// An id in which no digit says anything: a UUID of zeros in any form, a device's `000000000000000`.
fn is_zeros(name: &str) -> bool {
    name.contains('0') && name.bytes().all(|byte| b"0-{}:".contains(&byte))
}

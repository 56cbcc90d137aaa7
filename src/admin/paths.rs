//! Paths of pages that several files lead to.

use crate::model::Project;

pub const PROJECTS: &str = "/admin/projects";
pub const LOGIN: &str = "/admin/login";
pub const LOGIN_CODE: &str = "/admin/login/code";
pub const ACCOUNT: &str = "/admin/account";

/// The page of a project's name and its deletion.
pub fn project(project: &Project) -> String {
    format!("{PROJECTS}/{}", project.key)
}

/// The page of a project's ingest token.
pub fn token(project: &Project) -> String {
    format!("{PROJECTS}/{}/token", project.key)
}

/// An admin who must set up a second factor first goes on here alone.
const OWED: [&str; 3] = [ACCOUNT, "/admin/logout", "/admin/theme"];

/// Whether a page is open to an admin who must set up a second factor first.
pub fn is_open_without_factor(path: &str) -> bool {
    OWED.iter()
        .any(|open| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

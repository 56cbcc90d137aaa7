//! Paths of pages that several files lead to.

use crate::model::{JobId, Project};

/// The first page.
pub const HOME: &str = "/admin/";
pub const PROJECTS: &str = "/admin/projects";
pub const LOGIN: &str = "/admin/login";
pub const LOGIN_CODE: &str = "/admin/login/code";
pub const ACCOUNT: &str = "/admin/account";
pub const RECEIPTS: &str = "/admin/receipts";

/// The address of a job's page.
pub fn job(job: JobId) -> String {
    format!("/admin/jobs/{job}")
}

/// The address of a receipt's page.
pub fn receipt(number: u64) -> String {
    format!("/admin/receipts/{number}")
}

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

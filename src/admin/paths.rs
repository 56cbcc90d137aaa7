//! Paths of pages that several files lead to.

pub const PROJECTS: &str = "/admin/projects";

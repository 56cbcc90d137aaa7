//! Projects by their names, and as the choices of a form.

use std::collections::HashMap;

use super::show::plain;
use crate::model::{Project, ProjectId};

/// A project to choose.
pub struct Choice {
    pub key: String,
    pub name: String,
    pub selected: bool,
}

pub fn choices(projects: &[Project], chosen: Option<ProjectId>) -> Vec<Choice> {
    let choice = |project: &Project| Choice {
        key: project.key.clone(),
        name: plain(&project.name),
        selected: chosen == Some(project.id),
    };
    projects.iter().map(choice).collect()
}

/// The projects' names, as they are shown.
pub fn names(projects: &[Project]) -> HashMap<ProjectId, String> {
    projects.iter().map(|project| (project.id, plain(&project.name))).collect()
}

pub fn name(names: &HashMap<ProjectId, String>, project: ProjectId) -> String {
    names.get(&project).cloned().unwrap_or_else(|| format!("project {project}"))
}

//! Regulations and suppressions as they are shown.

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::erasure::regulations;
use crate::erasure::regulations::{Page, Seen, Suppressed};
use crate::model::{Handle, Progress, Project};
use crate::people::suppressions;

/// A regulation's id, in the form of a UUID.
pub fn id(handle: Handle) -> String {
    let hex = data_encoding::HEXLOWER.encode(&handle);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn status(progress: Progress) -> &'static str {
    match progress {
        Progress::Waiting => "INITIALIZED",
        Progress::Running => "RUNNING",
        Progress::Finished => "FINISHED",
        Progress::PartlyFailed => "PARTIAL_SUCCESS",
        Progress::Failed => "FAILED",
    }
}

pub fn page(page: &Page, cursor: Option<&str>) -> Value {
    json!({
        "regulations": page.seen.iter().map(listed).collect::<Vec<Value>>(),
        "pagination": pagination(cursor, page.next.map(id)),
    })
}

/// The next page's cursor is left out where there is none.
fn pagination(cursor: Option<&str>, next: Option<String>) -> Value {
    let mut pagination = json!({ "current": cursor.unwrap_or_default() });
    if let Some(next) = next {
        pagination["next"] = next.into();
    }
    pagination
}

fn listed(seen: &Seen) -> Value {
    let mut shown = json!({
        "id": id(seen.regulation.handle),
        "subjectType": "USER_ID",
        "subjects": subjects(seen),
        "status": status(seen.progress),
        "createdAt": rfc3339(seen.regulation.created_at),
        "regulationType": seen.regulation.kind.as_str(),
    });
    if let Some(at) = seen.finished_at {
        shown["finishedAt"] = rfc3339(at).into();
    }
    shown
}

pub fn subjects(seen: &Seen) -> Vec<String> {
    seen.people.iter().map(|one| regulations::shown(seen.regulation.kind, one)).collect()
}

/// One stream for each project in which it holds; there are no destinations behind it.
pub fn one(seen: &Seen, projects: &[Project]) -> Value {
    let streams: Vec<Value> =
        projects.iter().map(|project| json!({ "id": project.key, "destinationStatus": [] })).collect();
    json!({
        "id": id(seen.regulation.handle),
        "workspaceId": workspace(seen, projects),
        "overallStatus": status(seen.progress),
        "createdAt": rfc3339(seen.regulation.created_at),
        "finishedAt": seen.finished_at.map(rfc3339).unwrap_or_default(),
        "streamStatus": streams,
    })
}

/// The project's key; "organisation" for what an organisation's key asked of several projects.
pub fn workspace(seen: &Seen, projects: &[Project]) -> String {
    let only = projects.iter().find(|project| Some(project.id) == seen.regulation.project);
    only.map_or_else(|| "organisation".to_owned(), |project| project.key.clone())
}

pub fn suppressed(page: &Suppressed, cursor: Option<&str>) -> Value {
    let ids: Vec<String> = page.digests.iter().map(suppressions::shown).collect();
    let lists =
        if ids.is_empty() { json!([]) } else { json!([{ "subjectType": "USER_ID", "subjectIds": ids }]) };
    let next = page.next.as_ref();
    let next = next.map(|at| format!("{}.{}", at.project, data_encoding::HEXLOWER.encode(&at.digest)));
    json!({ "suppressed": lists, "pagination": pagination(cursor, next) })
}

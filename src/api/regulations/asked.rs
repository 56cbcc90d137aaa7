//! What a request asks for.

use std::collections::HashSet;

use serde_json::Value;

use crate::api::dialect::{Call, Object, Query};
use crate::erasure::regulations::{Filter, PEOPLE_MAX, Position, Whole};
use crate::error::{Error, Place, Result};
use crate::forms;
use crate::model::{Handle, Identifier, Progress, ProjectId, RegulationKind};
use crate::projects;

pub const KINDS: &str = "regulationTypes[]";
pub const CURSOR: &str = "pagination[cursor]";
const COUNT: &str = "pagination[count]";

/// The path's source: a project. [`Error::ProjectNotFound`] also for another project's key.
pub fn source(call: &Call) -> Result<Whole> {
    source_of_key(call, &call.path("sourceId")?)
}

pub fn source_of_key(call: &Call, key: &str) -> Result<Whole> {
    let only = call.access()?.project;
    let project = call.app.read(|db| projects::by_key(db, key))?;
    match only {
        Some(only) if only != project.id => Err(Error::ProjectNotFound),
        _ => Ok(Whole(Some(project.id))),
    }
}

pub async fn regulation(call: &mut Call) -> Result<(RegulationKind, Vec<Identifier>)> {
    let body = call.object().await?;
    let kind = body.text("regulationType")?;
    let kind = kind.ok_or_else(|| Error::invalid(Place::Body, "regulationType", "is required"))?;
    let kind = parse_kind(Place::Body, "regulationType", &kind)?;
    let subject = "must be USER_ID: only users are regulated here";
    if body.text("subjectType")?.as_deref() != Some("USER_ID") {
        return Err(Error::invalid(Place::Body, "subjectType", subject));
    }
    let Some(Value::Array(ids)) = body.0.get("subjectIds") else {
        return Err(Error::invalid(Place::Body, "subjectIds", "must be a list of ids"));
    };
    Ok((kind, people("subjectIds", ids)?))
}

/// 1 to 5,000 different ids. One that is named twice counts once.
pub fn people(field: &str, ids: &[Value]) -> Result<Vec<Identifier>> {
    let mut seen = HashSet::new();
    let mut people = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let fault = |why: &str| Error::invalid(Place::Body, field, format!("entry {index} {why}"));
        let id = forms::identifier(Some(id)).unwrap_or(Err("must not be empty")).map_err(fault)?;
        if seen.insert(id.as_str().to_owned()) {
            people.push(id);
        }
    }
    match people.len() {
        1..=PEOPLE_MAX => Ok(people),
        _ => Err(Error::invalid(Place::Body, field, format!("must have 1 to {PEOPLE_MAX} different ids"))),
    }
}

fn parse_kind(place: Place, field: &str, text: &str) -> Result<RegulationKind> {
    RegulationKind::parse(text).ok_or_else(|| {
        let known = RegulationKind::ALL.map(RegulationKind::as_str).join(", ");
        Error::invalid(place, field, format!("must be one of {known}"))
    })
}

/// `status`, and `regulationTypes[]` any number of times.
pub fn filter(query: &Query) -> Result<Filter> {
    let kinds = query.all(KINDS).map(|text| parse_kind(Place::Query, KINDS, text));
    let progress = match query.get("status") {
        None | Some("") => None,
        Some("INITIALIZED") => Some(vec![Progress::Waiting]),
        Some("RUNNING") => Some(vec![Progress::Running]),
        Some("FINISHED") => Some(vec![Progress::Finished]),
        Some("FAILED") => Some(vec![Progress::Failed]),
        Some("PARTIAL_SUCCESS") => Some(vec![Progress::PartlyFailed]),
        // Words of the vendor's for what does not happen here.
        Some("INVALID" | "NOT_SUPPORTED") => Some(Vec::new()),
        Some(_) => {
            let known =
                "must be INITIALIZED, RUNNING, FINISHED, FAILED, INVALID, NOT_SUPPORTED or PARTIAL_SUCCESS";
            return Err(Error::invalid(Place::Query, "status", known));
        }
    };
    Ok(Filter { kinds: kinds.collect::<Result<_>>()?, progress, is_single: false })
}

/// Which page.
pub struct Paging<'a> {
    pub count: usize,
    cursor: Option<&'a str>,
}

/// The vendor: `pagination.count`, 1 to 1,000, is required.
pub fn paging(query: &Query) -> Result<Paging<'_>> {
    let count = match query.number(COUNT)?.map(usize::try_from) {
        Some(Ok(count @ 1..=1_000)) => count,
        None => return Err(Error::invalid(Place::Query, COUNT, "is required")),
        Some(_) => return Err(Error::invalid(Place::Query, COUNT, "must be 1 to 1000")),
    };
    Ok(Paging { count, cursor: query.get(CURSOR).filter(|cursor| !cursor.is_empty()) })
}

impl Paging<'_> {
    /// Behind what the page lies. [`Error::Invalid`] for what no answer had as its cursor.
    pub fn after<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        match self.cursor {
            None => Ok(None),
            Some(text) => read(text).map(Some).ok_or_else(|| not_a_cursor(Error::NotFound(""))),
        }
    }
}

/// The cursor names nothing that the key knows.
pub fn not_a_cursor(error: Error) -> Error {
    match error {
        Error::NotFound(_) => Error::invalid(Place::Query, CURSOR, "is not a cursor from this list"),
        error => error,
    }
}

/// A place in the list of suppressions: `<project>.<digest in hex>`.
pub fn position(text: &str) -> Option<Position> {
    let (project, digest) = text.split_once('.')?;
    let digest = data_encoding::HEXLOWER.decode(digest.as_bytes()).ok()?;
    Some(Position { project: ProjectId(project.parse().ok()?), digest })
}

/// A regulation's id, as [`super::shown::id`] writes it.
pub fn id(text: &str) -> Option<Handle> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.replace('-', "").as_bytes()).ok()?;
    Handle::try_from(bytes).ok()
}

pub fn regulate_id(call: &Call) -> Result<Handle> {
    id(&call.path("regulateId")?).ok_or(Error::NotFound("regulation"))
}

/// A list in a body. [`Error::Invalid`] if it is something else.
pub fn list<'a>(body: &'a Object, field: &str) -> Result<Option<&'a [Value]>> {
    match body.0.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(Error::invalid(Place::Body, field, "must be a list")),
    }
}

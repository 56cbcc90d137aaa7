//! What a request asks for. Rules and defaults are those of the vendor's request types, and a
//! field that breaks one is named in the words of its validator: "Key: 'T.Limit' Error:Field
//! validation for 'Limit' failed on the 'max' tag". Behind them, in brackets, stands what they
//! leave out: the field as the caller wrote it, and the bound [ours].
//!
//! The vendor's programs take 0, "" and null for absent, and so does this.

use serde_json::Value;

use super::sentence;
use super::shown::{EVENT_COLUMNS, USER_COLUMNS};
use crate::api::dialect::{Call, Object};
use crate::clock::Millis;
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Identifier, ProjectId};
use crate::people::listings::{Direction, Field, Filter, Listing};
use crate::people::session_parts::{Column, Page};
use crate::web::page_sizes;

/// "validate:\"min=946684800000\"": the year 2000.
const EARLIEST: Millis = 946_684_800_000;
const QUERY_MAX: usize = 100;
const NAME_MAX: usize = 200;

/// A segment of the path that names something. The vendor counts 256 bytes. Here it is 256
/// characters, as everywhere: a user who was registered under a longer name must be found and
/// deleted, too [ours].
pub fn identifier(call: &Call, name: &str) -> Result<Identifier> {
    let text = call.path(name)?;
    if text.chars().count() > crate::model::IDENTIFIER_MAX {
        return Err(Error::invalid(Place::Path, name, "exceeds maximum length of 256 characters"));
    }
    Identifier::parse(Place::Path, name, &text)
}

/// The body of `POST /projects`.
pub struct NewProject {
    pub name: String,
    pub platform: String,
}

pub async fn project(call: &mut Call) -> Result<NewProject> {
    let body = Body::read(call, "createProjectRequest").await?;
    let name = body.text("name")?.unwrap_or_default().trim().to_owned();
    let platform = body.text("platform")?.unwrap_or_else(|| "web".into());
    if name.is_empty() {
        return Err(Error::invalid(Place::Body, "name", "is required"));
    }
    // Bytes, as the vendor counts them, whatever its sentence says.
    if name.len() > NAME_MAX {
        return Err(Error::invalid(Place::Body, "name", "must be at most 200 characters"));
    }
    if !matches!(platform.as_str(), "web" | "ios") {
        return Err(Error::invalid(Place::Body, "platform", "must be one of: web, ios"));
    }
    Ok(NewProject { name, platform })
}

/// The query and the body of `POST /{projectKey}/users`.
pub struct Users {
    pub listing: Listing,
    pub columns: Vec<&'static str>,
}

/// "q overrides query". Listed are those who are known by an identifier: the vendor has no other
/// users. A time asked for is one at which they were, as far as is known, still or already seen
/// [ours].
pub async fn users(call: &mut Call, project: ProjectId) -> Result<Users> {
    let q = call.query()?.get("q").unwrap_or_default().to_owned();
    let mut body = Body::read(call, "SearchUsersRequest").await?;
    body.refuse_filters()?;
    let query = if q.is_empty() { body.text("query")?.unwrap_or_default() } else { q };
    if query.chars().count() > QUERY_MAX {
        body.broken("query", "Query", "max", "must have at most 100 characters");
    }
    let (start, end) = body.period(Needed::No)?;
    let page = body.page(Needed::No)?;
    let field = body.sort(USER_COLUMNS, "validateUserColumn", sorted_by)?.unwrap_or(Field::Identifier);
    let direction = body.direction()?;
    let columns = body.columns(USER_COLUMNS, "validateUserColumn")?;
    body.done()?;
    let mut filters = vec![Filter::Identified];
    if !query.is_empty() {
        let fields = [Field::Identifier, Field::Email, Field::Name, Field::FirstName, Field::LastName];
        let tests = in_cases(&query).into_iter().flat_map(|text| {
            fields
                .iter()
                .map(move |field| Filter::TextContains(*field, text.clone()))
                .collect::<Vec<Filter>>()
        });
        filters.push(Filter::Any(tests.collect()));
    }
    filters.extend(start.map(|start| Filter::AtLeast(Field::LastSeen, start)));
    filters.extend(end.map(|end| Filter::AtMost(Field::FirstSeen, end)));
    let order = vec![(field, direction)];
    let listing = Listing { project, filters, order, limit: page.limit, offset: page.offset };
    Ok(Users { listing, columns })
}

/// The forms in which a text is looked for. The database knows the cases of ASCII letters alone.
/// Others are looked for as they are, small, capital, and small after a capital.
fn in_cases(query: &str) -> Vec<String> {
    let mut cases = vec![query.to_owned()];
    if !query.is_ascii() {
        let mut starts = true;
        let titled = query.chars().flat_map(|c| {
            let is_first = std::mem::replace(&mut starts, !c.is_alphanumeric());
            if is_first { c.to_uppercase().collect::<Vec<char>>() } else { c.to_lowercase().collect() }
        });
        let titled = titled.collect();
        cases.extend([query.to_lowercase(), query.to_uppercase(), titled]);
    }
    cases.dedup();
    cases
}

/// What users can be sorted by here, of the vendor's columns.
fn sorted_by(column: &str) -> Option<Field> {
    Some(match column {
        "$user_id" => Field::Identifier,
        "$email" => Field::Email,
        "$name" => Field::Name,
        "$first_name" => Field::FirstName,
        "$last_name" => Field::LastName,
        "$created_at" => Field::CreatedAt,
        "$country" => Field::Country,
        "$city" => Field::City,
        "$first_event_at" => Field::FirstSeen,
        "$last_seen" => Field::LastSeen,
        _ => return None,
    })
}

/// The body of `POST …/users/{userID}/sessions`.
pub struct Sessions {
    /// Both included.
    pub bounds: (Millis, Millis),
    pub direction: Direction,
    pub page: Page,
}

pub async fn sessions(call: &mut Call) -> Result<Sessions> {
    let mut body = Body::read(call, "UserSessionsRequest").await?;
    let (start, end) = body.period(Needed::Yes)?;
    let page = body.page(Needed::No)?;
    let direction = body.direction()?;
    body.done()?;
    Ok(Sessions { bounds: bounds(start, end), direction, page })
}

/// The body of `POST …/sessions/{sessionID}/events`.
pub struct Events {
    /// Both included.
    pub bounds: (Millis, Millis),
    pub order: (Column, Direction),
    pub page: Page,
    pub columns: Vec<&'static str>,
}

pub async fn events(call: &mut Call) -> Result<Events> {
    let mut body = Body::read(call, "EventsSearchRequest").await?;
    body.refuse_filters()?;
    let (start, end) = body.period(Needed::Yes)?;
    let page = body.page(Needed::Yes)?;
    let column = body.sort(EVENT_COLUMNS, "validEventColumn", |column| match column {
        "created_at" => Some(Column::At),
        "$event_name" => Some(Column::Name),
        _ => None,
    })?;
    let direction = body.direction()?;
    let columns = body.columns(EVENT_COLUMNS, "validEventColumn")?;
    body.done()?;
    Ok(Events { bounds: bounds(start, end), order: (column.unwrap_or(Column::At), direction), page, columns })
}

fn bounds(start: Option<Millis>, end: Option<Millis>) -> (Millis, Millis) {
    (start.unwrap_or(Millis::MIN), end.unwrap_or(Millis::MAX))
}

/// The query of `GET /{projectKey}/jobs`: "limit=50&page=1"; what is no number, or none that may
/// be, is taken as these.
pub fn jobs(call: &Call) -> Result<Page> {
    let query = call.query()?;
    let number = |name| query.get(name).and_then(|text| text.parse::<i64>().ok());
    let limit = page_sizes::OPENREPLAY_V2.asked(number("limit"));
    Ok(part(limit, number("page").filter(|page| *page >= 1)))
}

fn part(limit: Option<u32>, page: Option<i64>) -> Page {
    let limit = limit.unwrap_or(page_sizes::OPENREPLAY_V2.usual);
    let before = u32::try_from(page.unwrap_or(1).saturating_sub(1)).unwrap_or(u32::MAX);
    Page { limit, offset: before.saturating_mul(limit) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Yes,
    No,
}

/// A body whose fields are read one by one. A field of the wrong type is refused at once, as it
/// is no JSON of this kind to the vendor; broken rules are collected.
struct Body {
    /// What the vendor calls the type, which its validator says.
    kind: &'static str,
    fields: Object,
    broken: Vec<FieldError>,
}

impl Body {
    async fn read(call: &mut Call, kind: &'static str) -> Result<Body> {
        Ok(Body { kind, fields: call.object().await?, broken: Vec::new() })
    }

    fn done(self) -> Result<()> {
        if self.broken.is_empty() { Ok(()) } else { Err(Error::Invalid(self.broken)) }
    }

    /// Notes that a field breaks a rule: `name` and `tag` are what the validator says.
    fn broken(&mut self, field: &str, name: &str, tag: &str, rule: &str) {
        let kind = self.kind;
        let text = format!(
            "Key: '{kind}.{name}' Error:Field validation for '{name}' failed on the '{tag}' tag ({field} {rule})"
        );
        self.broken.push(FieldError::new(Place::Body, "", text));
    }

    fn text(&self, field: &str) -> Result<Option<String>> {
        let text = self.fields.text(field).map_err(|_| mistyped(field, "a string"))?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn number(&self, field: &str) -> Result<Option<i64>> {
        let number = self.fields.number(field).map_err(|_| mistyped(field, "an integer"))?;
        Ok(number.filter(|number| *number != 0))
    }

    /// The vendor's filters are not known here. To leave them out of account would list what the
    /// caller meant to keep out.
    fn refuse_filters(&self) -> Result<()> {
        match self.fields.0.get("filters") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Array(filters)) if filters.is_empty() => Ok(()),
            Some(_) => Err(Error::invalid(Place::Body, "filters", "are not supported")),
        }
    }

    /// `startTimestamp` and `endTimestamp`: "min=946684800000", the end "gtfield=StartDate".
    fn period(&mut self, needed: Needed) -> Result<(Option<Millis>, Option<Millis>)> {
        let (start, end) = (self.number("startTimestamp")?, self.number("endTimestamp")?);
        for (field, name, at) in [("startTimestamp", "StartDate", start), ("endTimestamp", "EndDate", end)] {
            match at {
                None if needed == Needed::Yes => self.broken(field, name, "required", "is required"),
                Some(at) if at < EARLIEST => {
                    self.broken(field, name, "min", "must be at least 946684800000");
                }
                Some(at) if field == "endTimestamp" && start.is_some_and(|start| at <= start) => {
                    self.broken(field, name, "gtfield", "must be greater than startTimestamp");
                }
                _ => {}
            }
        }
        Ok((start, end))
    }

    /// `limit` and `page`: "min=1,max=200" and "min=1".
    fn page(&mut self, needed: Needed) -> Result<Page> {
        let (limit, page) = (self.number("limit")?, self.number("page")?);
        let most = i64::from(page_sizes::OPENREPLAY_V2.most);
        for (field, name, number) in [("limit", "Limit", limit), ("page", "Page", page)] {
            match number {
                None if needed == Needed::Yes => self.broken(field, name, "required", "is required"),
                Some(number) if number < 1 => self.broken(field, name, "min", "must be at least 1"),
                Some(number) if field == "limit" && number > most => {
                    self.broken(field, name, "max", &format!("must be at most {most}"));
                }
                _ => {}
            }
        }
        Ok(part(page_sizes::OPENREPLAY_V2.asked(limit), page))
    }

    /// `sortOrder`: "oneof=asc desc". The latest come first, unless it is said.
    fn direction(&mut self) -> Result<Direction> {
        Ok(match self.text("sortOrder")?.as_deref() {
            Some("asc") => Direction::Ascending,
            None | Some("desc") => Direction::Descending,
            Some(_) => {
                self.broken("sortOrder", "SortOrder", "oneof", "must be asc or desc");
                Direction::Descending
            }
        })
    }

    /// `sortBy`: one of the known columns. By one of them that has no order here nothing is
    /// sorted in silence.
    fn sort<T>(&mut self, known: &[&str], tag: &str, order: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(column) = self.text("sortBy")? else { return Ok(None) };
        if !known.contains(&column.as_str()) {
            self.broken("sortBy", "SortBy", tag, "must be a known column");
            return Ok(None);
        }
        match order(&column) {
            Some(order) => Ok(Some(order)),
            None => Err(sentence(Place::Body, format!("sorting by {column} is not supported"))),
        }
    }

    /// `columns`: a list of known columns.
    fn columns(&mut self, known: &'static [&'static str], tag: &str) -> Result<Vec<&'static str>> {
        let asked = self.fields.texts("columns").map_err(|_| mistyped("columns", "a list of strings"))?;
        let mut columns = Vec::new();
        for (n, column) in asked.iter().enumerate() {
            match known.iter().find(|known| *known == column) {
                Some(column) => columns.push(*column),
                // An empty one is none to the vendor.
                None if column.is_empty() => {}
                None => {
                    let (field, name) = (format!("columns[{n}]"), format!("Columns[{n}]"));
                    self.broken(&field, &name, tag, "must be a known column");
                }
            }
        }
        Ok(columns)
    }
}

/// To the vendor a field of another type is invalid JSON.
fn mistyped(field: &str, kind: &str) -> Error {
    sentence(Place::Body, format!("invalid JSON body: {field} must be {kind}"))
}

//! What a request asks for: whom, of which period, in which order, which page of it.

use serde_json::Value;

use super::faults::Faults;
use super::filters::{self, Of};
use crate::api::dialect::{Call, Object, Query};
use crate::clock::{self, DAY, HOUR, MINUTE, Millis, SECOND};
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Identifier, ProjectId, User, UserId};
use crate::people::conditions::{Conditions, EventTest};
use crate::people::find;
use crate::people::listings::Direction;
use crate::people::seen::{Column, Listing, Order, Period};
use crate::store::Db;
use crate::web::page_sizes::{self, PageSize};

/// One user.
pub enum Target {
    /// None: a number that no user has.
    Id(Option<UserId>),
    Identifier(Identifier),
}

impl Default for Target {
    fn default() -> Target {
        Target::Id(None)
    }
}

impl Target {
    /// [`Error::UserNotFound`] if the project has no such live user.
    pub fn find(&self, db: &Db, project: ProjectId) -> Result<User> {
        match self {
            Target::Id(Some(id)) => find::get_by_id(db, project, *id),
            Target::Id(None) => Err(Error::user_not_found("")),
            Target::Identifier(identifier) => find::get(db, project, identifier.as_str()),
        }
    }
}

/// seeds/001: "You have to either provide id or identifier." Both or neither is a fault of
/// both.
pub fn target(query: &Query) -> Result<Target> {
    match (query.get("id"), query.get("identifier")) {
        (Some(id), None) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Target::Id(id.parse().map(UserId).ok()))
        }
        (Some(_), None) => Err(Error::invalid(Place::Query, "id", "id must be a numeric user id")),
        (None, Some(name)) => Identifier::parse(Place::Query, "identifier", name).map(Target::Identifier),
        _ => Err(Error::Invalid(
            ["id", "identifier"]
                .map(|field| FieldError::new(Place::Query, field, "Provide exactly one of id or identifier"))
                .into(),
        )),
    }
}

/// The body of `POST /v1/users`.
pub struct Users {
    pub span: Span,
    pub page: Page,
    conditions: Conditions,
    order: Order,
    direction: Direction,
}

impl Users {
    pub fn listing(self, project: ProjectId) -> Listing {
        Listing {
            project,
            period: self.span.period(),
            conditions: self.conditions,
            order: self.order,
            direction: self.direction,
            limit: self.page.limit,
            offset: self.page.offset,
        }
    }
}

pub async fn users(call: &mut Call) -> Result<Users> {
    let now = call.app.clock().now();
    // All of it aside where it is large: there may be thousands of tests in it.
    call.read_object(move |body| read_users(&body?, now)).await
}

fn read_users(body: &Object, now: Millis) -> Result<Users> {
    let mut faults = Faults::default();
    let span = faults.keep(span(body, now)).unwrap_or_default();
    let conditions = filters::conditions(body, Of::Users, &mut faults);
    let page = page(body, &mut faults);
    let order = faults.keep(order(body)).flatten();
    faults.done()?;
    let (order, direction) = order.unwrap_or((Order::By(Column::Seen), Direction::Descending));
    Ok(Users { span, page, conditions, order, direction })
}

/// The query and the body of `POST /v1/users/events`.
pub struct Events {
    pub target: Target,
    pub span: Span,
    pub page: Page,
    pub conditions: Conditions,
}

pub async fn events(call: &mut Call) -> Result<Events> {
    let now = call.app.clock().now();
    let target = call.query().and_then(|query| target(&query));
    call.read_object(move |body| read_events(target, body, now)).await
}

fn read_events(target: Result<Target>, body: Result<Object>, now: Millis) -> Result<Events> {
    let mut faults = Faults::default();
    let target = faults.keep(target).unwrap_or_default();
    let body = faults.keep(body);
    let (span, conditions, page) = body.map_or_else(Default::default, |body| {
        let span = faults.keep(span(&body, now)).unwrap_or_default();
        (span, filters::conditions(&body, Of::Events, &mut faults), page(&body, &mut faults))
    });
    faults.done()?;
    Ok(Events { target, span, page, conditions })
}

/// A page of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page {
    pub limit: u32,
    pub offset: u32,
}

fn page(body: &Object, faults: &mut Faults) -> Page {
    let mut whole = |field: &str, least: u32, most: u32, usual: u32| {
        let number = faults.keep(body.number(field)).flatten();
        let fits = |number: i64| u32::try_from(number).ok().filter(|n| (least..=most).contains(n));
        let message = || format!("must be between {least} and {most}");
        let checked =
            number.map(|number| fits(number).ok_or_else(|| Error::invalid(Place::Body, field, message())));
        faults.keep(checked.transpose()).flatten().unwrap_or(usual)
    };
    let PageSize { usual, most } = page_sizes::VEMETRIC;
    Page { limit: whole("limit", 1, most, usual), offset: whole("offset", 0, u32::MAX, 0) }
}

/// A stretch of time, as it is shown: in whole seconds, of which the last one is part of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    pub from: Millis,
    pub to: Millis,
    /// It goes on until now.
    open: bool,
}

impl Span {
    fn period(self) -> Period {
        Period { from: self.from, to: (!self.open).then(|| self.until()) }
    }

    /// Its last millisecond; of an open one there is none.
    pub fn until(self) -> Millis {
        if self.open { Millis::MAX } else { self.to + SECOND - 1 }
    }
}

const SPANS: &str = "must be live, 1hr, 24hrs, 7days, 30days, 3months, 6months, 1year or [start, end]";
const TIMES: &str = "must be YYYY-MM-DD or a time such as 2026-01-19T12:30:00Z";
/// 9999-12-30T22:00:00Z: the last second that can be shown.
const LAST: Millis = 253_402_207_200_000;

/// `dateRange`: "Can be either one of the preset strings below, or an array with two date
/// strings [start, end]."
fn span(body: &Object, now: Millis) -> Result<Span> {
    let fault = |message| Error::invalid(Place::Body, "dateRange", message);
    match body.0.get("dateRange") {
        None | Some(Value::Null) => Err(fault("is required")),
        Some(Value::String(name)) => {
            let from = preset(name, now).ok_or_else(|| fault(SPANS))?;
            Ok(Span { from, to: seconds(now), open: true })
        }
        Some(Value::Array(ends)) if ends.len() == 2 => {
            let mut faults = Faults::default();
            let from = faults.keep(end(&ends[0], "start", 0)).unwrap_or_default();
            let to = faults.keep(end(&ends[1], "end", DAY - SECOND)).unwrap_or_default();
            faults.done()?;
            if from > to {
                return Err(fault("Start date must be before or equal to end date"));
            }
            Ok(Span { from, to, open: to + SECOND > now })
        }
        Some(_) => Err(fault(SPANS)),
    }
}

/// One end of a range, in whole seconds. A date is a whole day: a range begins with its
/// first second, and ends `more` after that, with its last.
fn end(value: &Value, which: &str, more: Millis) -> Result<Millis> {
    let text = value.as_str().unwrap_or_default();
    let at = match clock::parse_date(text) {
        Some(date) => Some(date + more),
        None => clock::parse_rfc3339(text).map(seconds),
    };
    let fault = || Error::invalid(Place::Body, "dateRange", format!("{which} {TIMES}"));
    at.map(|at| at.min(LAST)).ok_or_else(fault)
}

fn seconds(at: Millis) -> Millis {
    at.div_euclid(SECOND) * SECOND
}

/// When a preset begins. The vendor's server counts whole columns of its charts, the one
/// that is not over included: 10 of half a minute, 6 of 10 minutes, 24 hours, 7 or 30 days,
/// 12 weeks from Monday, 6 or 13 months; all UTC.
fn preset(name: &str, now: Millis) -> Option<Millis> {
    let back = |unit: Millis, more: Millis| (now.div_euclid(unit) - more) * unit;
    match name {
        "live" => Some(back(MINUTE / 2, 9)),
        "1hr" => Some(back(10 * MINUTE, 5)),
        "24hrs" => Some(back(HOUR, 23)),
        "7days" => Some(back(DAY, 6)),
        "30days" => Some(back(DAY, 29)),
        // The first day of 1970 was a Thursday.
        "3months" => Some(back(DAY, (now.div_euclid(DAY) + 3).rem_euclid(7) + 11 * 7)),
        "6months" => clock::month_start(now, 5),
        "1year" => clock::month_start(now, 12),
        _ => None,
    }
}

const FIELDS: &str = "field must be lastSeenAt, displayName, identifier, country or lastEventFired";
const DIRECTIONS: &str = "direction must be asc or desc";

/// `orderBy`: "At the moment it's only possible to order by one field"; `lastEventFired`
/// "sorts users by when they last fired a matching event filter".
fn order(body: &Object) -> Result<Option<(Order, Direction)>> {
    let fault = |field: &str, message: &str| Err(Error::invalid(Place::Body, field, message));
    let item = match body.0.get("orderBy") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) if list.is_empty() => return Ok(None),
        Some(Value::Array(list)) if list.len() == 1 => &list[0],
        Some(Value::Array(_)) => return fault("orderBy", "orderBy can include max one item"),
        Some(_) => return fault("orderBy", "must be a list of at most one [field, direction]"),
    };
    let item = item.as_array().map_or(&[][..], Vec::as_slice);
    let by = match item.first().and_then(Value::as_str) {
        _ if !(2..=3).contains(&item.len()) => return fault("orderBy.0", "must be [field, direction]"),
        Some("lastEventFired") => match item.get(2) {
            Some(filter) => Order::LastDid(event_order(filter)?),
            None => return fault("orderBy.0", "must be [lastEventFired, direction, event filter]"),
        },
        _ if item.len() == 3 => return fault("orderBy.0", "only lastEventFired takes an event filter"),
        Some("lastSeenAt") => Order::By(Column::Seen),
        Some("displayName") => Order::By(Column::Name),
        Some("identifier") => Order::By(Column::Identifier),
        Some("country") => Order::By(Column::Country),
        _ => return fault("orderBy.0", FIELDS),
    };
    match item[1].as_str() {
        Some("asc") => Ok(Some((by, Direction::Ascending))),
        Some("desc") => Ok(Some((by, Direction::Descending))),
        _ => fault("orderBy.0", DIRECTIONS),
    }
}

/// An event filter, which has a name or properties at least.
fn event_order(filter: &Value) -> Result<EventTest> {
    let at = "orderBy.0.2";
    let fault = |message| Error::invalid(Place::Body, at, message);
    let filter_fields = filter.as_object().ok_or_else(|| fault("must be an object"))?;
    let has = |field: &str| filter_fields.get(field).is_some_and(|value| !value.is_null());
    let is_empty_list = filter["properties"].as_array().is_some_and(Vec::is_empty);
    let test = filters::event_test(filter, at)?;
    if !has("name") && (!has("properties") || is_empty_list) {
        return Err(fault("must have name or properties"));
    }
    Ok(test)
}

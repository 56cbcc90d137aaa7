//! All that a user did, page by page: of one kind or of all, from any date on.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::show::{Time, beginning, plain};
use super::user::{self, Head};
use crate::access::roles::Permission;
use crate::clock::{self, DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{Event, Kind, State};
use crate::people::masks;
use crate::people::timeline::{self, Place as Spot};
use crate::web::page_sizes;

const PAGE: usize = page_sizes::ADMIN_SHORT as usize;
/// Characters of an entry's data that stand in its row.
const DATA: usize = 160;

pub fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/admin/users/{user}/timeline", Access::May(Permission::FindPeople), show)]
}

#[derive(Template)]
#[template(path = "user_timeline.html")]
struct TimelinePage {
    page: Page,
    user: Head,
    kinds: Vec<KindChoice>,
    /// The date up to which entries are shown, as it was typed.
    on: String,
    entries: Vec<Entry>,
    is_filtered: bool,
    is_short: bool,
    first: Option<String>,
    next: Option<String>,
}

struct KindChoice {
    name: &'static str,
    selected: bool,
}

struct Entry {
    time: Time,
    kind: &'static str,
    name: String,
    short: String,
    /// All of it, where the row has only its beginning.
    whole: Option<String>,
}

async fn show(request: PageRequest) -> Answer {
    let (kind, on, before) = (kind(&request)?, on(&request)?, before(&request)?);
    let Some((user, project)) = user::look_at(&request).await? else {
        return Ok(request.go(&format!("{}/timeline", user::path(request.user()?))).finish());
    };
    let own = format!("{}/timeline", user::path(user.id));
    let is_masked = !request.may(Permission::SeeValues);
    let head_of = if is_masked { masks::user(&user) } else { user.clone() };
    let from = before.or(on.map(|day| (day + DAY - 1, i64::MAX)));
    let found = match user.state {
        State::Live | State::Hidden | State::Detached => {
            request.app.read_aside(move |db| timeline::page(db, &user, kind, from, PAGE)).await?
        }
        // It is gone for every caller; how much is left may be seen, what it is may not.
        State::Waiting | State::Erasing | State::Merged => {
            timeline::Page { events: Vec::new(), next: None, is_short: false }
        }
    };
    let link = |before: Option<Spot>| {
        let before = before.map(|(at, number)| format!("{at}_{number}"));
        let query = [
            ("kind", kind.map(Kind::as_str)),
            ("on", request.query.some("on")),
            ("before", before.as_deref()),
        ];
        address(&own, &query)
    };
    let now = request.now;
    let entry = |event: &Event| match is_masked {
        true => entry(&masks::event(event), now),
        false => entry(event, now),
    };
    let head = Head::new(&head_of, &project);
    let page = TimelinePage {
        page: request.page("users", format!("Timeline of {}", head.heading))?,
        user: head,
        kinds: Kind::ALL.map(|one| KindChoice { name: one.as_str(), selected: Some(one) == kind }).into(),
        on: on.map(clock::date).unwrap_or_default(),
        entries: found.events.iter().map(|(_, event)| entry(event)).collect(),
        is_filtered: kind.is_some() || on.is_some(),
        is_short: found.is_short,
        first: before.map(|_| link(None)),
        next: found.next.map(|place| link(Some(place))),
    };
    request.html(StatusCode::OK, &page)
}

fn kind(request: &PageRequest) -> Result<Option<Kind>> {
    let fault = || Error::invalid(Place::Query, "kind", "must be a kind of entry");
    request.query.some("kind").map(|text| Kind::parse(text).ok_or_else(fault)).transpose()
}

fn on(request: &PageRequest) -> Result<Option<Millis>> {
    let fault = || Error::invalid(Place::Query, "on", "must be a date, as 2026-03-04");
    request.query.some("on").map(|text| clock::parse_date(text).ok_or_else(fault)).transpose()
}

fn before(request: &PageRequest) -> Result<Option<Spot>> {
    let Some(text) = request.query.some("before") else { return Ok(None) };
    let read = text.split_once('_').and_then(|(at, number)| Some((at.parse().ok()?, number.parse().ok()?)));
    read.map(Some).ok_or_else(|| Error::invalid(Place::Query, "before", "must be where a page ended"))
}

fn entry(event: &Event, now: Millis) -> Entry {
    let whole = user::whole_data(event.url.as_deref(), &event.data);
    let short = beginning(&whole, DATA);
    Entry {
        time: Time::new(event.at, now),
        kind: event.kind.as_str(),
        name: plain(&event.name),
        whole: (short != whole).then_some(whole),
        short,
    }
}

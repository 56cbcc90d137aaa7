//! `GET /v1/events/{kind}`: what the users of a project did, in pages.
//!
//! Source: the vendor's API description 0.1.6. Custom events, page views and sessions are
//! read from what is kept here; of the other kinds nothing is kept, and their pages are empty.
//! Its clients (`tap-gainsightpx`, connectors) say the span by terms on `date` in the filter,
//! the description has `dateRangeStart` and `dateRangeEnd`; both are read.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::cells;
use super::event_filter::Condition;
use super::paging::{self, unknown_scroll};
use super::shown::{List, list};
use crate::api::dialect::{Answer, Call, Query};
use crate::clock::{DAY, Millis};
use crate::error::{Error, Place as At, Result};
use crate::model::ProjectId;
use crate::people::history;
use crate::people::history::{History, Order, Place};
use crate::people::listings::Direction;
use crate::store::Db;
use crate::web::page_sizes;

/// "Default window of event lists: the last day".
const WINDOW: Millis = DAY;
/// Over it: "Exceeded date range190days", as the vendor spells it.
const WINDOW_MAX: Millis = 190 * DAY;

pub async fn events(call: Call) -> Answer {
    call.project()?;
    let list = list(&call.path("kind")?).ok_or(Error::NoSuchRoute)?;
    answer(call, list).await
}

pub async fn survey_responses(call: Call) -> Answer {
    answer(call, &super::shown::SURVEYS).await
}

async fn answer(call: Call, list: &'static List) -> Answer {
    let project = call.project()?;
    let search = Search::read(&call.query_with_list("filter")?, list, project, call.app.clock().now())?;
    // A page may be large: it is put together on the scan's thread, not on one that answers.
    let page = call.app.scan(move |db| search.run(db)).await?;
    Ok(HttpResponse::Ok().json(page))
}

struct Search {
    list: &'static List,
    condition: Condition,
    order: Order,
    scroll: Scroll,
}

/// A search and how far it has come: what a scrollId says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scroll {
    project: ProjectId,
    list: String,
    filters: Vec<String>,
    sort: String,
    size: u32,
    /// As it was on the first page, so that the default window does not move.
    from: Millis,
    to: Millis,
    /// The entries are counted once.
    total: Option<i64>,
    after: Option<Place>,
}

impl Search {
    /// [`Error::Invalid`] by the parameter. Parameters may be there and empty.
    fn read(query: &Query, list: &'static List, project: ProjectId, now: Millis) -> Result<Search> {
        let given = |name| query.get(name).filter(|value| !value.is_empty());
        let filters: Vec<String> =
            query.all("filter").filter(|filter| !filter.is_empty()).map(str::to_owned).collect();
        let sort = given("sort").unwrap_or_default().to_owned();
        let size = paging::size(query, page_sizes::GAINSIGHT)?;
        let (start, end) = (date(query, "dateRangeStart")?, date(query, "dateRangeEnd")?);
        let Some(text) = given("scrollId") else {
            let condition = Condition::parse(&filters, list)?;
            let order = order(&sort)?;
            let (from, to) = window((start, end), condition.span(), now)?;
            let (list_name, size) = (list.name.to_owned(), size.unwrap_or(page_sizes::GAINSIGHT.usual));
            let scroll =
                Scroll { project, list: list_name, filters, sort, size, from, to, total: None, after: None };
            return Ok(Search { list, condition, order, scroll });
        };
        let mut scroll = paging::decode(text)
            .filter(|scroll: &Scroll| scroll.project == project && scroll.list == list.name)
            .filter(Scroll::is_possible)
            .ok_or_else(unknown_scroll)?;
        let differs = (!filters.is_empty() && filters != scroll.filters)
            || (!sort.is_empty() && sort != scroll.sort)
            || start.is_some_and(|start| start != scroll.from)
            || end.is_some_and(|end| end != scroll.to);
        if differs {
            let message = "was given out for another filter, sort or date range";
            return Err(Error::invalid(At::Query, "scrollId", message));
        }
        scroll.size = size.unwrap_or(scroll.size);
        let condition = Condition::parse(&scroll.filters, list).map_err(|_| unknown_scroll())?;
        let order = order(&scroll.sort).map_err(|_| unknown_scroll())?;
        Ok(Search { list, condition, order, scroll })
    }

    fn run(&self, db: &Db) -> Result<Value> {
        let Scroll { project, size, from, to, total, after, .. } = &self.scroll;
        let Some(what) = self.list.what else { return Ok(self.page(Vec::new(), None, 0)) };
        // What the filter says of the time holds besides the window.
        let (first, last) = self.condition.span();
        let span = (first.unwrap_or(*from).max(*from), last.unwrap_or(*to).min(*to));
        let history =
            History { project: *project, what, who: self.condition.of_users(), span, order: self.order };
        let holds = |entry: &history::Entry| self.condition.holds(entry, self.list);
        let trial: history::Trial = if self.condition.is_of_users() { None } else { Some(&holds) };
        let size = *size as usize;
        let found = history::page(db, &history, after.as_ref(), size, trial)?;
        let total = match total {
            Some(total) => *total,
            None => history::count(db, &history, trial)?,
        };
        // "Scroll until the returned result list is less than the requested size."
        let after = found.last().filter(|_| found.len() == size).map(history::Entry::place);
        let next =
            after.map(|after| Scroll { total: Some(total), after: Some(after), ..self.scroll.clone() });
        let next = next.map(|next| paging::encode(&next)).transpose()?;
        let entries = found.iter().map(|entry| self.list.json(db, entry)).collect::<Result<Vec<Value>>>()?;
        Ok(self.page(entries, next, total))
    }

    fn page(&self, entries: Vec<Value>, next: Option<String>, total: i64) -> Value {
        let mut page = Map::new();
        page.insert(self.list.key.to_owned(), Value::Array(entries));
        page.insert("totalHits".to_owned(), json!(total));
        page.insert("scrollId".to_owned(), json!(next));
        Value::Object(page)
    }
}

impl Scroll {
    fn is_possible(&self) -> bool {
        (1..=page_sizes::GAINSIGHT.most).contains(&self.size)
            && self.to.checked_sub(self.from).is_some_and(|length| length <= WINDOW_MAX)
            && self.total.is_some_and(|total| total >= 0)
            && self.after.is_some()
    }
}

/// "Dates are specified as epoch milliseconds, GMT"; ISO 8601 is read as well.
fn date(query: &Query, name: &'static str) -> Result<Option<Millis>> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let fault = || Error::invalid(At::Query, name, "must be a time in milliseconds since 1970");
    cells::time(text).map(Some).ok_or_else(fault)
}

/// The span that is read: what the parameters say, else what the filter says, else the last
/// day before the end, and up to now.
fn window(
    (start, end): (Option<Millis>, Option<Millis>),
    (first, last): (Option<Millis>, Option<Millis>),
    now: Millis,
) -> Result<(Millis, Millis)> {
    let to = end.or(last).unwrap_or(now);
    let from = start.or(first).unwrap_or(to.saturating_sub(WINDOW));
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(Error::invalid(At::Query, "dateRangeStart", "must not be after dateRangeEnd"));
    }
    if to.saturating_sub(from) > WINDOW_MAX {
        let field = if start.or(end).is_some() { "dateRangeStart" } else { "filter" };
        return Err(Error::invalid(At::Query, field, "Exceeded date range190days"));
    }
    Ok((from, to))
}

/// "The sort parameter accepts a list of semi-colon separated fields names, each with an
/// optional dash to imply descending sort order." The vendor sorts by date and accountId;
/// here no index has the accounts, so the date must come first, and entries of one
/// millisecond stand in the order in which they came in. Without a sort, each user's entries
/// stand together, which is read the fastest.
fn order(sort: &str) -> Result<Order> {
    let invalid = |message: String| Error::invalid(At::Query, "sort", message);
    let mut order = Order::Users;
    for (n, part) in sort.split(';').filter(|part| !part.trim().is_empty()).enumerate() {
        // A plus sign that was not encoded arrives as a space.
        let (name, direction) = match part.strip_prefix('-') {
            Some(name) => (name, Direction::Descending),
            None => (part.trim_start_matches(['+', ' ']), Direction::Ascending),
        };
        match (n, name) {
            (0, "date") => order = Order::Time(direction),
            (0, "accountId") => return Err(invalid("date must come first".into())),
            (_, "date" | "accountId") => {}
            _ => return Err(invalid(format!("events are sorted by date, not by {name}"))),
        }
    }
    Ok(order)
}

//! `GET /v1/users`: which users are asked for, which page of them, and where it ends.
//!
//! The vendor: "Use the returned scrollId to make a request for the next page of results."
//! "Scroll until the returned result list is less than the requested size." So a page that
//! is full has a scrollId, though nothing may come after it, and one that is not has none.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fields::{FIELDS, Home, user_json};
use super::filter::Condition;
use super::paging;
use crate::api::dialect::Query;
use crate::error::{Error, Place, Result};
use crate::model::{ProjectId, User};
use crate::people::listings;
use crate::people::listings::{Direction, Field, Filter, Key, Names, Paging, Position};
use crate::store::Db;
use crate::web::page_sizes;

const SORTS_MAX: usize = 10;

pub struct Search {
    condition: Condition,
    paging: Paging,
    scroll: Scroll,
}

/// A search and how far it has come: what a scrollId says. A client that follows one need
/// not say again what it asked for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scroll {
    project: ProjectId,
    filters: Vec<String>,
    sort: String,
    size: u32,
    /// As it was on the first page: the users are counted once.
    total: Option<i64>,
    after: Option<Position>,
}

impl Search {
    /// [`Error::Invalid`] on `pageSize`, `filter`, `sort`, or `scrollId` for one that was not
    /// given out, or for another search than the request names besides it. Parameters may be
    /// there and empty.
    pub fn read(query: &Query, project: ProjectId) -> Result<Search> {
        let given = |name| query.get(name).filter(|value| !value.is_empty());
        let filters: Vec<String> =
            query.all("filter").filter(|filter| !filter.is_empty()).map(str::to_owned).collect();
        let sort = given("sort").unwrap_or_default().to_owned();
        let size = paging::size(query, page_sizes::GAINSIGHT)?;
        let Some(text) = given("scrollId") else {
            let size = size.unwrap_or(page_sizes::GAINSIGHT.usual);
            return Search::of(Scroll { project, filters, sort, size, total: None, after: None });
        };
        let unknown = || Error::invalid(Place::Query, "scrollId", "was not issued by this server");
        let mut scroll =
            paging::decode(text).filter(|scroll: &Scroll| scroll.project == project).ok_or_else(unknown)?;
        let differs =
            (!filters.is_empty() && filters != scroll.filters) || (!sort.is_empty() && sort != scroll.sort);
        if differs {
            let message = "was given out for another filter or sort";
            return Err(Error::invalid(Place::Query, "scrollId", message));
        }
        scroll.size = size.unwrap_or(scroll.size);
        Search::of(scroll).ok().filter(Search::is_possible).ok_or_else(unknown)
    }

    fn of(scroll: Scroll) -> Result<Search> {
        let condition = Condition::parse(&scroll.filters)?;
        let order = order(&scroll.sort)?;
        let paging = Paging { project: scroll.project, filter: condition.of_columns(), order };
        Ok(Search { condition, paging, scroll })
    }

    /// Whether it goes on from a place in its own order.
    fn is_possible(&self) -> bool {
        let Scroll { size, total: Some(total), after: Some(after), .. } = &self.scroll else { return false };
        let order = &self.paging.order;
        let fits = |(key, (field, _)): (&Key, &(Field, Direction))| match key {
            Key::Missing => true,
            Key::Text(_) => is_text(*field),
            Key::Number(_) => !is_text(*field),
        };
        (1..=page_sizes::GAINSIGHT.most).contains(size)
            && *total >= 0
            && after.keys.len() == order.len()
            && after.keys.iter().zip(order).all(fits)
    }

    /// Leaves out of it who cannot match, as far as the names in memory tell: without them, a part of a name
    /// is looked for in the rows of the whole project.
    pub fn narrow(&mut self, names: &Names) {
        let found = self.condition.parts().and_then(|parts| names.with_any_of(&parts));
        if let Some(ids) = found {
            let filter = std::mem::replace(&mut self.paging.filter, Filter::Identified);
            self.paging.filter = Filter::All(vec![Filter::Among(ids), filter]);
        }
    }

    /// The page. It may read the whole project: for scans.
    pub fn run(&self, db: &Db) -> Result<Page> {
        let Scroll { size, total, after, .. } = &self.scroll;
        let holds = |user: &User| self.condition.holds(user);
        let trial: listings::Trial = if self.condition.is_of_columns() { None } else { Some(&holds) };
        let found = listings::page(db, &self.paging, after.as_ref(), *size, trial)?;
        let total = match total {
            Some(total) => *total,
            None => listings::count(db, &self.paging, trial)?,
        };
        let is_full = found.len() == *size as usize;
        let after = found.last().filter(|_| is_full).map(|user| self.paging.position(user));
        let next =
            after.map(|after| Scroll { total: Some(total), after: Some(after), ..self.scroll.clone() });
        Ok(Page { users: found, next: next.map(|next| paging::encode(&next)).transpose()?, total })
    }
}

/// Some users of a search, and how to get the next.
pub struct Page {
    users: Vec<User>,
    next: Option<String>,
    total: i64,
}

impl Page {
    pub fn json(&self) -> Value {
        json!({
            "users": self.users.iter().map(user_json).collect::<Vec<Value>>(),
            "scrollId": self.next,
            "totalHits": self.total,
        })
    }
}

/// "The sort parameter accepts a list of semi-colon separated fields names, each with an
/// optional dash to imply descending sort order." Only what has a column can be sorted by.
/// Without a sort, the oldest come first, and who registers meanwhile comes last.
fn order(sort: &str) -> Result<Vec<(Field, Direction)>> {
    let invalid = |message: String| Error::invalid(Place::Query, "sort", message);
    let mut order = Vec::new();
    for part in sort.split(';').filter(|part| !part.trim().is_empty()) {
        // A plus sign that was not encoded arrives as a space.
        let (name, direction) = match part.strip_prefix('-') {
            Some(name) => (name, Direction::Descending),
            None => (part.trim_start_matches(['+', ' ']), Direction::Ascending),
        };
        let field = FIELDS.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| invalid(format!("there is no field {name}")))?;
        let Home::Column(column) = field.home else {
            let known = FIELDS.iter().filter(|field| matches!(field.home, Home::Column(_)));
            let known: Vec<&str> = known.map(|field| field.name).collect();
            return Err(invalid(format!("users are sorted by {}, not by {name}", known.join(", "))));
        };
        order.push((column, direction));
    }
    if order.len() > SORTS_MAX {
        return Err(invalid(format!("must have at most {SORTS_MAX} fields")));
    }
    Ok(order)
}

fn is_text(column: Field) -> bool {
    let field = FIELDS.iter().find(|field| field.home == Home::Column(column));
    field.is_some_and(|field| field.kind == super::cells::Kind::Text)
}

//! Which users a list shows: what its address asks for, and what is read for it.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::ids;
use super::page_request::{PageRequest, address};
use super::project_names;
use super::user_row::{Row, row};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{Project, ProjectId, Reach, User, UserId};
use crate::people::search::{Among, Depth, Filter};
use crate::people::{listings, masks, search};
use crate::store::Db;
use crate::store::pages::{Key, Paging, Position};
use crate::store::users::{self as stored, Direction, Field};

/// Users that are read at once where a filter is to be passed, and how often for one page: with a filter
/// that few pass, a page may be short, and says so.
const STRETCH: u32 = 1_000;
const ROUNDS: usize = 5;
/// In days: what may be asked of when a user was seen last.
pub const SEEN: [(&str, &str); 6] = [
    ("7", "seen in the last 7 days"),
    ("30", "seen in the last 30 days"),
    ("90", "seen in the last 90 days"),
    ("-7", "not seen for 7 days"),
    ("-30", "not seen for 30 days"),
    ("-90", "not seen for 90 days"),
];
pub const STATES: [(&str, &str); 2] = [("live", "live"), ("trash", "in trash")];
pub const NAMED: [(&str, &str); 2] = [("no", "with an identifier"), ("yes", "anonymous")];
pub const SORTS: [(&str, &str); 2] = [("newest", "newest first"), ("seen", "last seen first")];

/// What an address asks for, as it came.
#[derive(Clone, Default)]
pub struct Asked {
    pub text: String,
    pub project: Option<String>,
    pub state: Option<String>,
    pub anonymous: Option<String>,
    pub country: Option<String>,
    pub seen: Option<String>,
    pub sort: Option<String>,
    /// Where the page begins.
    pub below: Option<String>,
    pub after: Option<String>,
    pub cursor: Option<String>,
}

impl Asked {
    /// [`Error::Invalid`] for a choice that there is not.
    pub fn of(request: &PageRequest) -> Result<Asked> {
        let some = |name: &str| request.query.some(name).map(str::to_owned);
        let among = |name: &str, choices: &[(&str, &str)]| match some(name) {
            Some(value) if !choices.iter().any(|(known, _)| *known == value) => {
                let known: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
                Err(Error::invalid(Place::Query, name, format!("must be one of {}", known.join(", "))))
            }
            value => Ok(value),
        };
        Ok(Asked {
            text: request.query.text("q").to_owned(),
            project: some("project"),
            state: among("state", &STATES)?,
            anonymous: among("anonymous", &NAMED)?,
            country: some("country"),
            seen: among("seen", &SEEN)?,
            sort: among("sort", &SORTS)?,
            below: some("below"),
            after: some("after"),
            cursor: some("cursor"),
        })
    }

    /// The page itself, from its beginning.
    pub fn first(&self) -> Asked {
        Asked { below: None, after: None, cursor: None, ..self.clone() }
    }

    pub fn is_first(&self) -> bool {
        self.below.is_none() && self.after.is_none() && self.cursor.is_none()
    }

    /// Anything that leaves users out.
    pub fn is_filtered(&self) -> bool {
        self.is_narrowed() || !self.text.is_empty() || self.project.is_some()
    }

    fn is_narrowed(&self) -> bool {
        [&self.state, &self.anonymous, &self.country, &self.seen].into_iter().any(Option::is_some)
    }

    pub fn address(&self, path: &str) -> String {
        let query = [
            ("q", Some(self.text.as_str()).filter(|text| !text.is_empty())),
            ("project", self.project.as_deref()),
            ("state", self.state.as_deref()),
            ("anonymous", self.anonymous.as_deref()),
            ("country", self.country.as_deref()),
            ("seen", self.seen.as_deref()),
            ("sort", self.sort.as_deref()),
            ("below", self.below.as_deref()),
            ("after", self.after.as_deref()),
            ("cursor", self.cursor.as_deref()),
        ];
        address(path, &query)
    }

    /// The same behind the users of this page.
    pub fn behind(&self, next: Next) -> Asked {
        let first = self.first();
        match next {
            Next::Below(id) => Asked { below: Some(id.to_string()), ..first },
            Next::After(seen, id) => {
                let seen = seen.map_or_else(|| "never".to_owned(), |at| at.to_string());
                Asked { after: Some(format!("{seen}-{id}")), ..first }
            }
            Next::Cursor(cursor) => Asked { cursor: Some(cursor), ..first },
        }
    }

    /// From whole days on: a cursor of a search goes on fitting until midnight.
    fn filter(&self, now: Millis) -> Filter {
        let today = now.div_euclid(DAY) * DAY;
        let days = self.seen.as_deref().and_then(|days| days.parse::<i64>().ok());
        let back = |days: i64| today - days * DAY;
        Filter {
            state: match self.state.as_deref() {
                Some("live") => Among::Live,
                Some("trash") => Among::Trash,
                _ => Among::Both,
            },
            anonymous: self.anonymous.as_deref().map(|value| value == "yes"),
            country: self.country.clone(),
            seen_after: days.filter(|days| *days > 0).map(back),
            seen_before: days.filter(|days| *days < 0).map(|days| back(-days)),
            data: Vec::new(),
        }
    }

    fn below(&self) -> Result<Option<UserId>> {
        let fault = |_| Error::invalid(Place::Query, "below", "must be the id of a user");
        self.below.as_deref().map(|text| text.parse().map(UserId).map_err(fault)).transpose()
    }

    fn after(&self) -> Result<Option<(Option<Millis>, UserId)>> {
        let Some(text) = &self.after else { return Ok(None) };
        let read = text.rsplit_once('-').and_then(|(seen, id)| {
            let seen = if seen == "never" { None } else { Some(seen.parse().ok()?) };
            Some((seen, UserId(id.parse().ok()?)))
        });
        read.map(Some).ok_or_else(|| Error::invalid(Place::Query, "after", "must be where a page ended"))
    }
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Below(UserId),
    /// Behind one who was seen last then.
    After(Option<Millis>, UserId),
    Cursor(String),
}

/// What a page shows.
#[derive(Default)]
pub struct Shown {
    /// Masked, for roles that see no values.
    pub users: Vec<User>,
    pub next: Option<Next>,
    pub suggestions: Vec<String>,
    pub is_truncated: bool,
    pub note: Option<&'static str>,
    /// The names are still being read.
    pub is_early: bool,
}

/// The same, with what is needed to show it.
pub struct View {
    pub projects: Vec<Project>,
    pub chosen: Option<ProjectId>,
    pub shown: Shown,
    /// Whole values alone are found.
    pub is_whole: bool,
}

impl View {
    pub fn names(&self) -> HashMap<ProjectId, String> {
        project_names::names(&self.projects)
    }

    pub fn rows(&self, now: Millis) -> Vec<Row> {
        let names = self.names();
        self.shown.users.iter().map(|user| row(user, &names, now)).collect()
    }
}

/// Up to `limit` users that are asked for, as far as the admin may see them.
pub async fn view(request: &PageRequest, asked: &Asked, limit: usize) -> Result<View> {
    let (now, reach, lists) = (request.now, request.reach(), request.may(Permission::ListPeople));
    let sees = request.may(Permission::SeeValues);
    let depth = if lists && sees { Depth::Parts } else { Depth::WholeValues };
    // To who sees no values, a filter would tell them one by one.
    let filter = if sees { asked.filter(now) } else { Filter { state: Among::Both, ..Filter::default() } };
    let finds_restricted = request.may(Permission::ErasePeople);
    let (asked, app) = (asked.clone(), request.app.clone());
    let (projects, chosen, mut shown) = request
        .app
        .scan(move |db| {
            let projects = scoped::projects(db, &reach)?;
            let key = asked.project.as_deref();
            let chosen =
                key.map(|key| scoped::project(db, &reach, key)).transpose()?.map(|project| project.id);
            let among = projects.iter().map(|project| project.id);
            let among: Vec<ProjectId> = among.filter(|id| chosen.is_none_or(|one| one == *id)).collect();
            let shown = match (asked.text.is_empty(), lists) {
                (true, true) => list(db, &List { asked, filter, reach: &reach, chosen, among, limit, now })?,
                (true, false) => Shown::default(),
                (false, _) => find(db, &app, &asked, filter, among, (depth, finds_restricted), limit, now)?,
            };
            Ok((projects, chosen, shown))
        })
        .await?;
    if !sees {
        shown.users = shown.users.iter().map(masks::user).collect();
    }
    Ok(View { projects, chosen, shown, is_whole: depth == Depth::WholeValues })
}

/// A list without a text to look for.
struct List<'a> {
    asked: Asked,
    filter: Filter,
    reach: &'a Reach,
    chosen: Option<ProjectId>,
    among: Vec<ProjectId>,
    limit: usize,
    now: Millis,
}

/// Reads [`ROUNDS`] times [`STRETCH`] users at most, in the order of an index.
fn list(db: &Db, list: &List) -> Result<Shown> {
    let is_by_seen = list.asked.sort.as_deref() == Some("seen");
    let mut at = match is_by_seen {
        true => list.asked.after()?.map(|(seen, id)| Next::After(seen, id)),
        false => list.asked.below()?.map(Next::Below),
    };
    let size = if list.asked.is_narrowed() || is_by_seen { STRETCH } else { bounded(list.limit + 1) };
    let mut users: Vec<User> = Vec::new();
    for _ in 0..ROUNDS {
        let stretch = stretch(db, list, at.as_ref(), size)?;
        let is_last = stretch.len() < size as usize;
        for user in stretch {
            let place = if is_by_seen { Next::After(user.last_seen, user.id) } else { Next::Below(user.id) };
            if list.filter.passes(&user, list.now) {
                if users.len() == list.limit {
                    return Ok(Shown { users, next: at, ..Shown::default() });
                }
                users.push(user);
            }
            at = Some(place);
        }
        if is_last {
            return Ok(Shown { users, ..Shown::default() });
        }
    }
    Ok(Shown { users, next: at, is_truncated: true, ..Shown::default() })
}

fn stretch(db: &Db, list: &List, at: Option<&Next>, size: u32) -> Result<Vec<User>> {
    let after = match at {
        Some(Next::After(seen, id)) => Some((*seen, *id)),
        Some(Next::Below(id)) => {
            return scoped::newest(db, list.reach, list.chosen, Some(*id), size, list.now);
        }
        _ if list.asked.sort.as_deref() != Some("seen") => {
            return scoped::newest(db, list.reach, list.chosen, None, size, list.now);
        }
        _ => None,
    };
    let position =
        after.map(|(seen, id)| Position { keys: vec![seen.map_or(Key::Missing, Key::Number)], id });
    let mut found = Vec::new();
    for project in &list.among {
        let paging = Paging {
            project: *project,
            filter: stored::Filter::All(Vec::new()),
            order: vec![(Field::LastSeen, Direction::Descending)],
        };
        found.extend(listings::page(db, &paging, position.as_ref(), size, None)?);
    }
    found.sort_by_key(|user| Reverse((user.last_seen, user.id)));
    found.truncate(size as usize);
    Ok(found)
}

fn bounded(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(STRETCH)
}

/// What is found of a text. [`Error::Invalid`] on `cursor`.
#[allow(clippy::too_many_arguments, reason = "each is another thing, and there is one caller")]
fn find(
    db: &Db,
    app: &App,
    asked: &Asked,
    filter: Filter,
    projects: Vec<ProjectId>,
    (depth, finds_restricted): (Depth, bool),
    limit: usize,
    now: Millis,
) -> Result<Shown> {
    if search::check(&asked.text).is_err() {
        // Nobody is called so.
        return Ok(Shown::default());
    }
    let ids = ids::read(asked.text.trim());
    let (text, cursor) = (asked.text.clone(), asked.cursor.as_deref());
    let mut asked =
        search::Asked { projects, text, ids, filter, after: None, limit, depth, finds_restricted };
    if let Some(text) = cursor {
        let spot = search::cursor::read(app.store(), &asked, text);
        let fault = || Error::invalid(Place::Query, "cursor", "is no cursor of this search");
        asked.after = Some(spot.ok_or_else(fault)?);
    }
    let found = match search::search(db, app.find(), &asked, now) {
        Err(Error::Unavailable(search::BUILDING)) => {
            return Ok(Shown { note: Some(search::BUILDING), is_early: true, ..Shown::default() });
        }
        found => found?,
    };
    let next = found.next.map(|spot| Next::Cursor(search::cursor::write(app.store(), &asked, spot)));
    Ok(Shown {
        users: found.users.into_iter().map(|one| one.user).collect(),
        next,
        suggestions: found.suggestions.into_iter().map(|one| one.value).collect(),
        is_truncated: found.is_truncated,
        note: found.note,
        is_early: false,
    })
}

//! Finding users by any part of their names. Whole names are looked up in the database, parts of names in
//! memory; the rows then decide.

pub mod cursor;
pub mod shown;

use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::Value;

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::find::{Field, Find, Names, Place, Query, Standing, Tier, WORDS_MAX, nearest};
use crate::model::{ProjectId, State, User, UserId};
use crate::people::find;
pub use crate::people::find::Whole;
use crate::store::{Db, users};

/// The longest text that is looked for, in code points.
pub const TEXT_MAX: usize = 512;
/// Pages of candidates that are read for one page: with a filter that few pass, it may be short.
const ROUNDS: usize = 8;
/// Users with a similar name who are read, and how many of them are suggested.
const NEAR: usize = 20;
const SUGGESTED: usize = 5;
/// Names that begin with a text: how many are read from the database, of each kind.
const STARTS_MAX: u32 = 1_000;

/// The note of a server that keeps no names in memory.
pub const LEFT_OUT: &str = "this server runs with --find off: it finds whole names, and the beginning of \
    identifiers and e-mails";
/// The note until they are in memory.
pub const BUILDING: &str = "names are still being loaded for the search: until then it finds whole names only; \
    try again in a moment";

/// What is looked for, and by whom.
pub struct Asked {
    pub projects: Vec<ProjectId>,
    pub text: String,
    /// The ids that the text may be.
    pub ids: Vec<UserId>,
    pub filter: Filter,
    /// Behind whom the page begins.
    pub after: Option<Spot>,
    pub limit: usize,
    pub depth: Depth,
    /// Whether whose data is restricted is found by a whole value: by those who may erase them.
    pub finds_restricted: bool,
}

/// How much the caller may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Whole values only, without suggestions.
    WholeValues,
    Parts,
}

/// Narrows a search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    pub state: Among,
    pub anonymous: Option<bool>,
    pub country: Option<String>,
    pub seen_after: Option<Millis>,
    pub seen_before: Option<Millis>,
    /// Values of the profile's free part.
    pub data: Vec<(String, Value)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Among {
    #[default]
    Live,
    Trash,
    Both,
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Among whole matches, the newest first.
    Whole(UserId),
    Part(Place),
}

#[derive(Debug, Default)]
pub struct Found {
    pub users: Vec<Match>,
    pub suggestions: Vec<Suggestion>,
    /// Too many matches to check: some are missing.
    pub is_truncated: bool,
    /// Where the next page begins.
    pub next: Option<Spot>,
    /// What was not searched, in words.
    pub note: Option<&'static str>,
}

#[derive(Debug)]
pub struct Match {
    pub user: User,
    /// Which of its names, and how much of each.
    pub by: Vec<(Named, How)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Id,
    AnonymousId,
    Field(Field),
}

/// How much of a name the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Whole,
    Start,
    Word,
    Part,
}

/// A user with a similar name.
#[derive(Debug)]
pub struct Suggestion {
    pub user: UserId,
    pub field: Field,
    /// The name, as it is stored.
    pub value: String,
}

/// Why a text is not looked for, if it is not.
pub fn check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("must not be empty".into());
    }
    // Not all of a longer one is counted.
    if text.chars().nth(TEXT_MAX).is_some() {
        return Err(format!("must have at most {TEXT_MAX} characters"));
    }
    match Query::new(text) {
        Some(query) if query.has_too_many_words() => Err(format!("must have at most {WORDS_MAX} words")),
        _ => Ok(()),
    }
}

/// The id that a text may be, as answers have it.
pub fn ids(text: &str) -> Vec<UserId> {
    text.trim().parse().map(UserId).into_iter().collect()
}

/// The users of a page; if there are none, suggestions. [`Error::Unavailable`] while the names are still being
/// loaded and no whole name matches.
pub fn search(db: &Db, names: &Find, asked: &Asked, now: Millis) -> Result<Found> {
    let mut search = Search { db, asked, now, query: Query::new(&asked.text), found: Found::default() };
    let whole = search.whole()?;
    let (after, is_full) = search.take_whole(&whole);
    if is_full || asked.depth == Depth::WholeValues {
        return Ok(search.found);
    }
    match names.standing() {
        Standing::Ready => search.parts(names, &whole, after)?,
        Standing::Off => search.starts(&whole, after)?,
        Standing::Idle | Standing::Building if search.found.users.is_empty() => {
            return Err(Error::Unavailable(BUILDING));
        }
        Standing::Idle | Standing::Building => {
            search.found.is_truncated = true;
            search.found.note = Some(BUILDING);
        }
    }
    Ok(search.found)
}

struct Search<'a> {
    db: &'a Db<'a>,
    asked: &'a Asked,
    now: Millis,
    /// None: nothing is left of the text to look for.
    query: Option<Query>,
    found: Found,
}

impl Search<'_> {
    /// Users with this whole name, the newest first.
    fn whole(&self) -> Result<Vec<Match>> {
        let mut all: HashMap<UserId, Match> = HashMap::new();
        let Asked { projects, text, ids, .. } = self.asked;
        let mut found = find::whole(self.db, projects, text, ids, self.now)?;
        // Spaces that were copied with it.
        if found.is_empty() && text.trim() != text {
            found = find::whole(self.db, projects, text.trim(), ids, self.now)?;
        }
        for (user, whole) in found.into_iter().filter(|(user, _)| self.passes(user)) {
            if user.restricted_at.is_some() && !self.asked.finds_restricted {
                continue;
            }
            let by = &mut all.entry(user.id).or_insert_with(|| Match { user, by: Vec::new() }).by;
            let named = match whole {
                Whole::Identifier => Named::Field(Field::Identifier),
                Whole::Email => Named::Field(Field::Email),
                Whole::ClaimedEmail => Named::Field(Field::ClaimedEmail),
                Whole::Id => Named::Id,
                Whole::AnonymousId => Named::AnonymousId,
            };
            if !by.contains(&(named, How::Whole)) {
                by.push((named, How::Whole));
            }
        }
        let mut all: Vec<Match> = all.into_values().collect();
        all.sort_by_key(|one| Reverse(one.user.id));
        Ok(all)
    }

    /// Adds those that come after the cursor. Returns where the others begin, and whether the page is full.
    fn take_whole(&mut self, whole: &[Match]) -> (Option<Place>, bool) {
        let below = match self.asked.after {
            Some(Spot::Part(place)) => return (Some(place), false),
            Some(Spot::Whole(id)) => id,
            None => UserId(i64::MAX),
        };
        let behind = whole.iter().filter(|one| one.user.id < below);
        let taken = behind.clone().take(self.asked.limit);
        self.found.users.extend(taken.map(|one| Match { user: one.user.clone(), by: one.by.clone() }));
        let is_full = self.found.users.len() == self.asked.limit;
        // Others may come after them.
        if is_full && self.asked.depth == Depth::Parts || behind.count() > self.found.users.len() {
            self.found.next = self.found.users.last().map(|one| Spot::Whole(one.user.id));
        }
        (None, is_full)
    }

    fn parts(&mut self, names: &Find, whole: &[Match], mut after: Option<Place>) -> Result<()> {
        let Some(query) = self.query.take() else { return Ok(()) };
        // One more than fit: whether there is another page.
        let limit = self.asked.limit;
        let mut is_anybody = !whole.is_empty() || self.asked.after.is_some();
        for _ in 0..ROUNDS {
            let wanted = limit - self.found.users.len() + 1;
            let page = names.page(&self.asked.projects, &query, after, wanted);
            self.found.is_truncated |= page.is_truncated;
            for hit in page.hits {
                if self.found.users.len() == limit {
                    self.found.next = after.map(Spot::Part);
                    return Ok(());
                }
                after = Some(hit.place());
                is_anybody = true;
                if whole.iter().any(|one| one.user.id == hit.id) {
                    continue;
                }
                let user = users::by_id(self.db, None, hit.id)?;
                if let Some(user) = user.filter(|user| self.asked.projects.contains(&user.project)) {
                    self.judge(user, &query);
                }
            }
            if page.is_last {
                if !is_anybody {
                    self.suggest(names, &query)?;
                }
                return Ok(());
            }
        }
        self.found.next = after.map(Spot::Part);
        Ok(())
    }

    /// The row decides.
    fn judge(&mut self, user: User, query: &Query) {
        let names = Names::of(&user);
        if self.is_listed(&user) && query.matches(&names).is_some() {
            let by = query.where_in(&names).into_iter();
            let by = by.map(|(field, tier)| (Named::Field(field), How::of(tier))).collect();
            self.found.users.push(Match { user, by });
        }
    }

    fn suggest(&mut self, names: &Find, query: &Query) -> Result<()> {
        for id in names.near(&self.asked.projects, query, NEAR) {
            let Some(user) = users::by_id(self.db, None, id)? else { continue };
            if !self.is_listed(&user) || !self.asked.projects.contains(&user.project) {
                continue;
            }
            let Some(field) = nearest(query, &Names::of(&user)) else { continue };
            let Some(value) = value(&user, field) else { continue };
            let suggested = &mut self.found.suggestions;
            if suggested.len() < SUGGESTED && suggested.iter().all(|other| other.value != value) {
                suggested.push(Suggestion { user: id, field, value });
            }
        }
        Ok(())
    }

    /// Without the names in memory: what the database has an index for.
    fn starts(&mut self, whole: &[Match], after: Option<Place>) -> Result<()> {
        self.found.note = Some(LEFT_OUT);
        let mut all = Vec::new();
        for project in &self.asked.projects {
            for key in [users::Key::Identifier, users::Key::Email, users::Key::ClaimedEmail] {
                let found = users::beginning_with(self.db, *project, key, &self.asked.text, STARTS_MAX)?;
                self.found.is_truncated |= found.len() == STARTS_MAX as usize;
                let field = match key {
                    users::Key::Identifier => Field::Identifier,
                    users::Key::Email => Field::Email,
                    users::Key::ClaimedEmail => Field::ClaimedEmail,
                };
                all.extend(found.into_iter().map(|user| (user, field)));
            }
        }
        all.retain(|(user, _)| self.is_listed(user) && !whole.iter().any(|one| one.user.id == user.id));
        all.sort_by_key(|(user, _)| Reverse(user.id));
        let place = |id: UserId| Place(Tier::Start, Reverse(id));
        for (user, field) in
            all.into_iter().filter(|(user, _)| after.is_none_or(|after| place(user.id) > after))
        {
            let by = (Named::Field(field), How::Start);
            let is_full = self.found.users.len() == self.asked.limit;
            match self.found.users.last_mut().filter(|last| last.user.id == user.id) {
                Some(last) => last.by.push(by),
                None if is_full => {
                    self.found.next = self.found.users.last().map(|last| Spot::Part(place(last.user.id)));
                    return Ok(());
                }
                None => self.found.users.push(Match { user, by: vec![by] }),
            }
        }
        Ok(())
    }

    /// The same for what only a part of a name has found, which no restricted user is.
    fn is_listed(&self, user: &User) -> bool {
        user.restricted_at.is_none() && self.passes(user)
    }

    fn passes(&self, user: &User) -> bool {
        self.asked.filter.passes(user, self.now)
    }
}

impl Filter {
    /// Whether a user may be listed, and the filter lets it through.
    pub fn passes(&self, user: &User, now: Millis) -> bool {
        let is_among = match user.state {
            State::Live => self.state != Among::Trash,
            State::Hidden => user.is_revivable(now) && self.state != Among::Live,
            State::Waiting | State::Detached | State::Erasing | State::Merged => false,
        };
        is_among
            && self.anonymous.is_none_or(|anonymous| user.identifier.is_none() == anonymous)
            && self.country.as_ref().is_none_or(|country| user.profile.country.as_ref() == Some(country))
            && self.seen_after.is_none_or(|after| user.last_seen.is_some_and(|seen| seen > after))
            && self.seen_before.is_none_or(|before| user.last_seen.is_some_and(|seen| seen < before))
            && self.data.iter().all(|(name, value)| user.profile.attributes.get(name) == Some(value))
    }
}

impl How {
    fn of(tier: Option<Tier>) -> How {
        match tier {
            None => How::Whole,
            Some(Tier::Start) => How::Start,
            Some(Tier::Word) => How::Word,
            Some(Tier::Inside) => How::Part,
        }
    }
}

fn value(user: &User, field: Field) -> Option<String> {
    let profile = &user.profile;
    match field {
        Field::Identifier => user.identifier.clone(),
        Field::Email => profile.email.clone(),
        Field::ClaimedEmail => profile.claimed_email.clone(),
        Field::DisplayName => profile.display_name.clone(),
        Field::Name => {
            let parts = [&profile.first_name, &profile.last_name].into_iter().flatten();
            Some(parts.map(String::as_str).collect::<Vec<&str>>().join(" "))
        }
    }
}

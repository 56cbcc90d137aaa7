//! `filter` of the lists of events: the language of that of users, with fewer fields.

use serde_json::Value;

use super::cells::Kind;
use super::filter::{self, Operator};
use super::shown::{List, value};
use crate::clock::Millis;
use crate::error::Result;
use crate::people::history::Entry;
use crate::people::listings::{Field as Column, Filter};

/// Entries that hold every term of at least one list; without any list, all of them.
pub struct Condition(Vec<Vec<Term>>);

struct Term {
    name: String,
    operator: Operator,
    value: String,
}

const IDENTIFIER: &str = "identifyId";
const DATE: &str = "date";

impl Condition {
    /// [`crate::error::Error::Invalid`] on `filter` for what is not in the language, or names a
    /// field that this list does not have.
    pub fn parse(filters: &[String], list: &List) -> Result<Condition> {
        Ok(Condition(filter::lists(filters, |text| Term::parse(text, list))?))
    }

    /// First and last instant that any of it lets through, as far as it says.
    pub fn span(&self) -> (Option<Millis>, Option<Millis>) {
        let lists = || self.0.iter().map(|terms| terms.iter().map(Term::span));
        // All terms of a list must hold; one list is enough.
        let first = lists().map(|spans| spans.filter_map(|(first, _)| first).max());
        let last = lists().map(|spans| spans.filter_map(|(_, last)| last).min());
        // A list that says nothing lets everything through.
        let first = first.collect::<Option<Vec<Millis>>>().and_then(|all| all.into_iter().min());
        let last = last.collect::<Option<Vec<Millis>>>().and_then(|all| all.into_iter().max());
        (first, last)
    }

    /// What it says of the users alone: a user with an entry that matches it matches this, too.
    pub fn of_users(&self) -> Filter {
        let lists = self.0.iter().map(|terms| Filter::All(terms.iter().filter_map(Term::of_user).collect()));
        if self.0.is_empty() { Filter::Identified } else { Filter::Any(lists.collect()) }
    }

    /// Whether [`Condition::of_users`] and [`Condition::span`] together say all of it.
    pub fn is_of_users(&self) -> bool {
        let is_told = |term: &Term| term.of_user().is_some() || term.span() != (None, None);
        match self.0.as_slice() {
            [] => true,
            [terms] => terms.iter().all(is_told),
            lists => lists.iter().flatten().all(|term| term.of_user().is_some()),
        }
    }

    pub fn holds(&self, entry: &Entry, list: &List) -> bool {
        self.0.is_empty() || self.0.iter().any(|terms| terms.iter().all(|term| term.holds(entry, list)))
    }
}

impl Term {
    fn parse(text: &str, list: &List) -> Result<Term> {
        let (name, operator, value) = filter::split(text)?;
        if !list.filters.is_empty() && !list.filters.contains(&name) {
            let known = list.filters.join(", ");
            return Err(filter::invalid(format!("these events are filtered by {known}, not by {name}")));
        }
        let kind = if name == DATE { Kind::Time } else { Kind::Text };
        let value = filter::check(kind, name, operator, value)?;
        Ok(Term { name: name.to_owned(), operator, value })
    }

    fn span(&self) -> (Option<Millis>, Option<Millis>) {
        let at = self.value.parse::<Millis>().ok().filter(|_| self.name == DATE);
        match (self.operator, at) {
            (Operator::Is, at) => (at, at),
            (Operator::AtLeast, at) => (at, None),
            (Operator::Above, at) => (at.map(|at| at.saturating_add(1)), None),
            (Operator::AtMost, at) => (None, at),
            (Operator::Below, at) => (None, at.map(|at| at.saturating_sub(1))),
            (Operator::IsNot | Operator::Fits | Operator::FitsNot, _) => (None, None),
        }
    }

    fn of_user(&self) -> Option<Filter> {
        let is_of_user = self.name == IDENTIFIER;
        is_of_user.then(|| filter::of_text(Column::Identifier, self.operator, &self.value)).flatten()
    }

    fn holds(&self, entry: &Entry, list: &List) -> bool {
        let values = match value(list, entry, &self.name) {
            Value::Array(all) => all,
            one => vec![one],
        };
        self.operator.holds(&values, &self.value)
    }
}

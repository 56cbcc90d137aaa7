//! The language of `filter`, in which users are searched for.
//!
//! Source: the vendor's API description. "Filter terms within a single filter parameter are
//! joined by a logical AND. Separate filter parameters are joined by a logical OR." "Case
//! sensitivity is not enforced when using filters."
//!
//! What has a column is asked of the database; the rest is tried on each user that comes
//! back. A field that was never told is compared as it is shown: as "", 0 or false.

use std::cmp::Ordering;

use serde_json::Value;

use super::cells;
use super::cells::Kind;
use super::fields::{FIELDS, Field, Home};
use crate::error::{Error, Place, Result};
use crate::model::User;
use crate::people::listings::{Field as Column, Filter};

/// The most conditions of one search.
const TERMS_MAX: usize = 100;
/// A part of a name is looked for from so many characters on.
const PART_MIN: usize = 2;
const FORM: &str = "must be conditions such as email==ann@example.com, joined by ;";

/// Users that hold every term of at least one list; without any list, all of them.
pub struct Condition(Vec<Vec<Term>>);

struct Term {
    subject: Subject,
    operator: Operator,
    value: String,
}

enum Subject {
    Field(&'static Field),
    /// Of the custom attributes.
    Attribute(String),
    /// A place in each entry of `lastVisitedUserAgentData`.
    Agent(&'static [&'static str]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Is,
    IsNot,
    Fits,
    FitsNot,
    Below,
    AtMost,
    Above,
    AtLeast,
}

const AGENTS: &[(&str, &[&str])] = &[
    ("propertyKey", &["propertyKey"]),
    ("userAgent.rawUserAgent", &["userAgent", "rawUserAgent"]),
    ("userAgent.device", &["userAgent", "device"]),
    ("userAgent.platformType", &["userAgent", "platformType"]),
    ("userAgent.platformVersion", &["userAgent", "platformVersion"]),
    ("userAgent.browserType", &["userAgent", "browserType"]),
    ("userAgent.browserVersion", &["userAgent", "browserVersion"]),
];

impl Condition {
    /// [`Error::Invalid`] on `filter` for what is not in the language, or names a field that
    /// there is not.
    pub fn parse(filters: &[String]) -> Result<Condition> {
        Ok(Condition(lists(filters, Term::parse)?))
    }

    /// What the database can tell of it: everybody who holds it holds this, too.
    pub fn of_columns(&self) -> Filter {
        let lists = self.0.iter().map(|terms| terms.iter().filter_map(Term::of_column).collect());
        match self.0.is_empty() {
            true => Filter::Identified,
            false => Filter::All(vec![Filter::Identified, Filter::Any(lists.map(Filter::All).collect())]),
        }
    }

    /// Texts of which everybody who holds it has one in a name: letters and digits of ASCII, of each list
    /// one. None: there is a list without any, or with a whole value, which the database finds faster.
    pub fn parts(&self) -> Option<Vec<String>> {
        let of_list = |terms: &Vec<Term>| {
            let has_whole = terms.iter().any(|term| term.operator == Operator::Is && term.is_of_names());
            let longest = terms.iter().filter_map(Term::part).max_by_key(|part| part.len());
            longest.filter(|_| !has_whole)
        };
        let parts: Option<Vec<String>> = self.0.iter().map(of_list).collect();
        parts.filter(|parts| !parts.is_empty())
    }

    /// Whether the database can tell all of it.
    pub fn is_of_columns(&self) -> bool {
        self.0.iter().flatten().all(|term| term.of_column().is_some())
    }

    pub fn holds(&self, user: &User) -> bool {
        self.0.is_empty() || self.0.iter().any(|terms| terms.iter().all(|term| term.holds(user)))
    }
}

/// The terms of each parameter, as `parse` reads them. [`Error::Invalid`] on `filter` for too
/// many.
pub fn lists<T>(filters: &[String], parse: impl Fn(&str) -> Result<T>) -> Result<Vec<Vec<T>>> {
    let mut lists = Vec::new();
    for filter in filters {
        let terms = filter.split(';').filter(|term| !term.trim().is_empty());
        let terms = terms.map(&parse).collect::<Result<Vec<T>>>()?;
        // An empty parameter asks for nothing.
        if !terms.is_empty() {
            lists.push(terms);
        }
    }
    if lists.iter().map(Vec::len).sum::<usize>() > TERMS_MAX {
        return Err(invalid(format!("must have at most {TERMS_MAX} conditions")));
    }
    Ok(lists)
}

/// The name, the operator and the value of a term.
pub fn split(text: &str) -> Result<(&str, Operator, &str)> {
    let at = text.find(['=', '!', '<', '>', '~']).ok_or_else(|| invalid(FORM))?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let (operator, value) = [
        ("==", Operator::Is),
        ("!=", Operator::IsNot),
        ("!~", Operator::FitsNot),
        ("~", Operator::Fits),
        ("<=", Operator::AtMost),
        ("<", Operator::Below),
        (">=", Operator::AtLeast),
        (">", Operator::Above),
    ]
    .into_iter()
    .find_map(|(sign, operator)| Some((operator, rest.strip_prefix(sign)?)))
    .ok_or_else(|| invalid(FORM))?;
    match cells::text_fault(value) {
        Some(fault) => Err(invalid(format!("the value for {name} {fault}"))),
        None => Ok((name, operator, value)),
    }
}

impl Operator {
    /// Whether the values that something has stand so to the one that was given. What has no
    /// value is as the empty text, but neither below nor above anything.
    pub fn holds(self, values: &[Value], given: &str) -> bool {
        let any = |test: &dyn Fn(&Value) -> bool| match values.is_empty() {
            true => test(&Value::String(String::new())),
            false => values.iter().any(test),
        };
        let lies = |wanted: &[Ordering]| {
            any(&|value| compare(value, given).is_some_and(|order| wanted.contains(&order)))
        };
        let fits = || any(&|value| value.as_str().is_some_and(|text| fits(text, given)));
        match self {
            Operator::Is => lies(&[Ordering::Equal]),
            Operator::IsNot => !lies(&[Ordering::Equal]),
            Operator::Fits => fits(),
            Operator::FitsNot => !fits(),
            _ if values.is_empty() => false,
            Operator::Below => lies(&[Ordering::Less]),
            Operator::AtMost => lies(&[Ordering::Less, Ordering::Equal]),
            Operator::Above => lies(&[Ordering::Greater]),
            Operator::AtLeast => lies(&[Ordering::Greater, Ordering::Equal]),
        }
    }
}

impl Term {
    fn parse(text: &str) -> Result<Term> {
        let (name, operator, value) = split(text)?;
        let subject = Subject::parse(name)?;
        let value = subject.check(name, operator, value)?;
        Ok(Term { subject, operator, value })
    }

    fn holds(&self, user: &User) -> bool {
        self.operator.holds(&self.subject.values(user), &self.value)
    }

    /// Whether it is about a name that can be searched for.
    fn is_of_names(&self) -> bool {
        let named = [Column::Identifier, Column::Email, Column::FirstName, Column::LastName];
        matches!(self.subject, Subject::Field(Field { home: Home::Column(column), .. }) if named.contains(column))
    }

    /// The longest text that the names of all matching users contain; a short one is in too many names.
    fn part(&self) -> Option<String> {
        if self.operator != Operator::Fits || !self.is_of_names() {
            return None;
        }
        let parts = self.value.split(|c: char| !c.is_ascii_alphanumeric());
        parts.filter(|part| part.len() >= PART_MIN).max_by_key(|part| part.len()).map(str::to_owned)
    }

    /// The same as a condition on a column, if the field has one.
    fn of_column(&self) -> Option<Filter> {
        let Subject::Field(Field { home: Home::Column(column), kind, .. }) = self.subject else {
            return None;
        };
        if *kind == Kind::Text {
            return of_text(*column, self.operator, &self.value);
        }
        let number: i64 = self.value.parse().ok()?;
        let (filter, includes_unset) = match self.operator {
            Operator::Is | Operator::IsNot => (Filter::NumberIs(*column, number), number == 0),
            Operator::Below => (Filter::Below(*column, number), number > 0),
            Operator::AtMost => (Filter::AtMost(*column, number), number >= 0),
            Operator::Above => (Filter::Above(*column, number), number < 0),
            Operator::AtLeast => (Filter::AtLeast(*column, number), number <= 0),
            Operator::Fits | Operator::FitsNot => return None,
        };
        let filter = match includes_unset {
            true => Filter::Any(vec![filter, Filter::Missing(*column)]),
            false => filter,
        };
        Some(if self.operator == Operator::IsNot { Filter::Not(Box::new(filter)) } else { filter })
    }
}

/// The condition on a column of texts, for those operators that texts have.
pub fn of_text(column: Column, operator: Operator, value: &str) -> Option<Filter> {
    let not = |filter| Filter::Not(Box::new(filter));
    let text = value.to_owned();
    Some(match operator {
        Operator::Is => is_text(column, text),
        Operator::IsNot => not(is_text(column, text)),
        Operator::Fits => fits_text(column, text),
        Operator::FitsNot => not(fits_text(column, text)),
        _ => return None,
    })
}

fn is_text(column: Column, text: String) -> Filter {
    if text.is_empty() { Filter::Missing(column) } else { Filter::TextIsAlike(column, text) }
}

fn fits_text(column: Column, pattern: String) -> Filter {
    match fits("", &pattern) {
        true => Filter::Any(vec![Filter::Missing(column), Filter::TextFits(column, pattern)]),
        false => Filter::TextFits(column, pattern),
    }
}

impl Subject {
    fn parse(name: &str) -> Result<Subject> {
        // The vendor's own example: "filter=location.cityName==Portland".
        let name = if name == "location.cityName" { "location.city" } else { name };
        if let Some(field) = FIELDS.iter().find(|field| field.name == name && field.kind != Kind::Objects) {
            return Ok(Subject::Field(field));
        }
        if let Some(attribute) = name.strip_prefix("customAttributes.").filter(|name| !name.is_empty()) {
            return Ok(Subject::Attribute(attribute.to_owned()));
        }
        let agent = name.strip_prefix("lastVisitedUserAgentData.");
        let known = agent.and_then(|agent| AGENTS.iter().find(|(known, _)| *known == agent));
        known
            .map(|(_, path)| Subject::Agent(path))
            .ok_or_else(|| invalid(format!("there is no field {name}")))
    }

    /// The value as it is compared, if it can be.
    fn check(&self, name: &str, operator: Operator, value: &str) -> Result<String> {
        let kind = match self {
            Subject::Field(field) => field.kind,
            Subject::Agent(_) => Kind::Text,
            // Whatever it is with each user.
            Subject::Attribute(_) => return Ok(value.to_owned()),
        };
        check(kind, name, operator, value)
    }

    /// The user's values of it: several of a list, none of what is not there.
    fn values(&self, user: &User) -> Vec<Value> {
        match self {
            Subject::Field(field) => match field.value(user) {
                Value::Array(list) => list,
                value => vec![value],
            },
            Subject::Attribute(name) => user.profile.attributes.get(name).cloned().into_iter().collect(),
            Subject::Agent(path) => {
                let agents = user.profile.extra.get("lastVisitedUserAgentData").and_then(Value::as_array);
                let at =
                    |agent: &Value| path.iter().try_fold(agent.clone(), |at, name| at.get(name).cloned());
                agents.into_iter().flatten().filter_map(at).collect()
            }
        }
    }
}

/// The value as it is compared with a field of this kind, if it can be.
pub fn check(kind: Kind, name: &str, operator: Operator, value: &str) -> Result<String> {
    let is_order =
        matches!(operator, Operator::Below | Operator::AtMost | Operator::Above | Operator::AtLeast);
    let fits = matches!(operator, Operator::Fits | Operator::FitsNot);
    let takes = |operators: &str| Err(invalid(format!("{name} can be compared with {operators} only")));
    match kind {
        Kind::Text | Kind::Choice(_) | Kind::Texts | Kind::Objects => match is_order {
            true => takes("==, !=, ~ and !~"),
            false => Ok(value.to_owned()),
        },
        Kind::Flag => match (is_order || fits, value.to_ascii_lowercase().as_str()) {
            (true, _) => takes("== and !="),
            (false, flag @ ("true" | "false")) => Ok(flag.to_owned()),
            _ => Err(invalid(format!("{name} must be compared with true or false"))),
        },
        _ if fits => takes("==, !=, <, <=, > and >="),
        Kind::Integer | Kind::Time => {
            // Times come as the vendor shows them, and from some clients as ISO 8601.
            let time = || cells::time(value).filter(|_| kind == Kind::Time);
            let number = value.parse::<i64>().ok().or_else(time);
            let form = if kind == Kind::Time { "milliseconds since 1970" } else { "an integer" };
            let number = number.ok_or_else(|| invalid(format!("{name} must be compared with {form}")))?;
            Ok(number.to_string())
        }
        Kind::Decimal => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(value.to_owned()),
            _ => Err(invalid(format!("{name} must be compared with a number"))),
        },
    }
}

/// How a stored value stands to one that was given as text; None: they are not of one kind.
fn compare(stored: &Value, given: &str) -> Option<Ordering> {
    match stored {
        Value::Number(number) => match (number.as_i64(), given.parse::<i64>()) {
            (Some(stored), Ok(given)) => Some(stored.cmp(&given)),
            _ => number.as_f64()?.partial_cmp(&given.parse().ok()?),
        },
        Value::Bool(flag) => match given.to_ascii_lowercase().as_str() {
            "true" => Some(flag.cmp(&true)),
            "false" => Some(flag.cmp(&false)),
            _ => None,
        },
        Value::String(text) => Some(text.to_ascii_lowercase().cmp(&given.to_ascii_lowercase())),
        _ => None,
    }
}

/// Whether the whole of a text fits a pattern in any letter case (ASCII): `*` stands for
/// any characters, `?` for one. On a failure only the last `*` is tried further on, which
/// is enough, so a pattern of many of them takes no longer.
fn fits(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || c.eq_ignore_ascii_case(&text[t]) => {
                t += 1;
                p += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

pub fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(Place::Query, "filter", message)
}

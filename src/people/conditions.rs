//! Conditions on those who were seen in a period, and on what somebody did.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Device, Event, Kind, SessionId, User};
use crate::people::addresses;
use crate::store::events::{self, Stretch};
use crate::store::{Db, sessions, users};

/// What an event has to be. A page view is none.
#[derive(Debug, Clone, Default)]
pub struct EventTest {
    pub name: Option<TextTest>,
    /// Of its data; each has to pass.
    pub properties: Vec<(String, TextTest)>,
}

#[derive(Debug, Clone)]
pub struct TextTest {
    pub operator: Operator,
    pub value: String,
}

/// [`Operator::Is`] and [`Operator::IsNot`] tell letter cases apart, the others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Any,
    Is,
    IsNot,
    Contains,
    ContainsNot,
    StartsWith,
    EndsWith,
}

impl EventTest {
    pub(super) fn asks_for(&self, kind: Kind, name: &str) -> bool {
        kind != Kind::Page && self.name.as_ref().is_none_or(|test| test.passes(name))
    }

    /// Whether its data is what is asked for.
    pub(super) fn passes(&self, event: &Event) -> bool {
        self.properties.iter().all(|(name, test)| test.passes(&text(event.data.get(name))))
    }
}

impl TextTest {
    pub(super) fn passes(&self, text: &str) -> bool {
        let (lower, value) = (|| text.to_lowercase(), || self.value.to_lowercase());
        match self.operator {
            Operator::Any => true,
            Operator::Is => text == self.value,
            Operator::IsNot => text != self.value,
            Operator::Contains => lower().contains(&value()),
            Operator::ContainsNot => !lower().contains(&value()),
            Operator::StartsWith => lower().starts_with(&value()),
            Operator::EndsWith => lower().ends_with(&value()),
        }
    }
}

/// What a list is narrowed to. Without any condition, to nothing.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    pub all: Vec<Condition>,
    pub join: Join,
}

/// How many of the conditions have to hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Join {
    #[default]
    All,
    Any,
}

/// Of a user: that it did such a thing, or had such a session, in the period. Of an event:
/// that it is such a thing, or of such a session. What is not known is compared as an empty
/// text.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A page view.
    Page(PageTest),
    /// Of a user: anything but a page view. Of an event: any.
    Event(EventTest),
    /// Whether nobody knows who the user is.
    Anonymous(bool),
    /// Of the profile.
    Location {
        country: ListTest,
        city: ListTest,
    },
    Device(Part, ListTest),
    /// Parameters of the address by which a visit came to its first page.
    Campaign(Vec<(&'static str, TextTest)>),
}

#[derive(Debug, Clone, Default)]
pub struct PageTest {
    pub origin: Option<TextTest>,
    pub path: Option<TextTest>,
    /// Without its `#`.
    pub hash: Option<TextTest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Os,
    Browser,
    Device,
}

#[derive(Debug, Clone)]
pub enum ListTest {
    Any,
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
}

impl Conditions {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a user is to be listed. It may read all that the user did in the period, once
    /// for each condition: for scans.
    pub fn hold_for(&self, db: &Db, user: &User, (from, to): (Millis, Millis)) -> Result<bool> {
        let stretch = Stretch { from, to, limit: u32::MAX, offset: 0 };
        self.joined(|condition| condition.holds_for(db, user, stretch))
    }

    /// Whether an event is to be listed; `name` is what it is called in that list.
    pub fn hold_of(&self, event: &Event, name: &str, device: &Device) -> Result<bool> {
        self.joined(|condition| Ok(condition.holds_of(event, name, device)))
    }

    fn joined(&self, mut holds: impl FnMut(&Condition) -> Result<bool>) -> Result<bool> {
        for condition in &self.all {
            match (self.join, holds(condition)?) {
                (Join::All, false) => return Ok(false),
                (Join::Any, true) => return Ok(true),
                _ => {}
            }
        }
        Ok(self.join == Join::All || self.is_empty())
    }
}

impl Condition {
    fn holds_for(&self, db: &Db, user: &User, stretch: Stretch) -> Result<bool> {
        match self {
            Condition::Anonymous(anonymous) => Ok(user.identifier.is_none() == *anonymous),
            Condition::Location { country, city } => {
                Ok(country.passes(&user.profile.country) && city.passes(&user.profile.city))
            }
            Condition::Device(part, test) => {
                let devices = devices(db, user, stretch)?;
                Ok(devices.iter().any(|device| test.passes(part.of(device))))
            }
            Condition::Page(test) => {
                did(db, user, stretch, |kind, _| kind == Kind::Page, |event| test.passes(event))
            }
            Condition::Event(test) => {
                did(db, user, stretch, |kind, name| test.asks_for(kind, name), |event| test.passes(event))
            }
            Condition::Campaign(tests) => {
                let entries = entries(db, user, stretch)?;
                Ok(entries.iter().any(|url| tests.iter().all(|(tag, test)| passes(test, url, tag))))
            }
        }
    }

    fn holds_of(&self, event: &Event, name: &str, device: &Device) -> bool {
        match self {
            Condition::Page(test) => event.kind == Kind::Page && test.passes(event),
            Condition::Event(test) => {
                test.name.as_ref().is_none_or(|test| test.passes(name)) && test.passes(event)
            }
            Condition::Device(part, test) => test.passes(part.of(device)),
            // These are about people, and no list of one person's events has them.
            Condition::Anonymous(_) | Condition::Location { .. } | Condition::Campaign(_) => true,
        }
    }
}

fn passes(test: &TextTest, url: &str, parameter: &str) -> bool {
    test.passes(&addresses::parameter(url, parameter).unwrap_or_default())
}

/// Whether the user did something in the stretch that is asked for and passes.
fn did(
    db: &Db,
    user: &User,
    stretch: Stretch,
    asked_for: impl Fn(Kind, &str) -> bool,
    passes: impl Fn(&Event) -> bool,
) -> Result<bool> {
    for branch in users::branches(db, user.id, user.activity_since())? {
        if events::latest(db, branch, stretch, &asked_for, &passes)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn devices(db: &Db, user: &User, stretch: Stretch) -> Result<Vec<Device>> {
    let mut found = Vec::new();
    for (member, since) in users::branches(db, user.id, user.activity_since())? {
        found.extend(sessions::devices(db, member, since, (stretch.from, stretch.to))?);
    }
    Ok(found)
}

/// The addresses of the first pages of the user's visits in the stretch.
fn entries(db: &Db, user: &User, stretch: Stretch) -> Result<Vec<String>> {
    let first: RefCell<HashMap<Option<SessionId>, String>> = RefCell::default();
    // The newest comes first, so the first page of a visit is the one that is noted last.
    let note = |event: &Event| {
        first.borrow_mut().insert(event.session, event.url.clone().unwrap_or_default());
        false
    };
    did(db, user, stretch, |kind, _| kind == Kind::Page, note)?;
    Ok(first.into_inner().into_values().collect())
}

impl PageTest {
    pub fn is_empty(&self) -> bool {
        self.origin.is_none() && self.path.is_none() && self.hash.is_none()
    }

    fn passes(&self, event: &Event) -> bool {
        let (origin, path, hash) = event.url.as_deref().map_or((None, None, None), addresses::split);
        let hash = hash.as_deref().map(|hash| hash.trim_start_matches('#'));
        let holds = |test: &Option<TextTest>, text: Option<&str>| {
            test.as_ref().is_none_or(|test| test.passes(text.unwrap_or_default()))
        };
        holds(&self.origin, origin.as_deref())
            && holds(&self.path, path.as_deref())
            && holds(&self.hash, hash)
    }
}

impl Part {
    fn of(self, device: &Device) -> &Option<String> {
        match self {
            Part::Os => &device.os,
            Part::Browser => &device.browser,
            Part::Device => &device.device,
        }
    }
}

impl ListTest {
    fn passes(&self, text: &Option<String>) -> bool {
        let text = text.as_deref().unwrap_or_default();
        let has = |values: &[String]| values.iter().any(|value| value == text);
        match self {
            ListTest::Any => true,
            ListTest::OneOf(values) => has(values),
            ListTest::NoneOf(values) => !has(values),
        }
    }
}

/// A value as the text that it is compared as; what is none of one piece is empty.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}

//! The lists of events, and how an entry reads in each.
//!
//! Source: the vendor's API description 0.1.6, whose lists have different keys, and which
//! has one key for two of them. What nobody told reads as "", 0, or empty.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::events::ABOUT;
use super::fields::USER_TYPES;
use crate::error::Result;
use crate::model::{Attributes, Kind};
use crate::people::history;
use crate::people::history::{Entry, Record, What};
use crate::store::Db;

pub struct List {
    /// As in the path.
    pub name: &'static str,
    pub key: &'static str,
    /// None: nothing of the kind is kept.
    pub what: Option<What>,
    /// What may stand in `filter`; nothing: any name, as there is nothing to compare.
    pub filters: &'static [&'static str],
    /// Of an entry, besides what all of them have.
    members: &'static [&'static str],
}

const fn empty(name: &'static str, key: &'static str) -> List {
    List { name, key, what: None, filters: &[], members: &[] }
}

static LISTS: &[List] = &[
    List {
        name: "custom",
        key: "customEvents",
        what: Some(What::Events(Kind::Event)),
        // The description leaves accountId out for this list alone; the others have it.
        filters: &["identifyId", "eventName", "date", "accountId"],
        members: &["eventName", "attributes", "url", "referrer", "remoteHost"],
    },
    List {
        name: "pageView",
        key: "results",
        what: Some(What::Events(Kind::Page)),
        filters: &["identifyId", "accountId", "date", "path", "queryString", "pageTitle", "host"],
        members: &[
            "scheme",
            "host",
            "path",
            "queryString",
            "hash",
            "queryParams",
            "remoteHost",
            "referrer",
            "screenHeight",
            "screenWidth",
            "languages",
            "pageTitle",
        ],
    },
    List {
        name: "session",
        key: "sessionInitializedEvents",
        what: Some(What::Sessions),
        filters: &["identifyId", "accountId", "date"],
        members: &["remoteHost", "inferredLocation"],
    },
    empty("identify", "identifyEvents"),
    empty("lead", "results"),
    empty("email", "results"),
    empty("formSubmit", "results"),
    empty("engagementView", "results"),
    empty("feature_match", "featureMatchEvents"),
    empty("segment_match", "featureMatchEvents"),
];

/// `GET /v1/survey/responses`: there are no surveys here.
pub static SURVEYS: List = empty("survey/responses", "results");

const OF_ALL: [&str; 9] = [
    "eventId",
    "identifyId",
    "propertyKey",
    "date",
    "eventType",
    "sessionId",
    "userType",
    "accountId",
    "globalContext",
];

pub fn list(name: &str) -> Option<&'static List> {
    LISTS.iter().find(|list| list.name == name)
}

impl List {
    pub fn json(&self, db: &Db, entry: &Entry) -> Result<Value> {
        let mut shown = Map::new();
        for name in OF_ALL.iter().chain(self.members) {
            shown.insert((*name).to_owned(), value(self, entry, name));
        }
        let session = match &entry.record {
            Record::Event(event) => event.session.map(|id| history::session_name(db, id)).transpose()?,
            Record::Session(session) => Some(session.external_id.clone().unwrap_or(session.id.to_string())),
        };
        shown.insert("sessionId".to_owned(), json!(session.unwrap_or_default()));
        Ok(Value::Object(shown))
    }
}

/// An entry's value of a field, as it is shown and as it is compared. The name of its session
/// is not among them: it is read for those alone that are shown.
pub fn value(list: &List, entry: &Entry, name: &str) -> Value {
    let none = Attributes::new();
    let (data, url) = match &entry.record {
        Record::Event(event) => (&event.data, event.url.as_deref()),
        Record::Session(_) => (&none, None),
    };
    let told = |name: &str| data.get(name).and_then(Value::as_str);
    let of_user = |name: &str| entry.user.profile.extra.get(name);
    let user_type = |text: &&str| USER_TYPES.contains(text);
    match (name, &entry.record) {
        ("eventId", Record::Event(event)) => json!(event.message_id),
        ("eventId", Record::Session(session)) => json!(session.id.to_string()),
        ("identifyId", _) => json!(entry.user.identifier.as_deref().unwrap_or_default()),
        ("date", _) => json!(entry.at),
        ("eventName", Record::Event(event)) => json!(event.name),
        ("propertyKey", _) => {
            let first = of_user("propertyKeys").and_then(|keys| keys.get(0)).and_then(Value::as_str);
            json!(told(name).or(first).unwrap_or_default())
        }
        ("eventType", _) => json!(told(name).unwrap_or(match list.what {
            Some(What::Events(Kind::Page)) => "PAGE_VIEW",
            Some(What::Sessions) => "SESSION_INITIALIZED",
            _ => "CUSTOM",
        })),
        ("userType", _) => {
            let of_user = of_user("type").and_then(Value::as_str);
            json!(told(name).filter(user_type).or(of_user).unwrap_or(USER_TYPES[0]))
        }
        ("accountId", _) => {
            json!(told(name).or(of_user(name).and_then(Value::as_str)).unwrap_or_default())
        }
        ("globalContext", _) => {
            data.get(name).filter(|value| value.is_object()).cloned().unwrap_or(json!({}))
        }
        ("attributes", _) => {
            let is_own = |name: &str| !ABOUT.contains(&name) && name != "globalContext";
            let own = data.iter().filter(|(name, _)| is_own(name));
            Value::Object(own.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        ("url", _) => json!(url.unwrap_or_default()),
        ("pageTitle", Record::Event(event)) => {
            json!(told("title").or(told(name)).unwrap_or(event.name.as_str()))
        }
        ("screenHeight" | "screenWidth", _) => {
            data.get(name).filter(|value| value.is_i64()).cloned().unwrap_or(json!(0))
        }
        ("languages", _) => data.get(name).filter(|value| value.is_array()).cloned().unwrap_or(json!([])),
        // Nothing is inferred from an address on the network.
        ("inferredLocation", _) => json!({}),
        ("scheme" | "host" | "path" | "queryString" | "hash" | "queryParams", _) => {
            Address::of(url.or(told("url")).unwrap_or_default()).value(name)
        }
        // Referrer, remoteHost, and what no list has.
        _ => json!(told(name).unwrap_or_default()),
    }
}

/// The parts of a page's address.
#[derive(Default)]
struct Address<'a> {
    scheme: &'a str,
    host: &'a str,
    path: &'a str,
    query: &'a str,
    hash: &'a str,
}

impl Address<'_> {
    /// An address without a scheme is a path.
    fn of(url: &str) -> Address<'_> {
        let (rest, hash) = url.split_once('#').unwrap_or((url, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let Some((scheme, rest)) = rest.split_once("://") else {
            return Address { path: rest, query, hash, ..Address::default() };
        };
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        // What stands before an @ is for signing in, and no part of the host.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Address { scheme, host, path: if path.is_empty() { "/" } else { path }, query, hash }
    }

    fn value(&self, name: &str) -> Value {
        match name {
            "scheme" => json!(self.scheme),
            "host" => json!(self.host),
            "path" => json!(self.path),
            "queryString" => json!(self.query),
            "hash" => json!(self.hash),
            _ => self.parameters(),
        }
    }

    /// Each name with all its values.
    fn parameters(&self) -> Value {
        let mut all: Map<String, Value> = Map::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let values = all.entry(decoded(name)).or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(json!(decoded(value)));
            }
        }
        Value::Object(all)
    }
}

fn decoded(text: &str) -> String {
    let text = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

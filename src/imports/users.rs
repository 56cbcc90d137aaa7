//! A list of people, known by the names of its fields: of Firebase, Keycloak, Clerk, Supabase,
//! Customer.io, Vemetric, Gainsight PX, OpenReplay, and of whatever has the same.

use serde_json::Value;

use super::fields::{self, Notes, Object, Says, id_of, time_of};
use super::secret_values::plain;
use super::traits;
use crate::clock::Millis;
use crate::model::Identifier;
use crate::people::imports::{Entry, Fault, Person};
use crate::people::subject::Subject;

/// What may name a person, the likeliest first. Customer.io's `cio_id` does not: its `id` is the app's.
pub const IDS: [&str; 15] = [
    "localid",
    "identifyid",
    "userid",
    "identifier",
    "uid",
    "sub",
    "id",
    "externalid",
    "distinctid",
    "customerid",
    "memberid",
    "username",
    "login",
    "email",
    "emailaddress",
];
const CREATED: [&str; 11] = [
    "createdat",
    "created",
    "createdtimestamp",
    "createddate",
    "createdate",
    "creationtime",
    "signupdate",
    "signedupat",
    "registeredat",
    "joinedat",
    "datejoined",
];
const UPDATED: [&str; 5] = ["updatedat", "updated", "lastmodifieddate", "lastupdated", "modifiedat"];
const FIRST_SEEN: [&str; 4] = ["firstseen", "firstseenat", "firstvisitdate", "firstvisiteddate"];
const LAST_SEEN: [&str; 11] = [
    "lastseen",
    "lastseenat",
    "lastlogin",
    "lastloginat",
    "lastsignedinat",
    "lastsigninat",
    "lastsignintime",
    "lastvisiteddate",
    "lastactiveat",
    "lastrefreshat",
    "lastactivity",
];
/// What an app keeps with an account: its fields stand beside the account's own.
const WITHIN: [&str; 6] =
    ["rawusermetadata", "usermetadata", "publicmetadata", "customattributes", "attributes", "customfields"];

pub fn read(record: Object, notes: &mut Notes) -> Says {
    let record = flattened(record);
    let name = name(&record)?;
    let (created_at, updated_at) = (time(&record, &CREATED)?, time(&record, &UPDATED)?);
    let (first_seen, last_seen) = (time(&record, &FIRST_SEEN)?, time(&record, &LAST_SEEN)?);
    let said = rest(record, name.as_ref().map(|(field, _)| field.as_str()));
    let Some((_, identifier)) = name else {
        return Err(Fault::new("", "missing", "names nobody: it has no id, and no e-mail"));
    };
    let person = Person {
        subject: Subject::named(&identifier),
        change: traits::change(said, notes),
        at: updated_at.or_else(|| newest([created_at, first_seen, last_seen])),
        created_at,
        first_seen,
        last_seen,
        is_activity: false,
    };
    Ok(vec![Entry::Person(Box::new(person))])
}

pub fn newest(times: [Option<Millis>; 3]) -> Option<Millis> {
    times.into_iter().flatten().max()
}

/// The field that names the person, and the name.
fn name(record: &Object) -> Result<Option<(String, Identifier)>, Fault> {
    for wanted in IDS {
        for (field, value) in record.iter().filter(|(field, _)| plain(field) == wanted) {
            if let Some(identifier) = id_of(Some(value), field)? {
                return Ok(Some((field.clone(), identifier)));
            }
        }
    }
    Ok(None)
}

fn time(record: &Object, names: &[&str]) -> Result<Option<Millis>, Fault> {
    for wanted in names {
        for (field, value) in record.iter().filter(|(field, _)| plain(field) == *wanted) {
            if let Some(at) = time_of(Some(value), field)? {
                return Ok(Some(at));
            }
        }
    }
    Ok(None)
}

/// What is said of the person beside name and times. What is empty says nothing.
fn rest(record: Object, name: Option<&str>) -> Object {
    let times = [&CREATED[..], &UPDATED, &FIRST_SEEN, &LAST_SEEN].concat();
    let is_said = |field: &str, value: &Value| {
        let is_email = plain(field).contains("email");
        let is_empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        !is_empty && (name != Some(field) || is_email) && !times.contains(&plain(field).as_str())
    };
    record.into_iter().filter(|(field, value)| is_said(field, value)).collect()
}

/// What the app keeps with an account beside the account's own fields, which go before it. A list of
/// one text, as Keycloak has all attributes, is that text.
fn flattened(mut record: Object) -> Object {
    let outer: Vec<String> =
        record.keys().filter(|field| WITHIN.contains(&plain(field).as_str())).cloned().collect();
    for field in outer {
        let inner = fields::object(&record, &field);
        if inner.is_empty() {
            continue;
        }
        record.remove(&field);
        for (name, value) in inner {
            let value = match value {
                Value::Array(mut list) if list.len() == 1 && list[0].is_string() => list.remove(0),
                value => value,
            };
            record.entry(name).or_insert(value);
        }
    }
    // Clerk has a list of addresses, each an object.
    if !record.contains_key("email")
        && let Some(Value::Array(list)) = record.get("email_addresses")
        && let Some(Value::String(email)) = list.first().and_then(|first| first.get("email_address"))
    {
        record.insert("email".to_owned(), Value::String(email.clone()));
    }
    record
}

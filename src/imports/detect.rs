//! The source of a file, detected by how it begins.

use serde_json::{Map, Value};

use super::fields::Object;
use super::secret_values::plain;
use super::understand::Stop;
use super::unpack::{Gauge, Packed, unpack};
use super::{Source, columns, document, segment, table, users, usher};

/// So much of a text is looked at.
pub const PEEK: usize = 64 * 1024;

/// How a text is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Lines,
    Document,
    /// With this between the values.
    Table(u8),
    Empty,
}

/// What a file was taken for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub source: Source,
    pub words: String,
}

/// How a text that begins so is taken apart.
pub fn shape(peek: &[u8]) -> Shape {
    let text = String::from_utf8_lossy(peek);
    let text = text.trim_start();
    match text.bytes().next() {
        None if peek.len() < PEEK => Shape::Empty,
        // What is behind so much space may be anything, and is read as it comes.
        None => Shape::Lines,
        Some(b'[') => Shape::Document,
        Some(b'{') => match first_line(text) {
            // A whole object: the first of several, unless it is one with a list in it.
            Some(line) => match serde_json::from_str::<Value>(line) {
                Ok(Value::Object(record)) if !has_list(&record) => Shape::Lines,
                Ok(_) => Shape::Document,
                Err(_) if looks_like_lines(line) => Shape::Lines,
                Err(_) => Shape::Document,
            },
            None if text.contains("\"users\"") => Shape::Document,
            None => Shape::Lines,
        },
        Some(_) => Shape::Table(table::between(first_line(text).unwrap_or(text))),
    }
}

/// The first line, if all of it is there.
fn first_line(text: &str) -> Option<&str> {
    match text.split_once('\n') {
        Some((line, _)) => Some(line.trim_end()),
        None if text.len() < PEEK - 3 => Some(text.trim_end()),
        None => None,
    }
}

/// A broken line that still ends as one: not the first line of an object over several.
fn looks_like_lines(line: &str) -> bool {
    line.len() > 1 && line.ends_with('}')
}

fn has_list(record: &Object) -> bool {
    record
        .values()
        .any(|value| value.as_array().is_some_and(|list| list.first().is_some_and(Value::is_object)))
        && ["users", "visits"].iter().any(|name| record.get(*name).is_some_and(Value::is_array))
}

/// The source of a file, by its first bytes or the file itself. Err: why it is unknown.
pub fn detect(packed: Packed) -> Result<Detected, String> {
    let peek = match look(packed) {
        Ok(peek) => peek,
        Err(Stop::Unreadable(why)) => return Err(why),
        Err(_) => return Err("it cannot be read".to_owned()),
    };
    match shape(&peek) {
        Shape::Empty => Err("it is empty".to_owned()),
        Shape::Table(between) => {
            let text = String::from_utf8_lossy(&peek);
            let line = first_line(text.trim_start()).unwrap_or_default();
            of_table(&table::values(line, between))
        }
        Shape::Lines => of_records(&records(&peek, false)),
        Shape::Document => of_records(&records(&peek, true)),
    }
}

/// The beginning of the first text in a file, as far as it can be read.
fn look(packed: Packed) -> Result<Vec<u8>, Stop> {
    let mut peek = Vec::new();
    let mut see = |mut text: Box<dyn std::io::Read + '_>| {
        let mut part = [0; 4_096];
        while peek.len() < PEEK {
            match text.read(&mut part) {
                Ok(0) | Err(_) => break,
                Ok(read) => peek.extend_from_slice(&part[..read]),
            }
        }
        // An empty file in a ZIP says nothing of those behind it.
        if peek.is_empty() { Ok(()) } else { Err(Stop::Enough) }
    };
    match unpack(packed, &Gauge::default(), &mut see) {
        Ok(()) | Err(Stop::Enough) => {
            peek.truncate(PEEK);
            Ok(peek)
        }
        Err(stop) => Err(stop),
    }
}

/// The first records that can be read.
fn records(peek: &[u8], is_document: bool) -> Vec<Object> {
    let mut found = Vec::new();
    let mut see = |bytes: &[u8]| {
        if let Ok(Value::Object(record)) = serde_json::from_slice(bytes) {
            found.push(record);
        }
    };
    if is_document {
        let _ = document::each::<std::io::Error>(peek, |piece| {
            piece.bytes.into_iter().for_each(&mut see);
            Ok(())
        });
    } else {
        peek.split(|byte| *byte == b'\n').take(20).for_each(see);
    }
    found.truncate(20);
    found
}

fn of_records(records: &[Object]) -> Result<Detected, String> {
    let Some(first) = records.first() else {
        return Err("no JSON object can be read at its beginning".to_owned());
    };
    // A log may begin with a call of another kind.
    let found = records.iter().find_map(of_record);
    match found {
        Some((source, words)) => Ok(Detected { source, words: words.to_owned() }),
        None => {
            let fields: Vec<&str> = first.keys().take(8).map(String::as_str).collect();
            Err(format!("its records have the fields {}: name its form with --from", fields.join(", ")))
        }
    }
}

fn of_record(record: &Object) -> Option<(Source, &'static str)> {
    let has = |field: &str| record.contains_key(field);
    let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
    let within = |outer: &str, inner: &str| {
        record.get(outer).and_then(Value::as_object).is_some_and(|map: &Map<_, _>| map.contains_key(inner))
    };
    let is_message = segment::KINDS.contains(&text("type")) && (has("userId") || has("anonymousId"));
    Some(match () {
        () if text("format") == usher::FORMAT => (Source::Usher, "an export of Usher"),
        () if is_message => (Source::Segment, "messages as Segment and RudderStack have them"),
        () if has("idVisit") => (Source::Matomo, "visits of Matomo"),
        () if has("event_type") && (has("device_id") || has("user_id")) => {
            (Source::Amplitude, "events of Amplitude")
        }
        () if has("$distinct_id") => (Source::Mixpanel, "profiles of Mixpanel"),
        () if has("distinct_id") && has("event") => (Source::Posthog, "events of PostHog"),
        () if has("event") && within("properties", "distinct_id") => (Source::Mixpanel, "events of Mixpanel"),
        () if has("distinct_id") || has("distinct_ids") => (Source::Posthog, "persons of PostHog"),
        () if has("user_id")
            && (text("user_id").contains('|') || has("app_metadata") || has("identities")) =>
        {
            (Source::Auth0, "users of Auth0")
        }
        () if has("localId") => (Source::Users, "users of Firebase"),
        () if has("createdTimestamp") => (Source::Users, "users of Keycloak"),
        () if has("email_addresses") => (Source::Users, "users of Clerk"),
        () if has("identifyId") => (Source::Users, "users of Gainsight PX"),
        () if record.keys().any(|field| users::IDS.contains(&plain(field).as_str())) => {
            (Source::Users, "users")
        }
        () => return None,
    })
}

fn of_table(names: &[String]) -> Result<Detected, String> {
    let has = |name: &str| names.iter().any(|known| plain(known) == name);
    let id = users::IDS.iter().find(|id| has(id));
    let shown: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    let listed = shown.join(", ");
    if columns::has_events(names) && (has("userid") || has("anonymousid")) {
        let how = format!("a table of events ({listed}): use --from csv --type track");
        return Err(how);
    }
    let Some(id) = id else {
        return Err(format!(
            "no column of it ({listed}) names people: say which one does with --from csv --map userId=COLUMN"
        ));
    };
    let column = names.iter().find(|name| plain(name) == *id).map_or("", String::as_str);
    let source = match has("userid") && (has("appmetadata") || has("loginscount")) {
        true => Source::Auth0,
        false => Source::Users,
    };
    let whose = match () {
        () if source == Source::Auth0 => "users of Auth0",
        () if has("encryptedpassword") || has("rawusermetadata") => "users of Supabase",
        () if has("passworddigest") || has("primaryemailaddress") => "users of Clerk",
        () if has("cioid") => "users of Customer.io",
        () if has("identifyid") => "users of Gainsight PX",
        () => "users",
    };
    let mut words = format!("{whose}, a table with the columns {listed}; {column} names the user");
    let secrets = columns::secret_columns(names);
    if !secrets.is_empty() {
        let secrets: Vec<&str> = secrets.into_iter().map(String::as_str).collect();
        words.push_str(&format!("; never taken: {}", secrets.join(", ")));
    }
    Ok(Detected { source, words })
}

//! An export of ours: see `docs/importing.md` for its lines. What is suppressed comes before the
//! person's other lines and is taken in after them, as those would be kept out by it.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use super::fields::{self, Notes, Object, Says, id, required, text, time};
use super::understand::Understand;
use super::{Source, segment};
use crate::model::{Attributes, Device, Handle, Identifier, Kind, ProfileChange};
use crate::people::activity::{Incoming, Visits};
use crate::people::imports::{Conversation, Entry, Fault, Link, Person, Piece, Said, Span};
use crate::people::subject::Subject;

/// What the first line says.
pub const FORMAT: &str = "usher-export";
const VERSION: i64 = 1;

/// Who may have one person suppressed, each for themselves: more than an export has. A record says a
/// bounded number of things.
const SOURCES: usize = 16;

#[derive(Default)]
pub struct Reader {
    /// People in the trash are taken, too.
    revive: bool,
    /// The person of the lines that come is in the trash, and left out.
    is_left_out: bool,
    /// Of the person of the lines before: to be said once those are done, or another's come.
    suppressions: Vec<Entry>,
    /// Whose those are.
    suppressed: Option<Subject>,
    begun: bool,
    ended: bool,
}

impl Reader {
    pub fn new(revive: bool) -> Reader {
        Reader { revive, ..Reader::default() }
    }
}

impl Understand for Reader {
    fn read(&mut self, record: Object, notes: &mut Notes) -> Says {
        if record.contains_key("format") && !record.contains_key("type") {
            return self.head(&record);
        }
        let kind = text(&record, "type").ok_or_else(|| required("type"))?;
        if matches!(kind.as_str(), "user" | "end") {
            return self.next_person(&kind, record);
        }
        if self.is_left_out {
            return notes.skip();
        }
        if kind == "suppression" {
            let Some(subject) = whose(&record)? else { return notes.skip() };
            let (until, reason) = (time(&record, "until")?, text(&record, "reason"));
            let is_same = self.suppressed.as_ref() == Some(&subject) && self.suppressions.len() < SOURCES;
            let says = if is_same { Vec::new() } else { std::mem::take(&mut self.suppressions) };
            self.suppressed = Some(subject.clone());
            self.suppressions.push(Entry::Suppression { subject, until, reason });
            return Ok(says);
        }
        let of_event = match kind.as_str() {
            "track" => Some(Kind::Event),
            "page" => Some(Kind::Page),
            "screen" => Some(Kind::Screen),
            "error" => Some(Kind::Error),
            "interaction" => Some(Kind::Interaction),
            "log" => Some(Kind::Log),
            _ => None,
        };
        match (kind.as_str(), of_event) {
            (_, Some(kind)) => event(&record, kind),
            ("identify" | "group", _) => segment::read(record, notes),
            ("alias", _) if record.contains_key("previousId") => segment::read(record, notes),
            ("alias", _) => {
                let name = id(&record, "alias")?.ok_or_else(|| required("alias"))?;
                let is = |field: &str| record.get(field).and_then(Value::as_bool);
                Ok(vec![Entry::Name(Box::new(Link {
                    subject: named(&record)?,
                    name,
                    at: time(&record, "createdAt")?,
                    is_trusted: is("trusted").unwrap_or(true),
                    is_shared: is("shared").unwrap_or(false),
                }))])
            }
            ("session", _) => session(&record),
            ("recording", _) => recording(&record),
            ("conversation", _) => conversation(&record),
            ("message", _) => message(&record),
            _ => notes.skip(),
        }
    }

    fn remembers(&self) -> bool {
        true
    }

    fn end(&mut self) -> Says {
        if self.suppressions.is_empty() && self.begun && !self.ended {
            let why = "has no last line: the export was cut off, and what is there was taken";
            return Err(Fault::new("", "incomplete", why));
        }
        Ok(std::mem::take(&mut self.suppressions))
    }
}

impl Reader {
    fn head(&mut self, record: &Object) -> Says {
        let version = record.get("version").and_then(Value::as_i64);
        match (text(record, "format").as_deref(), version) {
            (Some(FORMAT), Some(VERSION)) => {
                self.begun = true;
                Ok(Vec::new())
            }
            (Some(FORMAT), _) => {
                Err(Fault::new("/version", "unknown_version", "must be 1: a newer Usher wrote this export"))
            }
            _ => Err(Fault::new("/format", "unknown_format", "must be usher-export")),
        }
    }

    fn next_person(&mut self, kind: &str, record: Object) -> Says {
        self.is_left_out = false;
        if kind == "end" {
            self.ended = true;
            return Ok(std::mem::take(&mut self.suppressions));
        }
        self.is_left_out = !self.revive && time(&record, "trashedAt")?.is_some();
        let next = if self.is_left_out { Vec::new() } else { person(&record)? };
        // After what may be at fault: the person before is kept out in any case.
        let mut says = std::mem::take(&mut self.suppressions);
        says.extend(next);
        Ok(says)
    }
}

fn whose(record: &Object) -> Result<Option<Subject>, Fault> {
    Ok(fields::subject(id(record, "userId")?, id(record, "anonymousId")?))
}

fn named(record: &Object) -> Result<Subject, Fault> {
    whose(record)?.ok_or_else(|| Fault::new("/userId", "missing", "userId or anonymousId is required"))
}

fn person(record: &Object) -> Says {
    let subject = named(record)?;
    let said = |field: &str| record.get(field).and_then(Value::as_str).map(|text| Some(text.to_owned()));
    let change = ProfileChange {
        email: said("email"),
        first_name: said("firstName"),
        last_name: said("lastName"),
        display_name: said("displayName"),
        avatar_url: said("avatarUrl"),
        country: said("country"),
        city: said("city"),
        claimed_email: said("claimedEmail"),
        live_mode: record.get("liveMode").and_then(Value::as_bool),
        set: fields::object(record, "traits"),
        extra: fields::object(record, "extra"),
        set_once: Attributes::new(),
        unset: Vec::new(),
    };
    let person = Person {
        subject: subject.clone(),
        change,
        at: time(record, "updatedAt")?,
        created_at: time(record, "createdAt")?,
        first_seen: time(record, "firstSeen")?,
        last_seen: time(record, "lastSeen")?,
        is_activity: false,
    };
    let mut says = vec![Entry::Person(Box::new(person))];
    says.extend(time(record, "activityErasedAt")?.map(|at| Entry::ActivityErased { subject, at }));
    Ok(says)
}

fn event(record: &Object, kind: Kind) -> Says {
    let name = if kind == Kind::Event { "event" } else { "name" };
    let incoming = Incoming {
        subject: named(record)?,
        kind,
        name: text(record, name).unwrap_or_default(),
        at: fields::said(time(record, "timestamp")?),
        message_id: Some(
            text(record, "messageId").unwrap_or_else(|| fields::record_id(Source::Usher, record)),
        ),
        session: id(record, "sessionId")?,
        url: text(record, "url"),
        data: fields::object(record, "properties"),
        device: Device::default(),
    };
    Ok(vec![Entry::Event(Box::new(incoming), Visits::AsTold)])
}

fn required_time(record: &Object, field: &str) -> Result<i64, Fault> {
    time(record, field)?.ok_or_else(|| required(field))
}

fn required_id(record: &Object, field: &str) -> Result<Identifier, Fault> {
    id(record, field)?.ok_or_else(|| required(field))
}

fn session(record: &Object) -> Says {
    Ok(vec![Entry::Session(Box::new(Span {
        subject: named(record)?,
        name: required_id(record, "sessionId")?,
        started_at: required_time(record, "startedAt")?,
        ended_at: required_time(record, "endedAt")?,
        device: Device {
            os: text(record, "os"),
            browser: text(record, "browser"),
            device: text(record, "device"),
            country: text(record, "country"),
        },
    }))])
}

/// The last place in a recording or a conversation: others follow on it.
const PLACES: i64 = 1 << 31;

fn recording(record: &Object) -> Says {
    let data = text(record, "data").ok_or_else(|| required("data"))?;
    let data = BASE64.decode(data.as_bytes());
    let data = data.map_err(|_| Fault::new("/data", "bad_data", "must be base64"))?;
    let seq = record.get("seq").and_then(Value::as_i64).filter(|seq| (1..=PLACES).contains(seq));
    let content_type = text(record, "contentType").filter(|text| text.len() <= 255);
    Ok(vec![Entry::Recording(Box::new(Piece {
        subject: named(record)?,
        session: required_id(record, "sessionId")?,
        content_type: content_type.ok_or_else(|| required("contentType"))?,
        seq: seq.ok_or_else(|| required("seq"))?,
        at: required_time(record, "createdAt")?,
        data,
    }))])
}

fn handle(record: &Object, field: &str) -> Result<Option<Handle>, Fault> {
    let Some(hex) = text(record, field) else { return Ok(None) };
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok().and_then(|bytes| Handle::try_from(bytes).ok());
    let fault = || Fault::new(&format!("/{field}"), "bad_id", "must be 32 hex digits");
    bytes.map(Some).ok_or_else(fault)
}

fn required_handle(record: &Object, field: &str) -> Result<Handle, Fault> {
    handle(record, field)?.ok_or_else(|| required(field))
}

fn conversation(record: &Object) -> Says {
    let created_at = required_time(record, "createdAt")?;
    Ok(vec![Entry::Conversation(Box::new(Conversation {
        subject: named(record)?,
        handle: required_handle(record, "conversationId")?,
        agent: text(record, "agentId").ok_or_else(|| required("agentId"))?,
        name: text(record, "name").unwrap_or_default(),
        created_at,
        updated_at: time(record, "updatedAt")?.unwrap_or(created_at),
    }))])
}

fn message(record: &Object) -> Says {
    let content = record.get("content").and_then(Value::as_str).filter(|text| !text.is_empty());
    let depth = record.get("depth").map_or(Some(0), Value::as_i64);
    Ok(vec![Entry::Message(Box::new(Said {
        subject: named(record)?,
        conversation: required_handle(record, "conversationId")?,
        handle: required_handle(record, "messageId")?,
        parent: handle(record, "parentId")?,
        depth: depth.filter(|depth| (0..=PLACES).contains(depth)).ok_or_else(|| required("depth"))?,
        content: content.ok_or_else(|| required("content"))?.to_owned(),
        created_at: required_time(record, "createdAt")?,
    }))])
}

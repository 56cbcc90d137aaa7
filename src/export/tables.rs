//! A person's rows as tables for a spreadsheet. A cell that a spreadsheet would take for a formula gets an
//! apostrophe before it.

use std::io::Write;

use data_encoding::HEXLOWER;

use super::ndjson::SessionNames;
use super::zip_file::Pack;
use super::{Export, Subject, lines, of_writing};
use crate::clock::{Millis, rfc3339_millis};
use crate::error::Result;
use crate::model::User;
use crate::store::users::Direction;

/// Writes the rows of a table.
struct Table<'e> {
    out: &'e mut dyn Write,
    rows: u64,
}

impl<'e> Table<'e> {
    fn new(out: &'e mut dyn Write, heads: &[&str]) -> Result<Table<'e>> {
        let mut table = Table { out, rows: 0 };
        table.put(heads)?;
        table.rows = 0;
        Ok(table)
    }

    fn put(&mut self, cells: &[&str]) -> Result<()> {
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        self.rows += 1;
        writeln!(self.out, "{}\r", cells.join(",")).map_err(|error| of_writing(&error))
    }
}

/// A cell: quoted where it must be, and no formula.
pub fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn time(at: Option<Millis>) -> String {
    at.map(rfc3339_millis).unwrap_or_default()
}

/// Writes all tables.
pub fn put(export: &Export, user: &User, subject: &Subject, pack: &mut Pack) -> Result<()> {
    pack.file("csv/profile.csv", |out| profile(user, subject, out))?;
    pack.file("csv/anonymous_ids.csv", |out| {
        let mut table = Table::new(out, &["anonymous id", "since"])?;
        let mut aliases = export.aliases(subject);
        while let Some(alias) = aliases.next()? {
            table.put(&[&alias.anonymous_id, &rfc3339_millis(alias.created_at)])?;
        }
        Ok(table.rows)
    })?;
    pack.file("csv/sessions.csv", |out| sessions(export, subject, out))?;
    pack.file("csv/events.csv", |out| events(export, subject, out))?;
    pack.file("csv/messages.csv", |out| messages(export, subject, out))
}

/// What the profile has, by its name: the pages show the same.
pub fn fields(user: &User) -> Vec<(String, String)> {
    let profile = &user.profile;
    let text = |name: &str, text: &Option<String>| Some((name.to_owned(), text.clone()?));
    let at = |name: &str, at: Option<Millis>| Some((name.to_owned(), rfc3339_millis(at?)));
    let fixed = [
        text("Identifier", &user.identifier),
        text("E-mail", &profile.email),
        text("Another e-mail", &profile.claimed_email),
        text("First name", &profile.first_name),
        text("Last name", &profile.last_name),
        text("Display name", &profile.display_name),
        text("Picture", &profile.avatar_url),
        text("Country", &profile.country),
        text("City", &profile.city),
        (!profile.live_mode).then(|| ("Mode".to_owned(), "test user".to_owned())),
        at("Registered", Some(user.created_at)),
        at("Changed", Some(user.updated_at)),
        at("First seen", user.first_seen),
        at("Last seen", user.last_seen),
        at("In the trash since", user.deleted_at),
        at("Activity erased up to", user.activity_erased_at),
    ];
    let named = profile.extra.iter().chain(&profile.attributes).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), value)
    });
    fixed.into_iter().flatten().chain(named).collect()
}

fn profile(user: &User, subject: &Subject, out: &mut dyn Write) -> Result<u64> {
    let mut table = Table::new(out, &["field", "value"])?;
    if user.identifier.is_none() {
        table.put(&["Anonymous id", &subject.name.text])?;
    }
    for (name, value) in fields(user) {
        table.put(&[&name, &value])?;
    }
    Ok(table.rows)
}

fn sessions(export: &Export, subject: &Subject, out: &mut dyn Write) -> Result<u64> {
    let heads = [
        "session",
        "start",
        "end",
        "system",
        "browser",
        "device",
        "country",
        "events",
        "pages",
        "errors",
        "recording bytes",
    ];
    let mut table = Table::new(out, &heads)?;
    let mut sessions = export.sessions(subject);
    while let Some((called, session)) = sessions.next()? {
        let device = &session.device;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        table.put(&[
            &called,
            &rfc3339_millis(session.started_at),
            &rfc3339_millis(session.ended_at),
            &text(&device.os),
            &text(&device.browser),
            &text(&device.device),
            &text(&device.country),
            &session.event_count.to_string(),
            &session.page_count.to_string(),
            &session.error_count.to_string(),
            &session.recording_bytes.to_string(),
        ])?;
    }
    Ok(table.rows)
}

fn events(export: &Export, subject: &Subject, out: &mut dyn Write) -> Result<u64> {
    let mut table = Table::new(out, &["time", "type", "name", "session", "address", "message id", "data"])?;
    let (mut events, mut names) = (export.events(subject, Direction::Ascending), SessionNames::default());
    while let Some(event) = events.next()? {
        let data = match event.data.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&event.data).unwrap_or_default(),
        };
        table.put(&[
            &time(Some(event.at)),
            lines::kind(event.kind).0,
            &event.name,
            names.of(export, event.session)?.unwrap_or_default(),
            event.url.as_deref().unwrap_or_default(),
            &event.message_id,
            &data,
        ])?;
    }
    Ok(table.rows)
}

fn messages(export: &Export, subject: &Subject, out: &mut dyn Write) -> Result<u64> {
    let mut table = Table::new(out, &["time", "conversation", "agent", "name", "message"])?;
    let mut conversations = export.conversations(subject);
    while let Some(conversation) = conversations.next()? {
        let mut messages = export.messages(subject, &conversation);
        while let Some(message) = messages.next()? {
            table.put(&[
                &rfc3339_millis(message.created_at),
                &HEXLOWER.encode(&conversation.handle),
                &conversation.agent,
                &conversation.name,
                &message.content,
            ])?;
        }
    }
    Ok(table.rows)
}

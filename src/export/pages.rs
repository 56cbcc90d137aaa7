//! The pages of the ZIP: complete without a network, without a script, on paper too. Whatever a person or an
//! app has written stands there as text, and no address is a link.

use askama::Template;
use data_encoding::BASE64;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ndjson::{Counts, SessionNames};
use super::zip_file::Pack;
use super::{Export, Subject, tables};
use crate::clock::{self, Millis, written};
use crate::error::{Error, Result};
use crate::model::{Event, Kind, User};
use crate::projects::label;
use crate::store::users::Direction;

/// A page of the timeline ends after about so many bytes of text.
const PAGE: usize = 1024 * 1024;

const STYLE: &str = include_str!("style.css");

/// What all pages have at their beginning.
struct Head {
    title: String,
    /// Leads back to the first page.
    up: &'static str,
    style: &'static str,
    /// Of the style, for the page's own policy.
    digest: String,
}

impl Head {
    fn new(title: &str, up: &'static str) -> Head {
        Head {
            title: title.to_owned(),
            up,
            style: STYLE,
            digest: BASE64.encode(&Sha256::digest(STYLE.as_bytes())),
        }
    }
}

/// A page of the timeline.
pub struct Month {
    /// Below the folder of the timeline.
    file: String,
    title: String,
    entries: u64,
}

struct Pair {
    label: String,
    value: String,
}

struct Entry {
    time: String,
    kind: &'static str,
    name: String,
    session: Option<String>,
    address: Option<String>,
    data: Vec<Pair>,
}

#[derive(Template)]
#[template(path = "export_timeline.html")]
struct TimelinePage<'a> {
    head: Head,
    entries: &'a [Entry],
}

#[derive(Template)]
#[template(path = "export_information.html")]
struct InformationPage {
    head: Head,
    project: String,
}

#[derive(Template)]
#[template(path = "export_index.html")]
struct IndexPage<'a> {
    head: Head,
    project: String,
    made: String,
    profile: Vec<Pair>,
    held: Vec<Held>,
    months: &'a [Month],
    recordings: u64,
}

/// How much there is of a kind.
struct Held {
    label: &'static str,
    count: u64,
    where_it_is: &'static str,
}

fn render(template: &impl Template) -> Result<String> {
    template.render().map_err(Error::internal)
}

/// Writes a page a month, the newest first; a month with much in it has several.
pub fn put_timeline(export: &Export, subject: &Subject, pack: &mut Pack) -> Result<Vec<Month>> {
    let (mut events, mut names) = (export.events(subject, Direction::Descending), SessionNames::default());
    let mut months: Vec<Month> = Vec::new();
    let mut page: Vec<Entry> = Vec::new();
    let (mut month, mut part, mut bytes) = (String::new(), 1, 0);
    while let Some(event) = events.next()? {
        let of_event = month_of(event.at);
        let is_new = of_event != month;
        if !page.is_empty() && (is_new || bytes > PAGE) {
            months.push(put_page(&month, part, &page, pack)?);
            (part, bytes) = (part + 1, 0);
            page.clear();
        }
        if is_new {
            (month, part) = (of_event, 1);
        }
        let called = names.of(export, event.session)?.map(str::to_owned);
        let entry = entry(&event, called);
        bytes += entry.size();
        page.push(entry);
    }
    if !page.is_empty() {
        months.push(put_page(&month, part, &page, pack)?);
    }
    Ok(months)
}

/// `2026-11`.
fn month_of(at: Millis) -> String {
    let date = clock::date(at);
    date.rsplit_once('-').map_or(date.clone(), |(month, _)| month.to_owned())
}

fn put_page(month: &str, part: u32, entries: &[Entry], pack: &mut Pack) -> Result<Month> {
    let (file, title) = match part {
        1 => (format!("{month}.html"), month.to_owned()),
        part => (format!("{month}-{part}.html"), format!("{month}, part {part}")),
    };
    let page = TimelinePage { head: Head::new(&title, "../index.html"), entries };
    let rows = entries.len() as u64;
    pack.text(&format!("timeline/{file}"), rows, &render(&page)?)?;
    Ok(Month { file, title, entries: rows })
}

impl Entry {
    /// About so many bytes of the page.
    fn size(&self) -> usize {
        let data: usize = self.data.iter().map(|pair| pair.label.len() + pair.value.len() + 64).sum();
        256 + data + self.name.len() + self.address.as_ref().map_or(0, String::len)
    }
}

fn entry(event: &Event, session: Option<String>) -> Entry {
    let pair = |(name, value): (&String, &Value)| Pair { label: plain(name), value: plain(&shown(value)) };
    Entry {
        time: written_to_the_second(event.at),
        kind: words(event.kind),
        name: plain(&event.name),
        session: session.as_deref().map(plain),
        address: event.url.as_deref().map(plain),
        data: event.data.iter().map(pair).collect(),
    }
}

fn written_to_the_second(at: Millis) -> String {
    clock::rfc3339(at).replace('T', " ").replace('Z', " UTC")
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A kind as a person who never saw the program understands it.
fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "You did",
        Kind::Page => "You opened the page",
        Kind::Screen => "You opened the screen",
        Kind::Error => "An error happened",
        Kind::Interaction => "You talked with an assistant",
        Kind::Log => "A process of the app wrote",
    }
}

/// A text with nothing in it that cannot be seen, or that turns what follows.
fn plain(text: &str) -> String {
    label::plain(text)
}

pub fn put_information(export: &Export, pack: &mut Pack) -> Result<()> {
    let head = Head::new("How your data is processed", "index.html");
    let page = InformationPage { head, project: plain(&export.project.name) };
    pack.text("information.html", 1, &render(&page)?)
}

pub fn put_index(
    export: &Export,
    user: &User,
    counts: &Counts,
    months: &[Month],
    recordings: u64,
    pack: &mut Pack,
) -> Result<()> {
    let held = [
        ("Profile", counts.users, "this page, csv/profile.csv"),
        ("Anonymous ids of your devices", counts.aliases, "csv/anonymous_ids.csv"),
        ("Visits", counts.sessions, "csv/sessions.csv"),
        ("What you did", counts.events, "timeline, csv/events.csv"),
        ("Recordings of visits", recordings, "recordings"),
        ("Conversations with assistants", counts.conversations, "csv/messages.csv"),
        ("Messages in them", counts.messages, "csv/messages.csv"),
        ("Requests to keep your data out", counts.suppressions, "requests.json"),
    ];
    let page = IndexPage {
        head: Head::new("The data that is held about you", ""),
        project: plain(&export.project.name),
        made: written(export.made_at),
        profile: tables::fields(user)
            .into_iter()
            .map(|(label, value)| Pair { label: plain(&label), value: plain(&value) })
            .collect(),
        held: held
            .into_iter()
            .map(|(label, count, where_it_is)| Held { label, count, where_it_is })
            .collect(),
        months,
        recordings,
    };
    pack.text("index.html", 1, &render(&page)?)
}

//! Made-up people: who they are, when they come, what they do. The same on every run.

use std::ops::Range;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::clock::{DAY, MINUTE, Millis, SECOND};
use crate::error::{Place, Result};
use crate::model::{Attributes, Device, Identifier, Kind, ProfileChange, Said};
use crate::people::activity::Incoming;
use crate::people::subject::Subject;

pub const HEAVY_EVENTS: u32 = 100_000;
/// Events of the ones whose deletion is still running.
const LONG_EVENTS: u32 = 2_000;
const VISIT_EVENTS: u16 = 100;
/// Those who will be deleted were last here this many days before the end.
const AWAY: u32 = 25;

const FIRST: [&str; 24] = [
    "Ada", "Bram", "Chidi", "Dilnoza", "Emre", "Freya", "Goran", "Hana", "Imani", "João", "Katya", "Luis",
    "Mei", "Noor", "Oskar", "Priya", "Quinn", "Rosa", "Søren", "Tariq", "Uma", "Viktor", "Wanjiru", "Zoë",
];
const LAST: [&str; 20] = [
    "Abebe", "Bianchi", "Castro", "Dvořák", "Eriksen", "Fischer", "García", "Haddad", "Ivanova", "Jansen",
    "Kimura", "Larsson", "Mbeki", "Nguyen", "O'Brien", "Petrov", "Rossi", "Silva", "Tanaka", "Weber",
];
const PLACES: [(&str, &str); 10] = [
    ("DE", "Berlin"),
    ("NL", "Utrecht"),
    ("KE", "Nairobi"),
    ("BR", "Recife"),
    ("JP", "Osaka"),
    ("SE", "Malmö"),
    ("US", "Portland"),
    ("IN", "Pune"),
    ("CZ", "Brno"),
    ("TR", "İzmir"),
];
const SYSTEMS: [(&str, &str, &str); 5] = [
    ("Windows", "Firefox", "desktop"),
    ("macOS", "Safari", "desktop"),
    ("Linux", "Chrome", "desktop"),
    ("Android", "Chrome", "mobile"),
    ("iOS", "Safari", "mobile"),
];
const PAGES: [&str; 8] =
    ["/", "/pricing", "/projects", "/projects/41", "/reports", "/settings/team", "/docs/api", "/billing"];
const ACTS: [&str; 7] = [
    "Report Exported",
    "Project Created",
    "Member Invited",
    "Filter Saved",
    "Plan Compared",
    "Comment Added",
    "Search Run",
];
const PLANS: [&str; 4] = ["free", "team", "business", "enterprise"];
const QUESTIONS: [&str; 4] = [
    "How do I export last month?",
    "Can I move a project to another team?",
    "Why was I charged twice?",
    "Summarise the open reports.",
];

/// One person's coming by.
#[derive(Clone, Copy)]
pub struct Visit {
    pub day: u16,
    pub minute: u16,
    pub person: u32,
    pub events: u16,
    /// The person was not here before.
    pub first: bool,
    /// The person signs in, having been a visitor before.
    pub signs_in: bool,
}

impl Visit {
    /// Since the beginning of the story.
    pub fn begins(&self) -> Millis {
        Millis::from(self.day) * DAY + Millis::from(self.minute) * MINUTE
    }
}

/// Whose turn it is to be what, by number.
pub struct Roles {
    pub heavy: Range<u32>,
    pub running: Range<u32>,
    pub completed: Range<u32>,
    pub cancelled: Range<u32>,
    pub scheduled: Range<u32>,
    pub account: Range<u32>,
    pub activity: Range<u32>,
    pub everything: Range<u32>,
    pub recorded: Range<u32>,
    pub hidden: Range<u32>,
}

pub struct Fixture {
    users: u32,
    days: u32,
    roles: Roles,
}

impl Fixture {
    pub fn new(users: u32, heavy: u32, days: u32) -> Fixture {
        let mut next = 0;
        let mut some = |number: u32| {
            let begin = next;
            next += number;
            begin..next
        };
        let roles = Roles {
            heavy: some(heavy),
            running: some(1),
            completed: some(3),
            cancelled: some(2),
            scheduled: some(3),
            account: some(2),
            activity: some(2),
            everything: some(2),
            recorded: some(3),
            hidden: some(7 * (users / 500).max(1)),
        };
        Fixture { users, days, roles }
    }

    pub fn len(&self) -> u32 {
        self.users
    }

    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    pub fn heavy(&self) -> Range<u32> {
        self.roles.heavy.clone()
    }

    pub fn hidden_a_day(&self) -> usize {
        self.roles.hidden.len() / 7
    }

    /// Numbers below this have a role, and an identifier from the start.
    fn has_role(&self, person: u32) -> bool {
        person < self.roles.hidden.end
    }

    fn leaves(&self, person: u32) -> bool {
        self.has_role(person) && person >= self.roles.heavy.end
    }

    /// One in ten stays a visitor without a name.
    fn is_anonymous(&self, person: u32) -> bool {
        !self.has_role(person) && person % 10 == 7
    }

    /// One in ten was a visitor before it signed in.
    fn was_visitor(&self, person: u32) -> bool {
        !self.has_role(person) && person % 10 == 3
    }

    fn rng(&self, person: u32, what: u64) -> Rng {
        Rng::with_seed(u64::from(person) << 8 | what)
    }

    fn name(&self, person: u32) -> (&'static str, &'static str) {
        let mut rng = self.rng(person, 1);
        (FIRST[rng.usize(..FIRST.len())], LAST[rng.usize(..LAST.len())])
    }

    pub fn identifier(&self, person: u32) -> String {
        let (first, last) = self.name(person);
        format!("{}.{}{person}@example.com", plain(first), plain(last))
    }

    pub fn subject(&self, visit: &Visit) -> Result<Subject> {
        let visitor = named(&format!("visitor-{}", visit.person))?;
        if self.is_anonymous(visit.person) || self.was_visitor(visit.person) && visit.first {
            return Ok(Subject { identifier: None, anonymous_id: Some(visitor) });
        }
        let identifier = named(&self.identifier(visit.person))?;
        Ok(Subject { identifier: Some(identifier), anonymous_id: visit.signs_in.then_some(visitor) })
    }

    pub fn profile(&self, person: u32) -> ProfileChange {
        let mut rng = self.rng(person, 2);
        let (country, city) = PLACES[rng.usize(..PLACES.len())];
        let place = ProfileChange {
            country: Some(Some(country.into())),
            city: Some(Some(city.into())),
            ..ProfileChange::default()
        };
        if self.is_anonymous(person) {
            return place;
        }
        let (first, last) = self.name(person);
        let mut set = Attributes::new();
        set.insert("plan".into(), json!(PLANS[rng.usize(..PLANS.len())]));
        set.insert("seats".into(), json!(rng.u8(1..60)));
        ProfileChange {
            email: Some(Some(self.identifier(person))),
            first_name: Some(Some(first.into())),
            last_name: Some(Some(last.into())),
            display_name: Some(Some(format!("{first} {last}"))),
            live_mode: (person % 50 == 49).then_some(false),
            set,
            ..place
        }
    }

    /// Everybody's visits, person by person.
    pub fn visits(&self) -> Vec<Visit> {
        (0..self.users).flat_map(|person| self.visits_of(person)).collect()
    }

    fn visits_of(&self, person: u32) -> Vec<Visit> {
        let mut rng = self.rng(person, 3);
        let last = if self.leaves(person) { self.days - AWAY } else { self.days };
        let long = if self.roles.heavy.contains(&person) {
            HEAVY_EVENTS
        } else if self.roles.running.contains(&person) {
            LONG_EVENTS
        } else {
            0
        };
        let mut times: Vec<(u32, u32)> = match long / u32::from(VISIT_EVENTS) {
            0 => {
                let joins = rng.u32(..last - 1);
                (0..rng.u32(1..9)).map(|_| (rng.u32(joins..last), rng.u32(..24 * 60))).collect()
            }
            // Two hours apart: long visits of one person must not run into each other.
            visits => (0..visits).map(|n| (n * last / visits, n % 12 * 120)).collect(),
        };
        times.sort_unstable();
        let visit = |(n, (day, minute)): (usize, (u32, u32))| Visit {
            day: u16::try_from(day).unwrap_or(0),
            minute: u16::try_from(minute).unwrap_or(0),
            person,
            events: if long > 0 { VISIT_EVENTS } else { rng.u16(1..9) },
            first: n == 0,
            signs_in: n == 1 && self.was_visitor(person),
        };
        times.into_iter().enumerate().map(visit).collect()
    }

    /// What a visit sends; the times are since the beginning of the story.
    pub fn events(&self, visit: &Visit, subject: &Subject) -> Vec<Incoming> {
        let mut rng = self.rng(visit.person, 1_000 + u64::from(visit.day) * 2_000 + u64::from(visit.minute));
        let (os, browser, device) = SYSTEMS[self.rng(visit.person, 4).usize(..SYSTEMS.len())];
        let country = PLACES[self.rng(visit.person, 2).usize(..PLACES.len())].0;
        let device = Device {
            os: Some(os.into()),
            browser: Some(browser.into()),
            device: Some(device.into()),
            country: Some(country.into()),
        };
        let mut at = visit.begins();
        (0..visit.events)
            .map(|n| {
                at += Millis::from(rng.u16(4..40)) * SECOND;
                let page = PAGES[rng.usize(..PAGES.len())];
                let (kind, name, data) = if n == 0 { page_view(page) } else { act(&mut rng, page) };
                Incoming {
                    subject: subject.clone(),
                    kind,
                    name,
                    at: Said::at(at),
                    message_id: Some(format!("demo-{}-{}-{}-{n}", visit.person, visit.day, visit.minute)),
                    session: None,
                    url: Some(format!("https://app.example.com{page}")),
                    data,
                    device: device.clone(),
                }
            })
            .collect()
    }
}

/// A name as it stands in an address: in lower case, without accents and signs.
fn plain(name: &str) -> String {
    let letter = |letter: char| match letter {
        'ã' | 'á' => Some('a'),
        'ë' | 'é' => Some('e'),
        'í' => Some('i'),
        'ø' => Some('o'),
        'ř' => Some('r'),
        letter => letter.is_ascii_alphabetic().then(|| letter.to_ascii_lowercase()),
    };
    name.chars().filter_map(letter).collect()
}

fn page_view(page: &str) -> (Kind, String, Attributes) {
    (Kind::Page, page.to_owned(), Attributes::new())
}

fn act(rng: &mut Rng, page: &str) -> (Kind, String, Attributes) {
    match rng.u8(..20) {
        0..9 => page_view(page),
        9 => (Kind::Error, "Request failed".into(), object(json!({ "status": 502, "path": page }))),
        10 => {
            let question = QUESTIONS[rng.usize(..QUESTIONS.len())];
            (Kind::Interaction, "Asked the assistant".into(), object(json!({ "question": question })))
        }
        11 => {
            let data = json!({ "workflow": "sync-contacts", "records": rng.u16(1..400) });
            (Kind::Log, "Workflow finished".into(), object(data))
        }
        _ => {
            let data = json!({ "projectId": rng.u16(1..900), "source": "toolbar" });
            (Kind::Event, ACTS[rng.usize(..ACTS.len())].into(), object(data))
        }
    }
}

fn object(value: Value) -> Attributes {
    match value {
        Value::Object(map) => map,
        _ => Attributes::new(),
    }
}

/// What a session recorder would send.
pub fn recording() -> Vec<u8> {
    let frames: Vec<Value> =
        (0..200).map(|n| json!({ "t": n * 250, "type": "mouse", "x": n * 3, "y": n * 2 })).collect();
    Value::Array(frames).to_string().into_bytes()
}

pub fn named(text: &str) -> Result<Identifier> {
    Identifier::parse(Place::Body, "identifier", text)
}

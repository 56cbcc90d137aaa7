//! The product's nouns and their ids. Nothing in here knows about HTTP or SQL.

mod asked_by;
mod intake;
mod interaction;
mod job;
mod periods;
mod regulation;
mod role;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Millis;
use crate::error::{Error, FieldError, Place, Result};

pub use asked_by::AskedBy;
pub use intake::{Dropped, Intake, Outcome, PublicWrites, Received, Repair, Said};
pub use interaction::{Handle, Interaction, Message};
pub use job::{Job, JobStatus, Origin, ReceiptId, Step};
pub use periods::{SESSION_GAP, TRASH_PERIOD, UNDATED_LATE_PERIOD};
pub use regulation::{Progress, Regulated, RegulatedJob, Regulation, RegulationKind};
pub use role::{Reach, Role};

/// Named values of a user or an event.
pub type Attributes = Map<String, Value>;

/// The longest identifier, in code points.
pub const IDENTIFIER_MAX: usize = 256;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A user: 63 bits, ordered by time, never reused.
    UserId
}
id! {
    /// A session: from the same generator as the users'.
    SessionId
}
id! {
    /// A small sequence, as JavaScript programs read it as a number.
    ProjectId
}
id! {
    /// A small sequence.
    JobId
}
id! {
    /// A small sequence.
    KeyId
}
id! {
    /// A small sequence.
    AdminId
}

/// One registration of a person: random, so that nothing can be told from it.
pub type Incarnation = [u8; 16];

/// What an app calls its user (or a visitor, or a session): 1 to 256 code points,
/// no control characters, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier(String);

impl Identifier {
    /// [`Error::Invalid`] on `field` if `text` is not an identifier.
    pub fn parse(place: Place, field: &str, text: &str) -> Result<Identifier> {
        Identifier::check(text)
            .map(|()| Identifier(text.to_owned()))
            .map_err(|why| Error::invalid(place, field, why))
    }

    /// Why `text` is no identifier, if it is none.
    pub fn new(text: &str) -> Result<Identifier, &'static str> {
        Identifier::check(text).map(|()| Identifier(text.to_owned()))
    }

    pub fn check(text: &str) -> Result<(), &'static str> {
        if text.is_empty() {
            return Err("must not be empty");
        }
        // A code point is at most 4 bytes: most texts need no counting.
        if text.len() > IDENTIFIER_MAX && text.chars().count() > IDENTIFIER_MAX {
            return Err("must have at most 256 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters");
        }
        Ok(())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The one meaning in which the five APIs differ: what a deletion takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Erasure {
    /// Out of sight; revivable with the whole history for 7 days.
    Hide,
    /// The profile and every identifier; the activity stays under the bare id.
    Account,
    /// Sessions, events, recordings, interactions and logs; the profile stays.
    Activity,
    /// All of it, for good.
    Everything,
}

impl Erasure {
    pub fn as_str(self) -> &'static str {
        match self {
            Erasure::Hide => "hide",
            Erasure::Account => "account",
            Erasure::Activity => "activity",
            Erasure::Everything => "everything",
        }
    }

    pub fn parse(text: &str) -> Option<Erasure> {
        [Erasure::Hide, Erasure::Account, Erasure::Activity, Erasure::Everything]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Where a user stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Live,
    /// Since `User::deleted_at`; live again on a revival within [`TRASH_PERIOD`].
    Hidden,
    /// Hidden for too long, and not erased yet, as the clock is not trusted: gone for every caller,
    /// its names free for others. In the trash again if the clock is set back.
    Waiting,
    /// The account is gone, the activity stays under the bare id.
    Detached,
    /// Gone for every caller; its rows are leaving.
    Erasing,
    /// An anonymous user whose rows are moving to the user it was merged into.
    Merged,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Hidden => "hidden",
            State::Waiting => "waiting",
            State::Detached => "detached",
            State::Erasing => "erasing",
            State::Merged => "merged",
        }
    }

    /// As a row has it: one that waits is told from one that is hidden by `freed_at`.
    pub fn parse(text: &str) -> Option<State> {
        [State::Live, State::Hidden, State::Detached, State::Erasing, State::Merged]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A user as it is stored.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub project: ProjectId,
    pub incarnation: Incarnation,
    pub state: State,
    /// None: anonymous (or its account is gone).
    pub identifier: Option<String>,
    pub profile: Profile,
    pub created_at: Millis,
    pub updated_at: Millis,
    /// Oldest and newest time at which the user did something; None: never.
    pub first_seen: Option<Millis>,
    pub last_seen: Option<Millis>,
    pub session_count: i64,
    pub event_count: i64,
    /// Hidden since.
    pub deleted_at: Option<Millis>,
    /// Hidden since, as the person was told.
    pub hidden_as: Option<Millis>,
    /// What it was called until its names became free for others.
    pub freed_identifier: Option<String>,
    /// Activity up to this instant is gone, or going.
    pub activity_erased_at: Option<Millis>,
    /// Since then the data is only kept (GDPR Art. 18). None: it is not.
    pub restricted_at: Option<Millis>,
}

impl User {
    /// Hidden for less than 7 days at `now`.
    pub fn is_revivable(&self, now: Millis) -> bool {
        self.state == State::Hidden && self.deleted_at.is_some_and(|at| at > now - TRASH_PERIOD)
    }

    /// Hidden for 7 days or more at `now`: for every caller gone, reaped or not.
    pub fn is_expired(&self, now: Millis) -> bool {
        match self.state {
            State::Hidden => !self.is_revivable(now),
            State::Waiting => true,
            State::Live | State::Detached | State::Erasing | State::Merged => false,
        }
    }

    /// Its 7 days are over at `now`, so that the reaper takes it.
    pub fn is_ripe(&self, now: Millis) -> bool {
        matches!(self.state, State::Hidden | State::Waiting)
            && self.deleted_at.is_none_or(|at| at <= now - TRASH_PERIOD)
    }

    /// Activity is visible only after this instant.
    pub fn activity_since(&self) -> Millis {
        self.activity_erased_at.unwrap_or(Millis::MIN)
    }

    /// The name to show: the display name, else first and last name.
    pub fn name(&self) -> Option<String> {
        let profile = &self.profile;
        profile.display_name.clone().or_else(|| {
            let parts: Vec<&str> =
                [&profile.first_name, &profile.last_name].into_iter().flatten().map(String::as_str).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        })
    }
}

/// What is known of a person beside its identifier. Empty texts are stored as None.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
    /// ISO 3166 alpha-2.
    pub country: Option<String>,
    pub city: Option<String>,
    /// Given by a public credential where there was another e-mail already. It finds the person,
    /// and is never enough to delete them by.
    pub claimed_email: Option<String>,
    /// False for a test user.
    pub live_mode: bool,
    /// Free named values.
    pub attributes: Attributes,
    /// Standard fields that only one API knows (title, phone, location …).
    pub extra: Attributes,
}

/// A change to a profile: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileChange {
    pub email: Option<Option<String>>,
    pub first_name: Option<Option<String>>,
    pub last_name: Option<Option<String>>,
    pub display_name: Option<Option<String>>,
    pub avatar_url: Option<Option<String>>,
    pub country: Option<Option<String>>,
    pub city: Option<Option<String>>,
    pub claimed_email: Option<Option<String>>,
    pub live_mode: Option<bool>,
    /// Set these attributes; JSON null removes one.
    pub set: Attributes,
    /// Set these unless they are set; JSON null sets nothing.
    pub set_once: Attributes,
    /// Remove these.
    pub unset: Vec<String>,
    /// Set these fields of `extra`; JSON null removes one.
    pub extra: Attributes,
}

/// The largest profile that is kept, in bytes of its JSON parts.
pub const ATTRIBUTES_MAX: usize = 64 * 1024;

impl ProfileChange {
    /// The profile after this change. [`Error::Invalid`] if it outgrows [`ATTRIBUTES_MAX`].
    pub fn apply(&self, old: &Profile) -> Result<Profile> {
        let text = |change: &Option<Option<String>>, old: &Option<String>| match change {
            Some(new) => new.clone().filter(|text| !text.is_empty()),
            None => old.clone(),
        };
        let mut new = Profile {
            email: text(&self.email, &old.email),
            first_name: text(&self.first_name, &old.first_name),
            last_name: text(&self.last_name, &old.last_name),
            display_name: text(&self.display_name, &old.display_name),
            avatar_url: text(&self.avatar_url, &old.avatar_url),
            country: text(&self.country, &old.country),
            city: text(&self.city, &old.city),
            claimed_email: text(&self.claimed_email, &old.claimed_email),
            live_mode: self.live_mode.unwrap_or(old.live_mode),
            attributes: old.attributes.clone(),
            extra: old.extra.clone(),
        };
        for (name, value) in &self.set_once {
            if !value.is_null() && !new.attributes.contains_key(name) {
                new.attributes.insert(name.clone(), value.clone());
            }
        }
        merge(&mut new.attributes, &self.set);
        for name in &self.unset {
            new.attributes.remove(name);
        }
        merge(&mut new.extra, &self.extra);
        let size = |map: &Attributes| serde_json::to_string(map).map_or(0, |text| text.len());
        if size(&new.attributes) + size(&new.extra) > ATTRIBUTES_MAX {
            let message = format!("all attributes of a user together must be under {ATTRIBUTES_MAX} bytes");
            return Err(Error::invalid(Place::Body, "attributes", message));
        }
        Ok(new)
    }

    /// Every text field must be at most 1,024 characters, without control characters; no value may be
    /// nested deeper than can be read back.
    pub fn check(&self) -> Result<()> {
        if [&self.set, &self.set_once, &self.extra].into_iter().any(is_too_deep) {
            return Err(Error::invalid(Place::Body, "attributes", TOO_DEEP));
        }
        let fields = [
            ("email", &self.email),
            ("firstName", &self.first_name),
            ("lastName", &self.last_name),
            ("displayName", &self.display_name),
            ("avatarUrl", &self.avatar_url),
            ("country", &self.country),
            ("city", &self.city),
        ];
        let faults: Vec<FieldError> = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?.as_ref()?)))
            .filter_map(|(name, text)| {
                let long = text.chars().count() > 1_024;
                let message = if long {
                    "must have at most 1024 characters"
                } else if text.chars().any(char::is_control) {
                    "must not contain control characters"
                } else {
                    return None;
                };
                Some(FieldError::new(Place::Body, name, message))
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
    }
}

/// What is wrong with a value that is nested too deeply.
pub const TOO_DEEP: &str = "must not be nested deeper than 64 levels";
/// Far from the depth at which JSON is not read back: one such value would make its row unreadable.
const DEPTH_MAX: usize = 64;

/// Whether values are nested deeper than is kept. The parsed value is judged: in a text, an escape or
/// a name that the parser gives a meaning to may hide how deep it goes.
pub fn is_too_deep(values: &Attributes) -> bool {
    fn is_deeper(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(list) => left == 0 || list.iter().any(|value| is_deeper(value, left - 1)),
            Value::Object(map) => left == 0 || map.values().any(|value| is_deeper(value, left - 1)),
            _ => false,
        }
    }
    values.values().any(|value| is_deeper(value, DEPTH_MAX))
}

fn merge(into: &mut Attributes, changes: &Attributes) {
    for (name, value) in changes {
        if value.is_null() {
            into.remove(name);
        } else {
            into.insert(name.clone(), value.clone());
        }
    }
}

/// What kind of thing a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Event,
    Page,
    Screen,
    Error,
    /// An exchange with an AI agent.
    Interaction,
    /// A line of a workflow's log.
    Log,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Event, Kind::Page, Kind::Screen, Kind::Error, Kind::Interaction, Kind::Log];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Event => "event",
            Kind::Page => "page",
            Kind::Screen => "screen",
            Kind::Error => "error",
            Kind::Interaction => "interaction",
            Kind::Log => "log",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Something a user did, as it is stored.
#[derive(Debug, Clone)]
pub struct Event {
    /// None: it belongs to no visit (a log line, say).
    pub session: Option<SessionId>,
    pub kind: Kind,
    pub name: String,
    pub at: Millis,
    pub message_id: String,
    /// The page's address, if it happened on one.
    pub url: Option<String>,
    pub data: Attributes,
}

/// A visit: events of one user that lie close together, or that name it.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: SessionId,
    pub project: ProjectId,
    pub user: UserId,
    /// The client's own name for it.
    pub external_id: Option<String>,
    pub started_at: Millis,
    pub ended_at: Millis,
    pub event_count: i64,
    pub page_count: i64,
    pub error_count: i64,
    pub device: Device,
    pub recording_type: Option<String>,
    pub recording_bytes: i64,
}

/// What a session ran on, as far as the client said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Device {
    pub os: Option<String>,
    pub browser: Option<String>,
    pub device: Option<String>,
    pub country: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    /// Names the project in OpenReplay's paths. No secret.
    pub key: String,
    /// Public; good for ingestion only.
    pub ingest_token: String,
    pub platform: String,
    pub created_at: Millis,
    pub first_event_at: Option<Millis>,
    /// Events that came later than the erasure they belong before.
    pub late_events: i64,
    pub intake: Intake,
    /// Sites whose pages may send to it; empty: every site.
    pub origins: Vec<String>,
    /// Requests of pages of other sites.
    pub refused_origins: i64,
    /// When the ingest token was last used.
    pub token_used_at: Option<Millis>,
}

/// What a key may do. A set of [`Scope`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(pub i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Ingest = 1,
    Read = 2,
    Write = 4,
    Delete = 8,
    Admin = 16,
    /// Take along what is held, all at once: more than reading it page by page.
    Export = 32,
}

impl Scope {
    pub const ALL: [Scope; 6] =
        [Scope::Ingest, Scope::Read, Scope::Write, Scope::Delete, Scope::Admin, Scope::Export];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Ingest => "ingest",
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Delete => "delete",
            Scope::Admin => "admin",
            Scope::Export => "export",
        }
    }
}

impl Scopes {
    pub fn of(scopes: &[Scope]) -> Scopes {
        Scopes(scopes.iter().fold(0, |bits, scope| bits | *scope as i64))
    }

    /// All but admin and export: what a key gets that asks for nothing.
    pub fn usual() -> Scopes {
        Scopes::of(&[Scope::Ingest, Scope::Read, Scope::Write, Scope::Delete])
    }

    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope as i64 != 0
    }

    /// `ingest,read`. [`Error::Invalid`] on `scopes` for an unknown or missing word.
    pub fn parse(text: &str) -> Result<Scopes> {
        let mut scopes = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match Scope::ALL.into_iter().find(|scope| scope.as_str() == word) {
                Some(scope) => scopes.push(scope),
                None => {
                    let message = match word.chars().count() {
                        0..=40 => format!("unknown scope {word:?}"),
                        _ => "unknown scope".to_owned(),
                    };
                    let known = "use ingest, read, write, delete, admin or export";
                    return Err(Error::invalid(Place::Body, "scopes", format!("{message}, {known}")));
                }
            }
        }
        if scopes.is_empty() {
            return Err(Error::invalid(Place::Body, "scopes", "choose at least one scope"));
        }
        Ok(Scopes::of(&scopes))
    }

    pub fn names(self) -> Vec<&'static str> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope)).map(Scope::as_str).collect()
    }
}

/// A key as it is stored: its secret is not.
#[derive(Debug, Clone)]
pub struct Key {
    pub id: KeyId,
    /// None: every project of the organisation.
    pub project: Option<ProjectId>,
    pub name: String,
    /// The first letters of the key, to tell keys apart.
    pub hint: String,
    /// SHA-256 of the key. A key has 256 random bits, so it needs no slow hash.
    pub hash: [u8; 32],
    pub scopes: Scopes,
    /// It stands in a page or an app that anybody can read.
    pub is_public: bool,
    pub created_at: Millis,
    pub last_used_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
    /// When it last came from a browser although it is not public.
    pub browser_at: Option<Millis>,
    /// From then on it opens nothing. None: it has no end.
    pub expires_at: Option<Millis>,
    /// Ranges of addresses that it is good from; empty: from everywhere.
    pub addresses: Vec<String>,
    /// Requests from elsewhere.
    pub refused_addresses: i64,
}

impl Key {
    /// Whether its date has come.
    pub fn is_expired(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// Whether somebody may have its secret. After a restore from an older backup nobody does where
    /// the secret was replaced since.
    pub fn has_secret(&self) -> bool {
        !self.hint.is_empty()
    }
}

/// What has a secret that can be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    Key(KeyId),
    /// A project's ingest token.
    Token(ProjectId),
}

/// A secret that another has replaced.
#[derive(Debug, Clone)]
pub struct OldSecret {
    pub of: Credential,
    /// SHA-256, as of a key.
    pub hash: [u8; 32],
    pub hint: String,
    pub replaced_at: Millis,
    /// From then on it opens nothing.
    pub ends_at: Millis,
    pub last_used_at: Option<Millis>,
}

/// Somebody who signs in to the admin pages.
#[derive(Debug, Clone)]
pub struct Admin {
    pub id: AdminId,
    pub name: String,
    /// Empty: no password is set, and nobody signs in.
    pub password_hash: String,
    pub created_at: Millis,
    pub role: Role,
    pub reach: Reach,
    pub signed_in_at: Option<Millis>,
}

impl Admin {
    pub fn has_password(&self) -> bool {
        !self.password_hash.is_empty()
    }
}

/// A browser in which an admin is signed in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Of the cookie's secret.
    pub hash: [u8; 32],
    pub admin: AdminId,
    pub created_at: Millis,
    /// Within some minutes.
    pub seen_at: Millis,
    pub address: Option<std::net::IpAddr>,
    /// Its name and system, if they can be told.
    pub browser: Option<String>,
}

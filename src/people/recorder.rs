//! Taking in what many people do at once: the same as [`activity::record`] for one after another, with a
//! person looked up once, and a person's and a session's counters written once.
//!
//! Only what is stored as it comes goes this way: of somebody who is live and known, under a name that was
//! neither erased nor kept out, and of whom no rows are moving. Anything else goes through
//! [`activity::record`], in its turn and in a savepoint of its own, after what was held back is written.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Device, Intake, Kind, ProjectId, SESSION_GAP, Session, SessionId, UserId};
use crate::people::activity::{self, Incoming, Taken};
use crate::people::subject::Subject;
use crate::people::{placeholders, suppressions as kept_out};
use crate::store::erased_identifiers::{self, Named};
use crate::store::events::{self, NewEvent};
use crate::store::users::{self, Activity, Standing};
use crate::store::{Tx, projects, sessions, suppressions};

/// Takes in what is handed to it. Without [`Recorder::settle`] before anything else is read or written,
/// and at the end, counters are missing.
pub struct Recorder<'t, 'a> {
    tx: &'t Tx<'a>,
    project: ProjectId,
    /// How the project takes messages in. Asked once, and again after anything that may have changed it.
    intake: Option<Intake>,
    keeps: Option<Keeps>,
    names: HashMap<Name, UserId>,
    /// In the order in which their rows are written.
    people: BTreeMap<UserId, Person>,
    /// The project has had an event.
    is_noted: bool,
    /// A write has failed: what is held back may be less than what was written.
    is_broken: bool,
}

/// Whether a project keeps any names out.
#[derive(Clone, Copy)]
struct Keeps {
    erased: bool,
    suppressed: bool,
}

/// By which name somebody was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Identifier(String),
    Anonymous(String),
}

/// Somebody, with what is still to be written of them.
struct Person {
    id: UserId,
    /// Activity up to then was erased.
    since: Millis,
    last_seen: Option<Millis>,
    session: Option<Kept>,
    added: Activity,
}

/// The session that was joined last, as it will be.
struct Kept {
    id: SessionId,
    /// What it is opened with, if it is not written yet.
    opened: Option<(Option<String>, Device)>,
    /// It was found, or opened, under this name.
    name: Option<String>,
    started_at: Millis,
    ended_at: Millis,
    /// Its start is not the one that is written.
    has_moved: bool,
    events: i64,
    pages: i64,
    errors: i64,
    /// Every other session of the user began before it. None: not asked yet.
    is_newest: Option<bool>,
}

enum Joined {
    Nothing,
    Kept,
    New,
}

/// Takes in one. After it nothing may be refused in the same part of the transaction.
pub fn record(tx: &Tx, project: ProjectId, incoming: &Incoming) -> Result<Taken> {
    let mut recorder = Recorder::new(tx, project);
    let taken = recorder.record(incoming)?;
    recorder.settle().map(|()| taken)
}

impl<'t, 'a> Recorder<'t, 'a> {
    pub fn new(tx: &'t Tx<'a>, project: ProjectId) -> Recorder<'t, 'a> {
        Recorder {
            tx,
            project,
            intake: None,
            keeps: None,
            names: HashMap::new(),
            people: BTreeMap::new(),
            is_noted: false,
            is_broken: false,
        }
    }

    /// As [`activity::record`]. If it fails, nothing of it is written, and the others' is; a fault of the
    /// store ends the closure.
    pub fn record(&mut self, incoming: &Incoming) -> Result<Taken> {
        activity::check(incoming)?;
        let user = self.known(incoming)?;
        let Some(person) = user.and_then(|user| self.people.get_mut(&user)) else {
            return self.by_rule(incoming);
        };
        let (tx, project) = (self.tx, self.project);
        let outcome = tx.plainly(|| {
            let taken = person.take(tx, project, incoming)?;
            if taken == Taken::Stored && !self.is_noted {
                projects::note_event(tx, project, time(tx, person.since, incoming))?;
                self.is_noted = true;
            }
            Ok(taken)
        });
        self.is_broken |= outcome.is_err();
        outcome
    }

    /// Writes what is held back, and forgets what is known.
    pub fn settle(&mut self) -> Result<()> {
        if self.is_broken {
            return Err(Error::internal("a write failed, and what came with it cannot stay"));
        }
        let (tx, project) = (self.tx, self.project);
        tx.plainly(|| {
            self.people.values_mut().try_for_each(|person| person.write_session(tx, project))?;
            self.people.values().try_for_each(|person| person.write(tx))
        })?;
        self.names.clear();
        self.people.clear();
        (self.intake, self.keeps) = (None, None);
        Ok(())
    }

    fn by_rule(&mut self, incoming: &Incoming) -> Result<Taken> {
        self.settle()?;
        self.tx.nested(|| activity::record(self.tx, self.project, incoming))
    }

    /// Whose it is, if it is stored as it comes.
    fn known(&mut self, incoming: &Incoming) -> Result<Option<UserId>> {
        let tx = self.tx;
        if incoming.at.believed(tx.now()) != incoming.at {
            return Ok(None);
        }
        if incoming.message_id.as_ref().is_some_and(|id| events::may_have_old_key(tx, id)) {
            return Ok(None);
        }
        let Some(user) = self.named(&incoming.subject)? else { return Ok(None) };
        let since = self.people.get(&user).map(|person| person.since);
        let is_late = since.is_none_or(|since| incoming.at.latest().is_some_and(|latest| latest <= since));
        Ok((!is_late).then_some(user))
    }

    /// Whom the subject names, if nothing keeps a message for them out.
    fn named(&mut self, subject: &Subject) -> Result<Option<UserId>> {
        let (identifier, anonymous_id) = (subject.identifier.as_ref(), subject.anonymous_id.as_ref());
        let name = match (identifier, anonymous_id) {
            (Some(identifier), Some(anonymous_id)) => {
                let intake = self.intake()?;
                if [identifier, anonymous_id].iter().any(|name| placeholders::is_in(intake, name.as_str())) {
                    return Ok(None);
                }
                Name::Identifier(identifier.as_str().to_owned())
            }
            (Some(name), None) => Name::Identifier(name.as_str().to_owned()),
            (None, Some(name)) => Name::Anonymous(name.as_str().to_owned()),
            (None, None) => return Ok(None),
        };
        if let Some(user) = self.names.get(&name) {
            return Ok(Some(*user));
        }
        let Some(standing) = self.look_up(&name)? else { return Ok(None) };
        self.people.entry(standing.id).or_insert_with(|| Person::of(standing));
        self.names.insert(name, standing.id);
        Ok(Some(standing.id))
    }

    fn look_up(&mut self, name: &Name) -> Result<Option<Standing>> {
        let (tx, project) = (self.tx, self.project);
        let (found, judged_as) = match name {
            Name::Identifier(name) => {
                (users::standing_by_identifier(tx, project, name)?, Named::as_identifier(name).to_vec())
            }
            // An anonymous id that is somebody's identifier stands for that person.
            Name::Anonymous(name) => match users::standing_by_identifier(tx, project, name)? {
                Some(standing) => (Some(standing), Named::as_identifier(name).to_vec()),
                None => (users::standing_by_alias(tx, project, name)?, Named::as_anonymous(name).to_vec()),
            },
        };
        let Some(standing) = found.filter(|standing| standing.is_live) else { return Ok(None) };
        let keeps = self.keeps()?;
        if keeps.erased && erased_identifiers::erased_as(tx, project, &judged_as)?.is_some() {
            return Ok(None);
        }
        if keeps.suppressed && kept_out::keeps_out(tx, project, &judged_as)? {
            return Ok(None);
        }
        Ok((!users::has_others(tx, standing.id)?).then_some(standing))
    }

    fn intake(&mut self) -> Result<&Intake> {
        let intake = match self.intake.take() {
            Some(intake) => intake,
            None => projects::intake(self.tx, self.project)?.unwrap_or_default(),
        };
        Ok(self.intake.insert(intake))
    }

    fn keeps(&mut self) -> Result<Keeps> {
        if let Some(keeps) = self.keeps {
            return Ok(keeps);
        }
        let erased = erased_identifiers::any_ever(self.tx, self.project)?;
        let suppressed = suppressions::any(self.tx, self.project)?;
        Ok(*self.keeps.insert(Keeps { erased, suppressed }))
    }
}

/// Without a time of its own it happens now, which is after any erasure.
fn time(tx: &Tx, since: Millis, incoming: &Incoming) -> Millis {
    incoming.at.time().unwrap_or(tx.now()).min(tx.now()).max(since.saturating_add(1))
}

impl Person {
    fn of(standing: Standing) -> Person {
        Person {
            id: standing.id,
            since: standing.activity_erased_at.unwrap_or(Millis::MIN),
            last_seen: standing.last_seen,
            session: None,
            added: Activity::default(),
        }
    }

    fn take(&mut self, tx: &Tx, project: ProjectId, incoming: &Incoming) -> Result<Taken> {
        let at = time(tx, self.since, incoming);
        let joined = self.join(tx, project, incoming, at)?;
        let session = match joined {
            Joined::Nothing => None,
            Joined::Kept => self.session.as_ref().map(|kept| kept.id),
            Joined::New => Some(sessions::new_id(tx)),
        };
        let drawn;
        let message_id = match &incoming.message_id {
            Some(message_id) => message_id,
            None => {
                drawn = format!("usher-{:x}", tx.next_id());
                &drawn
            }
        };
        let event = NewEvent {
            session,
            kind: incoming.kind,
            name: &incoming.name,
            at,
            message_id,
            url: incoming.url.as_deref(),
            data: &incoming.data,
        };
        if !events::insert_once(tx, self.id, &event)? {
            return Ok(Taken::Again);
        }
        if let (Joined::New, Some(id)) = (&joined, session) {
            self.session = Some(Kept::opened(id, incoming, at));
            self.added.sessions += 1;
        }
        if let (Joined::Kept | Joined::New, Some(kept)) = (&joined, &mut self.session) {
            kept.add(incoming.kind, at);
        }
        self.added.events += 1;
        self.added.first = Some(self.added.first.map_or(at, |first| first.min(at)));
        self.added.last = Some(self.added.last.map_or(at, |last| last.max(at)));
        Ok(Taken::Stored)
    }

    /// The same session as for [`activity::record`].
    fn join(&mut self, tx: &Tx, project: ProjectId, incoming: &Incoming, at: Millis) -> Result<Joined> {
        let name = incoming.session.as_ref().map(|name| name.as_str());
        if name.is_none() && matches!(incoming.kind, Kind::Interaction | Kind::Log) {
            return Ok(Joined::Nothing);
        }
        if let Some(kept) = &mut self.session
            && kept.is_for(tx, self.id, name, at)?
        {
            return Ok(Joined::Kept);
        }
        // The others are looked for in the table, where this one must stand as well.
        self.write_session(tx, project)?;
        let found = match name {
            Some(name) => sessions::named(tx, self.id, name, self.since, project)?,
            None => sessions::near(tx, self.id, at, self.since)?,
        };
        Ok(match found {
            Some(session) => {
                self.session = Some(Kept::found(&session, name));
                Joined::Kept
            }
            None => Joined::New,
        })
    }

    fn write_session(&mut self, tx: &Tx, project: ProjectId) -> Result<()> {
        let Some(kept) = self.session.take() else { return Ok(()) };
        match &kept.opened {
            Some((name, device)) => sessions::insert_grown(
                tx,
                &sessions::Opened {
                    id: kept.id,
                    project,
                    user: self.id,
                    external_id: name.as_deref(),
                    started_at: kept.started_at,
                    ended_at: kept.ended_at,
                    events: kept.events,
                    pages: kept.pages,
                    errors: kept.errors,
                    device,
                },
            ),
            None if kept.events == 0 => Ok(()),
            None => sessions::grow(
                tx,
                kept.id,
                &sessions::Growth {
                    started_at: kept.has_moved.then_some(kept.started_at),
                    ended_at: kept.ended_at,
                    events: kept.events,
                    pages: kept.pages,
                    errors: kept.errors,
                },
            ),
        }
    }

    fn write(&self, tx: &Tx) -> Result<()> {
        if self.added.events == 0 {
            return Ok(());
        }
        let last = self.added.last.filter(|last| self.last_seen.is_none_or(|seen| seen < *last));
        users::add_activity(tx, self.id, Activity { last, ..self.added })
    }
}

impl Kept {
    fn found(session: &Session, name: Option<&str>) -> Kept {
        Kept {
            id: session.id,
            opened: None,
            name: name.map(str::to_owned),
            started_at: session.started_at,
            ended_at: session.ended_at,
            has_moved: false,
            events: 0,
            pages: 0,
            errors: 0,
            is_newest: None,
        }
    }

    fn opened(id: SessionId, incoming: &Incoming, at: Millis) -> Kept {
        let name = incoming.session.as_ref().map(|name| name.as_str().to_owned());
        Kept {
            id,
            opened: Some((name.clone(), incoming.device.clone())),
            name,
            started_at: at,
            ended_at: at,
            has_moved: false,
            events: 0,
            pages: 0,
            errors: 0,
            is_newest: None,
        }
    }

    fn add(&mut self, kind: Kind, at: Millis) {
        if at < self.started_at {
            self.started_at = at;
            self.has_moved = true;
            // Another may have begun in between.
            self.is_newest = None;
        }
        self.ended_at = self.ended_at.max(at);
        self.events += 1;
        self.pages += i64::from(matches!(kind, Kind::Page | Kind::Screen));
        self.errors += i64::from(kind == Kind::Error);
    }

    /// Whether an event belongs to it. False: another one may be meant.
    fn is_for(&mut self, tx: &Tx, user: UserId, name: Option<&str>, at: Millis) -> Result<bool> {
        if name.is_some() {
            // Of several that have the name, the table says which.
            return Ok(self.name.as_deref() == name);
        }
        let is_near = self.started_at <= at.saturating_add(SESSION_GAP)
            && self.ended_at >= at.saturating_sub(SESSION_GAP);
        if !is_near {
            return Ok(false);
        }
        // Of several that are near it is the one that began last.
        let is_newest = match self.is_newest {
            Some(is_newest) => is_newest,
            None => !sessions::any_since(tx, user, self.started_at, self.id)?,
        };
        self.is_newest = Some(is_newest);
        Ok(is_newest)
    }
}

//! `usher demo`: three months of made-up users, told through the same verbs as real
//! input, by a clock that runs from then to now.

pub mod directory;
mod people;

use std::sync::Arc;

use super::progress::{Progress, Step};
use crate::app::App;
use crate::clock::{Clock, DAY, HOUR, Millis, next_midnight};
use crate::erasure;
use crate::erasure::{jobs, trash};
use crate::error::{Error, Result};
use crate::model::{Erasure, Identifier, Origin, Project, ProjectId, User};
use crate::people::subject::Subject;
use crate::people::{activity, find, identify, recordings};
use crate::projects;
use crate::store::{ErasingTx, NormalTx, Tx};
use crate::worker;
use people::{Fixture, HEAVY_EVENTS, Visit};

pub struct Size {
    pub users: u32,
    /// How many of them have 100,000 events.
    pub heavy: u32,
}

const DAYS: u32 = 90;
/// Visits told in one transaction.
const VISITS: usize = 20;

/// Makes a project and fills it; the lines say what is there to look at.
pub fn fill(app: &App, size: &Size, name: &str, progress: Progress) -> anyhow::Result<Vec<String>> {
    let now = app.clock().now();
    let start = now - Millis::from(DAYS) * DAY;
    let clock = Clock::manual(start);
    let past = app.at(clock.clone());
    let named = name.to_owned();
    progress(Step::Now(format!("Creating the project {name}")))?;
    let project = past.write_blocking(move |tx| projects::create(tx, &named, "web"));
    let project = project.map_err(|error| match error {
        Error::NameTaken { .. } => anyhow::anyhow!(
            "{error}: use another name with --project, or remove the demo directory with `usher demo --remove`"
        ),
        error => error.into(),
    })?;
    app.reload_keys()?;

    let cast = Arc::new(Fixture::new(size.users, size.heavy, DAYS));
    let story = Scenario { app: past, clock, now, start, project: project.id, cast: Arc::clone(&cast) };
    let mut visits = cast.visits();
    visits.sort_by_key(|visit| (visit.day, visit.minute));
    let all = visits.iter().map(|visit| u64::from(visit.events)).sum();
    progress(Step::Now(format!(
        "Recording {all} events of {} users over {DAYS} days, with their deletions",
        size.users
    )))?;
    let mut turns = story.turns();
    turns.sort_by_key(|(at, _)| *at);
    let mut turns = turns.into_iter().peekable();
    let mut done = 0;
    for some in visits.chunks(VISITS) {
        let until = some.iter().map(|visit| story.begins(visit)).max().unwrap_or(start);
        while let Some((at, turn)) = turns.next_if(|(at, _)| *at <= until) {
            story.take(at, &turn)?;
        }
        story.tell(until, some)?;
        done += some.iter().map(|visit| u64::from(visit.events)).sum::<u64>();
        progress(Step::Done(done, all))?;
    }
    progress(Step::Now("Scheduling deletions for tonight and starting one now".into()))?;
    for (at, turn) in turns {
        story.take(at, &turn)?;
    }
    Ok(summary(&project, &cast, done))
}

fn summary(project: &Project, cast: &Fixture, events: u64) -> Vec<String> {
    let heavy = cast.heavy().next().map(|person| cast.identifier(person));
    let mut lines = vec![
        format!("project {} ({}): {} users, {events} events", project.name, project.key, cast.len()),
        format!("moved to trash on each of the last 7 days: {}", cast.hidden_a_day()),
    ];
    lines.extend(heavy.map(|name| format!("with {HEAVY_EVENTS} events: {name}")));
    lines
}

/// One thing that happens besides the visits.
enum DemoStep {
    Hide(u32),
    /// A deletion at once, run to its end.
    Erase(u32, Erasure),
    /// A deletion for the next midnight, left waiting.
    Schedule(u32),
    /// The same, and cancelled.
    ScheduleAndCancel(u32),
    /// Time passes; what is due is done.
    Work,
    /// A deletion that is at work when the story ends.
    Begin(u32),
    Record(u32),
}

struct Scenario {
    app: App,
    clock: Clock,
    now: Millis,
    start: Millis,
    project: ProjectId,
    cast: Arc<Fixture>,
}

impl Scenario {
    /// What happens besides the visits, and when.
    fn turns(&self) -> Vec<(Millis, DemoStep)> {
        let (now, roles) = (self.now, self.cast.roles());
        let mut turns = Vec::new();
        for (n, person) in roles.completed.clone().enumerate() {
            let asked = now - (20 - Millis::try_from(n).unwrap_or(0)) * DAY;
            turns.push((asked, DemoStep::Schedule(person)));
            turns.push((next_midnight(asked), DemoStep::Work));
        }
        for (person, kind) in roles.account.clone().zip(std::iter::repeat(Erasure::Account)) {
            turns.push((now - 9 * DAY, DemoStep::Erase(person, kind)));
        }
        turns.extend(
            roles.activity.clone().map(|person| (now - 5 * DAY, DemoStep::Erase(person, Erasure::Activity))),
        );
        turns.extend(
            roles
                .everything
                .clone()
                .map(|person| (now - 2 * DAY, DemoStep::Erase(person, Erasure::Everything))),
        );
        turns.extend(
            roles.cancelled.clone().map(|person| (now - 3 * DAY, DemoStep::ScheduleAndCancel(person))),
        );
        for (n, person) in roles.hidden.clone().enumerate() {
            let n = Millis::try_from(n).unwrap_or(0);
            turns.push((now - (n % 7) * DAY - (1 + n % 20) * HOUR, DemoStep::Hide(person)));
        }
        turns.extend(roles.recorded.clone().map(|person| (now - DAY, DemoStep::Record(person))));
        turns.extend(roles.scheduled.clone().map(|person| (now, DemoStep::Schedule(person))));
        turns.extend(roles.running.clone().map(|person| (now, DemoStep::Begin(person))));
        turns
    }

    fn begins(&self, visit: &Visit) -> Millis {
        (self.start + visit.begins()).min(self.now)
    }

    fn at(&self, at: Millis) {
        self.clock.advance((at.min(self.now) - self.clock.now()).max(0));
    }

    /// Takes in what some visits send.
    fn tell(&self, at: Millis, visits: &[Visit]) -> Result<()> {
        self.at(at);
        let (cast, project, start) = (Arc::clone(&self.cast), self.project, self.start);
        let visits = visits.to_vec();
        self.app.write_blocking(move |tx: &NormalTx| {
            visits.iter().try_for_each(|visit| tell(tx, project, &cast, start, visit))
        })
    }

    fn take(&self, at: Millis, turn: &DemoStep) -> Result<()> {
        self.at(at);
        match *turn {
            DemoStep::Hide(person) => self.with(person, |tx, user| trash::hide(tx, user).map(|_| ())),
            DemoStep::Erase(person, kind) => {
                self.with(person, move |tx, user| erasure::begin(tx, user, kind, Origin::Page).map(|_| ()))?;
                self.work()
            }
            DemoStep::Schedule(person) => {
                let (project, identifier) = (self.project, self.identifier(person)?);
                self.app.write_blocking(move |tx| jobs::schedule(tx, project, &identifier))?;
                Ok(())
            }
            DemoStep::ScheduleAndCancel(person) => {
                let (project, identifier) = (self.project, self.identifier(person)?);
                // In one go: the worker of a running server takes what is past for due.
                self.app.write_blocking(move |tx| {
                    let job = jobs::schedule(tx, project, &identifier)?;
                    jobs::cancel(tx, Some(project), job.id)
                })?;
                Ok(())
            }
            DemoStep::Work => self.work(),
            DemoStep::Begin(person) => self.with(person, |tx, user| {
                erasure::begin(tx, user, Erasure::Everything, Origin::Page).map(|_| ())
            }),
            DemoStep::Record(person) => self.record(person),
        }
    }

    fn work(&self) -> Result<()> {
        worker::tick(&self.app).map(|_| ())
    }

    fn record(&self, person: u32) -> Result<()> {
        let (project, identifier) = (self.project, self.cast.identifier(person));
        let limit = self.app.recording_limit();
        self.app.write_blocking(move |tx| {
            let user = find::get(tx, project, &identifier)?;
            let Some(session) = activity::sessions(tx, &user, (0, Millis::MAX), 1)?.pop() else {
                return Ok(());
            };
            let frames = people::recording();
            recordings::append(tx, project, &session.id.to_string(), "application/json", &frames, limit)?;
            Ok(())
        })
    }

    fn with<F>(&self, person: u32, act: F) -> Result<()>
    where
        F: Fn(&ErasingTx, &User) -> Result<()> + Send + 'static,
    {
        let (project, identifier) = (self.project, self.cast.identifier(person));
        self.app.write_blocking(move |tx| act(tx, &find::get(tx, project, &identifier)?))
    }

    fn identifier(&self, person: u32) -> Result<Identifier> {
        people::named(&self.cast.identifier(person))
    }
}

fn tell(tx: &Tx, project: ProjectId, cast: &Fixture, start: Millis, visit: &Visit) -> Result<()> {
    let subject = cast.subject(visit)?;
    if visit.first || subject.identifier.is_some() && subject.anonymous_id.is_some() {
        _ = identify::identify(tx, project, &subject, &cast.profile(visit.person), None)?;
    }
    let subject = match subject {
        Subject { identifier: Some(identifier), .. } => {
            Subject { identifier: Some(identifier), anonymous_id: None }
        }
        visitor => visitor,
    };
    for mut incoming in cast.events(visit, &subject) {
        incoming.at = incoming.at.time().map(|since| start + since).into();
        activity::record(tx, project, &incoming)?;
    }
    Ok(())
}

//! How many new people public credentials may make in an hour: per address, where it is known, and
//! per project. Counted in memory, by hours of the clock.
//!
//! Up to a tenth more is allowed, drawn for each address and hour: were the number exact, a
//! sender one below it could name a person, and see by what follows whether they were new.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{HOUR, Millis, SECOND};
use crate::error::{Error, Result};
use crate::model::{Intake, ProjectId};
use crate::trace::Source;

/// New people of this hour.
#[derive(Default)]
pub struct NewPeople {
    /// No number is too large.
    unlimited: bool,
    /// Draws what is allowed beyond the limit.
    drawing: RandomState,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    hour: i64,
    limits: HashMap<ProjectId, (u32, u32)>,
    projects: HashMap<ProjectId, u32>,
    addresses: HashMap<(ProjectId, IpAddr), u32>,
}

impl NewPeople {
    pub fn new(unlimited: bool) -> NewPeople {
        NewPeople { unlimited, ..NewPeople::default() }
    }

    /// The numbers of each project, from now on.
    pub fn set_limits<'a>(&self, projects: impl Iterator<Item = (ProjectId, &'a Intake)>) {
        let limits = projects.map(|(id, intake)| (id, (intake.per_address(), intake.per_hour())));
        self.held(None).limits = limits.collect();
    }

    /// [`Error::RateLimited`] where as many were made as may be: until the hour is over.
    pub fn check(&self, source: Source, now: Millis) -> Result<()> {
        match self.left(source, now) {
            Some((0, retry_after)) => Err(Error::RateLimited { retry_after }),
            _ => Ok(()),
        }
    }

    /// How many may be made still, and in how many seconds the hour is over. None: any number.
    pub fn left(&self, source: Source, now: Millis) -> Option<(u32, u64)> {
        if self.unlimited {
            return None;
        }
        let (held, project) = (self.held(Some(now)), ProjectId(source.project));
        let (per_address, per_project) = held.limits_of(project);
        let per_address = self.with_some_more(per_address, (source.project, source.address, held.hour));
        let per_project = self.with_some_more(per_project, (source.project, None, held.hour));
        let made = held.projects.get(&project).copied().unwrap_or_default();
        let here = source.address.and_then(|address| held.addresses.get(&(project, address)).copied());
        let left = per_project.saturating_sub(made);
        let left = left.min(per_address.saturating_sub(here.unwrap_or_default()));
        let seconds = ((held.hour + 1) * HOUR - now) / SECOND;
        Some((left, u64::try_from(seconds).unwrap_or_default() + 1))
    }

    fn with_some_more(&self, limit: u32, of: (i64, Option<IpAddr>, i64)) -> u32 {
        let some = self.drawing.hash_one(of) % u64::from(limit / 10 + 1);
        limit.saturating_add(u32::try_from(some).unwrap_or_default())
    }

    /// Counts people that were made. True: with them the half of what may be is passed, for the
    /// address or for the project.
    pub fn count(&self, source: Source, made: u32, now: Millis) -> bool {
        if made == 0 || self.unlimited {
            return false;
        }
        let (mut held, project) = (self.held(Some(now)), ProjectId(source.project));
        let (per_address, per_project) = held.limits_of(project);
        let passes = |count: &mut u32, limit: u32| {
            let before = *count;
            *count = before.saturating_add(made);
            before < limit.div_ceil(2) && *count >= limit.div_ceil(2)
        };
        let mut half = passes(held.projects.entry(project).or_default(), per_project);
        if let Some(address) = source.address {
            half |= passes(held.addresses.entry((project, address)).or_default(), per_address);
        }
        half
    }

    /// Takes back what was counted then: nobody was made after all.
    pub fn take_back(&self, source: Source, made: u32, then: Millis) {
        let (mut held, project) = (self.held(None), ProjectId(source.project));
        if held.hour != then.div_euclid(HOUR) {
            return;
        }
        if let Some(count) = held.projects.get_mut(&project) {
            *count = count.saturating_sub(made);
        }
        let here = source.address.and_then(|address| held.addresses.get_mut(&(project, address)));
        if let Some(count) = here {
            *count = count.saturating_sub(made);
        }
    }

    /// What is held of the hour that `now` is in.
    fn held(&self, now: Option<Millis>) -> MutexGuard<'_, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hour) = now.map(|now| now.div_euclid(HOUR))
            && hour != held.hour
        {
            held.hour = hour;
            held.projects.clear();
            held.addresses.clear();
        }
        held
    }
}

impl Held {
    fn limits_of(&self, project: ProjectId) -> (u32, u32) {
        self.limits.get(&project).copied().unwrap_or((Intake::PEOPLE_PER_ADDRESS, Intake::PEOPLE_PER_HOUR))
    }
}

/// What one write counts of new people. It may run twice, and its outcome may be lost.
pub struct Counting {
    people: Arc<NewPeople>,
    source: Source,
    /// How many, and when.
    counted: Mutex<Option<(u32, Millis)>>,
    passed_half: AtomicBool,
}

impl Counting {
    pub fn new(people: Arc<NewPeople>, source: Source) -> Counting {
        Counting { people, source, counted: Mutex::default(), passed_half: AtomicBool::new(false) }
    }

    /// As [`NewPeople::left`], before the write runs.
    pub fn left(&self, now: Millis) -> Option<(u32, u64)> {
        self.take_back();
        self.people.left(self.source, now)
    }

    /// Counts those that the write has made.
    pub fn count(&self, made: u32, now: Millis) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some((made, now));
        self.passed_half.store(self.people.count(self.source, made, now), Ordering::Relaxed);
    }

    /// It came to nothing.
    pub fn take_back(&self) {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((made, then)) = counted {
            self.people.take_back(self.source, made, then);
        }
    }

    /// Whether the half of what may be was passed with it.
    pub fn has_passed_half(&self) -> bool {
        self.passed_half.load(Ordering::Relaxed)
    }
}

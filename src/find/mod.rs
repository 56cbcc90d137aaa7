//! Finding users by any part of their names: the names of all users, folded, packed in memory and scanned
//! from end to end for each search. Nothing in here knows about HTTP or SQL.
//!
//! Nothing of it is on a disk, so that nothing has to be erased, backed up or checked there. It says who
//! may match; the rows decide who does. So an entry that is out of date costs the reading of a row, and
//! never shows one.
//!
//! - A project has its own index: nothing of one is looked at, counted or suggested for another.
//! - Entries stand in the order of their ids, so that the place at which a list goes on ([`Place`]) means
//!   the same after any write.
//! - Segments have a fixed capacity, and are overwritten in place: a buffer that grew would leave copies
//!   behind in memory that nobody overwrites. What leaves is overwritten before the write that removed it
//!   is answered.
//!
//! The option that lost: entries that outgrow their place go to the end, and a map says where. It makes a
//! write cheaper by some microseconds, and costs the order: then a list would have to know where each of
//! them stood before.

mod distance;
mod entry;
mod fold;
mod index;
mod near;
mod query;
mod segment;

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::model::{ProjectId, UserId};
pub use entry::{FIELD_MAX, Field, Names};
pub use fold::fold;
use index::Index;
pub use index::{HITS_MAX, Hit, Page, Place};
pub use near::nearest;
pub use query::{Query, Tier, WORDS_MAX};

/// What a committed write has changed.
#[derive(Debug)]
pub enum Change {
    /// The user has these names from now on.
    Put(ProjectId, UserId, Names),
    /// The user is no longer found.
    Gone(ProjectId, UserId),
    /// No user of the project is.
    ProjectGone(ProjectId),
}

/// Whether names can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not begun yet.
    Idle,
    /// Turned off by the operator.
    Off,
    /// Names are being loaded.
    Building,
    Ready,
}

/// The names of all users of all projects.
pub struct Find {
    state: Mutex<State>,
    projects: RwLock<HashMap<ProjectId, Arc<RwLock<Index>>>>,
}

enum State {
    Idle,
    Off,
    /// With what was committed since it began, in order.
    Building(Vec<Change>),
    Ready,
}

impl Default for Find {
    fn default() -> Find {
        Find { state: Mutex::new(State::Idle), projects: RwLock::default() }
    }
}

impl Find {
    pub fn standing(&self) -> Standing {
        match *self.state() {
            State::Idle => Standing::Idle,
            State::Off => Standing::Off,
            State::Building(_) => Standing::Building,
            State::Ready => Standing::Ready,
        }
    }

    /// Names are not kept, now or later.
    pub fn leave_out(&self) {
        *self.state() = State::Off;
    }

    /// From now on what is committed counts. False: it was begun before, or is left out.
    pub fn begin(&self) -> bool {
        let mut state = self.state();
        let is_idle = matches!(*state, State::Idle);
        if is_idle {
            *state = State::Building(Vec::new());
        }
        is_idle
    }

    /// Takes in users as they were read; the order of their ids is the fastest. What was committed
    /// meanwhile goes before, see [`Find::finish`].
    pub fn load(&self, users: impl IntoIterator<Item = (ProjectId, UserId, Names)>) {
        let mut last: Option<(ProjectId, Arc<RwLock<Index>>)> = None;
        for (project, id, names) in users {
            let index = match &last {
                Some((known, index)) if *known == project => Arc::clone(index),
                _ => self.index(project),
            };
            write(&index).put(id, &names);
            last = Some((project, index));
        }
    }

    /// All names are loaded: applies what was committed meanwhile, and searches are answered.
    pub fn finish(&self) {
        let mut state = self.state();
        if let State::Building(waiting) = &mut *state {
            mem::take(waiting).into_iter().for_each(|change| self.carry_out(change));
            *state = State::Ready;
        }
    }

    /// It could not be built: as if it had not been begun.
    pub fn give_up(&self) {
        let mut state = self.state();
        if matches!(*state, State::Building(_)) {
            *state = State::Idle;
            for index in self.projects_mut().drain().map(|(_, index)| index) {
                write(&index).clear();
            }
        }
    }

    /// Takes in what was committed, in the order of the commits.
    pub fn apply(&self, changes: Vec<Change>) {
        let mut state = self.state();
        match &mut *state {
            State::Idle | State::Off => {}
            State::Building(waiting) => waiting.extend(changes),
            // The state stays locked: a project that goes must not be made anew by a change from before.
            State::Ready => changes.into_iter().for_each(|change| self.carry_out(change)),
        }
    }

    fn carry_out(&self, change: Change) {
        match change {
            Change::Put(project, id, names) => write(&self.index(project)).put(id, &names),
            Change::Gone(project, id) => {
                if let Some(index) = self.known(project) {
                    write(&index).remove(id);
                }
            }
            Change::ProjectGone(project) => {
                let index = self.projects_mut().remove(&project);
                // Overwritten here, for a search may hold on to it.
                if let Some(index) = index {
                    write(&index).clear();
                }
            }
        }
    }

    /// Up to `limit` users of some projects behind a place, the best hits first; see [`Tier`].
    pub fn page(&self, projects: &[ProjectId], query: &Query, after: Option<Place>, limit: usize) -> Page {
        let pages = projects.iter().filter_map(|project| self.known(*project));
        let mut all = Page { hits: Vec::new(), is_last: true, is_truncated: false };
        for index in pages {
            let page = read(&index).page(query, after, limit);
            all.is_last &= page.is_last;
            all.is_truncated |= page.is_truncated;
            all.hits.extend(page.hits);
        }
        all.hits.sort_by_key(|hit| hit.place());
        if all.hits.len() > limit {
            all.hits.truncate(limit);
            all.is_last = false;
        }
        all
    }

    /// Users of some projects with similar names, the most similar first; `limit` at most. Slower than
    /// [`Find::page`]: for when that finds none.
    pub fn near(&self, projects: &[ProjectId], query: &Query, limit: usize) -> Vec<UserId> {
        let mut all = Vec::new();
        for index in projects.iter().filter_map(|project| self.known(*project)) {
            all.extend(read(&index).near(query, limit));
        }
        near::best(all, limit).into_iter().map(|near| near.id).collect()
    }

    /// All users of a project with this text in a name, and perhaps others. The text must be letters and digits
    /// of ASCII. None: it cannot be told, or they are too many.
    pub fn containing(&self, project: ProjectId, text: &str, most: usize) -> Option<Vec<UserId>> {
        if self.standing() != Standing::Ready
            || text.is_empty()
            || !text.bytes().all(|c| c.is_ascii_alphanumeric())
        {
            return None;
        }
        let Some(index) = self.known(project) else { return Some(Vec::new()) };
        read(&index).containing(text, most)
    }

    /// Whether these bytes stand anywhere in it, in parts that are in use or not: a probe for tests.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let all: Vec<_> = read(&self.projects).values().cloned().collect();
        all.iter().any(|index| read(index).holds(bytes))
    }

    /// Bytes of memory that it takes.
    pub fn size(&self) -> usize {
        let all: Vec<_> = read(&self.projects).values().cloned().collect();
        all.iter().map(|index| read(index).size()).sum()
    }

    fn known(&self, project: ProjectId) -> Option<Arc<RwLock<Index>>> {
        read(&self.projects).get(&project).cloned()
    }

    fn index(&self, project: ProjectId) -> Arc<RwLock<Index>> {
        match self.known(project) {
            Some(index) => index,
            None => Arc::clone(self.projects_mut().entry(project).or_default()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn projects_mut(&self) -> RwLockWriteGuard<'_, HashMap<ProjectId, Arc<RwLock<Index>>>> {
        write(&self.projects)
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

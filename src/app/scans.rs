//! Who may read long at a time. One key has at most half of the places, one place is kept for
//! the pages, and who finds none waits for a short while.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::store::SCANS;
use crate::trace::Actor;

/// Places for one key.
const OF_A_KEY: usize = SCANS as usize / 2;
/// Places for all keys together.
const OF_KEYS: usize = SCANS as usize - 1;
/// How many may wait, how many of one key, and for how long.
const QUEUE: usize = 32;
const QUEUE_OF_A_KEY: usize = 8;
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct Scans {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    running: Vec<Actor>,
    waiting: VecDeque<(Actor, oneshot::Sender<ScanSlot>)>,
}

/// A place, until it is dropped.
pub struct ScanSlot {
    scans: Arc<Scans>,
    actor: Actor,
}

impl Scans {
    /// A place for one read. [`Error::Unavailable`] if none comes free in time, or too many
    /// wait already.
    pub async fn enter(self: &Arc<Scans>, actor: Actor) -> Result<ScanSlot> {
        let turn = {
            let mut held = self.held();
            if held.has_place(actor) {
                held.running.push(actor);
                return Ok(ScanSlot { scans: Arc::clone(self), actor });
            }
            // Some have gone away.
            held.waiting.retain(|(_, turn)| !turn.is_closed());
            let same = held.waiting.iter().filter(|(waiting, _)| *waiting == actor).count();
            if held.waiting.len() >= QUEUE || is_key(actor) && same >= QUEUE_OF_A_KEY {
                return Err(too_many());
            }
            let (give, turn) = oneshot::channel();
            held.waiting.push_back((actor, give));
            turn
        };
        match timeout(PATIENCE, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            // One that came at the same instant is given back as it is dropped.
            Ok(Err(_)) | Err(_) => Err(too_many()),
        }
    }

    /// Hands the places that are free to those who wait, the first first.
    fn hand_over(self: &Arc<Scans>) {
        let mut refused = Vec::new();
        let mut held = self.held();
        let mut at = 0;
        while let Some((actor, _)) = held.waiting.get(at) {
            let actor = *actor;
            if !held.has_place(actor) {
                at += 1;
                continue;
            }
            if let Some((_, give)) = held.waiting.remove(at) {
                held.running.push(actor);
                // Nobody waits for it any more: it is given back below, without the lock.
                refused.extend(give.send(ScanSlot { scans: Arc::clone(self), actor }).err());
            }
        }
        drop(held);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn has_place(&self, actor: Actor) -> bool {
        let of = |is: &dyn Fn(Actor) -> bool| self.running.iter().filter(|running| is(**running)).count();
        if self.running.len() >= SCANS as usize {
            return false;
        }
        !is_key(actor) || of(&|running| running == actor) < OF_A_KEY && of(&is_key) < OF_KEYS
    }
}

impl Drop for ScanSlot {
    fn drop(&mut self) {
        {
            let mut held = self.scans.held();
            if let Some(at) = held.running.iter().position(|running| *running == self.actor) {
                held.running.swap_remove(at);
            }
        }
        self.scans.hand_over();
    }
}

fn is_key(actor: Actor) -> bool {
    actor.key_number().is_some()
}

fn too_many() -> Error {
    Error::Unavailable("too many long reads are running")
}

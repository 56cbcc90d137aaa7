//! The bytes of bodies that are held in memory, counted before they are kept.
//!
//! A quarter is left to small bodies, so that ordinary requests go on while large ones wait.
//! One client has at most half of what large bodies have, so that it cannot keep others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// What a body may have of the whole; beyond it counts as large.
const SMALL: usize = 16 * 1024;

/// Whose bytes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A key that is not public, by its number.
    Key(i64),
    /// Anybody else. None: the address is not known.
    Address(Option<IpAddr>),
}

pub struct Buffers {
    all: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    /// What large bodies have beyond [`SMALL`].
    large: HashMap<Owner, usize>,
}

impl Buffers {
    pub fn new(all: usize) -> Arc<Buffers> {
        Arc::new(Buffers { all, held: Mutex::default() })
    }

    /// Room for one body, none of it taken yet.
    pub fn room(self: &Arc<Buffers>, owner: Owner) -> Room {
        Room { buffers: Arc::clone(self), owner, bytes: 0 }
    }

    /// Bytes that are taken.
    pub fn held(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one body takes, until it is dropped.
pub struct Room {
    buffers: Arc<Buffers>,
    owner: Owner,
    bytes: usize,
}

impl Room {
    /// Takes more. [`Error::Unavailable`] where there is none left for this body.
    pub fn grow(&mut self, more: usize) -> Result<()> {
        let Buffers { all, .. } = *self.buffers;
        let wanted = self.bytes + more;
        let large = wanted.saturating_sub(SMALL) - self.bytes.saturating_sub(SMALL);
        let mut held = self.buffers.lock();
        let bytes = held.bytes + more;
        let of_owner = held.large.get(&self.owner).copied().unwrap_or_default() + large;
        let for_large = all / 4 * 3;
        if bytes > all || large > 0 && (bytes > for_large || of_owner > for_large / 2) {
            return Err(Error::Unavailable("too many large bodies are being read; try again in a moment"));
        }
        held.bytes = bytes;
        if large > 0 {
            held.large.insert(self.owner, of_owner);
        }
        self.bytes = wanted;
        Ok(())
    }

    /// Gives some back.
    fn shrink(&mut self, less: usize) {
        let kept = self.bytes.saturating_sub(less);
        let large = self.bytes.saturating_sub(SMALL) - kept.saturating_sub(SMALL);
        let mut held = self.buffers.lock();
        held.bytes = held.bytes.saturating_sub(self.bytes - kept);
        if let Some(of_owner) = held.large.get_mut(&self.owner) {
            *of_owner = of_owner.saturating_sub(large);
            if *of_owner == 0 {
                held.large.remove(&self.owner);
            }
        }
        drop(held);
        self.bytes = kept;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// A body that grows within its room.
pub struct Kept {
    bytes: Vec<u8>,
    room: Room,
}

impl Kept {
    pub fn new(room: Room) -> Kept {
        Kept { bytes: Vec::new(), room }
    }

    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// [`Error::Unavailable`] where there is no room for it.
    pub fn extend(&mut self, more: &[u8]) -> Result<()> {
        let free = self.bytes.capacity() - self.bytes.len();
        if more.len() > free {
            // Twice as much while it is small; later in steps, so that little is kept for nothing.
            let step = self.bytes.capacity().clamp(1_024, 64 * 1024);
            let missing = (more.len() - free).max(step);
            self.room.grow(missing)?;
            self.bytes.reserve_exact(free + missing);
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    pub fn into_parts(self) -> (Vec<u8>, Room) {
        (self.bytes, self.room)
    }
}

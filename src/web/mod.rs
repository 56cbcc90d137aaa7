//! What both faces share of HTTP: how patient the server is with its clients, and how much
//! of what they send it holds.

pub mod agent;
pub mod body;
pub mod buffers;
pub mod connection;
pub mod host;
pub mod limits;
pub mod page_sizes;
pub mod path_pattern;
pub mod piped;
pub mod sender;
pub mod transport;

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use buffers::Buffers;
use limits::Limits;

/// How many bodies are unpacked, and how many are read for what they say, at a time on threads of
/// their own.
const ASIDE: usize = 2;
/// A body of more bytes than this is read there: a thread that answers requests is held up by none
/// for more than some milliseconds.
const LARGE: usize = 32 * 1024;

/// What all requests share that have a body.
pub struct Bodies {
    pub limits: Limits,
    pub buffers: Arc<Buffers>,
    unpacking: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

impl Bodies {
    pub fn new(limits: Limits) -> Bodies {
        let (unpacking, reading) = (Arc::new(Semaphore::new(ASIDE)), Arc::new(Semaphore::new(ASIDE)));
        Bodies { limits, buffers: Buffers::new(limits.buffered), unpacking, reading }
    }

    pub fn of(request: &HttpRequest) -> Result<web::Data<Bodies>> {
        let bodies = request.app_data::<web::Data<Bodies>>();
        bodies.cloned().ok_or_else(|| Error::internal("the server lacks what its bodies share"))
    }

    /// Reads a body of this length for what it says: a large one aside, in its turn.
    pub async fn read<T: Send + 'static>(
        &self,
        length: usize,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if length <= LARGE { read() } else { aside(&self.reading, read).await }
    }

    /// Unpacks a body on a thread that may be busy, in its turn.
    pub async fn unpack<T: Send + 'static>(
        &self,
        unpack: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        aside(&self.unpacking, unpack).await
    }
}

async fn aside<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let turn = Arc::clone(turns).acquire_owned().await.map_err(Error::internal)?;
    let work = move || {
        // It lasts as long as the work does, which goes on after a client has gone away.
        let _turn = turn;
        work()
    };
    web::block(work).await.map_err(Error::internal)?
}

//! What both faces share of HTTP: how patient the server is with its clients, and how much
//! of what they send it holds.

pub mod agent;
pub mod body;
pub mod buffers;
pub mod connection;
pub mod host;
pub mod limits;
pub mod sender;
pub mod transport;

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use buffers::Buffers;
use limits::Limits;

/// How many bodies are unpacked at a time on threads of their own.
const UNPACKERS: usize = 2;

/// What all requests share that have a body.
pub struct Bodies {
    pub limits: Limits,
    pub buffers: Arc<Buffers>,
    pub unpackers: Semaphore,
}

impl Bodies {
    pub fn new(limits: Limits) -> Bodies {
        Bodies { limits, buffers: Buffers::new(limits.buffered), unpackers: Semaphore::new(UNPACKERS) }
    }

    pub fn of(request: &HttpRequest) -> Result<web::Data<Bodies>> {
        let bodies = request.app_data::<web::Data<Bodies>>();
        bodies.cloned().ok_or_else(|| Error::internal("the server lacks what its bodies share"))
    }
}

//! Reading a request's body from a client that may be slow: every wait has an end.

use std::time::Duration;

use actix_web::dev::Payload;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use super::Bodies;
use super::buffers::{Kept, Owner, Room};
use super::limits::Limits;
use crate::error::{Error, Place, Result};

/// How long a body may take in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// The usual time.
    InTime,
    /// As long as it comes with the least rate: for recordings.
    AtRate,
}

/// A body as it comes. Only the time that is spent waiting for the client counts.
pub struct Reader {
    payload: Payload,
    limits: Limits,
    whole: Whole,
    received: u64,
    /// The wait for the first byte.
    before: Duration,
    /// Waits since.
    waited: Duration,
}

impl Reader {
    pub fn new(payload: Payload, limits: Limits, whole: Whole) -> Reader {
        Reader { payload, limits, whole, received: 0, before: Duration::ZERO, waited: Duration::ZERO }
    }

    /// The next piece; None at the end. [`Error::TooSlow`] once the client has had its time,
    /// [`Error::Invalid`] if the body breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let begun = Instant::now();
        let next = timeout(self.left(), self.payload.next()).await;
        let waited = if self.received == 0 { &mut self.before } else { &mut self.waited };
        *waited += begun.elapsed();
        match next {
            Err(_) => Err(Error::TooSlow),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => Err(Error::invalid(Place::Body, "body", "could not be read")),
            Ok(Some(Ok(piece))) => {
                self.received += u64::try_from(piece.len()).unwrap_or(u64::MAX);
                Ok(Some(piece))
            }
        }
    }

    /// How long the next piece may take.
    fn left(&self) -> Duration {
        let Limits { body_gap, body_rate, body_total, .. } = self.limits;
        let mut left = body_gap;
        if self.received > 0 {
            let millis = self.received.saturating_mul(1_000) / u64::from(body_rate.max(1));
            left = left.min((body_gap + Duration::from_millis(millis)).saturating_sub(self.waited));
        }
        if self.whole == Whole::InTime {
            left = left.min(body_total.saturating_sub(self.before + self.waited));
        }
        left
    }
}

/// The whole body, and the room that it takes. [`Error::TooLarge`] beyond `limit`, which is
/// the number that the error names: `told`.
pub async fn read(
    payload: Payload,
    bodies: &Bodies,
    owner: Owner,
    (limit, told): (usize, usize),
    whole: Whole,
) -> Result<(Vec<u8>, Room)> {
    let mut reader = Reader::new(payload, bodies.limits, whole);
    let mut body = Kept::new(bodies.buffers.room(owner));
    while let Some(piece) = reader.next().await? {
        if body.length() + piece.len() > limit {
            return Err(Error::TooLarge { limit: told });
        }
        body.extend(&piece)?;
    }
    Ok(body.into_parts())
}

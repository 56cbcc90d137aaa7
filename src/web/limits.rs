//! How long the server waits for its clients, and how many of their bytes it holds.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest wait for the first byte of a body, and between two of them.
    pub body_gap: Duration,
    /// Bytes a second that a body comes with at least, once it has begun.
    pub body_rate: u32,
    /// The longest time for a whole body, but for recordings.
    pub body_total: Duration,
    /// The longest time for a TLS handshake.
    pub handshake: Duration,
    /// A connection without a request may be quiet, or send the head of one, for so long.
    pub idle: Duration,
    /// An answer that the client takes nothing of for so long is given up.
    pub write: Duration,
    /// The longest time that requests in flight get after a stop, in seconds.
    pub stop: u64,
    /// Bytes of bodies that are held in all.
    pub buffered: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_gap: Duration::from_secs(10),
            body_rate: 1_024,
            body_total: Duration::from_secs(60),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            write: Duration::from_secs(30),
            stop: 10,
            buffered: 64 * 1024 * 1024,
        }
    }
}

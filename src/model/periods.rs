//! How long things last that several rules ask about.

use crate::clock::{DAY, MINUTE, Millis};

/// How long a user stays in the trash and can be restored: 7 days.
pub const TRASH_PERIOD: Millis = 7 * DAY;

/// A message of unknown age is late for this long after an erasure: clients keep what they
/// could not send, and give up before.
pub const UNDATED_LATE_PERIOD: Millis = 30 * DAY;

/// Two events of one user this far apart, or less, are of one session.
pub const SESSION_GAP: Millis = 30 * MINUTE;

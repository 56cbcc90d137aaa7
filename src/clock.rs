//! The time. Nothing outside this file reads the system's clock; rules take
//! theirs from `Tx::now()`, so that a test can stand a millisecond before a
//! boundary and a millisecond after it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

pub const SECOND: Millis = 1_000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;
pub const DAY: Millis = 24 * HOUR;

/// The system's clock, or one that only moves when told.
#[derive(Clone)]
pub enum Clock {
    System { started: Instant },
    Manual(Arc<Manual>),
}

/// What a manual clock shares among its clones.
pub struct Manual {
    now: AtomicI64,
    listeners: Mutex<Vec<Listener>>,
}

type Listener = Box<dyn Fn() + Send + Sync>;

impl Clock {
    pub fn system() -> Clock {
        Clock::System { started: Instant::now() }
    }

    pub fn manual(now: Millis) -> Clock {
        Clock::Manual(Arc::new(Manual { now: AtomicI64::new(now), listeners: Mutex::default() }))
    }

    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's time")]
    pub fn now(&self) -> Millis {
        match self {
            // A clock set before 1970 reads as 1970: ids and times stay positive.
            Clock::System { .. } => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Clock::Manual(manual) => manual.now.load(Ordering::SeqCst),
        }
    }

    /// Time that never runs backwards, for rate limits. Its origin has no meaning.
    pub fn monotonic(&self) -> Duration {
        match self {
            Clock::System { started } => started.elapsed(),
            Clock::Manual(manual) => {
                Duration::from_millis(manual.now.load(Ordering::SeqCst).max(0).unsigned_abs())
            }
        }
    }

    /// Moves a manual clock forward and tells whoever waits on it. The system's
    /// clock moves by itself: there this does nothing.
    pub fn advance(&self, by: Millis) {
        if let Clock::Manual(manual) = self {
            manual.now.fetch_add(by, Ordering::SeqCst);
            for listener in manual.listeners().iter() {
                listener();
            }
        }
    }

    /// Calls `listener` after each [`Clock::advance`]; never on the system's clock.
    pub fn on_advance(&self, listener: impl Fn() + Send + Sync + 'static) {
        if let Clock::Manual(manual) = self {
            manual.listeners().push(Box::new(listener));
        }
    }
}

impl Manual {
    fn listeners(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next 00:00:00.000 UTC after `now`; a whole day later when `now` is midnight.
pub fn next_midnight(now: Millis) -> Millis {
    (now.div_euclid(DAY) + 1) * DAY
}

/// `2026-01-19T12:30:00Z`: seconds, UTC.
pub fn rfc3339(at: Millis) -> String {
    jiff::Timestamp::from_second(at.div_euclid(SECOND))
        .map_or_else(|_| String::new(), |time| time.to_string())
}

/// `2026-03-04`: the day, UTC.
pub fn date(at: Millis) -> String {
    let text = rfc3339(at);
    text.split_once('T').map_or_else(String::new, |(date, _)| date.to_owned())
}

/// `4 Mar 2026, 10:00 UTC`: for people.
pub fn written(at: Millis) -> String {
    jiff::Timestamp::from_second(at.div_euclid(SECOND))
        .map_or_else(|_| String::new(), |time| time.strftime("%-d %b %Y, %H:%M UTC").to_string())
}

/// Reads an RFC 3339 / ISO 8601 time with an offset, to the millisecond.
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// Reads an ISO 8601 time without an offset, as UTC.
pub fn parse_without_offset(text: &str) -> Option<Millis> {
    let time = text.parse::<jiff::civil::DateTime>().ok()?;
    jiff::tz::Offset::UTC.to_timestamp(time).ok().map(jiff::Timestamp::as_millisecond)
}

/// Reads `Tue, 28 Jul 2026 21:43:35 GMT`.
pub fn parse_rfc2822(text: &str) -> Option<Millis> {
    jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp().as_millisecond())
}

/// Reads `Tue Jul 28 2026 21:43:35 GMT+0200 (Central European Summer Time)`: a JavaScript date as it
/// prints itself.
pub fn parse_javascript(text: &str) -> Option<Millis> {
    let text = text.split(" (").next().unwrap_or_default();
    let time = jiff::Timestamp::strptime("%a %b %d %Y %H:%M:%S GMT%z", text);
    time.ok().map(jiff::Timestamp::as_millisecond)
}

/// Reads `YYYY-MM-DD` as the first millisecond of that day, UTC.
pub fn parse_date(text: &str) -> Option<Millis> {
    let in_full = text.len() == 10
        && text.bytes().enumerate().all(|(n, byte)| match n {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    in_full.then(|| text.parse().ok().and_then(day_start))?
}

/// The first millisecond of the month, UTC, that lies `back` months before that of `at`.
pub fn month_start(at: Millis, back: i64) -> Option<Millis> {
    let days = jiff::Span::new().try_days(at.div_euclid(DAY)).ok()?;
    let month = EPOCH.checked_add(days).ok()?.first_of_month();
    month.checked_sub(jiff::Span::new().try_months(back).ok()?).ok().and_then(day_start)
}

const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

fn day_start(day: jiff::civil::Date) -> Option<Millis> {
    i64::try_from(day.duration_since(EPOCH).as_millis()).ok()
}

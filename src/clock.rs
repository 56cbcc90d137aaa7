//! The time. Nothing outside this file reads the system's clock; rules take
//! theirs from `Tx::now()`, so that a test can stand a millisecond before a
//! boundary and a millisecond after it.

mod trust;

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use trust::{FAR, Known, LASTING, Reading, STEP, Shown, Standing, Waited, Watch};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

pub const SECOND: Millis = 1_000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;
pub const DAY: Millis = 24 * HOUR;

/// What a start believes of the time before it, from 2020 to 2200. Anything else was written by a
/// clock that was never set, or is no time.
pub const BELIEVED: std::ops::RangeInclusive<Millis> = 1_577_836_800_000..=7_258_118_400_000;

/// The system's clocks, or ones that only move when told. They count as they are until
/// [`Clock::begin`] sets a watch on them; then the time is what that holds to be in force.
#[derive(Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

struct Shared {
    source: Source,
    watch: Mutex<Watch>,
    listeners: Mutex<Vec<Listener>>,
}

enum Source {
    System { started: Instant },
    Manual { wall: AtomicI64, boot: AtomicI64 },
}

type Listener = Box<dyn Fn() + Send + Sync>;

impl Clock {
    pub fn system() -> Clock {
        Clock::of(Source::System { started: Instant::now() })
    }

    pub fn manual(now: Millis) -> Clock {
        Clock::of(Source::Manual { wall: AtomicI64::new(now), boot: AtomicI64::new(now.max(0)) })
    }

    fn of(source: Source) -> Clock {
        Clock { shared: Arc::new(Shared { source, watch: Mutex::default(), listeners: Mutex::default() }) }
    }

    /// What dates rows.
    pub fn now(&self) -> Millis {
        self.read().now
    }

    /// What is in force, from one look at the clocks.
    pub fn read(&self) -> Reading {
        // Under the lock: of two who look at once, none comes with an older time.
        let mut watch = self.watch();
        watch.read(self.shown())
    }

    /// The wall clock, whether it is trusted or not.
    pub fn wall(&self) -> Millis {
        self.shown().wall
    }

    /// Watches the clocks from now on.
    pub fn begin(&self, grace: Millis, known: Known) {
        *self.watch() = Watch::begin(self.shown(), grace, known);
    }

    /// Somebody says that the wall clock is right.
    pub fn confirm(&self) -> Reading {
        let mut watch = self.watch();
        watch.confirm(self.shown())
    }

    /// The number of the last setback, if what lies ahead of it was not cut yet.
    pub fn owes_cut(&self) -> Option<u64> {
        self.watch().owes()
    }

    /// What lay ahead of a setback was cut.
    pub fn note_cut(&self, setback: u64) {
        self.watch().note_cut(setback);
    }

    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's time")]
    fn shown(&self) -> Shown {
        match &self.shared.source {
            // A clock set before 1970 reads as 1970: ids and times stay positive.
            Source::System { started } => Shown {
                wall: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
                boot: since_boot(*started),
            },
            Source::Manual { wall, boot } => {
                Shown { wall: wall.load(Ordering::SeqCst), boot: boot.load(Ordering::SeqCst) }
            }
        }
    }

    /// Time that never runs backwards, for rate limits. Its origin has no meaning.
    pub fn monotonic(&self) -> Duration {
        match &self.shared.source {
            Source::System { started } => started.elapsed(),
            Source::Manual { boot, .. } => {
                Duration::from_millis(boot.load(Ordering::SeqCst).max(0).unsigned_abs())
            }
        }
    }

    /// Time goes on by this much: moves both manual clocks and tells who waits for that. The
    /// system's clocks move by themselves: there this does nothing.
    pub fn advance(&self, by: Millis) {
        self.shift(by, by);
    }

    /// Somebody sets the wall clock: moves it alone, where it is a manual one.
    pub fn set_wall(&self, by: Millis) {
        self.shift(by, 0);
    }

    fn shift(&self, wall_by: Millis, boot_by: Millis) {
        if let Source::Manual { wall, boot } = &self.shared.source {
            {
                let _nobody_reads = self.watch();
                wall.fetch_add(wall_by, Ordering::SeqCst);
                boot.fetch_add(boot_by, Ordering::SeqCst);
            }
            for listener in self.listeners().iter() {
                listener();
            }
        }
    }

    /// Calls `listener` whenever a manual clock is moved; never on the system's clock.
    pub fn on_advance(&self, listener: impl Fn() + Send + Sync + 'static) {
        if let Source::Manual { .. } = self.shared.source {
            self.listeners().push(Box::new(listener));
        }
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since the machine was started, sleep included: nobody can set that.
#[cfg(target_os = "linux")]
fn since_boot(_: Instant) -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000)
}

/// Elsewhere there may be no such clock; then it is the time since the program's start.
#[cfg(not(target_os = "linux"))]
fn since_boot(started: Instant) -> Millis {
    i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Standing {
    /// Which clock is in force, and why: for pages, log and readiness.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Standing::Trusted => f.write_str("the clock is trusted"),
            Standing::Unwatched => f.write_str("the clock is not watched (--clock-grace 0)"),
            Standing::Jumped { by, dates, left } => write!(
                f,
                "the clock was set {}; {}, and it is trusted in {}",
                apart(by),
                match dates {
                    true => "new records are dated by it",
                    false => "time continues as before",
                },
                span(left)
            ),
            Standing::StartedAhead { by, left } => write!(
                f,
                "at the start the clock was {} after the last activity; new records are dated by it, and it is \
                 trusted in {}",
                span(by),
                span(left)
            ),
            Standing::StartedBehind { by } => write!(
                f,
                "the clock is {} before the last activity; time continues from there until the clock has caught up",
                span(by)
            ),
        }
    }
}

fn apart(by: Millis) -> String {
    format!("{} {}", span(by), if by > 0 { "forward" } else { "back" })
}

/// `3 days`, `14 minutes`, `under a minute`.
fn span(length: Millis) -> String {
    let length = length.abs();
    let some = |unit: Millis, name: &str| match length / unit {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    };
    match length {
        DAY.. => some(DAY, "day"),
        HOUR.. => some(HOUR, "hour"),
        MINUTE.. => some(MINUTE, "minute"),
        _ => "under a minute".to_owned(),
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

/// `2026-03-04T10:00:00.123Z`: to the millisecond, always with three digits.
pub fn rfc3339_millis(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
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

/// The same, or a date alone, which is its midnight, UTC.
pub fn parse_time_or_date(text: &str) -> Option<Millis> {
    parse_rfc3339(text).or_else(|| parse_without_offset(&format!("{text}T00:00:00")))
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

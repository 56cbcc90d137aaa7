//! Which clock is in force: what dates rows, and whether acts that cannot be undone, and that
//! nobody ordered just now, may run. Pure: it is given what the clocks show.
//!
//! The wall clock is compared with one that nobody can set, the time since the machine was
//! started. While both have moved on alike, the wall clock is trusted. A jump is not followed at
//! once; see [`Watch::read`]. At a start there is no such clock to compare with, for it does not
//! know how long the machine was off: there the sign of life stands in its place.

use super::{DAY, MINUTE, Millis};

/// A difference up to this is followed at once, in both directions.
pub const STEP: Millis = MINUTE;
/// A jump further than this is not followed after the grace alone.
pub const FAR: Millis = DAY;
/// A far jump is followed once the wall clock has gone on evenly for this long.
pub const LASTING: Millis = DAY;
/// The clocks drift apart a little; they are compared from a point no older than this. So steps
/// of up to a minute are followed, but not many of them in a row.
const RENEWED: Millis = 15 * MINUTE;

/// What both clocks show at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub wall: Millis,
    /// Since the machine was started, sleep included.
    pub boot: Millis,
}

/// What is in force at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What dates rows.
    pub now: Millis,
    pub standing: Standing,
    /// What the sign of life is to say. None: nobody knows the time for sure.
    pub sign: Option<Millis>,
    /// What is to be remembered of the wait of this start, if there is one.
    pub waited: Option<Waited>,
}

/// Whether the clock is trusted, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The wall clock has gone on as it should.
    Trusted,
    /// No grace is given: the wall clock counts, whatever it shows.
    Unwatched,
    /// The wall clock jumped. Rows are dated by the clock from before; by the wall clock where
    /// `dates` says so. It is followed by itself after `left`.
    Jumped { by: Millis, dates: bool, left: Millis },
    /// At the start the wall clock was more than a day after the sign of life. It dates rows, and
    /// is trusted after `left`.
    StartedAhead { by: Millis, left: Millis },
    /// At the start the wall clock was before the sign of life. Rows are dated from that on, until
    /// the wall clock has caught up.
    StartedBehind { by: Millis },
}

impl Standing {
    /// Whether the reaper, schedules, retention and pruning may act.
    pub fn is_trusted(self) -> bool {
        matches!(self, Standing::Trusted | Standing::Unwatched)
    }

    /// Whether the same clock is in force for the same reason.
    pub fn is_like(self, other: Standing) -> bool {
        match (self, other) {
            (Standing::Jumped { dates, .. }, Standing::Jumped { dates: other, .. }) => dates == other,
            _ => std::mem::discriminant(&self) == std::mem::discriminant(&other),
        }
    }

    /// After how long the standing changes by itself.
    pub fn left(self) -> Option<Millis> {
        match self {
            Standing::Jumped { left, .. } | Standing::StartedAhead { left, .. } => Some(left),
            Standing::Trusted | Standing::Unwatched | Standing::StartedBehind { .. } => None,
        }
    }
}

/// How much of the grace was waited out, and which time the wall clock showed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    pub so_far: Millis,
    pub wall: Millis,
}

/// What is known before a start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// The last time that was trusted. None: there was none.
    pub sign: Option<Millis>,
    /// Of the grace, by starts before this one.
    pub waited: Option<Waited>,
}

/// Follows the clocks.
#[derive(Debug, Clone)]
pub struct Watch {
    grace: Millis,
    phase: Phase,
    /// A point of the trusted time, which goes on from there as the time since the start does.
    line: Shown,
    claim: Option<Claim>,
    /// The latest time that a row may have.
    highest: Millis,
    /// Times that were set back, the start's included: what lies ahead is to be cut.
    setbacks: u64,
    cut: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Off,
    /// The wall clock was not taken yet.
    Starting {
        waited: Option<Waited>,
    },
    Running,
}

/// What the wall clock claims, against the trusted time.
#[derive(Debug, Clone, Copy)]
struct Claim {
    /// Since when it goes on evenly, in time since the machine's start.
    since: Millis,
    /// What was waited out for it by starts before.
    before: Millis,
    last: Shown,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch::off()
    }
}

impl Watch {
    /// The wall clock counts, whatever it shows.
    pub fn off() -> Watch {
        Watch {
            grace: 0,
            phase: Phase::Off,
            line: Shown { wall: 0, boot: 0 },
            claim: None,
            highest: Millis::MIN,
            setbacks: 0,
            cut: 0,
        }
    }

    /// Begins with a start. Without a grace nothing is watched.
    pub fn begin(shown: Shown, grace: Millis, known: Known) -> Watch {
        if grace <= 0 {
            return Watch::off();
        }
        let (phase, wall) = match known.sign {
            None => (Phase::Running, shown.wall),
            Some(sign) => (Phase::Starting { waited: known.waited }, sign),
        };
        Watch {
            grace,
            phase,
            line: Shown { wall, boot: shown.boot },
            claim: None,
            highest: wall,
            // A clock that was wrong until the stop may have left rows of times to come.
            setbacks: 1,
            cut: 0,
        }
    }

    /// What is in force. To be asked whenever the time is.
    ///
    /// Running: what agrees with the trusted time to the minute is followed. A jump within a day
    /// is followed once it has lasted for the grace. A farther one is followed once it has lasted
    /// for a day; forward, it dates rows after the grace.
    ///
    /// Starting: a wall clock from a minute before to a day after the sign of life is taken. A
    /// later one dates rows, and is taken after the grace. An earlier one is not followed.
    pub fn read(&mut self, shown: Shown) -> Reading {
        let standing = self.judge(shown);
        let trusted = self.trusted(shown);
        let (now, sign) = match standing {
            Standing::Trusted => (shown.wall, Some(shown.wall)),
            Standing::Unwatched => (shown.wall, None),
            Standing::Jumped { dates: true, .. } => (shown.wall, Some(trusted)),
            Standing::Jumped { dates: false, .. } | Standing::StartedBehind { .. } => {
                (trusted, Some(trusted))
            }
            Standing::StartedAhead { .. } => (shown.wall, None),
        };
        let waited = match standing {
            Standing::StartedAhead { left, .. } => {
                Some(Waited { so_far: self.grace - left, wall: shown.wall })
            }
            _ => None,
        };
        if standing != Standing::Unwatched {
            if now < self.highest.saturating_sub(STEP) {
                self.setbacks += 1;
                self.highest = now;
            }
            self.highest = self.highest.max(now);
        }
        Reading { now, standing, sign, waited }
    }

    /// Somebody says that the wall clock is right.
    pub fn confirm(&mut self, shown: Shown) -> Reading {
        if self.phase != Phase::Off {
            self.follow(shown);
        }
        self.read(shown)
    }

    /// The number of the last setback, if what lies ahead of it was not cut yet.
    pub fn owes(&self) -> Option<u64> {
        (self.setbacks > self.cut).then_some(self.setbacks)
    }

    /// What lay ahead of a setback was cut.
    pub fn note_cut(&mut self, setback: u64) {
        self.cut = self.cut.max(setback.min(self.setbacks));
    }

    fn judge(&mut self, shown: Shown) -> Standing {
        let by = shown.wall.saturating_sub(self.trusted(shown));
        match self.phase {
            Phase::Off => Standing::Unwatched,
            Phase::Running if by.abs() <= STEP => {
                self.claim = None;
                if shown.boot - self.line.boot >= RENEWED {
                    self.line = shown;
                }
                Standing::Trusted
            }
            Phase::Running => self.jumped(shown, by),
            Phase::Starting { .. } if (-STEP..=FAR).contains(&by) => self.follow(shown),
            Phase::Starting { waited } if by > FAR => {
                let waited = waited.filter(|waited| {
                    (waited.wall - STEP..=waited.wall.saturating_add(FAR)).contains(&shown.wall)
                });
                let left = self.grace - self.age(shown, waited);
                if left <= 0 { self.follow(shown) } else { Standing::StartedAhead { by, left } }
            }
            Phase::Starting { .. } => {
                self.claim = None;
                Standing::StartedBehind { by }
            }
        }
    }

    fn jumped(&mut self, shown: Shown, by: Millis) -> Standing {
        let age = self.age(shown, None);
        let is_far = by.abs() > FAR;
        let wait = if is_far { self.grace.max(LASTING) } else { self.grace };
        if age >= wait {
            return self.follow(shown);
        }
        Standing::Jumped { by, dates: is_far && by > 0 && age >= self.grace, left: wait - age }
    }

    /// How long the wall clock has claimed what it claims now.
    fn age(&mut self, shown: Shown, waited: Option<Waited>) -> Millis {
        let claim = match self.claim {
            Some(mut claim) if claim.is_of(shown) => {
                if shown.boot - claim.last.boot >= RENEWED {
                    claim.last = shown;
                }
                claim
            }
            // What was waited out before is good for the first claim after a start alone.
            Some(_) => Claim { since: shown.boot, before: 0, last: shown },
            None => {
                let before = waited.map_or(0, |waited| waited.so_far.clamp(0, self.grace));
                if let Phase::Starting { waited } = &mut self.phase {
                    *waited = None;
                }
                Claim { since: shown.boot, before, last: shown }
            }
        };
        self.claim = Some(claim);
        claim.before + (shown.boot - claim.since).max(0)
    }

    fn follow(&mut self, shown: Shown) -> Standing {
        // Rows may be dated later than now by as much.
        if shown.wall.saturating_sub(self.trusted(shown)) < -STEP {
            self.setbacks += 1;
            self.highest = shown.wall;
        }
        self.phase = Phase::Running;
        self.line = shown;
        self.claim = None;
        Standing::Trusted
    }

    /// The trusted time, if the wall clock is left out.
    fn trusted(&self, shown: Shown) -> Millis {
        self.line.wall.saturating_add(shown.boot.saturating_sub(self.line.boot))
    }
}

impl Claim {
    /// Whether the wall clock has gone on evenly.
    fn is_of(&self, shown: Shown) -> bool {
        let moved = |now: Millis, then: Millis| now.saturating_sub(then);
        let (wall, boot) = (moved(shown.wall, self.last.wall), moved(shown.boot, self.last.boot));
        wall.saturating_sub(boot).abs() <= STEP
    }
}

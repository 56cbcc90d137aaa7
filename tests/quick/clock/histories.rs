//! Clocks that are moved at random.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};
use usher::clock::{DAY, FAR, HOUR, Known, LASTING, MINUTE, Millis, STEP, Shown, Standing, Watch};

use crate::common::{GRACE, START, number};

#[derive(Debug, Clone)]
enum Move {
    Pass(Millis),
    Set(Millis),
    Confirm,
    /// So long after the last time, by the machine's own clock.
    Restart(Millis),
}

fn pass() -> impl Strategy<Value = Millis> {
    prop_oneof![Just(1), Just(MINUTE), Just(GRACE - 1), Just(GRACE), Just(HOUR), Just(DAY), 0..2 * DAY]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let by = prop_oneof![
        Just(2 * MINUTE + 1),
        Just(HOUR),
        Just(DAY),
        Just(DAY + 1),
        Just(8 * DAY),
        Just(400 * DAY),
        2 * MINUTE + 1..3 * DAY
    ];
    let set = (by, any::<bool>()).prop_map(|(by, back)| Move::Set(if back { -by } else { by }));
    let one = prop_oneof![
        5 => pass().prop_map(Move::Pass),
        4 => set,
        1 => Just(Move::Confirm),
        1 => pass().prop_map(Move::Restart),
    ];
    proptest::collection::vec(one, 1..40)
}

/// What must hold of every reading, whatever came before.
fn check(moves: Vec<Move>) -> Result<(), TestCaseError> {
    let mut shown = Shown { wall: START, boot: 0 };
    let mut watch = Watch::begin(shown, GRACE, Known::default());
    // What the wall clock is off by; what of that was trusted last; since when it is so.
    let (mut off, mut trusted, mut since) = (0, 0, 0);
    // Until the clock of a start is taken: where it began, and what was waited out before.
    let mut starting: Option<(Shown, Millis)> = None;
    let (mut last, mut known) = (watch.read(shown), Known { sign: Some(START), waited: None });
    for one in moves {
        match one {
            Move::Pass(time) => {
                shown.wall += time;
                shown.boot += time;
            }
            Move::Set(by) => {
                shown.wall += by;
                off += by;
                since = shown.boot;
                starting = starting.map(|(line, _)| (line, 0));
            }
            Move::Confirm => {
                watch.confirm(shown);
                trusted = off;
                starting = None;
            }
            Move::Restart(time) => {
                shown.wall += time;
                shown.boot += time;
                watch = Watch::begin(shown, GRACE, known);
                since = shown.boot;
                let waited = known.waited.map_or(0, |waited| waited.so_far);
                starting = known.sign.map(|wall| (Shown { wall, boot: shown.boot }, waited));
                last.now = Millis::MIN;
            }
        }
        let reading = watch.read(shown);
        if reading.standing.is_trusted() {
            prop_assert_eq!(reading.now, shown.wall);
            let lasted = shown.boot - since;
            let earned = match starting {
                Some((line, waited)) => {
                    let by = shown.wall - (line.wall + shown.boot - line.boot);
                    (-STEP..=FAR).contains(&by) || by > FAR && lasted + waited >= GRACE
                }
                None => {
                    let by: Millis = off - trusted;
                    // Two steps may have gone opposite ways.
                    by.abs() <= 2 * STEP || lasted >= if by.abs() > FAR + 2 * STEP { LASTING } else { GRACE }
                }
            };
            prop_assert!(earned, "{starting:?} {off} {trusted} {lasted}");
            trusted = off;
            starting = None;
        }
        known.waited = reading.waited;
        known.sign = reading.sign.or(known.sign);
        // Rows are dated backwards only where what lies ahead is cut.
        if reading.now < last.now.saturating_sub(STEP) {
            prop_assert!(watch.owes().is_some(), "{last:?} {reading:?}");
        }
        if let Some(owed) = watch.owes() {
            watch.note_cut(owed);
        }
        last = reading;
    }
    Ok(())
}

/// Without anybody who sets it, the wall clock is trusted all along.
fn check_even(passes: Vec<Millis>) -> Result<(), TestCaseError> {
    let mut shown = Shown { wall: START, boot: 0 };
    let mut watch = Watch::begin(shown, GRACE, Known { sign: Some(START), waited: None });
    for time in passes {
        shown.wall += time;
        shown.boot += time;
        let reading = watch.read(shown);
        prop_assert_eq!((reading.now, reading.standing), (shown.wall, Standing::Trusted));
    }
    Ok(())
}

/// A far jump within its first day: nothing that waits is let go, however time passes.
fn check_far(by: Millis, passes: Vec<Millis>) -> Result<(), TestCaseError> {
    let mut shown = Shown { wall: START, boot: 0 };
    let mut watch = Watch::begin(shown, GRACE, Known::default());
    watch.read(shown);
    shown.wall += by;
    for time in passes {
        shown.wall += time;
        shown.boot += time;
        let reading = watch.read(shown);
        prop_assert!(!reading.standing.is_trusted() || shown.boot >= LASTING);
    }
    Ok(())
}

/// A fifth of `HISTORIES`, where that is set.
fn cases() -> u32 {
    number("HISTORIES").map_or(200, |cases| u32::try_from(cases / 5).expect("a number"))
}

proptest! {
    #![proptest_config(Config { cases: cases(), failure_persistence: None, ..Config::default() })]

    #[test]
    fn trust_is_earned_whatever_the_clocks_do(moves in moves()) {
        check(moves)?;
    }

    #[test]
    fn a_clock_that_is_never_set_is_always_trusted(passes in proptest::collection::vec(pass(), 1..40)) {
        check_even(passes)?;
    }

    #[test]
    fn a_far_jump_is_never_trusted_within_a_day(
        by in prop_oneof![DAY + 1..900 * DAY, -900 * DAY..-DAY - 1],
        passes in proptest::collection::vec(pass(), 1..20),
    ) {
        check_far(by, passes)?;
    }
}

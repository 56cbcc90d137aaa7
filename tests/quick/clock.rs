//! Which clock is trusted: the rules, at each boundary and a millisecond beside it.

mod histories;

use usher::clock::{
    DAY, HOUR, Known, LASTING, MINUTE, Millis, Reading, SECOND, STEP, Shown, Standing, Waited, Watch,
};

use crate::common::{GRACE, START};

/// A watch, with the two clocks that it is shown.
struct Scene {
    watch: Watch,
    shown: Shown,
}

impl Scene {
    fn starting(wall: Millis, grace: Millis, known: Known) -> Scene {
        let shown = Shown { wall, boot: 5_000 };
        Scene { watch: Watch::begin(shown, grace, known), shown }
    }

    fn running() -> Scene {
        let mut scene = Scene::starting(START, GRACE, Known::default());
        assert_eq!(scene.read().standing, Standing::Trusted);
        scene.watch.note_cut(u64::MAX);
        scene
    }

    /// A start so long after the sign of life.
    fn after_sign(by: Millis) -> Scene {
        Scene::starting(START + by, GRACE, Known { sign: Some(START), waited: None })
    }

    fn pass(&mut self, time: Millis) -> Reading {
        self.shown.wall += time;
        self.shown.boot += time;
        self.read()
    }

    fn set(&mut self, by: Millis) -> Reading {
        self.shown.wall += by;
        self.read()
    }

    fn read(&mut self) -> Reading {
        self.watch.read(self.shown)
    }
}

#[test]
fn a_step_of_a_minute_is_followed_at_once() {
    for by in [STEP, -STEP] {
        let mut scene = Scene::running();
        let reading = scene.set(by);
        assert_eq!((reading.now, reading.standing), (START + by, Standing::Trusted));
    }
}

#[test]
fn a_jump_of_more_than_a_minute_waits_out_the_grace() {
    for by in [STEP + 1, -STEP - 1, HOUR, -HOUR, DAY, -DAY] {
        let mut scene = Scene::running();
        let reading = scene.set(by);
        assert_eq!(reading.standing, Standing::Jumped { by, dates: false, left: GRACE });
        assert_eq!((reading.now, reading.sign), (START, Some(START)));
        let reading = scene.pass(GRACE - 1);
        assert_eq!((reading.now, reading.standing.is_trusted()), (START + GRACE - 1, false));
        let reading = scene.pass(1);
        assert_eq!((reading.now, reading.standing), (START + GRACE + by, Standing::Trusted));
        assert_eq!(scene.watch.owes().is_some(), by < 0, "a step back cuts");
    }
}

#[test]
fn a_far_jump_forward_only_dates_rows_after_the_grace() {
    let by = DAY + 1;
    let mut scene = Scene::running();
    assert_eq!(scene.set(by).now, START);
    assert_eq!(scene.pass(GRACE - 1).now, START + GRACE - 1);
    let reading = scene.pass(1);
    assert_eq!(reading.standing, Standing::Jumped { by, dates: true, left: LASTING - GRACE });
    assert_eq!((reading.now, reading.sign), (START + GRACE + by, Some(START + GRACE)));
    let reading = scene.pass(LASTING - GRACE - 1);
    assert!(!reading.standing.is_trusted());
    assert_eq!(scene.pass(1).standing, Standing::Trusted);
}

#[test]
fn a_far_jump_back_waits_for_a_day() {
    let mut scene = Scene::running();
    assert_eq!(scene.set(-DAY - 1).now, START);
    let reading = scene.pass(LASTING - 1);
    assert_eq!((reading.now, reading.standing.is_trusted()), (START + LASTING - 1, false));
    assert_eq!(scene.watch.owes(), None);
    let reading = scene.pass(1);
    assert_eq!((reading.now, reading.standing), (START - 1, Standing::Trusted));
    assert!(scene.watch.owes().is_some());
}

#[test]
fn a_grace_longer_than_a_day_is_waited_out_for_far_jumps() {
    let mut scene = Scene::starting(START, 2 * DAY, Known::default());
    scene.read();
    scene.set(8 * DAY);
    assert!(!scene.pass(2 * DAY - 1).standing.is_trusted());
    assert!(scene.pass(1).standing.is_trusted());
}

#[test]
fn who_confirms_is_believed_at_once() {
    for by in [HOUR, -HOUR, 400 * DAY, -400 * DAY] {
        let mut scene = Scene::running();
        scene.set(by);
        let reading = scene.watch.confirm(scene.shown);
        assert_eq!((reading.now, reading.standing), (START + by, Standing::Trusted));
        assert_eq!(scene.watch.owes().is_some(), by < 0);
    }
}

#[test]
fn a_jump_that_comes_back_was_never_followed() {
    let mut scene = Scene::running();
    scene.set(8 * DAY);
    scene.pass(SECOND);
    let reading = scene.set(-8 * DAY);
    assert_eq!((reading.now, reading.standing), (START + SECOND, Standing::Trusted));
    assert_eq!(scene.watch.owes(), None);
    // The next one begins anew.
    scene.set(8 * DAY);
    assert!(scene.pass(GRACE - 1).now < START + DAY);
}

#[test]
fn a_jump_that_dated_rows_and_comes_back_is_cut() {
    let mut scene = Scene::running();
    scene.set(8 * DAY);
    scene.pass(GRACE);
    let reading = scene.set(-8 * DAY);
    assert_eq!((reading.now, reading.standing), (START + GRACE, Standing::Trusted));
    let owed = scene.watch.owes().expect("a cut");
    scene.watch.note_cut(owed);
    assert_eq!(scene.watch.owes(), None);
}

#[test]
fn another_jump_begins_the_grace_anew() {
    let mut scene = Scene::running();
    scene.set(HOUR);
    scene.pass(GRACE - 1);
    scene.set(HOUR);
    assert!(!scene.pass(GRACE - 1).standing.is_trusted());
    assert!(scene.pass(1).standing.is_trusted());
}

#[test]
fn many_small_steps_are_a_jump() {
    let mut scene = Scene::running();
    assert!(scene.set(STEP - SECOND).standing.is_trusted());
    scene.pass(SECOND);
    assert!(!scene.set(STEP - SECOND).standing.is_trusted());
    // The twin: far enough apart they are a clock that drifts.
    let mut scene = Scene::running();
    for _ in 0..10 {
        assert!(scene.set(STEP / 2).standing.is_trusted());
        assert!(scene.pass(GRACE).standing.is_trusted());
    }
}

#[test]
fn without_a_grace_every_clock_is_followed() {
    let known = Known { sign: Some(START), waited: None };
    let mut scene = Scene::starting(START + 400 * DAY, 0, known);
    let reading = scene.read();
    assert_eq!((reading.now, reading.standing), (START + 400 * DAY, Standing::Unwatched));
    let reading = scene.set(-800 * DAY);
    assert_eq!((reading.now, reading.standing), (START - 400 * DAY, Standing::Unwatched));
    assert_eq!((reading.sign, scene.watch.owes()), (None, None));
}

#[test]
fn a_start_of_a_minute_before_to_a_day_after_is_taken() {
    for by in [-STEP, 0, 1, DAY] {
        let reading = Scene::after_sign(by).read();
        assert_eq!((reading.now, reading.standing), (START + by, Standing::Trusted));
    }
}

#[test]
fn a_start_later_than_a_day_dates_rows_and_waits_out_the_grace() {
    let by = DAY + 1;
    let mut scene = Scene::after_sign(by);
    let reading = scene.read();
    assert_eq!(reading.standing, Standing::StartedAhead { by, left: GRACE });
    assert_eq!((reading.now, reading.sign), (START + by, None));
    assert!(!scene.pass(GRACE - 1).standing.is_trusted());
    let reading = scene.pass(1);
    assert_eq!((reading.standing, reading.sign), (Standing::Trusted, Some(START + by + GRACE)));
}

#[test]
fn the_grace_adds_up_over_starts() {
    let waited = Waited { so_far: GRACE - 2, wall: START + 30 * DAY };
    let start = |wall| Scene::starting(wall, GRACE, Known { sign: Some(START), waited: Some(waited) });
    let mut scene = start(START + 30 * DAY + HOUR);
    let reading = scene.read();
    assert_eq!(reading.waited, Some(Waited { so_far: GRACE - 2, wall: START + 30 * DAY + HOUR }));
    assert!(!scene.pass(1).standing.is_trusted());
    assert!(scene.pass(1).standing.is_trusted());
    // The twin: it was waited out for another clock.
    for wall in [waited.wall - STEP - 1, waited.wall + DAY + 1] {
        let mut scene = start(wall);
        assert_eq!(scene.read().standing.left(), Some(GRACE), "{}", wall - waited.wall);
    }
    // And the clock is set after the start.
    let mut scene = start(START + 30 * DAY);
    scene.read();
    assert_eq!(scene.set(HOUR).standing.left(), Some(GRACE));
}

#[test]
fn a_start_before_the_sign_goes_on_from_there() {
    let by = -STEP - 1;
    let mut scene = Scene::after_sign(by);
    let reading = scene.read();
    assert_eq!(reading.standing, Standing::StartedBehind { by });
    assert_eq!((reading.now, reading.sign), (START, Some(START)));
    // However long it takes.
    let reading = scene.pass(40 * DAY);
    assert_eq!((reading.now, reading.standing.is_trusted()), (START + 40 * DAY, false));
    // Until it has caught up.
    let reading = scene.set(STEP + 1);
    assert_eq!((reading.now, reading.standing), (START + 40 * DAY, Standing::Trusted));
}

#[test]
fn a_start_before_the_sign_is_followed_by_who_confirms() {
    let mut scene = Scene::after_sign(-400 * DAY);
    scene.read();
    let reading = scene.watch.confirm(scene.shown);
    assert_eq!((reading.now, reading.standing), (START - 400 * DAY, Standing::Trusted));
    assert!(scene.watch.owes().is_some());
}

#[test]
fn a_clock_that_is_set_right_behind_a_wrong_start_is_taken() {
    let mut scene = Scene::after_sign(400 * DAY);
    assert!(!scene.read().standing.is_trusted());
    scene.pass(2 * SECOND);
    let reading = scene.set(-400 * DAY + HOUR);
    assert_eq!((reading.now, reading.standing), (START + HOUR + 2 * SECOND, Standing::Trusted));
    let mut scene = Scene::after_sign(-400 * DAY);
    assert!(!scene.read().standing.is_trusted());
    let reading = scene.set(400 * DAY + DAY);
    assert_eq!((reading.now, reading.standing), (START + DAY, Standing::Trusted));
}

#[test]
fn a_start_without_a_sign_takes_the_clock() {
    let mut scene = Scene::starting(START, GRACE, Known::default());
    assert_eq!(scene.read().standing, Standing::Trusted);
}

#[test]
fn a_minute_is_told_from_no_time_in_words() {
    let words = |standing: Standing| standing.to_string();
    let jumped = Standing::Jumped { by: 8 * DAY, dates: false, left: GRACE };
    let told = "the clock was set 8 days forward; time continues as before, and it is trusted in 15 minutes";
    assert_eq!(words(jumped), told);
    let behind = words(Standing::StartedBehind { by: -MINUTE - 1 });
    assert!(behind.starts_with("the clock is 1 minute before the last activity"), "{behind}");
    let ahead = words(Standing::StartedAhead { by: 2 * DAY, left: SECOND });
    assert!(ahead.ends_with("trusted in under a minute"), "{ahead}");
}

//! Who may read long at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use usher::app::scans::{ScanSlot, Scans};
use usher::trace::Actor;

fn run<F: Future>(future: F) -> F::Output {
    actix_web::rt::System::new().block_on(future)
}

/// So many at once that all who get no place have waited in vain.
async fn enter(scans: &Arc<Scans>, actor: Actor, many: usize) -> Vec<ScanSlot> {
    join_all((0..many).map(|_| scans.enter(actor))).await.into_iter().filter_map(Result::ok).collect()
}

#[test]
fn one_key_has_half_of_the_places_and_pages_one_to_themselves() {
    run(async {
        let scans = Arc::new(Scans::default());
        let one = enter(&scans, Actor::Key(1), 3).await;
        assert_eq!(one.len(), 2);
        let two = enter(&scans, Actor::Key(2), 3).await;
        assert_eq!(two.len(), 1);
        let pages = enter(&scans, Actor::Admin(1), 2).await;
        assert_eq!(pages.len(), 1);
        drop((one, two, pages));
        assert_eq!(enter(&scans, Actor::Admin(1), 5).await.len(), 4, "all of them, if nobody else reads");
    });
}

#[test]
fn who_waits_gets_the_next_place_in_order() {
    run(async {
        let scans = Arc::new(Scans::default());
        let mut held = enter(&scans, Actor::Key(1), 2).await;
        let begun = Instant::now();
        let wait = async {
            let turn = scans.enter(Actor::Key(1)).await.expect("a place");
            (begun.elapsed(), turn)
        };
        let free = async {
            actix_web::rt::time::sleep(Duration::from_millis(200)).await;
            // Another key is not held up by those who wait for theirs.
            let other = scans.enter(Actor::Key(2)).await.expect("a place");
            held.pop();
            other
        };
        let ((waited, _turn), _other) = futures_util::future::join(wait, free).await;
        assert!(waited >= Duration::from_millis(200) && waited < Duration::from_secs(2), "{waited:?}");
    });
}

#[test]
fn no_more_than_a_few_of_one_key_wait() {
    run(async {
        let scans = Arc::new(Scans::default());
        let _held = enter(&scans, Actor::Key(1), 2).await;
        let begun = Instant::now();
        let ask = |_| async {
            let outcome = scans.enter(Actor::Key(1)).await;
            (outcome.is_ok(), begun.elapsed())
        };
        let outcomes = join_all((0..20).map(ask)).await;
        assert!(outcomes.iter().all(|(got, _)| !got));
        let at_once = outcomes.iter().filter(|(_, after)| *after < Duration::from_secs(1)).count();
        assert_eq!(at_once, 12, "8 wait, the others are told at once: {outcomes:?}");
    });
}

#[test]
fn a_place_that_nobody_waits_for_any_more_is_not_lost() {
    run(async {
        let scans = Arc::new(Scans::default());
        let held = enter(&scans, Actor::Key(1), 2).await;
        let gone = actix_web::rt::time::timeout(Duration::from_millis(50), scans.enter(Actor::Key(1))).await;
        assert!(gone.is_err());
        drop(held);
        assert_eq!(enter(&scans, Actor::Key(1), 2).await.len(), 2);
    });
}

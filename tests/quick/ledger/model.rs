//! The promise of the ledger, tried on random histories: people are registered, hidden,
//! revived, merged and erased, backups are made and put back in any order, and anything may
//! crash between any two of its steps. Whatever happens, nobody erased comes back, nobody
//! living goes, no accepted request is forgotten and no revoked key works.
//!
//! Databases are plain structs here; entries, orders and fates are the real ones. `history`
//! chooses what happens, `world` has what it happens to, `life` what requests do, `truth`
//! what everybody was told, and `judge` compares. The replay in `world` is the pattern for
//! the real one.

mod history;
mod judge;
mod life;
mod truth;
mod world;

use std::cell::Cell;

use crate::common::number;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use history::history;
use world::{Flaw, Step, World};

/// Within so many histories each twin must fail. The test itself takes fewer; `HISTORIES=10000` is as many.
const CASES: u32 = 10_000;

#[test]
fn in_random_histories_no_erased_returns_and_no_living_goes() {
    let cases = number("HISTORIES").map_or(1_000, |cases| u32::try_from(cases).expect("a number"));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(&history(), |steps| live(&steps, None)) {
        panic!("{error}");
    }
}

/// The twins: with one part left out, within as many histories, one goes wrong.
#[test]
fn with_any_part_left_out_a_history_goes_wrong() {
    for flaw in Flaw::ALL {
        let config =
            Config { cases: CASES, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
        // The same histories each time, so that the twin fails today as it did yesterday.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let tried = Cell::new(0);
        let outcome = runner.run(&history(), |steps| {
            tried.set(tried.get() + 1);
            live(&steps, Some(flaw))
        });
        match outcome {
            Err(TestError::Fail(why, _)) => println!("{flaw:?}: history {} goes wrong: {why}", tried.get()),
            other => panic!("{flaw:?}: no history goes wrong ({other:?})"),
        }
    }
}

fn live(steps: &[Step], flaw: Option<Flaw>) -> Result<(), TestCaseError> {
    let mut world = World::new(flaw);
    for (n, step) in steps.iter().enumerate() {
        world.take(step);
        world.check().map_err(|why| TestCaseError::fail(format!("after step {n}, {step:?}: {why}")))?;
    }
    Ok(())
}

//! Altered input, at random: whatever comes in by a request or lies in a file that others can
//! write, the answer is a clear one, and nothing altered passes as whole.
//!
//! A quick round by default. `FUZZ_SECONDS=120` gives each target as long, `BAD_REQUESTS=10000` sends
//! as many in all; what fails names the `FUZZ_SEED` with which its case comes first.

mod alter;
mod files;
mod requests;
mod wire;

use std::time::{Duration, Instant};

use fastrand::Rng;

/// Tests that send requests, which share those of `BAD_REQUESTS`.
const TARGETS: u64 = 13;

/// The same for requests.
fn requests(quick: u64, case: impl FnMut(&mut Rng)) {
    let asked = crate::shim::number("BAD_REQUESTS").map(|number| (number as u64).div_ceil(TARGETS));
    rounds(asked.unwrap_or(quick), case);
}

/// Runs cases until their number, or the time that was asked for, is reached.
fn rounds(quick: u64, mut case: impl FnMut(&mut Rng)) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let until = number("FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut done = 0;
    while until.map_or(done < quick, |until| Instant::now() < until) {
        let told = Told(seed + done);
        case(&mut Rng::with_seed(seed + done));
        std::mem::forget(told);
        done += 1;
    }
    eprintln!("{done} cases");
    assert!(done > 0, "no case was tried");
}

/// Tells the seed of a case that fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("again with FUZZ_SEED={}", self.0);
    }
}

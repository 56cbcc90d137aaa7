//! Codes that an app draws from a secret and the time: RFC 6238, with SHA-1, 6 digits and steps of 30
//! seconds, which is what every app knows.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::clock::{Millis, SECOND};

/// How long a code lasts.
pub const STEP: Millis = 30 * SECOND;
/// Digits of a code.
pub const DIGITS: usize = 6;
const MODULUS: u32 = 1_000_000;
/// Bytes of a secret: as many as SHA-1 has.
pub const SECRET: usize = 20;
/// Steps before and after the present one of which a code is taken: clocks differ.
const AROUND: i64 = 1;

/// The step that a time lies in.
pub fn step(at: Millis) -> i64 {
    at.div_euclid(STEP)
}

/// The last step of which a code is taken at `now`.
pub fn newest_step(now: Millis) -> i64 {
    step(now) + AROUND
}

/// The step of which this is the code. None: of none that is taken at `now`. Each step's code is taken
/// once, so steps up to `last` are over.
pub fn step_of(secret: &[u8], now: Millis, last: i64, code: &str) -> Option<i64> {
    let present = step(now);
    let mut steps = (present - AROUND..=newest_step(now)).filter(|step| *step > last);
    steps.find(|step| {
        self::code(secret, *step).is_some_and(|right| right.as_bytes().ct_eq(code.as_bytes()).into())
    })
}

/// The code of a step. None: none has a number below 0.
fn code(secret: &[u8], step: i64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&u64::try_from(step).ok()?.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last()? & 15);
    let four = digest.get(offset..offset + 4)?.try_into().ok()?;
    let number = (u32::from_be_bytes(four) & 0x7fff_ffff) % MODULUS;
    Some(format!("{number:0DIGITS$}"))
}

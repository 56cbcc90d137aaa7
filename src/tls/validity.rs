//! From when until when a certificate is good: the one thing that is read of it here. The library that
//! checks certificates tells nobody.

use crate::clock::{Millis, parse_rfc3339};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which is left out in the oldest kind.
const VERSION: u8 = 0xa0;

/// The first and the last millisecond (RFC 5280, 4.1.2.5). None: it is no certificate.
pub fn of(certificate: &[u8]) -> Option<(Millis, Millis)> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(whole, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = element(rest, VERSION)?;
    }
    // Serial number, the kind of the signature, who issued it.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, rest) = element(rest, tag)?;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (since, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    // It is good for the whole of its last second.
    Some((since, until.saturating_add(999)))
}

/// What is in an element of DER with this tag, and what comes after it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        // The length is in so many bytes of its own. No certificate has more than 16 MiB.
        0x81..=0x83 => {
            let (own, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (own.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn time(bytes: &[u8]) -> Option<(Millis, &[u8])> {
    let (digits, rest, century) = match bytes.first()? {
        &UTC_TIME => {
            let (digits, rest) = element(bytes, UTC_TIME)?;
            // Two digits of a year: from 1950 to 2049.
            let century = if digits.first()? < &b'5' { "20" } else { "19" };
            (digits, rest, century)
        }
        _ => {
            let (digits, rest) = element(bytes, GENERALIZED_TIME)?;
            (digits, rest, "")
        }
    };
    let text = std::str::from_utf8(digits).ok()?.strip_suffix('Z')?;
    let text = format!("{century}{text}");
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| &text[from..to];
    let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
    let (hour, minute, second) = (part(8, 10), part(10, 12), part(12, 14));
    // RFC 5280 writes "no end" as 9999-12-31T23:59:59Z.
    let at = parse_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"));
    at.or_else(|| (year == "9999").then_some(NO_END)).map(|at| (at, rest))
}

/// 9999-12-30T00:00:00Z, some hours before the last time that can be written.
const NO_END: Millis = 253_402_128_000_000;

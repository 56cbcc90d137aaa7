//! Bytes that are read and written as hex digits.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// `N` bytes, shown as `2 N` lower-case hex digits: the only form that is read, too, so that
/// one value has one spelling.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl Hex<32> {
    /// What the first link of a chain names as the one before it.
    pub const ZERO: Hex<32> = Hex([0; 32]);

    /// The SHA-256 of these bytes.
    pub fn sha256(bytes: &[u8]) -> Hex<32> {
        Hex(Sha256::digest(bytes).into())
    }
}

impl<const N: usize> Default for Hex<N> {
    fn default() -> Hex<N> {
        Hex([0; N])
    }
}

/// A text is not so many lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {0} hex digits, lower case")]
pub struct NotHex(pub usize);

impl<const N: usize> FromStr for Hex<N> {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Hex<N>, NotHex> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotHex(2 * N))?;
        bytes.try_into().map(Hex).map_err(|_| NotHex(2 * N))
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hex<N>, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

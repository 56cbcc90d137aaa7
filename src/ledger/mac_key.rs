//! Shows that a line of the ledger was written with the store's secret.

use super::entry::{Chain, Mac};
use super::mac;

/// Fixed for ever: another text is another key.
const INFO: &[u8] = b"usher ledger line 2";

/// The key of the MACs: HKDF-SHA256 of the store's secret, without salt, with a fixed info. A
/// MAC is HMAC-SHA256 of a chain value under it, which stands for all of the ledger up to there.
#[derive(Clone)]
pub struct MacKey([u8; 32]);

impl MacKey {
    /// From `DIR/secrets/store.key`.
    pub fn new(secret: &[u8; 32]) -> MacKey {
        MacKey(hkdf(secret, INFO))
    }

    /// The MAC of a line with this chain value.
    pub fn of(&self, chain: &Chain) -> Mac {
        mac(&self.0, &[chain])
    }

    /// Whether this is the MAC of a line with this chain value. It takes the same time wherever
    /// the two differ.
    pub fn fits(&self, chain: &Chain, given: Option<&Mac>) -> bool {
        let right = self.of(chain);
        given.is_some_and(|given| given.iter().zip(right).fold(0, |odd, (a, b)| odd | (a ^ b)) == 0)
    }
}

/// The first 32 bytes of HKDF-SHA256 (RFC 5869) of a key, with an empty salt.
pub fn hkdf(key: &[u8; 32], info: &[u8]) -> [u8; 32] {
    let drawn = mac(&[0; 32], &[key]);
    mac(&drawn, &[info, &[1]])
}

//! Random secrets and their hashes.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::Handle;

/// What a key begins with.
pub const KEY_PREFIX: &str = "ush_";
/// What an ingest token begins with.
pub const TOKEN_PREFIX: &str = "tok_";

/// 256 random bits as text, after a prefix that says what it is.
pub fn token(prefix: &str) -> Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    Ok(format!("{prefix}{}", BASE64URL_NOPAD.encode(&random)))
}

/// 20 letters and digits: a name that nobody has to guess, but a secret neither.
pub fn name() -> Result<String> {
    let mut random = [0; 13];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    Ok(BASE32_NOPAD.encode(&random).chars().take(20).collect())
}

/// A name for something of a person's that nobody has to guess.
pub fn handle() -> Result<Handle> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    Ok(random)
}

/// Whether `hmac` is, in hex, the HMAC-SHA256 of a text under a secret. It takes the same time
/// wherever they differ.
pub fn is_signed(secret: &str, text: &str, hmac: &str) -> bool {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    let Ok(given) = HEXLOWER_PERMISSIVE.decode(hmac.as_bytes()) else { return false };
    mac.chain_update(text.as_bytes()).verify_slice(&given).is_ok()
}

/// What is kept of a secret. It has 256 random bits, so a fast hash is enough.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The first letters of a secret, by which people tell keys apart.
pub fn hint(secret: &str) -> String {
    secret.chars().take(8).collect()
}

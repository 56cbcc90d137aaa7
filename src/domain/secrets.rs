//! Random secrets and their hashes.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

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

/// What is kept of a secret. It has 256 random bits, so a fast hash is enough.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

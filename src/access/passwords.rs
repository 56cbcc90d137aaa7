//! Hashes of passwords: argon2id, in one piece of memory that is used again. Memory that is
//! freed after each would stay with the allocator, a piece for every thread that ever hashed.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64_NOPAD;
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};

/// What a hash works in: 19 MiB. One at a time has it, and others wait.
static MEMORY: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// A salt has 128 bits, a hash 256.
const SALT: usize = 16;
const HASH: usize = 32;

/// The hash of a password, with its salt, in the usual text form (PHC).
pub fn hash(password: &str) -> Result<String> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(Error::internal)?;
    let (params, mut hash) = (Params::default(), [0; HASH]);
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    compute(params, password, &salt, &mut hash)?;
    let (salt, hash) = (BASE64_NOPAD.encode(&salt), BASE64_NOPAD.encode(&hash));
    Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"))
}

/// Whether a hash is this password's.
pub fn is_of(hash: &str, password: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    let (Ok(params), Some(salt), Some(kept)) = (Params::try_from(&parsed), &parsed.salt, &parsed.hash) else {
        return false;
    };
    if parsed.algorithm.as_str() != "argon2id" || parsed.version != Some(19) {
        return false;
    }
    let mut found = vec![0; kept.as_bytes().len()];
    compute(params, password, salt, &mut found).is_ok() && bool::from(found.ct_eq(kept.as_bytes()))
}

fn compute(params: Params, password: &str, salt: &[u8], into: &mut [u8]) -> Result<()> {
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let within = memory.get_mut(..blocks).unwrap_or_default();
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, into, within).map_err(Error::internal)
}

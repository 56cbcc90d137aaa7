//! The recovery key's seal: a key that somebody else has put there is refused.

use crate::archive::keys;
use crate::data_dir::DataDir;
use crate::store::{RECOVERY_KEY, keyed};

/// Refuses a recovery key that is damaged or somebody else's: no backup would be the owner's.
/// Seals it where none was sealed yet.
pub fn check_recovery_key(data: &DataDir, secret: &[u8; 32]) -> anyhow::Result<()> {
    if !is_sealed(data, secret)? {
        keys::seal_recovery(&data.secrets(), |key| keyed(secret, RECOVERY_KEY, &[key]))?;
    }
    Ok(())
}

/// Refuses the same, and changes nothing. False: it was not sealed yet.
pub fn is_sealed(data: &DataDir, secret: &[u8; 32]) -> anyhow::Result<bool> {
    Ok(keys::check_recovery(&data.secrets(), |key| keyed(secret, RECOVERY_KEY, &[key]))?)
}

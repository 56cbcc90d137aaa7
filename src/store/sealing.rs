//! Secrets that have to be read again, sealed so that a copy of the database alone does not have
//! them. Each purpose has a key of its own: HKDF-SHA256 of the store's secret.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::{Store, Tx};
use crate::error::{Error, Result};
use crate::ledger::{hkdf, mac};

const NONCE: usize = 24;

/// Something that is sealed, or kept as a digest.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    SecondFactor,
    RecoveryCode,
}

impl Purpose {
    /// Fixed for ever: another text is another key.
    fn info(self) -> &'static [u8] {
        match self {
            Purpose::SecondFactor => b"usher second factor 1",
            Purpose::RecoveryCode => b"usher recovery code 1",
        }
    }
}

impl Tx<'_> {
    /// Seals a secret. It is opened for the same `owner` alone: in the row of another it is nothing.
    pub fn seal(&self, purpose: Purpose, owner: i64, secret: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(Error::internal)?;
        let payload = Payload { msg: secret, aad: &owner.to_be_bytes() };
        let sealed = cipher(self.secret(), purpose).encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| Error::internal("a secret could not be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What was sealed for this owner. None: it was not, or not with this store's secret.
    pub fn unseal(&self, purpose: Purpose, owner: i64, sealed: &[u8]) -> Option<Vec<u8>> {
        unseal(self.secret(), purpose, owner, sealed)
    }

    /// A digest by which a secret of this owner is known again, and not guessed from the database.
    pub fn digest(&self, purpose: Purpose, owner: i64, secret: &[u8]) -> [u8; 32] {
        mac(&derived(self.secret(), purpose), &[&owner.to_be_bytes(), secret])
    }
}

impl Store {
    /// The same as [`Tx::unseal`].
    pub fn unseal(&self, purpose: Purpose, owner: i64, sealed: &[u8]) -> Option<Vec<u8>> {
        unseal(&self.secret, purpose, owner, sealed)
    }
}

fn unseal(secret: &[u8; 32], purpose: Purpose, owner: i64, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    let payload = Payload { msg: sealed, aad: &owner.to_be_bytes() };
    cipher(secret, purpose).decrypt(XNonce::from_slice(nonce), payload).ok()
}

fn cipher(secret: &[u8; 32], purpose: Purpose) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&derived(secret, purpose).into())
}

fn derived(secret: &[u8; 32], purpose: Purpose) -> [u8; 32] {
    hkdf(secret, purpose.info())
}

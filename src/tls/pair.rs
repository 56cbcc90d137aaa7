//! A certificate and its key, out of their files.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::{Files, provider, validity};
use crate::clock::Millis;
use crate::files;

/// The largest file that is read: a chain has some KiB.
const FILE_MAX: u64 = 1024 * 1024;
/// Permissions of everybody on the machine.
const EVERYBODY: u32 = 0o007;

/// A key that fits its certificate, and when that is good.
pub struct Pair {
    pub key: CertifiedKey,
    pub since: Millis,
    pub until: Millis,
}

/// What is in the files.
pub struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for file in [&self.certificate, &self.key] {
            hash.update(Sha256::digest(file));
        }
        hash.finalize().into()
    }
}

/// Reads both files. What is wrong, and with which of them.
pub fn read(files: &Files) -> Result<Contents, String> {
    let (certificate, _) = contents("--tls-cert", &files.certificate)?;
    let (key, mode) = contents("--tls-key", &files.key)?;
    if mode & EVERYBODY != 0 {
        let at = files.key.display();
        return Err(format!(
            "--tls-key {at}: everybody on this machine may open it (its mode is {:04o}): chmod o= {at}",
            mode & 0o777
        ));
    }
    Ok(Contents { certificate, key })
}

/// The bytes of a file, and its mode.
fn contents(flag: &str, at: &Path) -> Result<(Vec<u8>, u32), String> {
    let fault = |why: String| format!("{flag} {}: {why}", at.display());
    let unreadable = |error: std::io::Error| fault(format!("it cannot be read: {error}"));
    let file = files::open(at).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(fault("it is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(fault("it has more than 1 MiB".to_owned()));
    }
    Ok((bytes, about.mode()))
}

/// Takes what was read apart. What is wrong, and with which of the files.
pub fn parse(files: &Files, read: &Contents) -> Result<Pair, String> {
    let of_certificate = |why: &str| format!("--tls-cert {}: {why}", files.certificate.display());
    let of_key = |why: &str| format!("--tls-key {}: {why}", files.key.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read.certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| of_certificate(&format!("it is no PEM file: {error}")))?;
    let Some(own) = chain.first() else {
        return Err(of_certificate("there is no certificate in it (-----BEGIN CERTIFICATE-----)"));
    };
    for (n, one) in chain.iter().enumerate() {
        ParsedCertificate::try_from(one).map_err(|error| {
            of_certificate(&format!("certificate {} in it cannot be read: {error}", n + 1))
        })?;
    }
    let (since, until) = validity::of(own)
        .ok_or_else(|| of_certificate("the first certificate in it has no time that it is good for"))?;
    let key = PrivateKeyDer::from_pem_slice(&read.key).map_err(|_| {
        of_key(match contains(&read.key, b"ENCRYPTED") {
            true => "it is locked with a password: give it without one",
            false => "there is no private key in it (-----BEGIN PRIVATE KEY-----)",
        })
    })?;
    let provider = provider();
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        of_key("it is of no kind that is known: RSA of 2048 bits or more, P-256, P-384 and Ed25519 are")
    })?;
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Ok(()) => Ok(Pair { key, since, until }),
        Err(Error::InconsistentKeys(_)) => Err(of_key(&format!(
            "it is not the key of the first certificate in --tls-cert {}",
            files.certificate.display()
        ))),
        Err(error) => Err(of_certificate(&format!("the first certificate in it cannot be read: {error}"))),
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Takes any certificate whose key signs the handshake.
#[derive(Debug)]
pub struct Any(pub Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! The certificate that the server shows, and its key: read from files, and read again when the
//! files change. A pair that is not good is never shown: the one before it stays.

mod pair;
mod validity;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, ServerConfig, version};

use crate::clock::{Clock, DAY, Millis, rfc3339};
use pair::Pair;

/// Less time than this is little: certificates of 90 days are made anew when a third of it is left.
const SOON: Millis = 14 * DAY;

/// Where the certificate and its key lie.
#[derive(Debug, Clone)]
pub struct Files {
    /// Its own certificate, then those between it and a root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The pair that is shown, and what was found in the files since.
pub struct Certificates {
    files: Files,
    clock: Clock,
    shown: Arc<Shown>,
    state: RwLock<State>,
}

struct State {
    /// Of the files, as they were read last.
    fingerprint: [u8; 32],
    since: Millis,
    until: Millis,
    /// Why what is in the files is not taken.
    refused: Option<String>,
}

/// What handshakes are answered with.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Certificates {
    /// Reads the files. What is wrong with them, where it is; a certificate that is over is shown all
    /// the same, and the log says so.
    pub fn open(files: Files, clock: Clock) -> Result<Certificates, String> {
        let read = pair::read(&files)?;
        let Pair { key, since, until } = pair::parse(&files, &read)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(key))));
        let state = State { fingerprint: read.fingerprint(), since, until, refused: None };
        let certificates = Certificates { files, clock, shown, state: RwLock::new(state) };
        if let Some(what) = certificates.troubles().first() {
            log::warn!("{what}");
        }
        Ok(certificates)
    }

    /// Looks whether the files have changed, and takes what is in them if it is good.
    pub fn look(&self) {
        let found = pair::read(&self.files).and_then(|read| {
            let fingerprint = read.fingerprint();
            if self.state().refused.is_none() && self.state().fingerprint == fingerprint {
                return Ok(None);
            }
            Ok(Some((fingerprint, pair::parse(&self.files, &read)?)))
        });
        match found {
            Ok(None) => {}
            Ok(Some((fingerprint, Pair { key, since, until }))) => {
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                self.set(State { fingerprint, since, until, refused: None });
                log::info!("the certificate was read anew: it is good until {}", rfc3339(until));
                if let Some(what) = self.troubles().first() {
                    log::warn!("{what}");
                }
            }
            Err(why) => {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                // Once, not each minute.
                if state.refused.as_ref() != Some(&why) {
                    log::warn!("the certificate's files are not taken, and the one before stays: {why}");
                    state.refused = Some(why);
                }
            }
        }
    }

    /// When the certificate that is shown is over.
    pub fn until(&self) -> Millis {
        self.state().until
    }

    /// What is wrong with it, or will be soon; the worst first.
    pub fn troubles(&self) -> Vec<String> {
        let (state, now) = (self.state(), self.clock.wall());
        let mut troubles = Vec::from_iter(of_time(state.since, state.until, now));
        if let Some(why) = &state.refused {
            troubles.push(format!("the certificate's files are not taken, and the one before stays: {why}"));
        }
        troubles
    }

    /// How connections are secured: TLS 1.2 and 1.3, HTTP/1.1.
    pub fn server(&self) -> Result<Arc<ServerConfig>, String> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[&version::TLS13, &version::TLS12]);
        let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Shown>::clone(&self.shown);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        // HTTP/2 has streams and windows of its own, which the bounds of connections do not know.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// What is wrong with files that no server has read: nothing, if they are good.
pub fn examine(files: &Files, now: Millis) -> Vec<String> {
    match pair::read(files).and_then(|read| pair::parse(files, &read)) {
        Ok(Pair { since, until, .. }) => Vec::from_iter(of_time(since, until, now)),
        Err(why) => vec![why],
    }
}

fn of_time(since: Millis, until: Millis, now: Millis) -> Option<String> {
    if until < now {
        Some(format!("the certificate expired on {}: clients refuse it", rfc3339(until)))
    } else if now < since {
        Some(format!("the certificate is good only from {} on: clients refuse it until then", rfc3339(since)))
    } else if until < now.saturating_add(SOON) {
        Some(format!("the certificate expires on {}", rfc3339(until)))
    } else {
        None
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// How this machine's own server is asked for its health, and for nothing else: whatever certificate it
/// shows is good. It is made for the name that browsers know, and this connection goes to an address of
/// this machine, without a secret.
pub fn own_client() -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&version::TLS13, &version::TLS12]);
    let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let verifier = Arc::new(pair::Any(provider()));
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

//! Certificates for this machine, made for one test.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SanType};
use usher::clock::Millis;
use usher::tls::Files;

/// A certificate that signs itself, and its key, both in PEM.
pub struct Made {
    pub certificate: String,
    pub key: String,
    pub der: Vec<u8>,
}

/// For 127.0.0.1 and localhost, good from one time until another.
pub fn made(since: Millis, until: Millis) -> Made {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.not_before = instant(since);
    params.not_after = instant(until);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    Made { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
}

fn instant(at: Millis) -> time::OffsetDateTime {
    let seconds = Duration::from_secs(at.unsigned_abs() / 1_000);
    time::OffsetDateTime::UNIX_EPOCH + seconds
}

/// Good now by every clock of the tests, the machine's and theirs, and for long.
pub fn good() -> Made {
    // 2020 to 2050: one time in each of the two forms that there are.
    made(1_577_836_800_000, 2_524_608_000_000)
}

impl Made {
    /// Writes it into a folder, under names that do not change.
    pub fn write(&self, folder: &Path) -> Files {
        let files = Files { certificate: folder.join("tls.pem"), key: folder.join("tls.key") };
        fs::write(&files.certificate, &self.certificate).expect("written");
        fs::write(&files.key, &self.key).expect("written");
        fs::set_permissions(&files.key, Permissions::from_mode(0o600)).expect("a mode");
        files
    }
}

/// A client that trusts this certificate alone.
pub fn agent(trusted: &Made) -> ureq::Agent {
    let root = ureq::tls::Certificate::from_der(&trusted.der).to_owned();
    let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::from([root]));
    ureq::Agent::config_builder()
        .tls_config(tls.build())
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .timeout_global(Some(Duration::from_secs(60)))
        .proxy(None)
        .build()
        .new_agent()
}

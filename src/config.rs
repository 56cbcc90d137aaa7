//! What can be set, by flag or environment.

mod listen;

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::access::rate_limit::{Limit, REQUESTS_A_MINUTE};
use crate::edge::{Contact, Edge, Host, Network, PublicUrl};
use crate::tls::Files;
pub use listen::Listen;

#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Data directory: the database and its files
    #[arg(long, env = "USHER_DATA", value_name = "DIR", default_value = "usher-data", global = true)]
    pub data: PathBuf,

    #[allow(rustdoc::broken_intra_doc_links, reason = "--help prints it: an address is no link")]
    /// Port, address or name to serve on: 8080, 127.0.0.1:8080, [::1]:8080, localhost:8080
    #[arg(long, env = "USHER_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080", global = true)]
    pub listen: Listen,

    /// Public address of the server for browsers and apps, such as https://usher.example.com
    #[arg(long, env = "USHER_PUBLIC_URL", value_name = "URL", global = true)]
    pub public_url: Option<PublicUrl>,

    /// More hosts for the APIs when --public-url is set; separated by commas or repeated
    #[arg(long, env = "USHER_API_HOST", value_name = "HOST", value_delimiter = ',', global = true)]
    pub api_host: Vec<Host>,

    /// Trusted proxies, whose X-Forwarded-For is used: addresses or ranges; separated by commas or repeated
    #[arg(long, env = "USHER_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',', global = true)]
    pub trusted_proxy: Vec<Network>,

    /// Serve HTTPS with this certificate: a PEM file with its chain; reloaded when it changes
    #[arg(long, env = "USHER_TLS_CERT", value_name = "FILE", global = true)]
    pub tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert: a PEM file that other users cannot read
    #[arg(long, env = "USHER_TLS_KEY", value_name = "FILE", global = true)]
    pub tls_key: Option<PathBuf>,

    /// Security contact for /.well-known/security.txt: mailto:, tel: or https://
    #[arg(long, env = "USHER_SECURITY_CONTACT", value_name = "URI", global = true)]
    pub security_contact: Option<Contact>,

    /// Port, address or name to also serve /metrics on, without a key, to anyone who can reach it
    #[arg(long, env = "USHER_METRICS_LISTEN", value_name = "ADDR", global = true)]
    pub metrics_listen: Option<Listen>,

    /// Threads that answer requests; default: the number of processors
    #[arg(long, env = "USHER_WORKERS", value_name = "N", value_parser = workers, global = true)]
    pub workers: Option<usize>,

    /// Requests per minute for each key, or "off"
    #[arg(long, env = "USHER_RATE_LIMIT", value_name = "N", default_value = REQUESTS_A_MINUTE,
          value_parser = rate_limit, global = true)]
    pub rate_limit: RateLimit,

    /// Minutes a clock that jumped is not trusted. Until then the trash, scheduled deletions and pruning
    /// are on hold. 0 trusts every clock
    #[arg(long, env = "USHER_CLOCK_GRACE", value_name = "MINUTES", default_value_t = 15, global = true,
          value_parser = clap::value_parser!(u16).range(..=10_080))]
    pub clock_grace: u16,

    /// Maximum size of a session recording, in MiB
    #[arg(long, env = "USHER_RECORDING_LIMIT", value_name = "MIB", default_value_t = 50, global = true)]
    pub recording_limit: u32,

    /// Keep the names of all users in memory, about 75 MB for a million users, to find them by any part. With "off",
    /// it finds whole names, and the beginning of identifiers and e-mails
    #[arg(long, env = "USHER_FIND", value_name = "ON", value_enum, default_value_t = Find::On, global = true)]
    pub find: Find,

    /// Serve the API reference at /docs and the OpenAPI documents; they hold no data and need no key
    #[arg(long, env = "USHER_DOCS", value_name = "ON", value_enum, default_value_t = Docs::On, global = true)]
    pub docs: Docs,

    /// Hours between automatic backups to DATA/backups; default: no automatic backups
    #[arg(long, env = "USHER_BACKUP_EVERY", value_name = "HOURS", global = true,
          value_parser = clap::value_parser!(u16).range(1..=8_784))]
    pub backup_every: Option<u16>,

    /// Days to keep these backups
    #[arg(long, env = "USHER_BACKUP_KEEP", value_name = "DAYS", default_value_t = 30, global = true,
          value_parser = clap::value_parser!(u16).range(1..=3_660))]
    pub backup_keep: u16,

    /// Directory to copy these backups and the ledger to, for example on another disk
    #[arg(
        long,
        env = "USHER_BACKUP_COPY",
        value_name = "DIR",
        global = true,
        conflicts_with = "backup_command"
    )]
    pub backup_copy: Option<PathBuf>,

    /// Program, with arguments, to run with the path of each of these files, for example to upload it
    #[arg(long, env = "USHER_BACKUP_COMMAND", value_name = "PROGRAM", global = true)]
    pub backup_command: Option<String>,

    /// Skip the backup before upgrading a database from an older version
    #[arg(long, global = true)]
    pub without_backup: bool,

    /// Read-only mode: answer reads, refuse every change and write nothing to disk
    #[arg(long, env = "USHER_READ_ONLY", value_parser = BoolishValueParser::new(), global = true)]
    pub read_only: bool,

    /// Start once although acknowledged writes are lost, if a refused start tells you to
    #[arg(long, global = true)]
    pub accept_loss: bool,
}

/// Whether names are kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Find {
    On,
    Off,
}

/// Whether the reference of the APIs is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Docs {
    On,
    Off,
}

impl Config {
    pub fn workers(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
    }

    pub fn edge(&self) -> Edge {
        Edge::new(self.public_url.clone(), self.trusted_proxy.clone())
            .with_contact(self.security_contact.clone())
            .with_hosts(self.api_host.clone())
            .with_tls(self.tls_cert.is_some())
            .with_docs(self.docs == Docs::On)
    }

    /// The files of the certificate, where the server is to speak TLS itself. What does not go together.
    pub fn tls(&self) -> Result<Option<Files>, String> {
        let files = match (&self.tls_cert, &self.tls_key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => Files { certificate: certificate.clone(), key: key.clone() },
            (Some(_), None) => return Err("--tls-cert needs --tls-key, the file of its private key".into()),
            (None, Some(_)) => return Err("--tls-key needs --tls-cert, the file of its certificate".into()),
        };
        match &self.public_url {
            Some(public) if !public.is_secure() => Err(format!(
                "--public-url {public} does not fit --tls-cert: the server speaks HTTPS, so that it begins \
                 with https://"
            )),
            _ => Ok(Some(files)),
        }
    }

    /// In bytes.
    pub fn recording_limit(&self) -> usize {
        usize::try_from(self.recording_limit).unwrap_or(usize::MAX).saturating_mul(1024 * 1024)
    }
}

/// A [`Limit`] by a name that clap does not take for an optional flag.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit(pub Limit);

fn rate_limit(text: &str) -> Result<RateLimit, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(RateLimit(None));
    }
    let number: NonZeroU32 = text.parse().map_err(|_| "a number above 0, or \"off\"".to_owned())?;
    Ok(RateLimit(Some(number)))
}

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_024) => Ok(number),
        _ => Err("a number from 1 to 1024".to_owned()),
    }
}

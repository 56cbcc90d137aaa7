//! API keys on the command line, and the ingest token that is replaced.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::access::keys::{Bounds, Change, Powers};
use crate::access::{key_addresses, keys, rotation};
use crate::app::App;
use crate::clock::{self, HOUR, Millis};
use crate::error::{Error, Result};
use crate::model::{Credential, Key as Held, KeyId, OldSecret, Project, Scopes};
use crate::projects;
use crate::store::{ErasingTx, NormalTx};

/// In the place of an end.
const NEVER: &str = "never";

/// What is to be done with which key.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// Create a key and print it; it is shown only once
    Create {
        #[command(flatten)]
        of: KeyOf,
        /// Name of the key
        #[arg(long)]
        name: String,
        /// Scopes, separated by commas: ingest, read, write, delete, admin, export; default: all but admin and export
        #[arg(long)]
        scopes: Option<String>,
        /// Public key, for web pages and apps: it can only ingest
        #[arg(long, conflicts_with_all = ["org", "scopes"])]
        public: bool,
        /// Expiry: a day such as 2030-01-31 (UTC), or a time such as 2030-01-31T12:00:00Z
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// Addresses it may be used from, separated by commas: addresses, or ranges such as 10.0.0.0/8
        #[arg(long, value_name = "RANGES")]
        address: Option<String>,
    },
    /// List keys, one per line: id, project, name, scopes, first letters, last use; then expiry, addresses
    /// and previous secrets
    List,
    /// Change a key; values that are not given stay the same
    Set {
        id: i64,
        #[arg(long)]
        name: Option<String>,
        /// Expiry: a day or a time, as with `key create`, or "never"
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// Addresses it may be used from, separated by commas; "" for anywhere
        #[arg(long, value_name = "RANGES")]
        address: Option<String>,
    },
    /// Create a new secret for a key and print it once; the previous one stays valid for a while
    Rotate {
        id: i64,
        #[command(flatten)]
        overlap: Overlap,
    },
    /// End the previous secrets of a key immediately
    EndOld { id: i64 },
    /// Revoke a key immediately; this cannot be undone
    Revoke { id: i64 },
}

#[derive(Debug, Args, Serialize, Deserialize)]
#[group(required = true, multiple = false)]
pub struct KeyOf {
    /// Project key from `project list`
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// All projects of the organisation
    #[arg(long)]
    org: bool,
}

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Overlap {
    /// Hours the previous secret stays valid, 0 to 720
    #[arg(long, value_name = "HOURS", default_value_t = rotation::OVERLAP / HOUR, allow_hyphen_values = true)]
    overlap: i64,
}

impl Overlap {
    fn millis(&self) -> Millis {
        self.overlap.saturating_mul(HOUR)
    }
}

impl Key {
    /// Whether the answer is a secret that is shown once.
    pub fn is_shown_once(&self) -> bool {
        matches!(self, Key::Create { .. } | Key::Rotate { .. })
    }

    /// The lines to print.
    pub fn perform(&self, app: &App) -> Result<Vec<String>> {
        match self {
            Key::Create { of, name, scopes, public, expires, address } => {
                let powers = match (public, scopes.as_deref()) {
                    (true, _) => Powers::Public,
                    (false, scopes) => Powers::Scopes(scopes.map_or(Ok(Scopes::usual()), Scopes::parse)?),
                };
                let bounds = bounds(expires.as_deref(), address.as_deref()).map_err(by_flags)?;
                create(app, of.project.as_deref(), name, powers, bounds)
            }
            Key::List => list(app),
            Key::Set { id, name, expires, address } => {
                let id = KeyId(*id);
                let change = Change {
                    name: name.clone(),
                    expires_at: expires.as_deref().map(end).transpose().map_err(by_flags)?,
                    addresses: address.as_deref().map(key_addresses::split),
                };
                close(app, move |tx| keys::change(tx, id, &change).map(drop)).map_err(by_flags)
            }
            Key::Rotate { id, overlap } => {
                let (id, overlap) = (KeyId(*id), overlap.millis());
                let rotate = move |tx: &ErasingTx| rotation::of_key(tx, id, overlap);
                let (_, secret) = app.write_blocking(rotate).map_err(by_flags)?;
                app.reload_keys()?;
                Ok(vec![secret])
            }
            Key::EndOld { id } => {
                let of = Credential::Key(KeyId(*id));
                close(app, move |tx| rotation::end_old(tx, of))
            }
            Key::Revoke { id } => {
                let id = KeyId(*id);
                close(app, move |tx| keys::revoke(tx, id))
            }
        }
    }
}

/// A new ingest token for a project; the line to print.
pub fn rotate_token(app: &App, key: &str, overlap: &Overlap) -> Result<Vec<String>> {
    let (id, overlap) = (app.read(|db| projects::by_key(db, key))?.id, overlap.millis());
    let rotated = app.write_blocking(move |tx| rotation::of_token(tx, id, overlap));
    let project = rotated.map_err(by_flags)?;
    app.reload_keys()?;
    Ok(vec![project.ingest_token])
}

/// Ends the ingest tokens that a project has replaced.
pub fn end_old_tokens(app: &App, key: &str) -> Result<Vec<String>> {
    let of = Credential::Token(app.read(|db| projects::by_key(db, key))?.id);
    close(app, move |tx| rotation::end_old(tx, of))
}

/// For what may let somebody in no more.
fn close(app: &App, run: impl FnMut(&ErasingTx) -> Result<()> + Send + 'static) -> Result<Vec<String>> {
    app.write_blocking(run)?;
    app.reload_keys()?;
    Ok(Vec::new())
}

fn create(
    app: &App,
    project: Option<&str>,
    name: &str,
    powers: Powers,
    bounds: Bounds,
) -> Result<Vec<String>> {
    let project = project.map(|key| app.read(|db| projects::by_key(db, key))).transpose()?;
    let (project, name) = (project.map(|project| project.id), name.to_owned());
    let create = move |tx: &NormalTx| keys::create(tx, project, &name, powers, &bounds);
    let (_, secret) = app.write_blocking(create).map_err(by_flags)?;
    app.reload_keys()?;
    Ok(vec![secret])
}

fn bounds(expires: Option<&str>, address: Option<&str>) -> Result<Bounds> {
    Ok(Bounds {
        expires_at: expires.map(end).transpose()?.flatten(),
        addresses: address.map(key_addresses::split).unwrap_or_default(),
    })
}

fn end(text: &str) -> Result<Option<Millis>> {
    if text == NEVER { Ok(None) } else { keys::parse_end(text).map(Some) }
}

/// The fields' faults under the names of the flags.
fn by_flags(error: Error) -> Error {
    let Error::Invalid(mut faults) = error else { return error };
    for fault in &mut faults {
        let flag = match fault.field.as_str() {
            "expiresAt" => "--expires",
            "overlap" => "--overlap",
            "scopes" => "--scopes",
            "name" => "--name",
            field if field.starts_with("addresses") => "--address",
            _ => continue,
        };
        fault.field = flag.to_owned();
    }
    Error::Invalid(faults)
}

fn list(app: &App) -> Result<Vec<String>> {
    let now = app.clock().now();
    let (keys, projects, old) =
        app.read(|db| Ok((keys::list(db)?, projects::list(db)?, rotation::list(db)?)))?;
    Ok(keys.iter().map(|key| line(key, &projects, &old, now)).collect())
}

fn line(key: &Held, projects: &[Project], old: &[OldSecret], now: Millis) -> String {
    let name = match key.project {
        None => "(organisation)",
        Some(id) => {
            projects.iter().find(|project| project.id == id).map_or("", |project| project.name.as_str())
        }
    };
    let scopes = if key.is_public { "public".to_owned() } else { key.scopes.names().join(",") };
    let used = |at: Option<Millis>| match at {
        Some(at) => format!("used {}", clock::rfc3339(at)),
        None => "never used".to_owned(),
    };
    let state = match key.revoked_at {
        Some(at) => format!("revoked {}", clock::rfc3339(at)),
        None => used(key.last_used_at),
    };
    let hint = if key.has_secret() { format!("{}…", key.hint) } else { "(no secret)".to_owned() };
    let mut line = format!("{}\t{name}\t{}\t{scopes}\t{hint}\t{state}", key.id, key.name);
    if key.revoked_at.is_some() {
        return line;
    }
    let mut add = |text: String| {
        line.push('\t');
        line.push_str(&text);
    };
    if let Some(end) = key.expires_at {
        let word = if key.is_expired(now) { "expired" } else { "expires" };
        add(format!("{word} {}", clock::rfc3339(end)));
    }
    if !key.addresses.is_empty() {
        add(format!(
            "only from {}; refused from elsewhere: {}",
            key.addresses.join(","),
            key.refused_addresses
        ));
    }
    if !key.has_secret() {
        add("secret replaced after this backup: rotate the key".to_owned());
    }
    for old in old.iter().filter(|old| old.of == Credential::Key(key.id)) {
        let word = if now < old.ends_at { "valid until" } else { "ended" };
        let at = clock::rfc3339(old.ends_at);
        add(format!("old secret {}… {word} {at}, {}", old.hint, used(old.last_used_at)));
    }
    if let Some(at) = key.browser_at {
        let at = clock::rfc3339(at);
        add(format!("used from a browser on {at}, but not public: replace it with a public key"));
    }
    line
}

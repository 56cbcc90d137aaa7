//! `usher doctor`: what is wrong with an installation, in words, and what to do about each. Nothing is
//! changed. It looks at what `usher verify` looks at, and at the machine around it; where a server holds
//! the directory, that one looks.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::secret::{RECOVERY_KEY, SETUP_LINK};
use crate::app::App;
use crate::archive;
use crate::clock::{Clock, DAY, MINUTE, Millis, rfc3339};
use crate::config::Config;
use crate::disk;
use crate::inspect::{self, Directory, WRONG};
use crate::store::backup::OfflineDatabase;
use crate::store::{Access, figures};
use crate::tls::{self, Certificates};

/// A backup is wanted this often.
const BACKUP_AGE: Millis = 2 * DAY;
/// Less room than this is little, and so is less than a twentieth of the disk.
const ROOM: u64 = 1 << 30;
const SHARE: u64 = 20;
/// What two clocks may differ by.
const STEP: Millis = MINUTE;
/// An erasure is proven within minutes.
const UNPROVEN: Millis = 60 * MINUTE;

/// Something that is wrong, in a line, and what to do, in another.
struct Finding {
    what: String,
    todo: String,
}

/// The lines about a directory that nobody serves.
pub fn offline(path: &Path, config: &Config) -> anyhow::Result<Vec<String>> {
    let access = if config.read_only { Access::ReadOnly } else { Access::Usual };
    let mut findings = of_lines(&inspect::offline(path, access)?);
    findings.extend(around(path, &Clock::system(), access, false));
    let troubles = match config.tls() {
        Ok(files) => files.map(|files| tls::examine(&files, Clock::system().now())).unwrap_or_default(),
        Err(why) => vec![why],
    };
    findings.extend(troubles.into_iter().map(of_certificate));
    Ok(lines(findings))
}

/// The lines about a directory whose database was lost.
pub fn lost(what: &str) -> Vec<String> {
    let (what, todo) = what.split_once(": ").unwrap_or((what, "restore a backup with `usher restore`"));
    lines(vec![finding(what, todo)])
}

/// The lines about a directory that this server holds.
pub fn beside_a_server(app: &App) -> Vec<String> {
    let store = app.store();
    let is_copied = || app.no_backup().is_none();
    let directory = Directory::of(store.folder(), store.file(), &is_copied);
    let mut findings = of_readiness(app);
    findings.extend(of_lines(&inspect::beside_a_server(&directory)));
    findings.extend(around(store.folder(), app.clock(), Access::Usual, true));
    findings
        .extend(app.tls().map(Certificates::troubles).unwrap_or_default().into_iter().map(of_certificate));
    lines(findings)
}

fn lines(findings: Vec<Finding>) -> Vec<String> {
    if findings.is_empty() {
        return vec!["good   nothing is wrong".to_owned()];
    }
    let line = |Finding { what, todo }| [format!("{WRONG}  {what}"), format!("   do  {todo}")];
    findings.into_iter().flat_map(line).collect()
}

fn finding(what: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding { what: what.into(), todo: todo.into() }
}

fn of_certificate(what: String) -> Finding {
    let todo = "put a valid certificate and its key there: Usher reads them within a minute, or at SIGHUP";
    finding(what, todo)
}

/// What the server says of itself.
fn of_readiness(app: &App) -> Vec<Finding> {
    let asked = actix_web::rt::System::new().block_on(app.readiness());
    let bad = asked.0.iter().filter(|check| !check.ok);
    let mut findings: Vec<Finding> = bad
        .map(|check| {
            let todo = "fix it and check `GET /readyz` again; if it persists, restart Usher and read its log";
            finding(format!("the server is not ready: {}: {}", check.name, check.words), todo)
        })
        .collect();
    let standing = app.time_standing();
    if !standing.is_trusted() {
        findings.push(finding(
            standing.to_string(),
            "keep the clock right with NTP (`timedatectl set-ntp true`); if it is right, run `usher clock confirm`",
        ));
    }
    findings
}

/// What each check of `usher verify` that found something asks for.
fn of_lines(said: &[String]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for line in said {
        if let Some(what) = line.strip_prefix(WRONG) {
            let what = what.trim();
            findings.push(finding(what, advice(what.split(':').next().unwrap_or_default())));
        } else if line.starts_with(' ')
            && let Some(last) = findings.last_mut()
        {
            last.what.push_str("; ");
            last.what.push_str(line.trim());
        }
    }
    findings
}

/// By the name of the check.
fn advice(check: &str) -> &'static str {
    match check {
        "signing key" => "put signing.pub and secrets/signing.key back, both from the same copy",
        "receipts" => "put the receipts back from where they are copied to; keep the ones that are here",
        "audit log" => "keep the directory unchanged, find out who wrote to usher.db, and restore a backup",
        "ledger of erasures" | "receipts in the ledger" => {
            "keep the file, and put the newest copy of erasures.ledger back from where it is copied to"
        }
        "database" => {
            "stop Usher, copy the directory to another place, and restore the newest backup with `usher restore`"
        }
        "numbers" => "start Usher: it writes the file again; do not restore a backup before that",
        "free space" => "start Usher: it overwrites free space; run `usher verify` again after some minutes",
        "traces of the erased" => "open the page of this job to see where, and retry it there",
        "backups" => "make a new backup with `usher backup`, and remove this one",
        "leftovers" => "start Usher: it removes them",
        _ => "run `usher verify` for details",
    }
}

/// The machine around the data.
fn around(path: &Path, clock: &Clock, access: Access, is_served: bool) -> Vec<Finding> {
    let mut findings = modes(path);
    findings.extend(secrets(path, is_served));
    findings.extend(room(path));
    findings.extend(backups(&path.join("backups"), clock.now()));
    findings.extend(rows(&path.join("usher.db"), access, clock.now()));
    findings
}

/// What others on the machine may open, and what is another user's.
fn modes(path: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Ok(directory) = fs::metadata(path) else { return findings };
    if directory.mode() & 0o077 != 0 {
        let mode = directory.mode() & 0o777;
        findings.push(finding(
            format!("other users of the machine can list {} (its mode is {mode:04o})", path.display()),
            format!("chmod 700 {}", path.display()),
        ));
    }
    let names =
        ["usher.db", "usher.db-wal", "erasures.ledger", "secrets", "receipts", "backups", RECOVERY_KEY];
    for at in names.map(|name| path.join(name)).into_iter().chain(listed(&path.join("secrets"))) {
        let Ok(about) = fs::symlink_metadata(&at) else { continue };
        let mode = about.permissions().mode() & 0o777;
        let (open, todo) = if about.is_dir() { (0o077, "chmod 700") } else { (0o066, "chmod 600") };
        // What is under a public key is for everybody.
        let is_public = at.extension().is_some_and(|end| end == "pub");
        if !about.is_symlink() && !is_public && mode & open != 0 {
            findings.push(finding(
                format!("other users of the machine can open {} (its mode is {mode:04o})", at.display()),
                format!("{todo} {}", at.display()),
            ));
        }
        if about.uid() != directory.uid() {
            findings.push(finding(
                format!("{} belongs to another user than the directory", at.display()),
                format!("chown --reference={} {}", path.display(), at.display()),
            ));
        }
    }
    findings
}

fn listed(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Secrets of a first start that nobody took away.
fn secrets(path: &Path, is_served: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let key = path.join(RECOVERY_KEY);
    if key.exists() {
        findings.push(finding(
            format!("the recovery key is stored beside the data, in {}", key.display()),
            "keep it on another machine or on paper, and remove the file here",
        ));
    }
    let link = path.join(SETUP_LINK);
    if link.exists() && !is_served {
        findings.push(finding(
            format!("{} is left from a crashed server: its link no longer works", link.display()),
            format!("rm {}", link.display()),
        ));
    }
    findings
}

fn room(path: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    match disk::room(path) {
        Ok(room) if room.free < ROOM.min(room.all / SHARE) || room.free < ROOM / 8 => {
            findings.push(finding(
                format!("{} MiB are free on the disk of {}", room.free >> 20, path.display()),
                "free some space or enlarge the disk: when it is full, only erasures still work",
            ));
        }
        Ok(_) => {}
        Err(error) => findings.push(finding(
            format!("the free space of the disk cannot be read: {error}"),
            "run this command as the user that runs Usher",
        )),
    }
    if path.join("usher.db").exists() && !["reserve", "ballast"].iter().any(|name| path.join(name).exists()) {
        findings.push(finding(
            "no disk space is reserved for erasures: the file reserve is missing",
            "free some disk space: Usher then creates the file itself",
        ));
    }
    findings
}

fn backups(folder: &Path, now: Millis) -> Vec<Finding> {
    let todo = "make one with `usher backup`, and schedule them with `usher serve --backup-every 24`";
    let listed = match archive::list(folder) {
        Ok(listed) => listed,
        Err(refusal) => return vec![finding(refusal.to_string(), "make the folder readable")],
    };
    match listed.iter().rev().find(|backup| backup.manifest.is_ok()).and_then(archive::Listed::made_at) {
        None => vec![finding(format!("there is no valid backup in {}", folder.display()), todo)],
        Some(at) if now.saturating_sub(at) > BACKUP_AGE => {
            vec![finding(format!("the newest valid backup is from {}", rfc3339(at)), todo)]
        }
        Some(_) => Vec::new(),
    }
}

/// What the rows say of the work that is due, and of the clock. Where the database does not open, its own
/// check has said so.
fn rows(database: &Path, access: Access, now: Millis) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Ok(offline) = OfflineDatabase::open_as(database, access) else { return findings };
    if let Ok(Some(last)) = offline.read(figures::last_act)
        && last > now.saturating_add(STEP)
    {
        findings.push(finding(
            format!("the clock says {}, and the audit log has a row of {}", rfc3339(now), rfc3339(last)),
            "set the clock, and keep it right with NTP (`timedatectl set-ntp true`)",
        ));
    }
    let open = offline.read(figures::open_jobs).unwrap_or_default();
    let due = open.iter().filter(|open| open.state != "failed").filter_map(|open| open.due).min();
    if let Some(due) = due.filter(|due| now.saturating_sub(*due) > UNPROVEN) {
        findings.push(finding(
            format!("an erasure due on {} is not completed", rfc3339(due)),
            "check that Usher runs, and open the Jobs page to see what it waits for",
        ));
    }
    let refused =
        offline.read(|db| figures::repairs_since(db, (now.div_euclid(DAY) - 1) * DAY)).unwrap_or_default();
    let refused = refused.iter().filter(|(outcome, _)| outcome == "refused");
    for (_, count) in refused {
        findings.push(finding(
            format!("{count} messages were refused since yesterday: their data is not stored"),
            "open \"Repairs and refusals\" of each project to see which key sent them and why they were refused",
        ));
    }
    findings
}

/// That something can be told of what is there: it may be another user's.
pub fn may_look(path: &Path) -> anyhow::Result<()> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            anyhow::bail!(
                "this user cannot read {}: run this command as the user that runs Usher",
                path.display()
            )
        }
        _ => Ok(()),
    }
}

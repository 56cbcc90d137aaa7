//! The figures of the whole installation, for `/metrics`.

use super::App;
use crate::archive;
use crate::clock::Millis;
use crate::disk;
use crate::error::{Error, Result};
use crate::metrics::{Kind, Text};
use crate::model::TRASH_PERIOD;
use crate::store::{figures, users};

/// What is read for one answer.
struct Read {
    jobs: Vec<figures::Open>,
    repairs: Vec<(String, i64)>,
    /// When the person that has been hidden longest was to go.
    reap_due: Option<Millis>,
    last_backup: Option<Millis>,
    disk: Option<disk::Room>,
}

/// All figures, in the text format of Prometheus.
pub async fn text(app: &App) -> Result<String> {
    let readiness = app.readiness().await;
    let of = app.clone();
    let read = tokio::task::spawn_blocking(move || read(&of)).await.map_err(Error::internal)??;
    let now = app.clock().now();
    let mut to = Text::default();
    to.family("usher_build_info", Kind::Gauge, "The version that runs; always 1.");
    to.sample("usher_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let ready = "Whether it reads and writes, and its files are those that it opened: 1 for yes.";
    to.one("usher_ready", Kind::Gauge, ready, u8::from(readiness.is_ready()));
    let read_only = "Whether it was started with --read-only: 1 for yes.";
    to.one("usher_read_only", Kind::Gauge, read_only, u8::from(app.is_read_only()));
    app.requests().write(&mut to);
    write_store(app, &mut to);
    write_jobs(&read, now, &mut to);
    write_rest(app, &read, now, &mut to);
    Ok(to.finish())
}

fn read(app: &App) -> Result<Read> {
    let (jobs, repairs, hidden) = app
        .read(|db| Ok((figures::open_jobs(db)?, figures::repairs_since(db, 0)?, users::hidden_since(db)?)))?;
    let listed = archive::list(app.backups()).map_err(Error::internal)?;
    let last_good = listed.iter().rev().find(|backup| backup.manifest.is_ok());
    Ok(Read {
        jobs,
        repairs,
        reap_due: hidden.map(|at| at.saturating_add(TRASH_PERIOD)),
        last_backup: last_good.and_then(archive::Listed::made_at),
        disk: disk::room(app.store().folder()).ok(),
    })
}

fn write_store(app: &App, to: &mut Text) {
    let load = app.store().load();
    to.family("usher_writer_queue_length", Kind::Gauge, "Writes that wait, by what waits.");
    to.sample("usher_writer_queue_length", &[("lane", "requests")], load.requests);
    to.sample("usher_writer_queue_length", &[("lane", "background")], load.behind);
    to.one("usher_commits_total", Kind::Counter, "Transactions since the start.", load.commits);
    let failed = "Transactions that came to nothing at their end, since the start.";
    to.one("usher_commits_failed_total", Kind::Counter, failed, load.failed);
    to.one("usher_wal_bytes", Kind::Gauge, "Size of the write-ahead log.", load.wal);
    let damaged = "Whether an unreadable part of the database was met: 1 for yes.";
    to.one("usher_damaged", Kind::Gauge, damaged, u8::from(app.store().damage().is_some()));
}

/// In the order of a job's life.
const STATES: [&str; 5] = ["scheduled", "erasing", "scrubbing", "verifying", "failed"];

fn write_jobs(read: &Read, now: Millis, to: &mut Text) {
    let of = |state: &str| read.jobs.iter().find(|open| open.state == state);
    to.family("usher_jobs", Kind::Gauge, "Erasures that are not over, by state.");
    for state in STATES {
        to.sample("usher_jobs", &[("state", state)], of(state).map_or(0, |open| open.count));
    }
    let help = "How long ago the first of them was due, by state; 0 where none is due.";
    to.family("usher_jobs_oldest_seconds", Kind::Gauge, help);
    for state in STATES {
        let age = seconds_since(of(state).and_then(|open| open.due), now);
        to.sample("usher_jobs_oldest_seconds", &[("state", state)], age);
    }
    let oldest = read.jobs.iter().filter_map(|open| open.due).min();
    let help = "How long ago the oldest erasure was due that is not proven; 0 where all are.";
    to.one("usher_unproven_oldest_seconds", Kind::Gauge, help, seconds_since(oldest, now));
    let help = "How late the erasure is of the person that has been in the trash longest.";
    to.one("usher_reaper_lag_seconds", Kind::Gauge, help, seconds_since(read.reap_due, now));
}

fn write_rest(app: &App, read: &Read, now: Millis, to: &mut Text) {
    let help = "Number of the newest receipt: erasures that are proven.";
    to.one("usher_receipts", Kind::Gauge, help, app.receipts().last().number);
    // Without a good backup there is no age: no figure would be true.
    if let Some(at) = read.last_backup {
        let help = "Age of the newest good backup in the folder of backups.";
        to.one("usher_backup_age_seconds", Kind::Gauge, help, seconds_since(Some(at), now));
    }
    to.family(
        "usher_repairs",
        Kind::Gauge,
        "Repairs and refusals of messages in the last 30 days, by outcome.",
    );
    for (outcome, count) in &read.repairs {
        to.sample("usher_repairs", &[("outcome", outcome)], count);
    }
    if let Some(room) = read.disk {
        to.one("usher_disk_free_bytes", Kind::Gauge, "Room that is left on the disk of the data.", room.free);
        to.one("usher_disk_bytes", Kind::Gauge, "Size of the disk of the data.", room.all);
    }
    if let Some(tls) = app.tls() {
        let help = "When the certificate expires, in seconds since 1970.";
        to.one("usher_tls_not_after_seconds", Kind::Gauge, help, seconds(tls.until()));
    }
    let clock = "The time by which rows are dated, in seconds since 1970.";
    to.one("usher_clock_seconds", Kind::Gauge, clock, seconds(now));
    let trusted =
        "Whether the clock is trusted: 1 for yes. While it is not, the trash, schedules and pruning wait.";
    to.one("usher_clock_trusted", Kind::Gauge, trusted, u8::from(app.time_standing().is_trusted()));
}

/// 0 for a time that is not there, or not yet.
fn seconds_since(at: Option<Millis>, now: Millis) -> f64 {
    seconds(at.map_or(0, |at| now.saturating_sub(at)).max(0))
}

#[allow(clippy::cast_precision_loss, reason = "a figure to look at")]
fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1_000.0
}

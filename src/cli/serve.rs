//! `usher serve`.

use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::time::Duration;

use actix_web::rt::System;
use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::control::Control;
use super::listener::Reserved;
use super::{copies, directory, out, read_only, secret};
use crate::admin::SetupLink;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::server::Http;
use crate::start::{LedgerChoice, ledgers};
use crate::tls::Certificates;
use crate::trace::Actor;
use crate::worker::{self, Worker};

/// How often the certificate's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What somebody has decided.
#[derive(Args, Default)]
pub struct Serve {
    /// Start a new ledger of erasures, if it is lost and there is no copy. What is lost is printed and
    /// recorded in the audit log and the new ledger
    #[arg(long)]
    new_ledger: bool,
    /// Number of the newest ledger entry to require: an older ledger is refused, and this one is accepted
    /// even if later entries were signed
    #[arg(long, value_name = "N", conflicts_with = "new_ledger")]
    ledger_head: Option<u64>,
}

/// Serves until SIGTERM or SIGINT, then answers what is in flight, ends the worker, writes
/// down what was counted in memory and folds the WAL in.
pub fn run(config: &Config, how: &Serve) -> anyhow::Result<()> {
    if config.read_only {
        return run_read_only(config, how);
    }
    directory::may_begin(&config.data)?;
    let is_held = || anyhow!("an Usher server is already using {}: stop it first", config.data.display());
    // Before the address, which that one has, too.
    if DataDir::is_held(&config.data) {
        return Err(is_held());
    }
    // What is wrong with these leaves no new directory behind.
    let tls = certificates(config)?;
    let doors = Doors::reserve(config)?;
    DataDir::make(&config.data)?;
    let data = DataDir::hold(&config.data)?.ok_or_else(is_held)?;
    let ledger = match (how.new_ledger, how.ledger_head) {
        (true, _) => LedgerChoice::New,
        (false, Some(entry)) => LedgerChoice::EndsWith(entry),
        (false, None) => LedgerChoice::Whole,
    };
    let app = super::open(&data, config, ledger)?;
    if how.new_ledger {
        log::warn!("{}", ledgers::given_up(&app.replayed()));
    }
    if config.backup_copy.is_none() && config.backup_command.is_none() {
        log::warn!(
            "the ledger of erasures has no copy: if it is lost, erased users may come back with an old database or \
             backup. Set --backup-copy DIR to copy it to another disk"
        );
    }
    app.stands_at(config.edge());
    if let Some(tls) = tls {
        app.shows(tls);
    }
    app.start_find()?;
    let copier = copies::start(&data, config, &app)?;
    let outcome = listen(&data, config, &app, doors);
    let noted = worker::note_uses(&app);
    let signed = app.sign_audit_head();
    app.stop();
    // The link ends with this process.
    let _ = secret::forget(&data.path().join(secret::SETUP_LINK));
    // The last: what was written until now is copied, too.
    drop(copier);
    log::info!("stopped");
    noted.and(signed)?;
    outcome
}

/// The same where nothing is written: no worker, no backups, no commands over a socket, and no link for a
/// first owner.
fn run_read_only(config: &Config, how: &Serve) -> anyhow::Result<()> {
    if how.new_ledger || how.ledger_head.is_some() {
        bail!("--new-ledger and --ledger-head change data: use them without --read-only");
    }
    let tls = certificates(config)?;
    let data = read_only::hold(config)?;
    let doors = Doors::reserve(config)?;
    let app = read_only::open(&data, config)?;
    log::warn!("read-only: only reads are answered; no user is erased meanwhile");
    app.stands_at(config.edge());
    if let Some(tls) = tls {
        app.shows(tls);
    }
    app.start_find()?;
    let outcome = listen(&data, config, &app, doors);
    app.stop();
    log::info!("stopped");
    outcome
}

/// The certificate, where the server is to speak TLS itself.
fn certificates(config: &Config) -> anyhow::Result<Option<Certificates>> {
    let files = config.tls().map_err(anyhow::Error::msg)?;
    let opened = files.map(|files| Certificates::open(files, Clock::system())).transpose();
    opened.map_err(anyhow::Error::msg)
}

/// The addresses to serve on.
struct Doors {
    main: Reserved,
    metrics: Option<Reserved>,
}

impl Doors {
    fn reserve(config: &Config) -> anyhow::Result<Doors> {
        let metrics = config.metrics_listen.as_ref().map(|at| Reserved::new(at, "--metrics-listen"));
        Ok(Doors { main: Reserved::new(&config.listen, "--listen")?, metrics: metrics.transpose()? })
    }
}

fn listen(data: &DataDir, config: &Config, app: &App, doors: Doors) -> anyhow::Result<()> {
    let listeners = doors.main.open()?;
    let metrics = doors.metrics.map(metrics_listeners).transpose()?;
    let setup = SetupLink::new(app)?;
    let link = setup.as_ref().map(SetupLink::path);
    // It ends before the store does, and so does the worker.
    let writes = !app.is_read_only();
    let control = writes.then(|| Control::start(data, app.by(Actor::Operator))).transpose()?;
    let desk = control.as_ref().map(Control::desk);
    System::new().block_on(async {
        // Caught from before anybody is told that we serve.
        let stopped = stopped().context("signals cannot be caught")?;
        let http = Http::on(listeners, app, setup, config.workers())?;
        let metrics = metrics.map(|listeners| Http::metrics_on(listeners, app)).transpose()?;
        let to_stop = metrics.as_ref().map(|metrics| metrics.handle());
        if let Some(metrics) = metrics {
            actix_web::rt::spawn(metrics);
        }
        if app.tls().is_some() {
            actix_web::rt::spawn(look_at_certificates(
                app.clone(),
                signal(SignalKind::hangup()).context("signals cannot be caught")?,
            ));
        }
        greet(config, http.addr);
        match writes {
            true => secrets_of_a_first_start(data, config, http.addr, link.as_deref())?,
            false => say(&format!("Admin pages: {}/admin/\n", app.edge().address())),
        }
        // A backup that is due at once needs the recovery key.
        let _worker = writes.then(|| Worker::start(app.clone())).transpose()?;
        let stop = http.stop();
        actix_web::rt::spawn(async move {
            stopped.await;
            log::info!("stopping: requests in flight are answered first");
            desk.iter().for_each(|desk| desk.close());
            stop.gracefully().await;
        });
        http.server.await?;
        if let Some(metrics) = to_stop {
            metrics.stop(false).await;
        }
        Ok(())
    })
}

/// Where the figures are served without a key.
fn metrics_listeners(reserved: Reserved) -> anyhow::Result<Vec<TcpListener>> {
    let listeners = reserved.open()?;
    for listener in &listeners {
        log::info!("metrics without a key on http://{}/metrics", listener.local_addr()?);
    }
    Ok(listeners)
}

/// Where it serves.
fn greet(config: &Config, addr: SocketAddr) {
    let edge = config.edge();
    edge.listens_on(vec![addr]);
    say(&format!("Usher serves on {}\n", edge.address()));
}

fn say(text: &str) {
    if let Err(error) = out::print(text) {
        log::warn!("the address of the pages could not be printed: {error}");
    }
}

/// The secrets of a first start. A link is made at each start, so that one that nobody reads is no fault.
fn secrets_of_a_first_start(
    data: &DataDir,
    config: &Config,
    addr: SocketAddr,
    link: Option<&str>,
) -> anyhow::Result<()> {
    let edge = config.edge();
    edge.listens_on(vec![addr]);
    let base = edge.address();
    copies::recovery_key(data, secret::on_output)?;
    // One of an earlier start opens nothing any more.
    let _ = secret::forget(&data.path().join(secret::SETUP_LINK));
    match link {
        Some(link) => {
            let text = format!(
                "Open this link within an hour to create the owner account; it works once:\n\n  {base}{link}\n\n"
            );
            let what = format!(
                "Admin pages: {base}/admin/. The link to create the owner account (works once, within an hour)"
            );
            if let Err(error) = secret::on_output(data, secret::SETUP_LINK, &what, &text) {
                log::warn!("the link to create the owner account could not be printed: {error}");
            }
        }
        None => say(&format!("Admin pages: {base}/admin/\n")),
    }
    Ok(())
}

/// Looks each minute, and at SIGHUP, whether the certificate's files have changed.
async fn look_at_certificates(app: App, mut hangup: Signal) {
    loop {
        let minute = pin!(tokio::time::sleep(LOOK_EVERY));
        futures_util::future::select(minute, pin!(hangup.recv())).await;
        let app = app.clone();
        let look = move || app.tls().map(Certificates::look);
        if let Err(error) = tokio::task::spawn_blocking(look).await {
            log::error!("the certificate's files could not be looked at: {error}");
        }
    }
}

/// Ends with the first SIGTERM or SIGINT.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        futures_util::future::select(Box::pin(terminate.recv()), Box::pin(interrupt.recv())).await;
    })
}

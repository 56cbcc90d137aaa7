//! An app on a fresh directory, without a server: the rules called as a handler calls them, on a
//! clock that moves when it is told to. When it is dropped the file is checked as a whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use usher::access::keys;
use usher::access::keys::{Bounds, Powers};
use usher::app::App;
use usher::clock::{Clock, MINUTE, Millis};
use usher::data_dir::DataDir;
use usher::error::{Place, Result};
use usher::model::{
    Attributes, Device, Identifier, Kind, ProfileChange, Project, ProjectId, Said, Scope, Scopes, UserId,
};
use usher::people::activity::Incoming;
use usher::people::subject::Subject;
use usher::people::{activity, users};
use usher::projects;
use usher::proof::signing::Signer;
use usher::start::{self, Settings};
use usher::store::{self, Db, NormalTx, Priority, ScrubMode, TxOf};
use usher::worker;

use super::{GRACE, START, folder};

pub struct AppOptions {
    pub rate_limit: Option<u32>,
    pub recording_limit: usize,
    pub clock: Clock,
    pub clock_grace: Millis,
    pub scrub_mode: ScrubMode,
    pub wal_limit: u64,
    /// A database that has lost its last writes is used anyway.
    pub accept_loss: bool,
    /// Read-only, with the project of the app that made the directory.
    pub read_only: Option<TestProject>,
}

impl Default for AppOptions {
    fn default() -> AppOptions {
        AppOptions {
            rate_limit: None,
            recording_limit: 1024 * 1024,
            clock: Clock::manual(START),
            clock_grace: GRACE,
            scrub_mode: ScrubMode::Whole,
            wal_limit: store::WAL_LIMIT,
            accept_loss: false,
            read_only: None,
        }
    }
}

pub struct TestApp {
    pub app: App,
    pub clock: Clock,
    project: TestProject,
    dir: Option<TempDir>,
    /// Held as a server holds it.
    data: Option<DataDir>,
    seconds: AtomicUsize,
}

/// A project with a key that has every scope.
#[derive(Clone)]
pub struct TestProject {
    pub id: ProjectId,
    pub key: String,
    pub token: String,
    pub all: String,
}

impl TestApp {
    pub fn new() -> TestApp {
        TestApp::over(folder(), AppOptions::default())
    }

    /// On a directory that may hold a database already. Its keys are the same in every test.
    pub fn over(dir: TempDir, options: AppOptions) -> TestApp {
        let clock = options.clock;
        put_keys(dir.path());
        let settings = Settings {
            workers: 2,
            rate_limit: options.rate_limit.and_then(std::num::NonZero::new),
            clock_grace: options.clock_grace,
            recording_limit: options.recording_limit,
            scrub_mode: options.scrub_mode,
            reserve: 0,
            wal_limit: options.wal_limit,
            accept_loss: options.accept_loss,
            ..Settings::default()
        };
        let is_read_only = options.read_only.is_some();
        let hold = if is_read_only { DataDir::look } else { DataDir::hold };
        let data = hold(dir.path()).expect("a directory").expect("nobody else holds it");
        let open = if is_read_only { start::open_read_only } else { start::open };
        let app = open(&data, &settings, clock.clone()).expect("the app");
        let project = options
            .read_only
            .unwrap_or_else(|| with_key(&app, app.read(projects::list).expect("projects").remove(0)));
        TestApp { app, clock, project, dir: Some(dir), data: Some(data), seconds: AtomicUsize::new(2) }
    }

    /// The project of the first start.
    pub fn project(&self) -> &TestProject {
        &self.project
    }

    /// Another project.
    pub fn second(&self) -> TestProject {
        let name = format!("project {}", self.seconds.fetch_add(1, Ordering::SeqCst));
        let project = self.write(move |tx| projects::create(tx, &name, "web"));
        with_key(&self.app, project)
    }

    /// A key with some scopes; of the organisation when `project` is None.
    pub fn key(&self, project: Option<ProjectId>, scopes: &str) -> String {
        key(&self.app, project, Scopes::parse(scopes).expect("scopes"))
    }

    pub fn path(&self) -> PathBuf {
        self.dir.as_ref().expect("a directory").path().join("usher.db")
    }

    /// Does all the background work that is due.
    pub fn tick(&self) -> worker::Report {
        let report = worker::tick(&self.app).expect("a tick");
        worker::maintenance::run(&self.app, &|| true).expect("a round");
        report
    }

    pub fn write<P, T, F>(&self, run: F) -> T
    where
        P: Priority,
        T: Send + 'static,
        F: FnMut(&TxOf<P>) -> Result<T> + Send + 'static,
    {
        self.app.write_blocking(run).expect("a write")
    }

    pub fn read<T>(&self, run: impl FnOnce(&Db) -> Result<T>) -> T {
        self.app.read(run).expect("a read")
    }

    /// A user of the first project.
    pub fn seed(&self, identifier: &str) -> Seed<'_> {
        Seed { app: self, identifier: identifier.to_owned(), events: 0, email: None }
    }

    /// Rows that any table still has of a user, as the schema tells, not the registry.
    /// Jobs are not counted: while it runs, one has the user's bare number.
    pub fn rows_of(&self, user: UserId) -> i64 {
        let conn = self.sqlite();
        let count = |sql: &str| conn.query_row(sql, [user.0], |row| row.get::<_, i64>(0)).expect("a count");
        let mut tables = conn
            .prepare(
                "SELECT DISTINCT t.name FROM sqlite_schema t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND c.name = 'user_id' AND t.name <> 'jobs'",
            )
            .expect("the schema");
        let tables: Vec<String> = tables
            .query_map([], |row| row.get(0))
            .expect("the schema")
            .map(|name| name.expect("a name"))
            .collect();
        let rows: i64 = tables
            .iter()
            .map(|table| count(&format!("SELECT COUNT(*) FROM {table} WHERE user_id = ?1")))
            .sum();
        rows + count("SELECT COUNT(*) FROM users WHERE id = ?1")
    }

    /// A connection past the app, to look at the file.
    pub fn sqlite(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.path()).expect("the file opens");
        conn.busy_timeout(Duration::from_secs(10)).expect("a timeout");
        conn
    }

    /// Stops it and gives the directory back, for a start on the same file.
    pub fn stop(mut self) -> TempDir {
        self.give_back()
    }

    /// The same, for what serves it.
    pub fn give_back(&mut self) -> TempDir {
        self.app.stop();
        super::wait_until("the threads that served end", || (self.app.handles() == 1).then_some(()));
        self.data = None;
        self.dir.take().expect("a directory")
    }

    fn check_file(&self) {
        let conn = rusqlite::Connection::open(self.path()).expect("the file opens");
        let sound: String =
            conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an integrity check");
        assert_eq!(sound, "ok");
        let broken: i64 = conn
            .query_row("SELECT COUNT(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
            .expect("a foreign key check");
        assert_eq!(broken, 0, "rows refer to rows that are not there");
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if self.dir.is_none() {
            return;
        }
        self.app.stop();
        // A test that failed has said why already.
        if !std::thread::panicking() {
            self.check_file();
        }
    }
}

/// The secrets that a first start would make.
fn put_keys(dir: &Path) {
    let secrets = dir.join("secrets");
    fs::create_dir_all(&secrets).expect("a folder");
    let signer = Signer::of(&[9; 32]);
    for (at, bytes) in [
        (secrets.join("store.key"), &[7; 32][..]),
        (secrets.join("signing.key"), &[9; 32][..]),
        (dir.join("signing.pub"), signer.public().file_text().as_bytes()),
    ] {
        if !at.exists() {
            fs::write(at, bytes).expect("a file");
        }
    }
}

fn with_key(app: &App, project: Project) -> TestProject {
    let all = key(app, Some(project.id), Scopes::of(&Scope::ALL));
    TestProject { id: project.id, key: project.key, token: project.ingest_token, all }
}

fn key(app: &App, project: Option<ProjectId>, scopes: Scopes) -> String {
    let (_, secret) = app
        .write_blocking(move |tx| {
            keys::create(tx, project, "a test's", Powers::Scopes(scopes), &Bounds::default())
        })
        .expect("a key");
    app.reload_keys().expect("keys");
    secret
}

pub struct Seed<'a> {
    app: &'a TestApp,
    identifier: String,
    events: u32,
    email: Option<String>,
}

impl Seed<'_> {
    /// A minute apart, the last one now.
    pub fn events(mut self, events: u32) -> Self {
        self.events = events;
        self
    }

    pub fn email(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self
    }

    pub fn insert(self) -> UserId {
        let Seed { app, identifier, events, email } = self;
        let project = app.project.id;
        let identifier = named(&identifier);
        app.write(move |tx: &NormalTx| {
            let change = ProfileChange { email: email.clone().map(Some), ..ProfileChange::default() };
            let (user, _) = users::create_or_update(tx, project, &identifier, &change)?.expect("taken");
            for n in 0..events {
                let at = tx.now() - Millis::from(events - 1 - n) * MINUTE;
                activity::record(tx, project, &event(&identifier, &format!("event {n}"), at))?;
            }
            Ok(user.id)
        })
    }
}

/// An event of a named user, as a client would send it.
pub fn event(identifier: &Identifier, name: &str, at: Millis) -> Incoming {
    Incoming {
        subject: Subject { identifier: Some(identifier.clone()), anonymous_id: None },
        kind: Kind::Event,
        name: name.to_owned(),
        at: Said::at(at),
        message_id: None,
        session: None,
        url: None,
        data: Attributes::new(),
        device: Device::default(),
    }
}

pub fn named(text: &str) -> Identifier {
    Identifier::parse(Place::Body, "identifier", text).expect("an identifier")
}

//! A server on port 0 over a fresh directory, and a plain client for it. When it is
//! dropped, the whole is checked: the file is sound, nothing was answered 5xx.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use usher::access::keyring::Keyring;
use usher::access::keys;
use usher::access::keys::{Bounds, Powers};
use usher::admin::SetupLink;
use usher::app::{App, Parts};
use usher::bell::Bell;
use usher::clock::{Clock, MINUTE, Millis};
use usher::edge::Edge;
use usher::error::{Place, Result};
use usher::model::{
    Attributes, Device, Identifier, Kind, ProfileChange, Project, ProjectId, Said, Scope, Scopes, UserId,
};
use usher::people::activity::Incoming;
use usher::people::subject::Subject;
use usher::people::{activity, users};
use usher::projects;
use usher::proof::receipts::Receipts;
use usher::proof::signing::Signer;
use usher::server::{Http, Stop};
use usher::store::{self, Db, Hygiene, Lane, Store, Tx};
use usher::web::limits::Limits;
use usher::worker::{self, Worker};

/// 2026-03-04T10:00:00Z, a Wednesday: when every test begins.
pub const START: Millis = 1_772_618_400_000;

pub struct Options {
    pub rate_limit: Option<u32>,
    pub recording_limit: usize,
    /// Run the worker thread; without it [`Server::tick`] does its work.
    pub worker: bool,
    pub clock: Clock,
    pub clock_grace: Millis,
    pub hygiene: Hygiene,
    pub wal_limit: u64,
    pub public_url: Option<&'static str>,
    /// Of proxies in front: addresses or ranges.
    pub trusted_proxies: Vec<&'static str>,
    pub security_contact: Option<&'static str>,
    /// Further hosts of the APIs.
    pub api_hosts: Vec<&'static str>,
    /// Of the certificate, where it speaks TLS itself.
    pub tls: Option<usher::tls::Files>,
    /// How patient it is with clients.
    pub limits: Limits,
    pub names: Names,
    /// Read-only, with the project of the server that made the directory.
    pub read_only: Option<TestProject>,
}

/// Whether people's names are in memory, so that they are found by a part of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Before it serves.
    Read,
    /// Once the test says so.
    Later,
    LeftOut,
}

pub struct Server {
    pub app: App,
    pub clock: Clock,
    pub addr: SocketAddr,
    /// Of the first-run link.
    pub setup_path: String,
    project: TestProject,
    dir: Option<TempDir>,
    agent: ureq::Agent,
    faults: Arc<Mutex<Vec<String>>>,
    expects_faults: AtomicBool,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    worker: Option<Worker>,
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

impl Server {
    pub fn start() -> Server {
        Server::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Server {
        Server::over(tempfile::tempdir().expect("a directory"), change)
    }

    /// On a directory that may hold a database already.
    pub fn over(dir: TempDir, change: impl FnOnce(&mut Options)) -> Server {
        let mut options = Options {
            rate_limit: None,
            recording_limit: 1024 * 1024,
            worker: false,
            clock: Clock::manual(START),
            clock_grace: 15 * MINUTE,
            hygiene: Hygiene::Whole,
            wal_limit: store::WAL_LIMIT,
            public_url: None,
            trusted_proxies: Vec::new(),
            security_contact: None,
            api_hosts: Vec::new(),
            tls: None,
            limits: Limits::default(),
            names: Names::Read,
            read_only: None,
        };
        change(&mut options);
        let clock = options.clock;
        let bell = Arc::new(Bell::default());
        let how = store::Options {
            secret: [7; 32],
            clock: clock.clone(),
            bell: Arc::clone(&bell),
            points: 4,
            hygiene: options.hygiene,
            ballast: 0,
            wal_limit: options.wal_limit,
            loss: store::Loss::Refuse,
        };
        let path = dir.path().join("usher.db");
        let store = match &options.read_only {
            None => Store::open(&path, how),
            Some(_) => Store::open_read_only(&path, &how).map(|store| (store, Vec::new())),
        };
        let store = store.expect("the store opens");
        let limit = options.rate_limit.and_then(std::num::NonZero::new);
        let keyring = Keyring::new(clock.clone(), limit);
        let make = if options.read_only.is_some() { App::read_only } else { App::new };
        let app = make(Parts {
            store,
            keyring,
            bell,
            clock: clock.clone(),
            clock_grace: options.clock_grace,
            recording_limit: options.recording_limit,
            signer: Signer::of(&[9; 32]),
            receipts: Receipts::open(&dir.path().join("receipts")).expect("the receipts"),
            backups: dir.path().join("backups"),
        })
        .expect("the app");
        let edge = Edge::new(
            options.public_url.map(|url| url.parse().expect("a public URL")),
            options.trusted_proxies.iter().map(|text| text.parse().expect("a network")).collect(),
        );
        let edge = edge.with_tls(options.tls.is_some());
        if let Some(files) = options.tls {
            app.shows(usher::tls::Certificates::open(files, clock.clone()).expect("a certificate"));
        }
        app.stands_at(
            edge.with_contact(options.security_contact.map(|contact| contact.parse().expect("a contact")))
                .with_hosts(options.api_hosts.iter().map(|host| host.parse().expect("a host")).collect()),
        );
        match options.names {
            Names::Read => app.build_find().expect("the names"),
            Names::Later => {}
            Names::LeftOut => app.find().leave_out(),
        }
        let setup = SetupLink::new(&app).expect("the setup link");
        let setup_path = setup.as_ref().map(SetupLink::path).unwrap_or_default();
        let (addr, stop, thread) = serve(&app, setup, options.limits);
        let worker = options.worker.then(|| Worker::start(app.clone()).expect("the worker"));
        let project = options
            .read_only
            .unwrap_or_else(|| with_key(&app, app.read(projects::list).expect("projects").remove(0)));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .build()
            .new_agent();
        Server {
            app,
            clock,
            addr,
            setup_path,
            project,
            dir: Some(dir),
            agent,
            faults: Arc::default(),
            expects_faults: AtomicBool::new(false),
            stop,
            thread: Some(thread),
            worker,
            seconds: AtomicUsize::new(2),
        }
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

    /// Whether it is ready, and what it says of one of the things that it looks at.
    pub fn ready(&self, key: &str, check: &str) -> (u16, String) {
        // What was found counts for half a second.
        self.clock.advance(500);
        let reply = self.get("/readyz").bearer(key).send();
        let (status, body) = (reply.status, reply.json());
        let found = body["checks"].as_array().expect("checks").iter().find(|one| one["name"] == check);
        (status, found.expect("the check")["words"].as_str().expect("words").to_owned())
    }

    /// A key with some scopes; of the organisation when `project` is None.
    pub fn key(&self, project: Option<ProjectId>, scopes: &str) -> String {
        key(&self.app, project, Scopes::parse(scopes).expect("scopes"))
    }

    pub fn path(&self) -> PathBuf {
        self.dir.as_ref().expect("a directory").path().join("usher.db")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    pub fn put(&self, path: &str) -> Request<'_> {
        self.request("PUT", path)
    }

    pub fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }

    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request {
            server: self,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Does all the background work that is due.
    pub fn tick(&self) -> worker::Report {
        let report = worker::tick(&self.app).expect("a tick");
        worker::upkeep::run(&self.app, &|| true).expect("a round");
        report
    }

    pub fn write<T, F>(&self, run: F) -> T
    where
        T: Send + 'static,
        F: FnMut(&Tx) -> Result<T> + Send + 'static,
    {
        self.app.write_blocking(Lane::Request, run).expect("a write")
    }

    pub fn read<T>(&self, run: impl FnOnce(&Db) -> Result<T>) -> T {
        self.app.read(run).expect("a read")
    }

    /// A user of the first project.
    pub fn seed(&self, identifier: &str) -> Seed<'_> {
        Seed { server: self, identifier: identifier.to_owned(), events: 0, email: None }
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

    /// A connection past the server, to look at the file.
    pub fn sqlite(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.path()).expect("the file opens");
        conn.busy_timeout(Duration::from_secs(10)).expect("a timeout");
        conn
    }

    /// 5xx answers are part of this test.
    pub fn expect_faults(&self) {
        self.expects_faults.store(true, Ordering::SeqCst);
    }

    /// Stops it and gives the directory back, for a start on the same file.
    pub fn stop(mut self) -> TempDir {
        self.shut_down();
        self.dir.take().expect("a directory")
    }

    fn shut_down(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let stop = self.stop.clone();
        actix_web::rt::System::new().block_on(async move { stop.gracefully().await });
        thread.join().expect("the server ends");
        if let Some(mut worker) = self.worker.take() {
            worker.stop();
        }
        self.app.stop();
    }

    fn check_the_whole(&self) {
        let conn = rusqlite::Connection::open(self.path()).expect("the file opens");
        let sound: String =
            conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an integrity check");
        assert_eq!(sound, "ok");
        let broken: i64 = conn
            .query_row("SELECT COUNT(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
            .expect("a foreign key check");
        assert_eq!(broken, 0, "rows refer to rows that are not there");
        let faults = self.faults.lock().expect("faults");
        if !self.expects_faults.load(Ordering::SeqCst) {
            assert!(faults.is_empty(), "answered with faults of ours: {faults:?}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_none() {
            return;
        }
        self.shut_down();
        // A test that failed has said why already.
        if !std::thread::panicking() {
            self.check_the_whole();
        }
    }
}

fn serve(app: &App, setup: Option<SetupLink>, limits: Limits) -> (SocketAddr, Stop, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (tell, told) = mpsc::channel();
    let app = app.clone();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let http = Http::within(limits, vec![listener], &app, setup, 2).expect("the server starts");
            tell.send((http.addr, http.stop())).expect("somebody waits");
            http.server.await.expect("the server ends well");
        });
    });
    let (addr, stop) = told.recv().expect("the server tells its address");
    (addr, stop, thread)
}

fn with_key(app: &App, project: Project) -> TestProject {
    let all = key(app, Some(project.id), Scopes::of(&Scope::ALL));
    TestProject { id: project.id, key: project.key, token: project.ingest_token, all }
}

fn key(app: &App, project: Option<ProjectId>, scopes: Scopes) -> String {
    let (_, secret) = app
        .write_blocking(Lane::Request, move |tx| {
            keys::create(tx, project, "a test's", Powers::Scopes(scopes), &Bounds::default())
        })
        .expect("a key");
    app.reload_keys().expect("keys");
    secret
}

pub struct Request<'a> {
    server: &'a Server,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    pub fn json(self, body: Value) -> Self {
        self.body(body.to_string(), "application/json")
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>, content_type: &str) -> Self {
        self.body = Some(body.into());
        self.header("Content-Type", content_type)
    }

    pub fn send(mut self) -> Reply {
        if self.method == "HEAD" {
            // The client would unpack a body that is not there.
            self = self.header("Accept-Encoding", "identity");
        }
        let agent = &self.server.agent;
        let url = self.server.url(&self.path);
        let headers = |mut request: ureq::http::request::Builder| {
            for (name, value) in &self.headers {
                request = request.header(name, value);
            }
            request
        };
        let sent = match (self.method.as_str(), self.body) {
            // Unusual, but some clients do it.
            ("GET", Some(body)) => with_headers(agent.get(&url).force_send_body(), &self.headers).send(&body),
            ("DELETE", Some(body)) => {
                with_headers(agent.delete(&url).force_send_body(), &self.headers).send(&body)
            }
            (method, body) => {
                let request = headers(ureq::http::Request::builder().method(method).uri(&url));
                match body {
                    Some(body) => agent.run(request.body(body).expect("a request")),
                    None => agent.run(request.body(()).expect("a request")),
                }
            }
        };
        let mut response = sent.expect("an answer");
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let bytes = response.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status >= 500 {
            let fault = format!("{} {}: {status} {text}", self.method, self.path);
            self.server.faults.lock().expect("faults").push(fault);
        }
        Reply { status, headers, bytes, text }
    }
}

fn with_headers<B>(
    mut request: ureq::RequestBuilder<B>,
    headers: &[(String, String)],
) -> ureq::RequestBuilder<B> {
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Of a repeated header the last; [`Reply::all`] has each.
    headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
    pub text: String,
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The reply itself, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// The names of an object's fields, sorted.
#[track_caller]
pub fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

pub struct Seed<'a> {
    server: &'a Server,
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
        let Seed { server, identifier, events, email } = self;
        let project = server.project.id;
        let identifier = named(&identifier);
        server.write(move |tx| {
            let change = ProfileChange { email: email.clone().map(Some), ..ProfileChange::default() };
            let (user, _) = users::put(tx, project, &identifier, &change)?.expect("taken");
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

/// Percent-encodes all but letters and digits, as a careful client does.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

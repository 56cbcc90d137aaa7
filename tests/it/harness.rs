//! A server on port 0 over a fresh directory, and a plain client for it. When it is
//! dropped, the whole is checked: the file is sound, nothing was answered 5xx.

use std::net::{SocketAddr, TcpListener};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use usher::admin::SetupLink;
use usher::app::App;
use usher::clock::{Clock, Millis};
use usher::edge::Edge;
use usher::server::{Http, Stop};
use usher::web::limits::Limits;
use usher::worker::Worker;

pub use crate::common::START;
use crate::common::app::{AppOptions, TestApp};
pub use crate::common::app::{TestProject, event, named};
use crate::common::folder;
use crate::contract;

#[derive(Default)]
pub struct Options {
    pub app: AppOptions,
    /// Run the worker thread; without it [`TestApp::tick`] does its work.
    pub worker: bool,
    pub public_url: Option<&'static str>,
    /// Of proxies in front: addresses or ranges.
    pub trusted_proxies: Vec<&'static str>,
    pub security_contact: Option<&'static str>,
    /// The reference of the APIs is closed.
    pub docs_off: bool,
    /// Further hosts of the APIs.
    pub api_hosts: Vec<&'static str>,
    /// Of the certificate, where it speaks TLS itself.
    pub tls: Option<usher::tls::Files>,
    /// How patient it is with clients.
    pub limits: Limits,
    pub names: Names,
}

impl Deref for Options {
    type Target = AppOptions;

    fn deref(&self) -> &AppOptions {
        &self.app
    }
}

impl DerefMut for Options {
    fn deref_mut(&mut self) -> &mut AppOptions {
        &mut self.app
    }
}

/// Whether people's names are in memory, so that they are found by a part of them.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Names {
    /// Before it serves.
    #[default]
    Read,
    /// Once the test says so.
    Later,
    LeftOut,
}

pub struct Server {
    /// What it serves; the methods of that are this one's, too.
    served: TestApp,
    pub addr: SocketAddr,
    /// Of the first-run link.
    pub setup_path: String,
    agent: ureq::Agent,
    faults: Arc<Mutex<Vec<String>>>,
    expects_faults: AtomicBool,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    worker: Option<Worker>,
}

impl Deref for Server {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.served
    }
}

impl Server {
    pub fn start() -> Server {
        Server::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Server {
        Server::over(folder(), change)
    }

    /// On a database that is older than its ledger, as with `--accept-loss`, at a time.
    pub fn on_older(dir: TempDir, now: Millis) -> Server {
        Server::over(dir, |options| {
            options.clock = Clock::manual(now);
            options.accept_loss = true;
        })
    }

    /// On a directory that may hold a database already.
    pub fn over(dir: TempDir, change: impl FnOnce(&mut Options)) -> Server {
        let mut options = Options::default();
        change(&mut options);
        let served = TestApp::over(dir, options.app);
        let app = &served.app;
        let edge = Edge::new(
            options.public_url.map(|url| url.parse().expect("a public URL")),
            options.trusted_proxies.iter().map(|text| text.parse().expect("a network")).collect(),
        );
        let edge = edge.with_tls(options.tls.is_some()).with_docs(!options.docs_off);
        if let Some(files) = options.tls {
            app.shows(usher::tls::Certificates::open(files, served.clock.clone()).expect("a certificate"));
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
        let setup = SetupLink::new(app).expect("the setup link");
        let setup_path = setup.as_ref().map(SetupLink::path).unwrap_or_default();
        let (addr, stop, thread) = serve(app, setup, options.limits);
        let worker = options.worker.then(|| Worker::start(app.clone()).expect("the worker"));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .build()
            .new_agent();
        Server {
            served,
            addr,
            setup_path,
            agent,
            faults: Arc::default(),
            expects_faults: AtomicBool::new(false),
            stop,
            thread: Some(thread),
            worker,
        }
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

    /// 5xx answers are part of this test.
    pub fn expect_faults(&self) {
        self.expects_faults.store(true, Ordering::SeqCst);
    }

    /// Stops it and gives the directory back, for a start on the same file.
    pub fn stop(mut self) -> TempDir {
        self.shut_down();
        self.served.give_back()
    }

    fn shut_down(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let stop = self.stop.clone();
        actix_web::rt::System::new().block_on(async move { stop.gracefully().await });
        thread.join().expect("the server ends");
        if let Some(mut worker) = self.worker.take() {
            worker.stop();
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
        if !std::thread::panicking() && !self.expects_faults.load(Ordering::SeqCst) {
            let faults = self.faults.lock().expect("faults");
            assert!(faults.is_empty(), "answered with faults of ours: {faults:?}");
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
        let headers: Vec<(String, String)> = response
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
        contract::check(&self.method, &self.path, status, &headers, &text);
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

/// Percent-encodes all but letters and digits, as a careful client does.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

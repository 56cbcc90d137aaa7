//! Servers to measure, over a file full of users.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::middleware::{Next, from_fn};
use actix_web::rt::System;
use actix_web::{HttpResponse, HttpServer, web};
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokio::sync::Mutex;
use usher::access::keys;
use usher::access::keys::{Bounds, Powers};
use usher::app::App;
use usher::clock::Clock;
use usher::data_dir::DataDir;
use usher::model::{Scope, Scopes};
use usher::projects;
use usher::server::Http;
use usher::start::{self, Settings};
use usher::worker::Worker;

const WORKERS: usize = 2;

pub struct House {
    app: App,
    /// Held as a server holds it.
    _data: DataDir,
    dir: TempDir,
    pub key: String,
    pub project_key: String,
}

pub struct Serving {
    pub addr: SocketAddr,
    handle: actix_web::dev::ServerHandle,
    thread: Option<JoinHandle<()>>,
    /// Ends with it.
    worker: Option<Worker>,
}

pub fn identifier(n: i64) -> String {
    format!("user-{n}@example.com")
}

impl House {
    pub fn with_users(users: i64) -> House {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let path = dir.path().join("usher.db");
        let data = DataDir::hold(dir.path()).expect("a directory").expect("nobody else holds it");
        // With a limit that nobody reaches: counting is part of the work.
        let settings = Settings {
            workers: WORKERS,
            rate_limit: NonZero::new(u32::MAX / 64),
            reserve: 0,
            ..Settings::default()
        };
        let app = start::open(&data, &settings, Clock::system()).expect("the app");
        let project = app.read(projects::list).expect("projects").remove(0);
        let id = project.id;
        let (_, key) = app
            .write_blocking(move |tx| {
                let powers = Powers::Scopes(Scopes::of(&Scope::ALL));
                keys::create(tx, Some(id), "bench", powers, &Bounds::default())
            })
            .expect("a key");
        app.reload_keys().expect("keys");
        insert_users(&path, id.0, users);
        House { app, _data: data, dir, key, project_key: project.key }
    }

    fn file(&self) -> Connection {
        let conn = Connection::open(self.dir.path().join("usher.db")).expect("the file opens");
        conn.busy_timeout(Duration::from_secs(30)).expect("a timeout");
        conn
    }

    /// As `usher serve` does it.
    pub fn serve(&self) -> Serving {
        let app = self.app.clone();
        spawn(move |listener| {
            Http::on(vec![listener], &app, None, WORKERS).expect("the server starts").server
        })
    }

    pub fn serve_with_worker(&self) -> Serving {
        let worker = Worker::start(self.app.clone()).expect("the worker");
        let mut serving = self.serve();
        serving.worker = Some(worker);
        serving
    }

    /// The same routes, but each request waits until the one before it was answered: a
    /// transaction for each.
    pub fn serve_one_by_one(&self) -> Serving {
        let app = self.app.clone();
        let turn = Arc::new(Mutex::new(()));
        spawn(move |listener| {
            let data = web::Data::new(app.clone());
            HttpServer::new(move || {
                let turn = Arc::clone(&turn);
                actix_web::App::new()
                    .app_data(data.clone())
                    .wrap(from_fn(move |request, next: Next<_>| {
                        let turn = Arc::clone(&turn);
                        async move {
                            let _turn = turn.lock().await;
                            next.call(request).await
                        }
                    }))
                    .configure(usher::api::mount)
            })
            .workers(WORKERS)
            .disable_signals()
            .listen(listener)
            .expect("the listener")
            .run()
        })
    }

    /// Gives user `n` so many events.
    pub fn give_events(&self, n: i64, events: i64) {
        let file = self.file();
        file.execute(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
                 INSERT INTO events (user_id, message_key, session_id, kind, name, at, message_id, url, data)
                 SELECT (SELECT id FROM users WHERE identifier = ?1), -n * 7919, NULL, 'event', 'Report Exported',
                        1700000000000 + n, 'bulk-' || n, NULL, '{\"file\":\"quarter-' || n || '.csv\"}' FROM n",
                params![identifier(n), events],
            )
            .expect("events");
        // Such a WAL is nothing that the server itself leaves.
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    }

    /// A file of about this size, of users who have 100 events each, however many that takes.
    /// The events lie as they come in life: each beside those of others.
    pub fn filled(megabytes: i64) -> House {
        const TRANSACTION: i64 = 100_000;
        const EACH: i64 = 100;
        let users = (megabytes * 1_000_000 / 760 / EACH).max(1_000);
        let house = House::with_users(users);
        let mut conn = house.file();
        conn.execute_batch("PRAGMA cache_size = -1000000").expect("a cache");
        let mut from = 0;
        while from < users * EACH {
            let until = (from + TRANSACTION).min(users * EACH);
            let tx = conn.transaction().expect("a transaction");
            tx.execute(
                "WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
                 INSERT INTO events (user_id, message_key, session_id, kind, name, at, message_id, url, data)
                 SELECT n % ?3 + 1, n * 7919, NULL, 'event', 'Report Exported', 1700000000000 + n, 'fill-' || n,
                        NULL, '{\"text\":\"' || hex(randomblob(300)) || '\"}' FROM n",
                params![from, until, users],
            )
            .expect("events");
            tx.commit().expect("a commit");
            from = until;
        }
        house
    }

    pub fn megabytes(&self) -> u64 {
        std::fs::metadata(self.dir.path().join("usher.db")).expect("the file").len() / 1_000_000
    }

    /// Somebody with so many events was here, whose pages are free now.
    pub fn free_pages(&self, events: i64) {
        self.give_events(1, events);
        let file = self.file();
        file.execute_batch("PRAGMA secure_delete = ON; PRAGMA cache_size = -1000000").expect("pragmas");
        file.execute("DELETE FROM events WHERE message_id LIKE 'bulk-%'", []).expect("a deletion");
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    }

    /// Files as the receipts of earlier years are.
    pub fn add_receipts(&self, count: u64) {
        for number in 1..=count {
            let name = format!("receipts/{number:06}-{number:032x}.json");
            std::fs::write(self.dir.path().join(name), "{}").expect("a file");
        }
    }

    /// Events that jobs took.
    pub fn erased_events(&self) -> i64 {
        let sql = "SELECT SUM(counts ->> 'events') FROM jobs";
        self.file().query_row(sql, [], |row| row.get(0)).expect("a sum")
    }

    /// Asks, again and again, whether every job is completed.
    pub fn watch(&self) -> impl Fn() -> bool {
        let conn = self.file();
        move || {
            conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM jobs WHERE status <> 'completed')", [], |row| {
                row.get(0)
            })
            .expect("an answer")
        }
    }

    /// Whether every job is completed.
    pub fn is_erased(&self) -> bool {
        self.file()
            .query_row("SELECT NOT EXISTS (SELECT 1 FROM jobs WHERE status <> 'completed')", [], |row| {
                row.get(0)
            })
            .expect("an answer")
    }

    /// How long one DELETE statement takes for as many events, with the same settings.
    pub fn time_plain_delete(self, events: i64) -> Duration {
        self.give_events(1, events);
        self.app.stop();
        let conn = self.file();
        conn.execute_batch("PRAGMA secure_delete = ON; PRAGMA synchronous = FULL").expect("pragmas");
        let started = Instant::now();
        let sql = "DELETE FROM events WHERE user_id = (SELECT id FROM users WHERE identifier = ?1)";
        conn.execute(sql, params![identifier(1)]).expect("a deletion");
        started.elapsed()
    }
}

fn insert_users(path: &std::path::Path, project: i64, users: i64) {
    let mut conn = Connection::open(path).expect("the file opens");
    let tx = conn.transaction().expect("a transaction");
    tx.execute(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
         INSERT INTO users (id, project_id, incarnation, state, identifier, email, first_name, last_name, country,
                            attributes, created_at, updated_at, first_seen, last_seen)
         SELECT n + 1, ?1, randomblob(16), 'live', 'user-' || n || '@example.com', 'user-' || n || '@example.com',
                'First' || (n % 977), 'Last' || (n % 4001), 'DE', '{\"plan\":\"team\",\"seats\":' || (n % 60) || '}',
                1700000000000 + n, 1700000000000 + n, 1700000000000 + n, 1700000000000 + n FROM n",
        params![project, users],
    )
    .expect("users");
    tx.commit().expect("a commit");
}

/// An actix handler that knows its answer, at the same path pattern.
pub fn serve_constant(body: String) -> Serving {
    spawn(move |listener| {
        HttpServer::new(move || {
            let body = web::Bytes::from(body.clone());
            actix_web::App::new().service(web::resource("/api/v1/{project}/users/{user}").to(move || {
                let body = body.clone();
                async move { HttpResponse::Ok().content_type("application/json").body(body) }
            }))
        })
        .workers(WORKERS)
        .disable_signals()
        .listen(listener)
        .expect("the listener")
        .run()
    })
}

fn spawn(serve: impl FnOnce(TcpListener) -> actix_web::dev::Server + Send + 'static) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        System::new().block_on(async move {
            let server = serve(listener);
            tell.send(server.handle()).expect("somebody waits");
            server.await.expect("the server ends well");
        });
    });
    Serving { addr, handle: told.recv().expect("a handle"), thread: Some(thread), worker: None }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let handle = self.handle.clone();
        System::new().block_on(async move { handle.stop(false).await });
        self.worker.take();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends");
        }
    }
}

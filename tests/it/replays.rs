//! A database that was put back by hand: what the ledger says was erased, hidden, revoked or
//! asked for since is so again before the first answer.

use std::path::Path;
use usher::store::NormalTx;

use serde_json::json;
use tempfile::TempDir;
use usher::clock::{Clock, DAY, HOUR, MINUTE};
use usher::erasure;
use usher::erasure::receipts::{Person, check};
use usher::model::{TRASH_PERIOD, UserId};

use crate::harness::{START, Server};

const PX: &str = "X-APTRINSIC-API-KEY";

pub struct House {
    pub server: Server,
    key: String,
}

impl House {
    pub fn new(server: Server) -> House {
        let key = server.project().all.clone();
        House { server, key }
    }

    fn px(&self, method: &str, path: &str) -> u16 {
        let request = self.server.request(method, path).header(PX, &self.key);
        if method == "PUT" { request.json(json!({})).send().status } else { request.send().status }
    }

    fn status(&self, name: &str) -> u16 {
        self.px("GET", &format!("/v1/users/{name}"))
    }

    /// Stops, keeps a copy of the database file, and starts again.
    pub fn copied(self) -> (House, TempDir) {
        let House { server, key } = self;
        let now = server.clock.now();
        let dir = server.stop();
        let aside = tempfile::tempdir().expect("a directory");
        std::fs::copy(dir.path().join("usher.db"), aside.path().join("usher.db")).expect("a copy");
        (House { server: at(dir, now), key }, aside)
    }

    /// Stops, puts the copy back, and starts again.
    pub fn put_back(self, aside: &Path) -> House {
        let House { server, key } = self;
        let now = server.clock.now();
        let dir = server.stop();
        std::fs::copy(aside.join("usher.db"), dir.path().join("usher.db")).expect("a copy");
        let _ = std::fs::remove_file(dir.path().join("usher.db-wal"));
        let _ = std::fs::remove_file(dir.path().join("usher.db-shm"));
        House { server: Server::on_older(dir, now), key }
    }

    fn events(&self, name: &str) -> i64 {
        let sql = "SELECT event_count FROM users WHERE identifier = ?1";
        self.server.sqlite().query_row(sql, [name], |row| row.get(0)).expect("a count")
    }
}

const GRACE: i64 = 15 * MINUTE;

fn at(dir: TempDir, now: i64) -> Server {
    Server::over(dir, |options| options.clock = Clock::manual(now))
}

#[test]
fn what_was_ordered_since_holds_at_the_first_answer() {
    let house = House::new(Server::start());
    for name in ["erased", "hidden", "revived", "waiting", "cancelled", "detached", "emptied", "untouched"] {
        house.server.seed(name).events(3).insert();
    }
    let project = house.server.project().clone();
    let revoked = house.server.key(Some(project.id), "read");
    // Erased and registered again before the copy: the new one stays.
    house.server.seed("again").events(5).insert();
    assert_eq!(house.px("DELETE", "/v1/users/again?hardDelete=true"), 200);
    house.server.tick();
    house.server.clock.advance(HOUR);
    house.server.seed("again").events(2).insert();
    assert_eq!(house.px("DELETE", "/v1/users/revived"), 200);
    let openreplay = |house: &House, method: &str, path: &str| {
        let path = format!("/api/v1/{}/{path}", project.key);
        house.server.request(method, &path).bearer(&house.key).send().expect(200).json()
    };
    let kept = openreplay(&house, "DELETE", "users/cancelled")["data"]["jobId"].to_string();
    let (house, aside) = house.copied();

    assert_eq!(house.px("DELETE", "/v1/users/erased?hardDelete=true"), 200);
    assert_eq!(house.px("DELETE", "/v1/users/hidden"), 200);
    let hidden_at = house.server.clock.now();
    assert_eq!(house.px("PUT", "/v1/users/revived"), 204);
    openreplay(&house, "DELETE", "users/waiting");
    openreplay(&house, "DELETE", &format!("jobs/{kept}"));
    let alloy = |path: &str| {
        let request = house.server.delete(path).bearer(&house.key).header("x-api-version", "2025-09");
        request.send().expect(200);
    };
    alloy("/users/detached");
    alloy("/users/emptied/logs");
    house.server.write(|tx| {
        let last = usher::access::keys::list(tx)?.into_iter().rfind(|key| key.scopes.names() == ["read"]);
        usher::access::keys::revoke(tx, last.expect("a key").id)
    });
    house.server.tick();
    house.server.clock.advance(DAY / 2);

    let house = house.put_back(aside.path());
    assert_eq!(house.status("erased"), 404);
    assert_eq!(house.status("hidden"), 404);
    assert_eq!(house.status("detached"), 404);
    assert_eq!((house.status("revived"), house.events("revived")), (200, 3));
    assert_eq!((house.status("again"), house.events("again")), (200, 2));
    assert_eq!((house.status("emptied"), house.events("emptied")), (200, 0));
    assert_eq!((house.status("untouched"), house.events("untouched")), (200, 3));
    assert_eq!(house.status("cancelled"), 200);
    let reply = house.server.get("/users").bearer(&revoked).send();
    assert_eq!(reply.status, 401, "a revoked key works again");
    house.server.tick();
    // The day goes on where it was: what waits for midnight does, and what was cancelled not.
    assert_eq!(house.status("waiting"), 200);
    house.server.clock.advance(DAY);
    house.server.tick();
    assert_eq!((house.status("waiting"), house.status("cancelled")), (404, 200));
    // A millisecond before the 7 days are over the hidden one comes back whole.
    let spent = house.server.clock.now() - hidden_at;
    house.server.clock.advance(TRASH_PERIOD - spent - 1);
    assert_eq!(house.px("PUT", "/v1/users/hidden"), 204);
    assert_eq!(house.events("hidden"), 3);
}

/// The twin: without what the ledger says, the old file does bring somebody back.
#[test]
fn an_old_file_without_its_ledger_is_refused() {
    let house = House::new(Server::start());
    house.server.seed("erased").events(3).insert();
    let (house, aside) = house.copied();
    assert_eq!(house.px("DELETE", "/v1/users/erased?hardDelete=true"), 200);
    house.server.tick();
    let dir = house.server.stop();
    let key = house.key;
    let old = tempfile::tempdir().expect("a directory");
    std::fs::copy(aside.path().join("usher.db"), old.path().join("usher.db")).expect("a copy");
    let refused = usher::store::Store::open(
        &old.path().join("usher.db"),
        usher::store::Options {
            secret: [7; 32],
            clock: Clock::manual(START),
            worker_signal: std::sync::Arc::default(),
            points: 1,
            scrub_mode: usher::store::ScrubMode::Whole,
            reserve: 0,
            wal_limit: usher::store::WAL_LIMIT,
            loss: usher::store::Loss::Refuse,
        },
    );
    let why = refused.err().expect("refused").to_string();
    assert!(why.contains("there is no ledger") && why.contains("Put its newest copy there"), "{why}");
    // The ledger cut back to where the old file knows it.
    let conn = rusqlite::Connection::open(old.path().join("usher.db")).expect("the file opens");
    let known: i64 = conn.query_row("SELECT offset FROM ledger_mark", [], |row| row.get(0)).expect("a mark");
    drop(conn);
    let ledger = std::fs::read(dir.path().join("erasures.ledger")).expect("the ledger");
    let known = usize::try_from(known).expect("a length");
    assert!(known < ledger.len());
    std::fs::write(old.path().join("erasures.ledger"), &ledger[..known]).expect("a ledger");
    let house = House { server: at(old, START + 1), key };
    assert_eq!(house.status("erased"), 200);
}

/// A user erased as a whole goes from a copy in which its anonymous past stood alone.
#[test]
fn a_visitor_merged_since_goes_with_the_user() {
    let house = House::new(Server::start());
    let send = |house: &House, body: serde_json::Value| {
        house.server.post("/v1/batch").bearer(&house.key).json(body).send().expect(200);
    };
    send(&house, json!({ "batch": [{ "type": "track", "anonymousId": "visitor-1", "event": "Came By" }] }));
    house.server.seed("ann").events(1).insert();
    let (house, aside) = house.copied();
    send(&house, json!({ "batch": [{ "type": "identify", "userId": "ann", "anonymousId": "visitor-1" }] }));
    house.server.tick();
    assert_eq!(house.px("DELETE", "/v1/users/ann?hardDelete=true"), 200);
    let house = house.put_back(aside.path());
    house.server.tick();
    let left: i64 = house
        .server
        .sqlite()
        .query_row("SELECT COUNT(*) FROM events", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(left, 0);
}

#[test]
fn who_signed_out_since_the_copy_is_not_signed_in_again() {
    let house = House::new(Server::start());
    house.server.seed("ann").events(1).insert();
    let sessions = |house: &House| -> i64 {
        house
            .server
            .sqlite()
            .query_row("SELECT COUNT(*) FROM admin_sessions", [], |row| row.get(0))
            .expect("a count")
    };
    house
        .server
        .sqlite()
        .execute_batch(
            "INSERT INTO admins (id, name, password_hash, created_at) VALUES (1, 'mia', '', 0);
             INSERT INTO admin_sessions (hash, admin_id, created_at, expires_at)
             VALUES (zeroblob(32), 1, 0, 9000000000000)",
        )
        .expect("a session");
    let (house, aside) = house.copied();
    assert_eq!(sessions(&house), 1, "a mere start signs nobody out");
    assert_eq!(house.px("DELETE", "/v1/users/ann?hardDelete=true"), 200);
    let house = house.put_back(aside.path());
    assert_eq!(sessions(&house), 0);
}

/// A reader that stays open keeps a job from being completed.
#[test]
fn an_erasure_completes_after_the_last_reader_of_old_pages() {
    let house = House::new(Server::start());
    house.server.seed("ann").events(3).insert();
    let reader = house.server.sqlite();
    reader.execute_batch("BEGIN").expect("a transaction");
    let _: i64 = reader.query_row("SELECT COUNT(*) FROM events", [], |row| row.get(0)).expect("a count");
    assert_eq!(house.px("DELETE", "/v1/users/ann?hardDelete=true"), 200);
    let report = house.server.tick();
    assert_eq!((report.completed, report.waiting), (0, 1));
    let status = |house: &House| -> (String, Option<String>) {
        let sql = "SELECT status, step FROM jobs";
        house.server.sqlite().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a job")
    };
    assert_eq!(status(&house), ("running".into(), Some("scrubbing".into())));
    reader.execute_batch("COMMIT").expect("an end");
    let report = house.server.tick();
    assert_eq!((report.completed, report.waiting), (1, 0));
    assert_eq!(status(&house), ("completed".into(), None));
}

/// A file that another program has made over is brought back to the settings erasing needs.
#[test]
fn a_start_gives_a_database_our_settings() {
    let house = House::new(Server::start());
    house.server.seed("ann").events(3).insert();
    let House { server, key } = house;
    let dir = server.stop();
    let conn = rusqlite::Connection::open(dir.path().join("usher.db")).expect("the file opens");
    conn.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = FULL; PRAGMA page_size = 8192; VACUUM;",
    )
    .expect("another form");
    drop(conn);
    let house = House { server: at(dir, START), key };
    let setting = |name: &str| -> i64 {
        house.server.sqlite().pragma_query_value(None, name, |row| row.get(0)).expect("a setting")
    };
    assert_eq!((setting("auto_vacuum"), setting("page_size")), (0, 4_096));
    assert_eq!((house.status("ann"), house.events("ann")), (200, 3));
    assert_eq!(house.px("DELETE", "/v1/users/ann?hardDelete=true"), 200);
    assert_eq!(house.server.tick().completed, 1);
}

/// Hides somebody some days before the old file is put back; `early` says whether the old file
/// has them hidden already, in a week that was taken back since. When it was, and the token.
fn hidden_and_put_back(early: bool) -> (House, i64, UserId, String) {
    let house = House::new(Server::start());
    let ann = house.server.seed("ann").events(3).insert();
    if early {
        assert_eq!(house.px("DELETE", "/v1/users/ann"), 200);
        house.server.clock.advance(DAY);
    }
    let (house, aside) = house.copied();
    if early {
        assert_eq!(house.px("PUT", "/v1/users/ann"), 204);
    }
    house.server.clock.advance(HOUR);
    let hidden = house.server.delete("/v1/users/ann").header(PX, &house.key).send().expect(200);
    let token = hidden.header("usher-receipt").expect("a token").to_owned();
    let hidden_at = house.server.clock.now();
    house.server.clock.advance(3 * DAY);
    (house.put_back(aside.path()), hidden_at, ann, token)
}

#[test]
fn a_hidden_user_has_the_same_time_left_to_the_millisecond() {
    for early in [false, true] {
        for (left, comes_back) in [(1, true), (0, false)] {
            let (house, hidden_at, ann, token) = hidden_and_put_back(early);
            assert_eq!(house.server.app.replayed().hidden, 1);
            assert_eq!(house.status("ann"), 404, "hidden still");
            house.server.clock.advance(hidden_at + TRASH_PERIOD - left - house.server.clock.now());
            if comes_back {
                assert_eq!(house.server.tick().reaped, 0);
                assert_eq!(house.px("PUT", "/v1/users/ann"), 204);
                assert_eq!((house.status("ann"), house.events("ann")), (200, 3));
                house.server.clock.advance(TRASH_PERIOD);
                assert_eq!(house.server.tick().reaped, 0, "alive for good");
            } else {
                assert_eq!(house.px("PUT", "/v1/users/ann"), 404);
                let report = house.server.tick();
                assert_eq!((report.reaped, report.completed), (1, 1));
                assert_eq!(house.server.rows_of(ann), 0);
                let last = house.server.app.receipts().last().number;
                let receipt = house.server.app.receipts().numbered(last).expect("a receipt");
                let person = Person { token: &token, identifier: "ann" };
                let key = house.server.app.signer().public();
                check(&receipt.bytes().expect("a file"), &key, Some(person)).expect("hers");
            }
        }
    }
}

/// The week may have passed before the old file is put back.
#[test]
fn a_user_hidden_for_7_days_is_gone_at_the_first_answer() {
    let house = House::new(Server::start());
    let ann = house.server.seed("ann").events(3).insert();
    let (house, aside) = house.copied();
    assert_eq!(house.px("DELETE", "/v1/users/ann"), 200);
    house.server.clock.advance(TRASH_PERIOD);
    let house = house.put_back(aside.path());
    assert_eq!(house.px("PUT", "/v1/users/ann"), 404);
    // Nothing in the old file, nor in the ledger, says that it is so late: the reaper waits.
    assert_eq!(house.server.tick().reaped, 0);
    house.server.clock.advance(GRACE);
    assert_eq!(house.server.tick().reaped, 1);
    assert_eq!(house.server.rows_of(ann), 0);
}

/// The same from a backup, with the command that puts it back.
#[test]
fn after_a_restore_a_hidden_user_has_the_same_time_left() {
    // The command has no clock but the system's: it was today.
    let hidden_at = Clock::system().now() - 3 * DAY;
    for (left, comes_back) in [(1, true), (0, false)] {
        let server = Server::with(|options| options.clock = Clock::manual(hidden_at - HOUR));
        crate::maintenance::furnish(&server);
        let house = House::new(server);
        let ann = house.server.seed("ann").events(3).insert();
        let shelf = tempfile::tempdir().expect("a directory");
        let backup = usher::backup::make(&house.server.app, shelf.path()).expect("a backup");
        house.server.clock.advance(HOUR);
        assert_eq!(house.px("DELETE", "/v1/users/ann"), 200);
        let House { server, key } = house;
        let dir = server.stop();
        let said = crate::process::lines(dir.path(), &["restore", &backup.to_string_lossy()]);
        assert!(said.join("\n").contains("1 moved to trash, 0 restored"), "{said:?}");
        let house = House { server: at(dir, hidden_at + TRASH_PERIOD - left - GRACE), key };
        // The machine was off for days: its clock is trusted after the grace.
        house.server.clock.advance(GRACE);
        assert_eq!(house.status("ann"), 404);
        assert_eq!(house.px("PUT", "/v1/users/ann"), if comes_back { 204 } else { 404 });
        assert_eq!(house.server.tick().reaped, u64::from(!comes_back));
        assert_eq!(house.server.rows_of(ann), if comes_back { 5 } else { 0 });
    }
}

/// The files as they are while the server runs: what a kill leaves.
pub const LIVE: [&str; 3] = ["usher.db", "usher.db-wal", "secrets/ledger.head"];

/// Those files as they are at one moment: the WAL may be folded in between two reads.
pub fn live(dir: &Path) -> Vec<Vec<u8>> {
    let read = || -> Vec<Vec<u8>> {
        LIVE.iter().map(|name| std::fs::read(dir.join(name)).expect("a file")).collect()
    };
    let mut last = read();
    loop {
        let now = read();
        if now == last {
            return now;
        }
        last = now;
    }
}

/// A program that is killed after it has written the ledger and before it commits: the return of
/// somebody hidden, with another title, and an erasure. Whether the signed head is as old, too.
fn cut_off(old_head: bool) -> House {
    let house = House::new(Server::start());
    house.server.seed("ann").events(3).insert();
    house.server.seed("ben").events(2).insert();
    house
        .server
        .sqlite()
        .execute_batch(
            "INSERT INTO admins (id, name, password_hash, created_at) VALUES (1, 'mia', '', 0);
             INSERT INTO admin_sessions (hash, admin_id, created_at, expires_at)
             VALUES (zeroblob(32), 1, 0, 9000000000000)",
        )
        .expect("a session");
    assert_eq!(house.px("DELETE", "/v1/users/ann"), 200);
    let dir = house.server.path().parent().expect("a folder").to_owned();
    let left = live(&dir);
    house.server.clock.advance(HOUR);
    let body = json!({ "lastName": "Late" });
    let reply = house.server.put("/v1/users/ann").header(PX, &house.key).json(body).send();
    assert_eq!(reply.status, 204);
    assert_eq!(house.px("DELETE", "/v1/users/ben?hardDelete=true"), 200);
    let House { server, key } = house;
    let now = server.clock.now();
    let dir = server.stop();
    let _ = std::fs::remove_file(dir.path().join("usher.db-shm"));
    for (name, bytes) in LIVE.iter().zip(left) {
        if old_head || *name != "secrets/ledger.head" {
            std::fs::write(dir.path().join(name), bytes).expect("a file");
        }
    }
    let start = if old_head { at } else { Server::on_older };
    House { server: start(dir, now), key }
}

fn sessions_and_state(house: &House) -> (i64, String, Option<String>) {
    let conn = house.server.sqlite();
    let sessions = conn.query_row("SELECT COUNT(*) FROM admin_sessions", [], |row| row.get(0));
    let sql = "SELECT state, last_name FROM users WHERE identifier = 'ann'";
    let (state, name) = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a user");
    (sessions.expect("a count"), state, name)
}

#[test]
fn a_return_that_a_kill_cut_off_is_undone_as_a_whole() {
    let house = cut_off(true);
    assert_eq!(sessions_and_state(&house), (1, "hidden".into(), None), "nobody is signed out");
    assert_eq!((house.status("ann"), house.status("ben")), (404, 404), "an erasure is done");
    assert_eq!(house.server.app.replayed().revived, 0);
    let noted: i64 = house
        .server
        .sqlite()
        .query_row(
            "SELECT COUNT(*) FROM audit WHERE action IN ('replay ledger', 'restore backup')",
            [],
            |row| row.get(0),
        )
        .expect("a count");
    assert_eq!(noted, 0, "no row of the log is missing");
    // Older copies learn that she did not return; and she can.
    let (house, aside) = house.copied();
    let house = house.put_back(aside.path());
    assert_eq!(house.status("ann"), 404);
    assert_eq!(house.px("PUT", "/v1/users/ann"), 204);
    assert_eq!((house.status("ann"), house.events("ann")), (200, 3));
}

/// The twin: a head that was signed since says that the database is an older one.
#[test]
fn an_older_database_beside_a_newer_head_is_no_cut_off_write() {
    let house = cut_off(false);
    let (sessions, state, _) = sessions_and_state(&house);
    assert_eq!((sessions, state.as_str()), (0, "live"));
    assert_eq!((house.status("ann"), house.status("ben")), (200, 404));
}

#[test]
fn suppressions_and_ends_hold_with_an_older_database() {
    use usher::error::Place;
    use usher::model::Identifier;
    use usher::people::denylist;
    use usher::people::suppressions::{self, Policy};
    use usher::projects;

    let house = House::new(Server::start());
    let project = house.server.project().id;
    let id = |name: &str| Identifier::parse(Place::Body, "id", name).expect("a name");
    for name in ["ann", "ben", "cat", "dan", "eve", "fay"] {
        house.server.seed(name).events(1).insert();
    }
    let old = "an old client secret".to_owned();
    let told = old.clone();
    let (ben, cat) = (id("ben"), id("cat"));
    house.server.write(move |tx: &NormalTx| {
        suppressions::add(tx, project, &ben, Policy::Forever)?;
        projects::set_client_secret(tx, project, Some(&told))
    });
    let (house, aside) = house.copied();
    let (ann, ben, dan, fay) = (id("ann"), id("ben"), id("dan"), id("fay"));
    house.server.write(move |tx| {
        suppressions::add(tx, project, &ann, Policy::Forever)?;
        suppressions::lift(tx, project, &ben)?;
        suppressions::add(tx, project, &cat, Policy::Days(1))?;
        suppressions::add(tx, project, &dan, Policy::Days(3))?;
        denylist::set(tx, project, &fay, true)?;
        projects::set_client_secret(tx, project, Some("a new client secret"))
    });
    house.server.clock.advance(2 * DAY);
    let house = house.put_back(aside.path());
    let kept_out = |name: &'static str| {
        house.server.write(move |tx: &NormalTx| suppressions::is_suppressed(tx, project, name))
    };
    assert_eq!(
        ["ann", "ben", "cat", "dan", "eve", "fay"].map(kept_out),
        [true, false, false, true, false, true],
        "cat's day is over"
    );
    assert_eq!(house.server.app.read(|db| projects::client_secret(db, project)).expect("a read"), None);
    assert_eq!(house.server.app.replayed().keys, 1);
    // It goes with her, as it was set to.
    house.server.write({
        let fay = id("fay");
        move |tx| erasure::with_switches(tx, project, &fay).map(drop)
    });
    assert!(!kept_out("fay"));
    house.server.clock.advance(DAY);
    assert!(!kept_out("dan"));
}

#[test]
fn each_sources_suppression_comes_back_for_itself() {
    use usher::error::Place;
    use usher::model::Identifier;
    use usher::people::suppressions::{self, Policy, Source};

    let house = House::new(Server::start());
    let (project, key) = (house.server.project().id, house.server.project().all.clone());
    let id = |name: &str| Identifier::parse(Place::Body, "id", name).expect("a name");
    for name in ["gil", "hal"] {
        let said = json!({ "userId": name, "anonymousId": format!("{name}-anon") });
        house.server.post("/v1/identify").bearer(&key).json(said).send().expect(200);
    }
    let gil = id("gil");
    house.server.write(move |tx: &NormalTx| {
        suppressions::add_for(tx, project, Source::Own, &gil, Policy::Forever)?;
        suppressions::add_for(tx, project, Source::Regulation(7), &gil, Policy::Forever)
    });
    let (house, aside) = house.copied();
    let (gil, hal, anon) = (id("gil"), id("hal"), id("hal-anon"));
    house.server.write(move |tx: &NormalTx| {
        suppressions::lift_for(tx, project, Source::Own, &gil)?;
        suppressions::add(tx, project, &hal, Policy::Forever)?;
        // One name of somebody who stays out.
        suppressions::lift(tx, project, &anon)
    });
    let house = house.put_back(aside.path());
    let state = |house: &House| {
        house.server.write(move |tx: &NormalTx| {
            let out = |name| suppressions::is_suppressed(tx, project, name);
            let anonymous = |name| suppressions::covers_anonymous(tx, project, name);
            Ok((out("gil")?, out("hal")?, anonymous("gil-anon")?, anonymous("hal-anon")?))
        })
    };
    assert_eq!(state(&house), (true, true, true, false));
    // The twin: once the other source lifts its own, gil is in, and stays so in an older database.
    let gil = id("gil");
    house.server.write(move |tx: &NormalTx| suppressions::lift_for(tx, project, Source::Regulation(7), &gil));
    let house = house.put_back(aside.path());
    assert_eq!(state(&house), (false, true, false, false));
}

//! The look at every page after a start: what another program left of the rows that it took
//! or changed, without `secure_delete`, is gone before any erasure is said to be done.

use std::cell::Cell;
use std::collections::HashMap;

use fastrand::Rng;
use rusqlite::Connection;
use tempfile::TempDir;
use usher::store::{Pages, used_leaves};

use crate::erasure::{Person, left, populate};
use crate::harness::{Server, encode};

/// What a program does that knows nothing of Usher, and how it commits.
const VISITS: [&str; 2] = ["", "BEGIN"];

/// A database in which a third of the people was deleted and another changed by hand.
struct House {
    dir: TempDir,
    people: Vec<Person>,
}

impl House {
    fn visited(seed: u64, begin: &str) -> House {
        let server = Server::start();
        let people = populate(&server, &mut Rng::with_seed(seed), 1_200);
        let dir = server.stop();
        let conn = Connection::open(dir.path().join("usher.db")).expect("the file opens");
        conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA secure_delete = OFF").expect("settings");
        conn.execute_batch("CREATE TEMP TABLE gone (id INTEGER); CREATE TEMP TABLE other (id INTEGER)")
            .expect("lists");
        for (n, person) in people.iter().enumerate().filter(|(n, _)| n % 3 > 0) {
            let list = if n % 3 == 1 { "gone" } else { "other" };
            let sql = format!("INSERT INTO temp.{list} SELECT id FROM users WHERE identifier = ?1");
            conn.execute(&sql, [&person.name]).expect("a user");
        }
        conn.execute_batch(&format!(
            "{begin};
             DELETE FROM recordings WHERE user_id IN temp.gone;
             DELETE FROM events WHERE user_id IN temp.gone;
             DELETE FROM messages WHERE user_id IN temp.gone;
             DELETE FROM interactions WHERE user_id IN temp.gone;
             DELETE FROM sessions WHERE user_id IN temp.gone;
             DELETE FROM aliases WHERE user_id IN temp.gone;
             DELETE FROM merged_visitors WHERE user_id IN temp.gone;
             DELETE FROM users WHERE id IN temp.gone;
             UPDATE recordings SET data = zeroblob(50) WHERE user_id IN temp.other;
             UPDATE events SET message_id = 'm' || id, data = '{{}}', url = NULL WHERE user_id IN temp.other;
             UPDATE messages SET content = 'c' || id WHERE user_id IN temp.other;
             UPDATE sessions SET external_id = 's' || id WHERE user_id IN temp.other;
             UPDATE events SET data = '{{\"t\":\"' || hex(zeroblob(2500)) || '\"}}'
                           WHERE user_id IN (SELECT id FROM temp.other LIMIT 4);
             UPDATE aliases SET anonymous_id = 'a' || user_id WHERE user_id IN temp.other;
             UPDATE users SET identifier = 'u' || id, email = NULL, first_name = NULL, last_name = NULL,
                              attributes = '{{}}' WHERE id IN temp.other;
             {}",
            if begin.is_empty() { "" } else { "COMMIT" }
        ))
        .expect("a visit");
        House { dir, people }
    }

    fn start(self, worker: bool) -> (Server, Vec<Person>) {
        (Server::over(self.dir, |options| options.worker = worker), self.people)
    }
}

/// Of whom nothing should be left: the deleted and the changed.
fn lost(people: &[Person]) -> Vec<&Person> {
    people.iter().enumerate().filter(|(n, _)| n % 3 > 0).map(|(_, person)| person).collect()
}

fn erase(server: &Server, person: &Person) {
    let path = format!("/v1/users/{}?hardDelete=true", encode(&person.name));
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
}

fn left_of(server: &Server, people: &[&Person]) -> HashMap<String, usize> {
    left(server.path().parent().expect("a folder"), people)
}

#[test]
fn remains_of_another_program_go_with_the_next_erasure() {
    for (seed, begin) in VISITS.into_iter().enumerate() {
        let house = House::visited(seed as u64, begin);
        let before: usize = left(house.dir.path(), &lost(&house.people)).values().sum();
        assert!(before > 10_000, "only {before} windows: it left nothing");
        // What `usher verify` says of it.
        let file = Pages::open(&house.dir.path().join("usher.db")).expect("the file");
        assert!(used_leaves(&file).expect("a look").len() > 5);
        let (server, people) = house.start(false);
        assert!(!server.app.store().is_scanned());
        erase(&server, &people[0]);
        let report = server.tick();
        assert_eq!((report.completed, report.faults), (1, 0));
        assert!(server.app.store().is_scanned());
        let mut theirs = lost(&people);
        theirs.push(&people[0]);
        assert_eq!(left_of(&server, &theirs), HashMap::new(), "{begin}");
        assert_eq!(used_leaves(server.app.store().file()).expect("a look"), Vec::<u32>::new());
        // Who was left alone is there: the search is not blind.
        assert!(left_of(&server, &[&people[3]]).values().sum::<usize>() > 10);
    }
}

#[test]
fn no_job_is_completed_on_a_search_that_was_cut_off() {
    let (server, people) = House::visited(7, "").start(false);
    let store = server.app.store();
    erase(&server, &people[0]);
    for steps in 0..3 {
        let done = Cell::new(0);
        let go_on = || {
            done.set(done.get() + 1);
            done.get() <= steps
        };
        store.full_scan(&go_on).expect("a look");
        assert!(!store.is_scanned(), "after {steps} steps");
    }
    assert_eq!(server.tick().completed, 1);
    assert!(store.is_scanned());
    assert_eq!(left_of(&server, &lost(&people)), HashMap::new());
}

/// With the thread that does it beside the requests: when a job is seen to be completed, every
/// page has been looked at.
#[test]
fn no_job_is_completed_before_every_page_was_looked_at() {
    let (server, people) = House::visited(9, "").start(true);
    erase(&server, &people[0]);
    let conn = server.sqlite();
    let completed = || {
        let sql = "SELECT COUNT(*) FROM jobs WHERE status = 'completed'";
        conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    crate::process::wait_until("the end of the job", || (completed() == 1).then_some(()));
    assert!(server.app.store().is_scanned());
    assert_eq!(left_of(&server, &lost(&people)), HashMap::new());
}

//! OpenReplay's jobs: seeds/000, "This fires up a background (cron) job for removing all
//! user related data", from the request to the midnight after it, and what cancels them.

use std::time::Instant;
use usher::store::NormalTx;

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, Millis, next_midnight};
use usher::erasure;
use usher::erasure::{delete_rows, jobs, trash};
use usher::error::Place;
use usher::model::{Erasure, Identifier, JobId, Origin};
use usher::people::{activity, find, users};

use crate::harness::{Reply, START, Server, encode, event, fields, named};
use crate::openreplay::{House, refused, unprocessable};

const JOB: [&str; 10] = [
    "action",
    "createdAt",
    "description",
    "errors",
    "jobId",
    "projectId",
    "referenceId",
    "startAt",
    "status",
    "updatedAt",
];
/// 14 hours after a test begins.
const MIDNIGHT: Millis = START + 14 * HOUR;

impl House {
    fn schedule(&self, name: &str) -> Value {
        let path = self.path(&format!("users/{}", encode(name)));
        let body = self.call("DELETE", &path).send().expect(200).json();
        assert_eq!(fields(&body), ["data"]);
        body["data"].clone()
    }

    fn job(&self, job: &Value) -> Value {
        self.data(&format!("jobs/{}", job["jobId"]))
    }

    fn cancel(&self, job: &Value) -> Reply {
        self.call("DELETE", &self.path(&format!("jobs/{}", job["jobId"]))).send()
    }
}

/// An erased reference: `erased:` and 12 hex digits, which the description says, too.
#[track_caller]
fn scrubbed(job: &Value) -> String {
    let reference = job["referenceId"].as_str().expect("a text");
    let hex = reference.strip_prefix("erased:").unwrap_or_else(|| panic!("{reference} is not scrubbed"));
    assert_eq!(hex.len(), 12);
    assert!(hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{hex}");
    assert_eq!(job["description"], format!("Delete user sessions of userId = {reference}"));
    reference.to_owned()
}

#[test]
fn a_deletion_is_a_job_for_the_next_midnight() {
    let house = House::new();
    house.server.seed("ann").events(3).insert();
    assert_eq!(MIDNIGHT, next_midnight(START));
    let job = house.schedule("ann");
    assert_eq!(fields(&job), JOB);
    let project = house.server.project().id.0;
    assert_eq!(
        job,
        json!({
            "jobId": job["jobId"], "description": "Delete user sessions of userId = ann",
            "status": "scheduled", "projectId": project, "action": "delete_user_data",
            "referenceId": "ann", "createdAt": START, "updatedAt": START, "startAt": MIDNIGHT,
            "errors": null,
        })
    );
    assert!(job["jobId"].is_i64());
    assert_eq!(house.job(&job), job);
    assert_eq!(house.data("jobs"), json!([job]));
}

#[test]
fn each_deletion_is_a_job_also_of_an_unknown_user() {
    let house = House::new();
    let jobs = [house.schedule("nobody"), house.schedule("nobody"), house.schedule("nobody")];
    let mut numbers: Vec<i64> = jobs.iter().map(|job| job["jobId"].as_i64().expect("a number")).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
    // The newest come first.
    let [first, second, third] = jobs;
    assert_eq!(house.data("jobs"), json!([third, second, first]));
}

#[test]
fn a_body_of_a_deletion_is_ignored() {
    let house = House::new();
    let path = house.path("users/ann");
    for body in ["{", "[]", "{\"userId\":\"bob\"}"] {
        let reply = house.call("DELETE", &path).body(body, "application/json").send().expect(200);
        assert_eq!(reply.json()["data"]["referenceId"], "ann");
    }
}

#[test]
fn midnight_itself_is_the_next_day() {
    for (after, due) in [(0, MIDNIGHT + DAY), (-1, MIDNIGHT), (1, MIDNIGHT + DAY)] {
        let house = House::new();
        house.server.clock.advance(MIDNIGHT - START + after);
        assert_eq!(house.schedule("ann")["startAt"], due, "{after} ms after midnight");
    }
}

#[test]
fn the_user_lives_until_the_millisecond_before_midnight() {
    let house = House::new();
    let (server, project) = (&house.server, house.server.project().id);
    let user = server.seed("ann").events(3).insert();
    let job = house.schedule("ann");
    server.clock.advance(MIDNIGHT - START - 1);
    assert_eq!(server.tick().began, 0);
    assert_eq!(house.job(&job), job);
    server.write(move |tx: &NormalTx| {
        activity::record(tx, project, &event(&named("ann"), "late at night", tx.now()))
    });
    assert_eq!(house.data("users/ann")["sessionCount"], 2);
    assert_eq!(server.rows_of(user), 1 + 4 + 2);

    server.clock.advance(1);
    let report = server.tick();
    assert_eq!((report.began, report.completed), (1, 1));
    assert_eq!(server.rows_of(user), 0);
    assert_eq!(house.data("users/ann"), Value::Null);
    let done = house.job(&job);
    assert_eq!(fields(&done), JOB);
    assert_eq!((&done["status"], &done["updatedAt"]), (&json!("completed"), &json!(MIDNIGHT)));
    assert_eq!((&done["startAt"], &done["createdAt"]), (&json!(MIDNIGHT), &json!(START)));
    scrubbed(&done);
    assert_eq!(house.data("jobs"), json!([done]));
    // It erases once: whoever comes by that name later stays.
    server.clock.advance(1);
    server.seed("ann").events(1).insert();
    server.clock.advance(2 * DAY);
    server.tick();
    assert_eq!(house.data("users/ann")["sessionCount"], 1);
}

#[test]
fn a_job_for_nobody_completes_at_midnight_with_nothing_erased() {
    let house = House::new();
    let job = house.schedule("nobody");
    house.server.clock.advance(MIDNIGHT - START - 1);
    house.server.tick();
    assert_eq!(house.job(&job)["status"], "scheduled");
    house.server.clock.advance(1);
    house.server.tick();
    let done = house.job(&job);
    assert_eq!((&done["status"], &done["errors"]), (&json!("completed"), &Value::Null));
    scrubbed(&done);
    let row = stored(&house.server, &job);
    assert_eq!((row.rows_total, row.rows_erased, row.user), (0, 0, None));
}

#[test]
fn who_has_the_name_at_midnight_is_erased() {
    let house = House::new();
    let (server, project) = (&house.server, house.server.project().id);
    let before = server.seed("ann").events(2).insert();
    let job = house.schedule("ann");
    server.clock.advance(HOUR);
    server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Request).map(|_| ())
    });
    server.tick();
    assert_eq!(server.rows_of(before), 0);
    // The job that waits has the name's digest, until somebody has the name again.
    assert_ne!(house.job(&job)["referenceId"], "ann");
    server.clock.advance(HOUR);
    let since = server.seed("ann").events(2).insert();
    assert_ne!(since, before);
    assert_eq!(house.job(&job)["referenceId"], "ann");
    server.clock.advance(MIDNIGHT - server.clock.now());
    server.tick();
    assert_eq!(server.rows_of(since), 0);
    assert_eq!(house.data("users/ann"), Value::Null);
    scrubbed(&house.job(&job));
}

#[test]
fn hidden_and_restored_users_are_erased_at_midnight() {
    let house = House::new();
    let (server, project) = (&house.server, house.server.project().id);
    let [ann, bob] = ["ann", "bob"].map(|name| {
        let user = server.seed(name).events(2).insert();
        house.schedule(name);
        server.write(move |tx| trash::hide(tx, &find::get(tx, project, name)?));
        user
    });
    server.write(move |tx| trash::restore(tx, bob));
    server.clock.advance(MIDNIGHT - START);
    server.tick();
    assert_eq!((server.rows_of(ann), server.rows_of(bob)), (0, 0));
}

#[test]
fn other_projects_users_of_that_name_stay() {
    let house = House::new();
    let second = house.server.second();
    house.server.seed("ann").events(2).insert();
    let track = json!({ "userId": "ann", "event": "Seen" });
    house.server.post("/v1/track").bearer(&second.all).json(track).send().expect(200);
    house.schedule("ann");
    house.server.clock.advance(DAY);
    house.server.tick();
    let theirs = format!("/api/v1/{}/users/ann", second.key);
    let stats = house.call("GET", &theirs).send().expect(200).json();
    assert_eq!(stats["data"]["sessionCount"], 1);
}

#[test]
fn a_scheduled_job_can_be_cancelled_once() {
    let house = House::new();
    let user = house.server.seed("ann").events(3).insert();
    let job = house.schedule("ann");
    house.server.clock.advance(MINUTE);
    let cancelled = house.cancel(&job).expect(200).json();
    assert_eq!(fields(&cancelled), ["data"]);
    let mut expected = job.clone();
    expected["status"] = json!("cancelled");
    expected["updatedAt"] = json!(START + MINUTE);
    assert_eq!(cancelled["data"], expected);
    assert_eq!(house.job(&job), expected);
    refused(house.cancel(&job), 400, "The request job has already been canceled/completed.");
    house.server.clock.advance(DAY);
    assert_eq!(house.server.tick().began, 0);
    assert_eq!(house.server.rows_of(user), 5);
    assert_eq!(house.job(&job), expected);
}

#[test]
fn a_completed_job_cannot_be_cancelled() {
    let house = House::new();
    let job = house.schedule("ann");
    house.server.clock.advance(DAY);
    house.server.tick();
    let done = house.job(&job);
    refused(house.cancel(&job), 400, "The request job has already been canceled/completed.");
    assert_eq!(house.job(&job), done);
}

/// Makes every deletion of an event fail, or work again.
fn break_deletions(server: &Server, broken: bool) {
    let sql = match broken {
        true => "CREATE TRIGGER broken BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'broken'); END",
        false => "DROP TRIGGER broken",
    };
    server.sqlite().execute_batch(sql).expect("a trigger");
}

fn stored(server: &Server, job: &Value) -> usher::model::Job {
    let id = JobId(job["jobId"].as_i64().expect("a number"));
    server.read(|db| jobs::get(db, None, id))
}

#[test]
fn a_job_that_meets_a_fault_tries_again_until_it_gives_up() {
    let house = House::new();
    let server = &house.server;
    let user = server.seed("ann").events(3).insert();
    let job = house.schedule("ann");
    break_deletions(server, true);
    server.clock.advance(DAY);
    let mut waits = Vec::new();
    for attempt in 1..=4 {
        assert_eq!(server.tick().faults, 1);
        let running = house.job(&job);
        assert_eq!(running["status"], "running");
        assert!(running["errors"].as_str().is_some_and(|text| text.contains("tried again")), "{running}");
        let row = stored(server, &job);
        assert_eq!(row.attempts, attempt);
        let wait = row.retry_at.expect("a time") - server.clock.now();
        waits.push(wait);
        // Out of sight all the while.
        assert_eq!(house.data("users/ann"), Value::Null);
        server.clock.advance(wait - 1);
        assert_eq!(server.tick().faults, 0, "a millisecond too early");
        server.clock.advance(1);
    }
    assert!(waits.is_sorted() && waits[0] < waits[3], "{waits:?}");
    assert_eq!(server.tick().faults, 1);
    let failed = house.job(&job);
    assert_eq!(failed["status"], "failed");
    server.clock.advance(DAY);
    assert_eq!(server.tick().faults, 0, "it waits for somebody");
    assert_eq!(server.rows_of(user), 5);
    // Somebody who has mended it lets it go on.
    break_deletions(server, false);
    let id = JobId(job["jobId"].as_i64().expect("a number"));
    server.write(move |tx| jobs::retry(tx, id));
    assert_eq!(server.tick().completed, 1);
    let done = house.job(&job);
    assert_eq!((&done["status"], &done["errors"]), (&json!("completed"), &Value::Null));
    scrubbed(&done);
    assert_eq!(server.rows_of(user), 0);
}

#[test]
fn faults_count_in_a_row_so_a_job_that_gets_on_does_not_fail() {
    let house = House::new();
    let server = &house.server;
    let user = server.seed("ann").events(2_000).insert();
    let job = house.schedule("ann");
    server.clock.advance(DAY);
    for round in 0..6 {
        break_deletions(server, true);
        assert_eq!(server.tick().faults, 1);
        assert_eq!(stored(server, &job).attempts, 1, "round {round}");
        break_deletions(server, false);
        server.clock.advance(HOUR);
        let mut row = stored(server, &job);
        // The time is up at once: 250 rows leave.
        server.write(move |tx: &NormalTx| delete_rows::some(tx, &mut row, Instant::now()));
        let row = stored(server, &job);
        assert_eq!((row.attempts, row.retry_at, row.error), (0, None, None));
        assert_eq!(server.rows_of(user), 2_002 - 250 * (round + 1));
    }
    assert_eq!(server.tick().completed, 1);
    assert_eq!(server.rows_of(user), 0);
}

#[test]
fn a_cancelled_job_brings_nobody_back() {
    for faults in [1, 5] {
        let house = House::new();
        let server = &house.server;
        let user = server.seed("ann").email("ann@example.com").events(3).insert();
        let job = house.schedule("ann");
        break_deletions(server, true);
        server.clock.advance(DAY);
        for _ in 0..faults {
            assert_eq!(server.tick().faults, 1);
            server.clock.advance(DAY);
        }
        let status = house.job(&job)["status"].clone();
        assert_eq!(status, if faults == 1 { "running" } else { "failed" });
        let cancelled = house.cancel(&job).expect(200).json()["data"].clone();
        assert_eq!(fields(&cancelled), JOB);
        assert_eq!(cancelled["status"], "cancelled");
        scrubbed(&cancelled);
        assert_eq!(house.job(&job), cancelled);
        refused(house.cancel(&job), 400, "The request job has already been canceled/completed.");
        break_deletions(server, false);
        server.clock.advance(DAY);
        server.tick();
        // What it had not taken stays under the bare number, and no name leads there.
        assert_eq!(server.rows_of(user), 5);
        assert_eq!(house.data("users/ann"), Value::Null);
        assert_eq!(stored(server, &job).user, None);
        let named: i64 = server
            .sqlite()
            .query_row(
                "SELECT COUNT(*) FROM users WHERE identifier IS NOT NULL OR email IS NOT NULL",
                [],
                |row| row.get(0),
            )
            .expect("a count");
        assert_eq!(named, 0);
        // It can still be erased, as what is left of a deleted account can.
        let alloy = server.delete(&format!("/users/{user:024x}/logs", user = user.0));
        alloy.bearer(&server.project().all).header("x-api-version", "2025-09").send().expect(200);
        server.tick();
        assert_eq!(server.rows_of(user), 0);
    }
}

#[test]
fn an_unknown_job_is_an_empty_object() {
    let house = House::new();
    let job = house.schedule("ann");
    let second = house.server.second();
    let missing = json!({ "data": {} });
    let theirs = format!("/api/v1/{}/jobs/{}", second.key, job["jobId"]);
    assert_eq!(house.call("GET", &theirs).send().expect(200).json(), missing);
    refused(house.call("DELETE", &theirs).send(), 404, "Job not found.");
    let list = house.call("GET", &format!("/api/v1/{}/jobs", second.key)).send().expect(200).json();
    assert_eq!(list, json!({ "data": [] }));
    for id in ["0", "-1", "999999", "9223372036854775807"] {
        assert_eq!(house.get(&format!("jobs/{id}")).expect(200).json(), missing);
        refused(house.call("DELETE", &house.path(&format!("jobs/{id}"))).send(), 404, "Job not found.");
    }
    for id in ["x", "1.5", "9223372036854775808", "null", "%F0%9F%98%80"] {
        for method in ["GET", "DELETE"] {
            let reply = house.call(method, &house.path(&format!("jobs/{id}"))).send();
            unprocessable(reply, "int_parsing", "path", "jobId", "must be an integer");
        }
    }
    assert_eq!(house.job(&job), job);
}

#[test]
fn an_erasure_of_another_api_is_none_of_its_jobs() {
    let house = House::new();
    let (server, project) = (&house.server, house.server.project().id);
    server.seed("ann").events(1).insert();
    let erasure = server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Request)
    });
    let job = json!({ "jobId": erasure.id.0 });
    assert_eq!(house.data("jobs"), json!([]));
    assert_eq!(house.job(&job), json!({}));
    refused(house.cancel(&job), 404, "Job not found.");
    server.tick();
    assert_eq!(stored(server, &job).status, usher::model::JobStatus::Completed);
}

#[test]
fn the_list_has_the_scheduled_jobs_before_any_others() {
    let house = House::new();
    let job = house.schedule("ann");
    house
        .server
        .sqlite()
        .execute_batch(
            "WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 11500)
             INSERT INTO jobs (id, number, project_id, erasure, origin, status, reference, receipt, created_at, updated_at,
                 start_at)
             SELECT n, n, 1, 'everything', 'request', 'completed', 'erased:0123456789ab', randomblob(16), 0, 0, 0
             FROM n",
        )
        .expect("jobs");
    assert_eq!(house.data("jobs"), json!([job]));
}

#[test]
fn the_identifier_is_scrubbed_whatever_it_looks_like() {
    let house = House::new();
    let names = ["erased:", "erased:ann@example.com", "erased:0123456789ab", "userId = x"];
    let jobs = names.map(|name| {
        house.server.seed(name).events(1).insert();
        house.schedule(name)
    });
    let nobody = house.schedule("erased:nobody");
    house.server.clock.advance(DAY);
    house.server.tick();
    for (name, job) in names.iter().zip(&jobs) {
        assert_ne!(scrubbed(&house.job(job)), *name);
    }
    scrubbed(&house.job(&nobody));
}

#[test]
fn ended_jobs_forget_the_name_of_an_erased_user() {
    let house = House::new();
    let (server, project) = (&house.server, house.server.project().id);
    server.seed("ann").events(1).insert();
    let cancelled = house.schedule("ann");
    house.cancel(&cancelled).expect(200);
    let waiting = house.schedule("ann");
    server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Account, Origin::Request).map(|_| ())
    });
    scrubbed(&house.job(&cancelled));
    assert_ne!(house.job(&waiting)["referenceId"], "ann");
    server.clock.advance(DAY);
    server.tick();
    scrubbed(&house.job(&waiting));
}

/// Whether a text stands in the database, its WAL or any other file beside it.
fn is_anywhere(server: &Server, text: &str) -> bool {
    let folder = server.path().parent().expect("a folder").to_owned();
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.is_file())
        .any(|path| std::fs::read(path).expect("a file").windows(text.len()).any(|w| w == text.as_bytes()))
}

#[test]
fn a_waiting_job_keeps_no_name_of_a_user_erased_meanwhile() {
    let server = Server::start();
    let name = "cat-who-is-to-be-erased";
    let track = |message: &str, at: Option<Millis>| {
        let body = json!({"userId": name, "event": "Came", "messageId": message, "timestamp": at});
        server.post("/v1/track").bearer(&server.project().all).json(body).send().expect(200);
    };
    track("1", None);
    let org = server.key(None, "read,write,delete");
    let jobs = format!("/api/v1/{}/jobs", server.project().key);
    server
        .delete(&format!("/api/v1/{}/users/{name}", server.project().key))
        .header("Authorization", &org)
        .send()
        .expect(200);
    let hard = |status: u16| {
        let path = format!("/v1/users/{name}?hardDelete=true");
        server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(status);
        server.tick();
    };
    hard(200);
    assert!(!is_anywhere(&server, name), "nothing of the erased is left, though a job waits");
    let listed = server.get(&jobs).header("Authorization", &org).send().expect(200).json().to_string();
    assert!(!listed.contains(name) && listed.contains("\"scheduled\""), "{listed}");
    // What may be of before gives the name to nobody.
    track("2", None);
    assert!(!is_anywhere(&server, name));
    // Somebody has the name again, and is who is meant.
    server.clock.advance(MINUTE);
    track("2", Some(server.clock.now()));
    assert!(is_anywhere(&server, name));
    server.clock.advance(DAY);
    server.tick();
    hard(404);
    assert!(!is_anywhere(&server, name));
}

#[test]
fn a_job_by_a_name_of_no_user_keeps_it_nowhere() {
    let server = Server::start();
    let (old, new) = ("cat-by-the-name-she-had", "cat-by-the-name-she-has");
    let key = server.project().all.clone();
    let call = |body: serde_json::Value| server.post("/v1/track").bearer(&key).json(body).send().expect(200);
    call(json!({"userId": old, "event": "Came", "messageId": "1"}));
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        let user = find::get(tx, project, old)?;
        users::rename(tx, user, &Identifier::parse(Place::Body, "name", new)?).map(|_| ())
    });
    let org = server.key(None, "read,write,delete");
    let asked = || {
        let path = format!("/api/v1/{}/users/{old}", server.project().key);
        server.delete(&path).header("Authorization", &org).send().expect(200).json()
    };
    assert_eq!(asked()["data"]["referenceId"], old);
    let path = format!("/v1/users/{new}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &key).send().expect(200);
    assert_eq!(server.tick().completed, 1);
    assert!(!is_anywhere(&server, old) && !is_anywhere(&server, new));
    // The same once the erasure is over.
    assert_eq!(asked()["data"]["referenceId"], old);
    assert!(!is_anywhere(&server, old));
    // Whoever has the name at midnight is meant, as ever.
    server.clock.advance(MINUTE);
    call(json!({"userId": old, "event": "Came", "messageId": "2", "timestamp": server.clock.now()}));
    let path = format!("/v1/users/single?identifier={old}");
    server.get(&path).bearer(&key).send().expect(200);
    server.clock.advance(DAY);
    server.tick();
    server.get(&path).bearer(&key).send().expect(404);
    assert!(!is_anywhere(&server, old));
}

#[test]
fn a_job_that_is_cancelled_keeps_no_name_that_nobody_has() {
    let server = Server::start();
    let name = "cat-whom-nobody-ever-saw";
    let org = server.key(None, "read,write,delete");
    let path = format!("/api/v1/{}/users/{name}", server.project().key);
    server.delete(&path).header("Authorization", &org).send().expect(200);
    let jobs = format!("/api/v1/{}/jobs", server.project().key);
    server.delete(&format!("{jobs}/1")).header("Authorization", &org).send().expect(200);
    server.app.stop();
    assert!(!is_anywhere(&server, name));
}

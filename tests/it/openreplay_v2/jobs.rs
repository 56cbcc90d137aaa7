//! Deletions as jobs: one at a time for a name, from one table with the older API's.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, Millis};
use usher::erasure;
use usher::model::{Erasure, Origin};
use usher::people::find;

use super::{House, data, refused};
use crate::harness::{Reply, START, Server, encode};

/// 14 hours after a test begins.
const MIDNIGHT: Millis = START + 14 * HOUR;
const TAKEN: &str = "a deletion job for this user is already scheduled or running";

impl House {
    fn ask(&self, name: &str) -> Reply {
        self.delete(&format!("users/{}", encode(name)))
    }

    fn ask_the_older(&self, name: &str) -> Value {
        let path = format!("/api/v1/{}/users/{}", self.server.project().key, encode(name));
        self.call("DELETE", &path).send().expect(200).json()["data"].clone()
    }

    fn job(&self, job: &Value) -> Value {
        data(self.get(&format!("jobs/{}", job["jobId"])))
    }

    fn cancel(&self, job: &Value) -> Reply {
        self.delete(&format!("jobs/{}", job["jobId"]))
    }
}

/// Makes every deletion of an event fail, or work again.
fn break_deletions(server: &Server, broken: bool) {
    let sql = match broken {
        true => "CREATE TRIGGER broken BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'broken'); END",
        false => "DROP TRIGGER broken",
    };
    server.sqlite().execute_batch(sql).expect("a trigger");
}

#[test]
fn a_deletion_is_a_job_for_the_next_midnight() {
    let house = House::new();
    let user = house.server.seed("ann").events(3).insert();
    let job = data(house.ask("ann"));
    let expected = json!({
        "jobId": job["jobId"], "projectId": house.server.project().id.0,
        "description": "Delete user sessions of userId = ann", "status": "scheduled",
        "action": "delete_user_data", "referenceId": "ann", "createdAt": START, "updatedAt": START,
        "startAt": MIDNIGHT, "errors": null,
    });
    assert_eq!(job, expected);
    assert!(job["jobId"].is_i64());
    assert_eq!(house.job(&job), job);
    house.server.clock.advance(MIDNIGHT - START - 1);
    assert_eq!(house.server.tick().began, 0);
    house.server.clock.advance(1);
    assert_eq!(house.server.tick().completed, 1);
    assert_eq!(house.server.rows_of(user), 0);
    let done = house.job(&job);
    assert_eq!(done["status"], "completed");
    assert!(done["referenceId"].as_str().is_some_and(|text| text.starts_with("erased:")), "{done}");
    refused(house.get("users/ann"), 404, "user not found");
}

#[test]
fn whether_the_user_exists_is_not_looked_at() {
    let house = House::new();
    house.server.seed("ann").insert();
    let known = house.ask("ann").expect(200);
    assert!(known.header("usher-receipt").is_some(), "what shows that the receipt is the person's");
    let unknown = house.ask("nobody").expect(200);
    assert_eq!(unknown.header("usher-receipt"), None);
    assert_eq!(data(unknown)["referenceId"], "nobody");
}

#[test]
fn a_second_job_for_a_name_is_refused_while_the_first_waits() {
    let house = House::new();
    let first = data(house.ask("ann"));
    refused(house.ask("ann"), 409, TAKEN);
    assert_eq!(data(house.get("jobs")), json!([first]));
    // Another name, another case, and another project have jobs of their own.
    let second = house.server.second();
    house.ask("Ann").expect(200);
    house.ask("bob").expect(200);
    let theirs = format!("/v2/api/public/{}/users/ann", second.key);
    house.call("DELETE", &theirs).send().expect(200);
    // A cancelled one is over.
    house.cancel(&first).expect(200);
    let again = data(house.ask("ann"));
    assert_ne!(again["jobId"], first["jobId"]);
    refused(house.ask("ann"), 409, TAKEN);
    house.server.clock.advance(DAY);
    house.server.tick();
    assert_eq!(house.job(&again)["status"], "completed");
    house.ask("ann").expect(200);
}

#[test]
fn the_older_api_makes_a_second_job_where_this_one_refuses() {
    let house = House::new();
    let older = house.ask_the_older("ann");
    refused(house.ask("ann"), 409, TAKEN);
    let newer = data(house.ask("bob"));
    let second = house.ask_the_older("bob");
    assert_ne!(second["jobId"], newer["jobId"]);
    // Each API lists and cancels what the other has made.
    let all = json!([second, newer, older]);
    assert_eq!(data(house.get("jobs")), all);
    let path = format!("/api/v1/{}/jobs", house.server.project().key);
    assert_eq!(house.call("GET", &path).send().expect(200).json()["data"], all);
    assert_eq!(data(house.cancel(&second))["status"], "cancelled");
    refused(house.ask("bob"), 409, TAKEN);
    house.call("DELETE", &format!("{path}/{}", newer["jobId"])).send().expect(200);
    house.ask("bob").expect(200);
}

#[test]
fn a_job_that_waits_under_a_digest_is_known_by_its_name() {
    let house = House::new();
    let project = house.server.project().id;
    house.server.seed("ann").events(1).insert();
    let job = data(house.ask("ann"));
    house.server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Request).map(|_| ())
    });
    house.server.tick();
    assert_ne!(house.job(&job)["referenceId"], "ann");
    refused(house.ask("ann"), 409, TAKEN);
    house.cancel(&job).expect(200);
    house.ask("ann").expect(200);
}

#[test]
fn a_running_job_is_in_the_way_and_a_failed_one_is_not() {
    let house = House::new();
    let server = &house.server;
    server.seed("ann").events(3).insert();
    let job = data(house.ask("ann"));
    break_deletions(server, true);
    server.clock.advance(DAY);
    assert_eq!(server.tick().faults, 1);
    assert_eq!(house.job(&job)["status"], "running");
    refused(house.ask("ann"), 409, TAKEN);
    for _ in 0..4 {
        server.clock.advance(DAY);
        assert_eq!(server.tick().faults, 1);
    }
    assert_eq!(house.job(&job)["status"], "failed");
    house.ask("ann").expect(200);
    refused(house.ask("ann"), 409, TAKEN);
    break_deletions(server, false);
}

#[test]
fn an_erasure_that_another_api_began_is_no_job_here() {
    let house = House::new();
    let project = house.server.project().id;
    house.server.seed("ann").events(1).insert();
    let begun = house.server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Request)
    });
    assert_eq!(data(house.get("jobs")), json!([]));
    let id = json!({ "jobId": begun.id.0 });
    refused(house.get(&format!("jobs/{}", begun.id)), 404, "job not found");
    refused(house.cancel(&id), 404, "job not found");
    house.ask("ann").expect(200);
}

#[test]
fn jobs_come_page_by_page_the_newest_first() {
    let house = House::new();
    let mut numbers: Vec<i64> =
        (0..201).map(|n| data(house.ask(&format!("u-{n}")))["jobId"].as_i64().expect("a number")).collect();
    numbers.reverse();
    let page = |query: &str| -> Vec<i64> {
        let list = data(house.get(&format!("jobs{query}")));
        list.as_array().expect("a list").iter().map(|job| job["jobId"].as_i64().expect("a number")).collect()
    };
    for query in ["", "?limit=50&page=1", "?limit=0", "?limit=201", "?limit=-1", "?limit=x", "?limit="] {
        assert_eq!(page(query), numbers[..50], "{query}");
    }
    for query in ["?page=0", "?page=-1", "?page=x", "?page=1.5", "?unknown=1"] {
        assert_eq!(page(query), numbers[..50], "{query}");
    }
    assert_eq!(page("?limit=200"), numbers[..200]);
    assert_eq!(page("?limit=200&page=2"), numbers[200..]);
    assert_eq!(page("?limit=1&page=3"), numbers[2..3]);
    assert_eq!(page("?page=5"), numbers[200..]);
    assert_eq!(page("?page=6"), Vec::<i64>::new());
    assert_eq!(page("?page=9223372036854775807"), Vec::<i64>::new());
    refused(house.get("jobs?page=1&page=2"), 400, "page must be given once");
}

#[test]
fn a_job_that_is_not_there_is_not_found() {
    let house = House::new();
    let job = data(house.ask("ann"));
    let second = house.server.second();
    for method in ["GET", "DELETE"] {
        let call = |path: &str| house.call(method, path).send();
        refused(call(&house.path("jobs/999")), 404, "job not found");
        refused(call(&house.path("jobs/-1")), 404, "job not found");
        let theirs = format!("/v2/api/public/{}/jobs/{}", second.key, job["jobId"]);
        refused(call(&theirs), 404, "job not found");
        for id in ["x", "1.5", "99999999999999999999", "%20"] {
            let text = "invalid path param jobID: must be an integer";
            refused(call(&house.path(&format!("jobs/{id}"))), 400, text);
        }
    }
    assert_eq!(house.job(&job), job);
}

#[test]
fn a_job_is_cancelled_once_and_says_what_became_of_it() {
    let house = House::new();
    let user = house.server.seed("ann").events(3).insert();
    let job = data(house.ask("ann"));
    house.server.clock.advance(MINUTE);
    let mut expected = job.clone();
    expected["status"] = json!("cancelled");
    expected["updatedAt"] = json!(START + MINUTE);
    assert_eq!(data(house.cancel(&job)), expected);
    refused(house.cancel(&job), 400, "the requested job has already been cancelled");
    house.server.clock.advance(DAY);
    house.server.tick();
    assert_eq!(house.server.rows_of(user), 5);
    let other = data(house.ask("nobody"));
    house.server.clock.advance(DAY);
    house.server.tick();
    assert_eq!(house.job(&other)["status"], "completed");
    refused(house.cancel(&other), 400, "the requested job has already been completed");
    assert_eq!(house.job(&job), expected);
}

#[test]
fn a_running_job_can_be_cancelled() {
    let house = House::new();
    let server = &house.server;
    server.seed("ann").events(3).insert();
    let job = data(house.ask("ann"));
    break_deletions(server, true);
    server.clock.advance(DAY);
    assert_eq!(server.tick().faults, 1);
    assert_eq!(data(house.cancel(&job))["status"], "cancelled");
    break_deletions(server, false);
    refused(house.cancel(&job), 400, "the requested job has already been cancelled");
}

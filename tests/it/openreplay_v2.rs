//! OpenReplay's v2 public API: its keys, its projects, and what its paths are taken for. Its
//! users, sessions and jobs are in the files beside this one.

mod jobs;
mod session_parts;
mod users;

use serde_json::{Value, json};
use usher::clock::Millis;
use usher::people::activity;
use usher::store::NormalTx;

use crate::harness::{Reply, Request, Server, event, fields, named};

const ALL: &str = "ingest,read,write,delete,admin";
const BASE: &str = "/v2/api/public";

/// A server with a key of the whole organisation.
pub struct House {
    pub server: Server,
    pub key: String,
}

impl House {
    pub fn new() -> House {
        let server = Server::start();
        let key = server.key(None, ALL);
        House { server, key }
    }

    pub fn call(&self, method: &str, path: &str) -> Request<'_> {
        self.server.request(method, path).bearer(&self.key)
    }

    /// A path within the first project.
    pub fn path(&self, rest: &str) -> String {
        format!("{BASE}/{}/{rest}", self.server.project().key)
    }

    pub fn get(&self, rest: &str) -> Reply {
        self.call("GET", &self.path(rest)).send()
    }

    pub fn post(&self, rest: &str, body: Value) -> Reply {
        self.call("POST", &self.path(rest)).json(body).send()
    }

    pub fn delete(&self, rest: &str) -> Reply {
        self.call("DELETE", &self.path(rest)).send()
    }

    pub fn track(&self, name: &str, what: &str, at: Millis) {
        let (project, name, what) = (self.server.project().id, named(name), what.to_owned());
        self.server.write(move |tx: &NormalTx| activity::record(tx, project, &event(&name, &what, at)));
    }

    /// Segment's messages, into the first project.
    pub fn send(&self, batch: Value) {
        let post = self.server.post("/v1/batch").bearer(&self.server.project().all);
        let answer = post.json(json!({ "batch": batch })).send().expect(200).json();
        assert_eq!(answer, json!({ "success": true }));
    }
}

/// What a good answer has in it.
#[track_caller]
pub fn data(reply: Reply) -> Value {
    let body = reply.expect(200).json();
    assert_eq!(fields(&body), ["data"]);
    body["data"].clone()
}

#[track_caller]
pub fn refused(reply: Reply, status: u16, text: &str) {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), json!({ "error": text }));
}

#[track_caller]
fn shut_out(reply: Reply) {
    let reply = reply.expect(401);
    assert_eq!((reply.text.as_str(), reply.header("content-type")), ("", None));
}

#[test]
fn a_missing_bare_or_wrong_key_is_401_without_a_body() {
    let house = House::new();
    for path in [format!("{BASE}/projects"), house.path("jobs"), format!("{BASE}/nowhere/jobs")] {
        shut_out(house.server.get(&path).send());
        for value in [
            house.key.clone(),
            format!(" {} ", house.key),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer wrong".to_owned(),
            "wrong".to_owned(),
            String::new(),
            format!("Basic {}", house.key),
            format!("Bearer {} x", house.key),
        ] {
            shut_out(house.server.get(&path).header("Authorization", &value).send());
        }
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {}", house.key);
        house.server.get(&house.path("jobs")).header("Authorization", &value).send().expect(200);
    }
}

#[test]
fn an_unknown_project_is_401_without_a_body() {
    let house = House::new();
    let day = json!({ "startTimestamp": 946_684_800_000_i64, "endTimestamp": 946_684_800_001_i64 });
    for (method, rest) in [
        ("GET", "projects/nowhere"),
        ("POST", "nowhere/users"),
        ("GET", "nowhere/users/ann"),
        ("DELETE", "nowhere/users/ann"),
        ("POST", "nowhere/users/ann/sessions"),
        ("POST", "nowhere/sessions/1/events"),
        ("GET", "nowhere/jobs"),
        ("GET", "nowhere/jobs/x"),
        ("DELETE", "nowhere/jobs/1"),
    ] {
        let call = house.call(method, &format!("{BASE}/{rest}"));
        shut_out(if method == "POST" { call.json(day.clone()).send() } else { call.send() });
    }
}

#[test]
fn a_projects_key_opens_its_own_project_alone() {
    let house = House::new();
    let (server, first) = (&house.server, house.server.project());
    let second = server.second();
    for (method, rest) in [("GET", "jobs"), ("DELETE", "users/ann"), ("POST", "users")] {
        let call = |key: &str| {
            let request = server.request(method, &house.path(rest)).bearer(key);
            if method == "POST" { request.json(json!({})).send() } else { request.send() }
        };
        shut_out(call(&second.all));
        call(&first.all).expect(200);
    }
    let path = format!("{BASE}/projects");
    let listed = data(server.get(&path).bearer(&second.all).send());
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(listed[0]["projectKey"], second.key);
    shut_out(server.get(&format!("{path}/{}", first.key)).bearer(&second.all).send());
    let make = server.post(&path).bearer(&second.all).json(json!({ "name": "Mine" })).send();
    refused(make, 403, "a project's key cannot create projects");
    assert_eq!(data(house.call("GET", &path).send()).as_array().map(Vec::len), Some(2));
}

#[test]
fn projects_are_listed_read_and_made() {
    let house = House::new();
    let path = format!("{BASE}/projects");
    let expected = |id: i64, key: &str, name: &str, platform: &str| {
        json!({
            "projectId": id, "name": name, "projectKey": key, "tenantId": 1, "maxSessionDuration": 0,
            "sampleRate": 100, "saveRequestPayloads": false, "beaconSize": 0, "platform": platform,
            "metadata1": null, "metadata2": null, "metadata3": null, "metadata4": null, "metadata5": null,
            "metadata6": null, "metadata7": null, "metadata8": null, "metadata9": null, "metadata10": null,
        })
    };
    let first = house.server.project();
    let default = expected(first.id.0, &first.key, "default", "web");
    assert_eq!(data(house.call("GET", &path).send()), json!([default]));
    assert_eq!(data(house.call("GET", &format!("{path}/{}", first.key)).send()), default);

    let body = json!({ "name": "Shop", "platform": "ios", "unknown": 1 });
    let made = data(house.call("POST", &path).json(body).send());
    let (id, key) = (made["projectId"].as_i64(), made["projectKey"].as_str());
    let (id, key) = (id.expect("a number"), key.expect("a text"));
    assert_eq!(made, expected(id, key, "Shop", "ios"));
    assert_eq!(data(house.call("GET", &path).send()), json!([default, made]));
    // It works at once, in the older API, too.
    data(house.call("GET", &format!("{BASE}/{key}/jobs")).send());
    house.call("GET", &format!("/api/v1/{key}/jobs")).send().expect(200);
    for platform in [Value::Null, json!(""), json!("web")] {
        let body = json!({ "name": format!("for {platform}"), "platform": platform });
        assert_eq!(data(house.call("POST", &path).json(body).send())["platform"], "web");
    }
}

#[test]
fn a_project_that_cannot_be_made_is_refused_by_field() {
    let house = House::new();
    let path = format!("{BASE}/projects");
    let post = |body: Value| house.call("POST", &path).json(body).send();
    let (required, long) = ("name is required", "name must be at most 200 characters");
    let platform = "platform must be one of: web, ios";
    for (body, text) in [
        (json!({}), required),
        (json!({ "name": null }), required),
        (json!({ "name": "" }), required),
        (json!({ "name": "  " }), required),
        (json!({ "name": "x".repeat(201) }), long),
        // Bytes count.
        (json!({ "name": "é".repeat(101) }), long),
        (json!({ "name": "a\nb" }), "name must have 1 to 200 characters and no control characters"),
        (json!({ "name": 5 }), "invalid JSON body: name must be a string"),
        (json!({ "name": "new", "platform": "android" }), platform),
        (json!({ "name": "new", "platform": "Web" }), platform),
        (json!({ "name": "new", "platform": 1 }), "invalid JSON body: platform must be a string"),
        (json!({ "name": "default" }), "name already exists"),
        (json!({ "name": " default " }), "name already exists"),
        (json!([]), "invalid JSON body"),
    ] {
        refused(post(body), 400, text);
    }
    let broken = house.call("POST", &path).body("{\"name\":", "application/json").send();
    refused(broken, 400, "invalid JSON body");
    assert_eq!(data(house.call("GET", &path).send()).as_array().map(Vec::len), Some(1));
    for name in ["x".repeat(200), "é".repeat(100)] {
        assert_eq!(data(post(json!({ "name": name })))["name"], name);
    }
}

#[test]
fn a_literal_of_a_path_is_no_project_where_the_vendor_has_it() {
    let house = House::new();
    let rename = |from: &str, to: &str| {
        let sql = "UPDATE projects SET key = ?2 WHERE key = ?1";
        assert_eq!(house.server.sqlite().execute(sql, [from, to]).expect("an update"), 1);
    };
    let first = house.server.project().key.clone();
    let jobs = format!("{BASE}/projects/jobs");
    shut_out(house.call("GET", &jobs).send());
    // A project that is called as the list of jobs is.
    rename(&first, "jobs");
    assert_eq!(data(house.call("GET", &jobs).send())["projectKey"], "jobs");
    // For GET, `projects` is the literal; for POST, which the vendor has not there, it is a key.
    rename("jobs", "projects");
    shut_out(house.call("GET", &jobs).send());
    let users = house.call("POST", &format!("{BASE}/projects/users")).json(json!({})).send();
    assert_eq!(data(users), json!({ "total": 0, "users": [] }));
}

#[test]
fn what_is_not_there_is_said_in_this_apis_words() {
    let house = House::new();
    for path in ["", "/", "/projects/a/b", "/x", "/x/assist/sessions", "/x/users/ann/more"] {
        refused(house.call("GET", &format!("{BASE}{path}")).send(), 404, "there is nothing at this path");
    }
    let reply = house.call("PUT", &house.path("users/ann")).send();
    assert_eq!(reply.header("allow"), Some("DELETE, GET, HEAD"));
    refused(reply, 405, "this path accepts DELETE, GET, HEAD");
    let reply = house.call("GET", &house.path("users")).send();
    refused(reply, 405, "this path accepts POST");
    let huge = json!({ "query": "x".repeat(1_100_000) });
    refused(house.post("users", huge), 413, "the body is larger than 1048576 bytes");
    // Beside it, a path is our own API's.
    let beside = house.call("GET", "/v2/api/publicly").send().expect(404);
    assert_eq!(beside.header("content-type"), Some("application/problem+json"));
}

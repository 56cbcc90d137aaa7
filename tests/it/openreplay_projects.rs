//! OpenReplay's projects, and which keys open which.

use serde_json::{Value, json};
use usher::clock::MINUTE;

use crate::harness::{START, fields};
use crate::openreplay::{House, refused};

#[test]
fn projects_are_listed_read_and_made() {
    let house = House::new();
    let first = house.server.project();
    let list = house.call("GET", "/api/v1/projects").send().expect(200).json();
    assert_eq!(fields(&list), ["data"]);
    assert_eq!(fields(&list["data"][0]), ["createdAt", "name", "platform", "projectId", "projectKey"]);
    let default = json!({
        "projectId": first.id.0, "projectKey": first.key, "name": "default", "platform": "web",
        "createdAt": START,
    });
    assert_eq!(list, json!({ "data": [default] }));

    house.server.clock.advance(MINUTE);
    let body = json!({ "name": "Shop", "platform": "ios", "unknown": 1 });
    let made = house.call("POST", "/api/v1/projects").json(body).send().expect(200).json();
    assert_eq!(fields(&made["data"]), ["name", "platform", "projectId", "projectKey"]);
    assert_eq!((&made["data"]["name"], &made["data"]["platform"]), (&json!("Shop"), &json!("ios")));
    let key = made["data"]["projectKey"].as_str().expect("a key");
    let read = house.call("GET", &format!("/api/v1/projects/{key}")).send().expect(200).json();
    assert_eq!(read, made);
    // A project that does not say is for the web, and works at once.
    let other = house.call("POST", "/api/v1/projects").json(json!({ "name": "Other" })).send().expect(200);
    assert_eq!(other.json()["data"]["platform"], "web");
    let path = format!("/api/v1/{key}/users/ann");
    assert_eq!(house.call("GET", &path).send().expect(200).json(), json!({ "data": null }));
    let list = house.call("GET", "/api/v1/projects").send().expect(200).json();
    let mut names: Vec<&str> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    // Two of the same millisecond come in no order: their ids are drawn.
    names[1..].sort_unstable();
    assert_eq!(names, ["default", "Other", "Shop"]);
    assert_eq!(list["data"][1]["createdAt"], START + MINUTE);
    refused(house.call("GET", "/api/v1/projects/nowhere").send(), 404, "project not found.");
}

#[test]
fn a_project_that_cannot_be_made_is_not() {
    let house = House::new();
    let post = |body: Value| house.call("POST", "/api/v1/projects").json(body).send();
    let name = "name: must have 1 to 200 characters and no control characters";
    let platform = "platform: must be web or ios";
    for (body, message) in [
        (json!({ "name": "default" }), "name already exists."),
        (json!({ "name": " default " }), "name already exists."),
        (json!({}), "name: is required"),
        (json!({ "name": null }), "name: is required"),
        (json!({ "name": 5 }), "name: must be a string"),
        (json!({ "name": "" }), name),
        (json!({ "name": "  " }), name),
        (json!({ "name": "x".repeat(201) }), name),
        (json!({ "name": "a\nb" }), name),
        (json!({ "name": "new", "platform": "android" }), platform),
        (json!({ "name": "new", "platform": "" }), platform),
        (json!({ "name": "new", "platform": 1 }), "platform: must be a string"),
        (json!([]), "the body is not valid JSON: it must be an object"),
    ] {
        refused(post(body), 400, message);
    }
    let list = house.call("GET", "/api/v1/projects").send().expect(200).json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 1);
    post(json!({ "name": "é".repeat(200) })).expect(200);
}

#[test]
fn a_key_is_bare_or_after_bearer() {
    let house = House::new();
    let path = house.path("users/ann");
    for value in [house.key.clone(), format!("Bearer {}", house.key), format!("BEARER  {}", house.key)] {
        house.server.get(&path).header("Authorization", &value).send().expect(200);
    }
}

#[test]
fn no_key_and_a_wrong_key_have_words_of_their_own() {
    let house = House::new();
    let path = house.path("users/ann");
    refused(house.server.get(&path).send(), 401, "Not authenticated");
    for value in ["wrong", "Basic eDp5", "Bearer", "", &format!("{} x", house.key)] {
        let reply = house.server.get(&path).header("Authorization", value).send();
        refused(reply, 401, "Invalid API Key");
    }
    // Also where the project is not there.
    refused(house.server.get("/api/v1/nowhere/users/ann").send(), 401, "Not authenticated");
}

#[test]
fn a_projects_key_opens_its_own_project_alone() {
    let house = House::new();
    let (server, first) = (&house.server, house.server.project());
    let second = server.second();
    house.track("ann", "seen", START);
    let session = house.sessions("ann", "")[0]["sessionId"].as_str().expect("an id").to_owned();
    for (method, rest) in [
        ("GET", "users/ann".to_owned()),
        ("GET", "users/ann/sessions".to_owned()),
        ("GET", format!("sessions/{session}/events")),
        ("GET", "jobs".to_owned()),
        ("GET", "jobs/1".to_owned()),
        ("DELETE", "users/ann".to_owned()),
        ("DELETE", "jobs/1".to_owned()),
    ] {
        let path = house.path(&rest);
        let reply = server.request(method, &path).header("Authorization", &second.all).send();
        refused(reply, 404, "project not found.");
        server.request(method, &path).header("Authorization", &first.all).send().expect(200);
    }
    let path = format!("/api/v1/projects/{}", first.key);
    refused(server.get(&path).header("Authorization", &second.all).send(), 404, "project not found.");
    let list = server.get("/api/v1/projects").header("Authorization", &second.all).send().expect(200).json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 1);
    assert_eq!(list["data"][0]["projectKey"], second.key);
    // And it makes none, though it has the scope.
    let make = server.post("/api/v1/projects").header("Authorization", &second.all);
    refused(make.json(json!({ "name": "Mine" })).send(), 403, "Forbidden");
    assert_eq!(
        house.call("GET", "/api/v1/projects").send().json()["data"].as_array().expect("a list").len(),
        2
    );
}

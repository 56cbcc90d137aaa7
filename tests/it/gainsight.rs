//! Gainsight PX's users: seeds/002, the vendor's API description, and what its clients send.

mod cells;
mod deletions;
mod empty;
mod events;
mod filters;
mod history;
mod history_costs;
mod history_pages;
mod lists;
mod neighbours;
mod refusals;

use serde_json::{Value, json};
use usher::clock::MINUTE;

use crate::harness::{Reply, Request, START, Server, encode, fields};

/// A request as the vendor's clients make it.
fn call<'a>(server: &'a Server, method: &str, path: &str) -> Request<'a> {
    server.request(method, path).header("X-APTRINSIC-API-KEY", &server.project().all)
}

fn at(name: &str) -> String {
    format!("/v1/users/{}", encode(name))
}

fn create(server: &Server, body: Value) {
    let reply = call(server, "POST", "/v1/users").json(body).send().expect(201);
    assert_eq!(reply.json(), json!({ "body": {}, "statusCode": "201", "statusCodeValue": 201 }));
}

fn get(server: &Server, name: &str) -> Value {
    call(server, "GET", &at(name)).send().expect(200).json()
}

fn put(server: &Server, name: &str, body: Value) -> Reply {
    call(server, "PUT", &at(name)).json(body).send()
}

fn delete(server: &Server, name: &str) -> Reply {
    call(server, "DELETE", &at(name)).send()
}

fn hard_delete(server: &Server, name: &str) -> Reply {
    call(server, "DELETE", &format!("{}?hardDelete=true", at(name))).send()
}

/// Refused in the vendor's shape. The texts of `subErrors`.
#[track_caller]
fn refused(reply: Reply, status: u16, name: &str) -> Vec<String> {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    assert_eq!(fields(&body), ["externalapierror"]);
    let error = &body["externalapierror"];
    assert_eq!(fields(error), ["debugMessage", "message", "status", "subErrors"]);
    assert_eq!((&error["status"], &error["debugMessage"]), (&json!(name), &Value::Null));
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    let Value::Array(subs) = &error["subErrors"] else {
        assert_eq!(error["subErrors"], Value::Null);
        return Vec::new();
    };
    subs.iter()
        .map(|sub| {
            assert_eq!(fields(sub), ["message"]);
            sub["message"].as_str().expect("a text").to_owned()
        })
        .collect()
}

#[track_caller]
fn bad(reply: Reply) -> Vec<String> {
    refused(reply, 400, "BAD_REQUEST")
}

#[track_caller]
fn unknown(reply: Reply, name: &str) {
    let message = format!("User was not found for parameters {{id={name}}}");
    assert_eq!(
        reply.expect(404).json(),
        json!({ "externalapierror": {
            "status": "NOT_FOUND", "message": message, "debugMessage": null, "subErrors": null,
        }})
    );
}

fn location(told: Value) -> Value {
    let mut location = json!({
        "countryName": "", "countryCode": "", "stateName": "", "stateCode": "", "city": "", "street": "",
        "postalCode": "", "continent": "", "regionName": "", "timeZone": "",
        "coordinates": { "latitude": 0.0, "longitude": 0.0 },
    });
    for (name, value) in told.as_object().expect("an object") {
        location[name] = value.clone();
    }
    location
}

#[test]
fn a_user_has_every_field_whatever_was_told() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann", "unknown": [1] }));
    let ann = get(&server, "ann");
    let id = ann["aptrinsicId"].as_str().expect("an id").to_owned();
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
    assert_eq!(
        ann,
        json!({
            "aptrinsicId": id, "identifyId": "ann", "id": "ann", "type": "USER", "gender": "EMPTY_GENDER",
            "email": "", "firstName": "", "lastName": "", "lastSeenDate": 0, "signUpDate": 0,
            "firstVisitDate": 0, "title": "", "phone": "", "score": 0, "role": "", "subscriptionId": "",
            "accountId": "", "numberOfVisits": 0, "location": location(json!({})), "propertyKeys": [],
            "createDate": START, "lastModifiedDate": START, "customAttributes": {},
            "globalUnsubscribe": false, "sfdcContactId": "", "lastVisitedUserAgentData": [],
            "lastInferredLocation": location(json!({})),
        })
    );
}

/// Each field that a body may tell, with a value of its kind.
fn told() -> Value {
    json!({
        "type": "LEAD", "gender": "FEMALE", "email": "Ann@Example.com", "firstName": "Ann",
        "lastName": "Léa 😀", "signUpDate": 1_700_000_000_000_i64, "firstVisitDate": 1_700_000_000_001_i64,
        "title": "Dr", "phone": "+41 44 000 00 00", "score": -7, "role": "owner", "subscriptionId": "s-1",
        "accountId": "a-1",
        "location": {
            "countryName": "Switzerland", "countryCode": "CH", "stateName": "Zürich", "stateCode": "ZH",
            "city": "Zürich", "street": "Weg 1", "postalCode": "8000", "continent": "Europe",
            "regionName": "DACH", "timeZone": "Europe/Zurich",
            "coordinates": { "latitude": 47.5, "longitude": -8.25 },
        },
        "propertyKeys": ["AP-1", "AP-2"], "customAttributes": { "plan": "team", "seats": 3, "beta": true },
        "globalUnsubscribe": true, "sfdcContactId": "003",
        "lastVisitedUserAgentData": [{ "propertyKey": "AP-1", "userAgent": { "browserType": "Firefox" } }],
    })
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[test]
fn what_is_told_is_given_back_whether_by_post_or_by_put() {
    let server = Server::start();
    create(&server, with(told(), json!({ "identifyId": "ann" })));
    create(&server, json!({ "identifyId": "ben" }));
    assert_eq!(put(&server, "ben", told()).expect(204).text, "");
    for name in ["ann", "ben"] {
        let user = get(&server, name);
        for (field, value) in told().as_object().expect("fields") {
            assert_eq!(&user[field], value, "{field} of {name}");
        }
    }
}

#[test]
fn what_only_the_server_knows_is_ignored_in_a_body() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    let before = get(&server, "ann");
    let theirs = json!({
        "aptrinsicId": "x", "id": "ben", "lastSeenDate": 5, "numberOfVisits": "many", "createDate": 1,
        "lastModifiedDate": {}, "lastInferredLocation": { "city": "Bern" }, "globalId": 1,
    });
    put(&server, "ann", theirs.clone()).expect(204);
    assert_eq!(get(&server, "ann"), before);
    create(&server, with(theirs, json!({ "identifyId": "ann" })));
    assert_eq!(get(&server, "ann"), before);
    unknown(call(&server, "GET", "/v1/users/ben").send(), "ben");
}

#[test]
fn a_user_can_be_put_back_as_it_was_read() {
    let server = Server::start();
    server.seed("ann").events(3).insert();
    put(&server, "ann", told()).expect(204);
    server.clock.advance(MINUTE);
    let before = get(&server, "ann");
    put(&server, "ann", before.clone()).expect(204);
    assert_eq!(get(&server, "ann"), before);
    // One that was told nothing is told nothing by it: what happens later shows.
    create(&server, json!({ "identifyId": "ben" }));
    let before = get(&server, "ben");
    server.clock.advance(MINUTE);
    put(&server, "ben", before.clone()).expect(204);
    assert_eq!(get(&server, "ben"), before);
    server.seed("ben").events(1).insert();
    assert_eq!(get(&server, "ben")["firstVisitDate"], START + 2 * MINUTE);
}

#[test]
fn a_put_changes_what_it_names_and_nothing_else() {
    let server = Server::start();
    create(&server, with(told(), json!({ "identifyId": "ann" })));
    server.clock.advance(MINUTE);
    let mut expected = get(&server, "ann");
    let change = json!({
        "firstName": "Anna", "title": null, "email": "", "score": null, "propertyKeys": ["AP-3"],
        "location": { "city": "Bern", "street": null, "coordinates": { "latitude": 46.9 } },
        "customAttributes": { "plan": "free", "seats": null, "new": [1, { "a": null }] },
    });
    put(&server, "ann", change).expect(204);
    expected["firstName"] = json!("Anna");
    (expected["title"], expected["email"], expected["score"]) = (json!(""), json!(""), json!(0));
    expected["propertyKeys"] = json!(["AP-3"]);
    (expected["location"]["city"], expected["location"]["street"]) = (json!("Bern"), json!(""));
    expected["location"]["coordinates"]["latitude"] = json!(46.9);
    expected["customAttributes"] = json!({ "plan": "free", "beta": true, "new": [1, { "a": null }] });
    expected["lastModifiedDate"] = json!(START + MINUTE);
    assert_eq!(get(&server, "ann"), expected);
    // Whole objects may be null, or absent.
    put(&server, "ann", json!({ "location": null, "customAttributes": null })).expect(204);
    expected["location"] = location(json!({}));
    assert_eq!(get(&server, "ann"), expected);
    put(&server, "ann", json!({})).expect(204);
    assert_eq!(get(&server, "ann"), expected);
}

#[test]
fn a_post_for_an_id_that_is_there_updates_it() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann", "firstName": "Ann", "title": "Dr" }));
    let before = get(&server, "ann");
    create(&server, json!({ "identifyId": "ann", "firstName": "Anna" }));
    assert_eq!(get(&server, "ann"), with(before, json!({ "firstName": "Anna" })));
}

#[test]
fn the_fields_that_others_know_are_shared_with_them() {
    let server = Server::start();
    let key = &server.project().all;
    let traits = json!({
        "email": "ann@example.com", "firstName": "Ann", "country": "CH", "city": "Bern", "plan": "team",
    });
    let message = json!({ "userId": "ann", "traits": traits });
    server.post("/v1/identify").bearer(key).json(message).send().expect(200);
    let ann = get(&server, "ann");
    assert_eq!((&ann["email"], &ann["firstName"]), (&json!("ann@example.com"), &json!("Ann")));
    assert_eq!(ann["location"], location(json!({ "countryCode": "CH", "city": "Bern" })));
    assert_eq!(ann["customAttributes"], json!({ "plan": "team" }));
    put(&server, "ann", json!({ "lastName": "Lee" })).expect(204);
    let listed = server.get("/users").bearer(key).send().expect(200).json();
    assert_eq!(
        (&listed["data"][0]["first_name"], &listed["data"][0]["last_name"]),
        (&json!("Ann"), &json!("Lee"))
    );
}

#[test]
fn visits_and_times_come_from_what_the_user_did() {
    let server = Server::start();
    server.seed("ann").events(3).insert();
    let ann = get(&server, "ann");
    assert_eq!(ann["lastSeenDate"], START);
    assert_eq!(ann["firstVisitDate"], START - 2 * MINUTE);
    assert_eq!(ann["numberOfVisits"], 1);
    assert_eq!(ann["signUpDate"], 0);
}

#[test]
fn any_identifier_passes_through_a_path() {
    let server = Server::start();
    let names = [
        "a@b+c/d%e f😀",
        &"😀".repeat(256),
        &"x".repeat(256),
        "%2F",
        "..",
        "single",
        "events",
        " ",
        "a;b=c&d?#",
    ];
    for name in names {
        create(&server, json!({ "identifyId": name }));
        assert_eq!(get(&server, name)["identifyId"], *name);
        put(&server, name, json!({ "title": "Dr" })).expect(204);
        assert_eq!(get(&server, name)["title"], "Dr");
        delete(&server, name).expect(200);
        put(&server, name, json!({})).expect(204);
        hard_delete(&server, name).expect(200);
        unknown(call(&server, "GET", &at(name)).send(), name);
    }
}

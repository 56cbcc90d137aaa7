//! Texts that would be SQL, were they anything but values.

use serde_json::{Value, json};

use super::lists::post;
use super::{count, list, names, send};
use crate::harness::Server;

const HOSTILE: [&str; 14] = [
    "'",
    "''",
    "\"",
    "pro' OR '1'='1",
    "pro') OR 1=1 --",
    "x' UNION SELECT ingest_token FROM projects --",
    "') UNION ALL SELECT NULL,NULL,NULL--",
    "/* x */",
    "x;DROP TABLE users;--",
    "\\",
    "\\' OR 1=1 --",
    "%",
    "pro\u{0}' OR 1=1 --",
    "(SELECT randomblob(500000000))",
];

fn did(server: &Server, who: &str, value: &str) {
    let body = json!({ "name": "Signup", "userIdentifier": who, "customData": { "plan": value } });
    send(server, "/e", body).expect(200);
}

fn pass(server: &Server, property: &str, operator: &str, value: &str) -> Vec<String> {
    let test = json!({ "property": property, "operator": operator, "value": value });
    let filter = json!({ "type": "event", "properties": [test] });
    let body = json!({ "dateRange": "24hrs", "filters": [filter], "orderBy": [["identifier", "asc"]] });
    names(&list(server, body)).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_hostile_value_of_a_property_is_a_value() {
    let server = Server::start();
    did(&server, "ann", "pro");
    for value in HOSTILE {
        for operator in ["eq", "contains", "startsWith", "endsWith"] {
            assert!(pass(&server, "plan", operator, value).is_empty(), "{operator} {value:?}");
        }
        assert_eq!(pass(&server, "plan", "notEq", value), ["ann"], "{value:?}");
        assert!(pass(&server, value, "eq", "pro").is_empty(), "as a name: {value:?}");
    }
    // The twin: where it is what somebody did, it is found, and they alone.
    for (n, value) in HOSTILE.iter().enumerate() {
        let who = format!("h{n}");
        did(&server, &who, value);
        assert_eq!(pass(&server, "plan", "eq", value), [who], "{value:?}");
    }
    assert_eq!(count(&server, "users"), 1 + HOSTILE.len() as i64);
}

#[test]
fn a_hostile_order_is_refused() {
    let server = Server::start();
    did(&server, "ann", "pro");
    let refused = |order: Value, words: &str| {
        let body = json!({ "dateRange": "24hrs", "orderBy": [order] });
        let reply = post(&server, "/v1/users", body).expect(400).json();
        let fault = json!({ "field": "orderBy.0", "message": words });
        assert_eq!(reply["error"]["details"], json!([fault]), "{order}");
    };
    let fields = "field must be lastSeenAt, displayName, identifier, country or lastEventFired";
    let directions = "direction must be asc or desc";
    for text in HOSTILE {
        for field in [text.to_owned(), format!("identifier{text}"), format!("identifier {text}")] {
            refused(json!([field, "asc"]), fields);
        }
        for direction in [text.to_owned(), format!("asc{text}"), format!("desc, {text}")] {
            refused(json!(["identifier", direction]), directions);
        }
    }
    // The event that it is ordered by is compared as any.
    let by = |value: &str| {
        let test = json!({ "property": "plan", "operator": "eq", "value": value });
        let order = json!(["lastEventFired", "desc", { "properties": [test] }]);
        list(&server, json!({ "dateRange": "24hrs", "orderBy": [order] }))["users"][0]["lastEventFiredAt"]
            .clone()
    };
    for text in HOSTILE {
        assert_eq!(by(text), Value::Null, "{text:?}");
    }
    assert!(by("pro").is_string());
    assert_eq!(count(&server, "users"), 1);
}

//! What a schema says of a body, field by field.

use serde_json::{Value, json};
use usher::api::check::faults;
use usher::api::schema::{between, each_by_itself, flag, list, name, object, one_of, or_null, text};
use usher::error::{FieldError, Place};

fn said(schema: &Value, value: Value) -> Vec<(String, String)> {
    let pointer = |fault: FieldError| (fault.pointer.unwrap_or_default(), fault.message);
    faults(Place::Body, schema, &value).into_iter().map(pointer).collect()
}

fn schema() -> Value {
    object([
        ("subject", object([("identifier?", name("ann")), ("id?", or_null(text("1")))])),
        ("days?", or_null(between(1, 30, 7))),
        ("kind?", one_of(&["a", "b"])),
        ("pin?", flag(true)),
        ("words?", list(text("x"))),
    ])
}

#[test]
fn what_fits_has_no_fault() {
    for good in [
        json!({ "subject": { "identifier": "ann" }, "days": 7, "kind": "b", "pin": false, "words": [] }),
        json!({ "subject": { "identifier": 7, "id": null }, "days": null }),
    ] {
        assert_eq!(said(&schema(), good), []);
    }
}

#[test]
fn all_faults_are_found_at_once_and_none_quotes_a_value() {
    let secret = "ann@example.com";
    let bad = json!({
        "subject": { "identifier": [secret], "na/me": secret },
        "days": 31, "kind": secret, "pin": secret, "words": ["x", 2],
    });
    let found = said(&schema(), bad);
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/days", "/kind", "/pin", "/subject/identifier", "/subject/na~1me", "/words/1"]);
    assert!(found.iter().all(|(_, why)| !why.contains(secret)), "{found:?}");
    assert_eq!(said(&schema(), json!({})), [("/subject".into(), "is required".into())]);
    assert_eq!(said(&schema(), json!([])), [(String::new(), "must be an object".into())]);
}

#[test]
fn entries_that_are_judged_one_by_one_are_left_alone() {
    let schema = object([("list", each_by_itself(list(text("x"))))]);
    assert_eq!(said(&schema, json!({ "list": [1, null] })), []);
    assert_eq!(said(&schema, json!({ "list": 1 })).len(), 1);
}

//! What the routes of Segment's tracking API, and of its clients' servers, say of themselves.

use serde_json::{Value, json};

use crate::api::doc::Doc;
use crate::api::schema::{any, each_by_itself, either, flag, free, list, named, number, object, open, text};

fn fault() -> Value {
    object([("index", number(0)), ("field", text("event")), ("message", text("is required"))])
}

pub fn error() -> Value {
    named(
        "Error",
        object([
            ("success", flag(false)),
            ("code", text("invalid")),
            ("message", text("event is required")),
            ("errors?", list(fault())),
        ]),
    )
}

fn taken() -> Value {
    named(
        "Taken",
        object([
            ("success", flag(true)),
            ("errors?", list(fault())),
            ("errorsLeftOut?", number(0)),
            ("repairs?", list(fault())),
            ("dropped?", list(object([("index", number(0)), ("reason", text("late"))]))),
        ]),
    )
}

/// The key may stand in the query and in the body, too, as a beacon has no headers.
fn keyed(doc: Doc) -> Doc {
    doc.query("writeKey", text("ush_pub_…"), "The key, for what can send no header.")
}

fn message(kind: &str) -> Value {
    let more = match kind {
        "track" => json!({ "event": "Signed up", "properties": { "plan": "pro" } }),
        "identify" => json!({ "traits": { "email": "ann@example.com" } }),
        "group" => json!({ "groupId": "acme", "traits": { "name": "Acme" } }),
        "alias" => json!({ "previousId": "visitor-7" }),
        _ => json!({ "name": "Home", "properties": { "url": "https://shop.example.com/" } }),
    };
    let mut example = json!({ "userId": "ann@example.com", "messageId": "m-1" });
    if let (Some(example), Value::Object(more)) = (example.as_object_mut(), more) {
        example.extend(more);
    }
    free(example)
}

pub fn batch() -> Doc {
    let mut track = message("track");
    track["examples"][0]["type"] = "track".into();
    keyed(Doc::says("Stores a batch of messages, each judged by itself."))
        .more(
            "Good messages are stored, bad ones named in `errors`, what was put right in `repairs`; a key with the \
             scope `read` is told in `dropped` what was not to be stored. A message has at most 64 KiB, a batch 4 MB.",
        )
        .takes(open(object([
            ("batch", each_by_itself(list(track))),
            ("sentAt?", any(json!("2026-03-04T10:00:00.000Z"))),
            ("writeKey?", any(json!("ush_pub_…"))),
        ])))
        .gives(200, taken())
}

pub fn single(kind: &'static str) -> Doc {
    let says = match kind {
        "identify" => "Stores an identify message: who somebody is.",
        "track" => "Stores a track message: what somebody did.",
        "page" => "Stores a page message: what somebody looked at.",
        "screen" => "Stores a screen message: what somebody looked at in an app.",
        "group" => "Stores a group message: to what somebody belongs.",
        _ => "Stores an alias message: two names are of one person.",
    };
    keyed(Doc::says(says)).takes(message(kind)).gives(200, taken())
}

pub fn settings_error() -> Value {
    // Before the path is known to be one of these, it is the API's own.
    either(&[named("SettingsError", object([("message", text("Invalid write key"))])), error()])
}

pub fn get_settings() -> Doc {
    let settings = open(object([
        ("integrations", free(json!({ "Segment.io": { "apiKey": "ush_pub_…" } }))),
        ("plan", free(json!({}))),
    ]));
    Doc::says("The settings that clients in browsers and phones ask for.")
        .more("Only a public credential opens them.")
        .path("writeKey", text("ush_pub_…"), "The project's ingest token.")
        .gives(200, settings)
        .fails(&[no_key])
}

fn no_key() -> crate::error::Error {
    crate::error::Error::UnknownKey
}

fn none() -> crate::error::Error {
    crate::error::Error::NoKey
}

pub fn get_source_config() -> Doc {
    keyed(Doc::says("The settings that RudderStack's clients ask for. Only a public credential opens them."))
        .gives(
            200,
            object([
                ("source", free(json!({ "id": "src_pk_5f3a9c21" }))),
                ("updatedAt", text("2026-03-04T10:00:00.000Z")),
            ]),
        )
        .fails(&[none, no_key])
}

pub fn probe() -> Doc {
    Doc::says("By this RudderStack's browser client looks for an ad blocker.")
        .query("view", text("ad"), "ad: 204, else 200.")
        .gives_nothing(200)
        .gives_nothing(204)
}

pub fn forget() -> Doc {
    Doc::says("Takes a client's figures about itself, and keeps none.")
        .takes_bytes("application/json", "{}")
        .gives(200, object([("success", flag(true))]))
}

pub fn forget_rudders() -> Doc {
    Doc::says("The same of RudderStack's clients.")
        .takes_bytes("application/json", "{}")
        .gives(200, object([]))
}

pub fn merge() -> Doc {
    keyed(Doc::says(
        "RudderStack's merge, which is not done here: the answer says so and what to send instead.",
    ))
    .takes(free(json!({ "mergeProperties": [] })))
    .gives(200, taken())
}

//! What the routes of Gainsight PX's API say of themselves.

use serde_json::{Map, Value, json};

use super::cells::Kind;
use super::fields::{FIELDS, USER_TYPES};
use crate::api::doc::{Doc, fails};
use crate::api::schema::{
    any, between, empty_list, flag, free, list, millis, name, named, number, object, one_of, open, or_null,
    text,
};

pub fn error() -> Value {
    let fault = object([("message", text("identifyId: is required"))]);
    named(
        "Error",
        object([(
            "externalapierror",
            object([
                ("status", text("NOT_FOUND")),
                ("message", text("User was not found for parameters {id=ann@example.com}")),
                ("debugMessage", json!({ "type": "null" })),
                ("subErrors", or_null(list(fault))),
            ]),
        )]),
    )
}

/// The vendor's envelope. `repairs` names what was left out of what was sent.
fn done() -> Value {
    named(
        "Done",
        open(object([
            ("body", free(json!({}))),
            ("statusCode", text("200")),
            ("statusCodeValue", number(200)),
        ])),
    )
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => text(""),
        Kind::Choice(words) => one_of(words),
        Kind::Integer => number(0),
        Kind::Time => millis(),
        Kind::Decimal => json!({ "type": "number", "examples": [0.0] }),
        Kind::Flag => flag(false),
        Kind::Texts => list(text("AP-1")),
        Kind::Objects => list(any(json!({}))),
    }
}

/// The fields of a user, by their dotted names.
fn user_fields() -> Map<String, Value> {
    let mut root = json!({ "type": "object", "properties": {} });
    for field in FIELDS {
        let mut at = &mut root;
        let mut parts = field.name.split('.').peekable();
        while let Some(part) = parts.next() {
            let place = &mut at["properties"][part];
            match parts.peek() {
                Some(_) if place.is_null() => *place = json!({ "type": "object", "properties": {} }),
                Some(_) => {}
                None => *place = of_kind(field.kind),
            }
            at = place;
        }
    }
    root["properties"]["customAttributes"] = free(json!({ "plan": "pro" }));
    match root["properties"].take() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn user() -> Value {
    let fields = user_fields();
    let required: Vec<&String> = fields.keys().collect();
    named(
        "User",
        json!({ "type": "object", "properties": fields, "required": required, "additionalProperties": false }),
    )
}

/// A cell that is not of its kind is left out alone, so that any will do.
fn told(needs_id: bool) -> Value {
    let mut schema = open(object([
        ("identifyId?", name("ann@example.com")),
        ("email?", any(json!("ann@example.com"))),
        ("firstName?", any(json!("Ann"))),
        ("lastName?", any(json!("Lee"))),
        ("type?", any(json!(USER_TYPES[0]))),
        ("customAttributes?", any(json!({ "plan": "pro" }))),
    ]));
    if needs_id {
        schema["required"] = json!(["identifyId"]);
    }
    schema
}

fn of_user(doc: Doc) -> Doc {
    doc.path("identifyId", text("ann@example.com"), "The user's identifyId.")
}

fn hard(doc: Doc) -> Doc {
    doc.query(
        "hardDelete",
        text("false"),
        "true erases for good, with a receipt. Otherwise the user is in the trash for 7 days, and comes back by \
         being sent again.",
    )
}

pub fn delete_user() -> Doc {
    hard(of_user(Doc::says("Deletes a user: into the trash, or for good."))).gives(200, done()).fails(&[
        fails::user,
        fails::conflict,
        fails::held,
    ])
}

pub fn delete_named() -> Doc {
    hard(Doc::says("The same, with the identifyId in the body: for ids that do not fit a path."))
        .takes(open(object([("identifyId", name("ann@example.com"))])))
        .gives(200, done())
        .fails(&[fails::user, fails::conflict, fails::held])
}

pub fn create_user() -> Doc {
    Doc::says("Creates a user, or updates one that is there; one in the trash comes back.")
        .takes(told(true))
        .more("By the header X-APTRINSIC-API-KEY it is known to be this API's: without it the path is Vemetric's.")
        .gives(201, done())
        .gives(401, object([("error", free(json!({ "code": "UNAUTHORIZED" })))]))
        .fails(&[fails::taken])
}

pub fn update_user() -> Doc {
    of_user(Doc::says("Changes a user; one in the trash comes back."))
        .takes(told(false))
        .gives_nothing(204)
        .fails(&[fails::user, fails::taken])
}

pub fn update_named() -> Doc {
    Doc::says("The same, with the identifyId in the body.")
        .takes(told(true))
        .gives_nothing(204)
        .fails(&[fails::user, fails::taken])
}

pub fn get_user() -> Doc {
    of_user(Doc::says("A user with every field, told or not.")).gives(200, user()).fails(&[fails::user])
}

fn sized(doc: Doc, most: i64) -> Doc {
    doc.query("pageSize", between(1, most, 25), "So many on a page.")
}

fn scrolled(doc: Doc) -> Doc {
    sized(doc, 1_000)
        .query("scrollId", text(""), "The scrollId of the page before.")
        .query("filter", text("email==ann@example.com"), "A condition; may be given several times.")
        .query("sort", text(""), "Fields, by semicolons, each with a dash for descending.")
}

fn scroll(key: &str, entries: Value) -> Value {
    object([(key, entries), ("totalHits", number(1)), ("scrollId", or_null(text("")))])
}

pub fn list_users() -> Doc {
    scrolled(Doc::says("Users that pass all filters.")).gives(200, scroll("users", list(user())))
}

pub fn create() -> Doc {
    Doc::says("Stores an event. With an eventId it counts once.")
        .takes(open(object([
            ("identifyId", name("ann@example.com")),
            ("eventName", text("Signed up")),
            ("date?", any(json!(1_772_618_400_000_i64))),
            ("attributes?", any(json!({ "plan": "pro" }))),
            ("sessionId?", any(json!("s-1"))),
            ("url?", any(json!("https://shop.example.com/a"))),
            ("eventId?", any(json!("m-1"))),
        ])))
        .gives(201, done())
}

fn attributes() -> Value {
    let attribute = object([
        ("id", text("email")),
        ("name", text("email")),
        ("apiName", text("email")),
        ("internalName", text("email")),
        ("description", text("")),
        ("type", one_of(&["STRING", "NUMBER", "DATE_TIME", "BOOLEAN"])),
        ("state", one_of(&["ENABLED"])),
        ("origin", one_of(&["DEFAULT", "CUSTOM"])),
        ("createdDate", millis()),
        ("modifiedDate", millis()),
        ("defaultValue", text("")),
    ]);
    list(named("Attribute", attribute))
}

pub fn of_users() -> Doc {
    Doc::says("What a user can have: the fields of all, then the custom attributes that are in use.")
        .gives(200, attributes())
}

pub fn of_accounts() -> Doc {
    Doc::says("What an account has with the vendor. Accounts are not kept here.").gives(200, attributes())
}

/// The lists have the vendor's different keys.
fn history(doc: Doc) -> Doc {
    let entry = open(object([
        ("eventId", text("m-1")),
        ("identifyId", text("ann@example.com")),
        ("propertyKey", text("")),
        ("date", millis()),
        ("eventType", text("CUSTOM")),
        ("sessionId", text("s-1")),
        ("userType", one_of(USER_TYPES)),
        ("accountId", text("")),
        ("globalContext", free(json!({}))),
    ]));
    let entry = named("Entry", entry);
    let mut page = object([("totalHits", number(1)), ("scrollId", or_null(text("")))]);
    page["additionalProperties"] = list(entry);
    scrolled(doc)
        .query(
            "dateRangeStart",
            text("1772532000000"),
            "Milliseconds since 1970; a day before the end unless given.",
        )
        .query("dateRangeEnd", text("1772618400000"), "Milliseconds since 1970; now unless given.")
        .gives(200, named("History", page))
}

fn no_list() -> crate::error::Error {
    crate::error::Error::NoSuchRoute
}

pub fn events() -> Doc {
    history(Doc::says("What users did in a span of at most 190 days."))
        .path(
            "kind",
            text("custom"),
            "custom, pageView or session; identify, lead, email, formSubmit, engagementView, feature_match and \
             segment_match are there and empty.",
        )
        .fails(&[no_list])
}

pub fn survey_responses() -> Doc {
    history(Doc::says("There are no surveys here: an empty list."))
}

pub fn accounts() -> Doc {
    scrolled(Doc::says("Accounts are not kept here: an empty list."))
        .gives(200, scroll("accounts", empty_list()))
}

fn numbered(doc: Doc, key: &str) -> Doc {
    let page = object([(key, empty_list()), ("pageNumber", number(0)), ("isLastPage", flag(true))]);
    sized(doc, 200)
        .query(
            "pageNumber",
            json!({ "type": "integer", "minimum": 0, "examples": [0] }),
            "0 for the first page.",
        )
        .query("filter", text(""), "Not looked at.")
        .gives(200, page)
}

pub fn segments() -> Doc {
    numbered(Doc::says("Segments are not kept here: an empty list."), "segments")
}

pub fn features() -> Doc {
    numbered(Doc::says("Features are not kept here: an empty list."), "features")
}

pub fn articles() -> Doc {
    numbered(Doc::says("Articles are not kept here: an empty list."), "articleExternalViewList")
}

pub fn knowledge_bots() -> Doc {
    numbered(Doc::says("Knowledge center bots are not kept here: an empty list."), "kcList")
}

pub fn get_denied() -> Doc {
    of_user(Doc::says("Whether a user is on the denylist."))
        .gives(200, object([("denied", flag(false)), ("identifyId", text("ann@example.com"))]))
        .fails(&[fails::user])
}

pub fn put_denied() -> Doc {
    of_user(Doc::says(
        "Puts a user on the denylist, or takes it off: nothing that is sent of one on it is stored.",
    ))
    .takes(open(object([("denied", flag(true))])))
    .gives_nothing(200)
    .fails(&[fails::user, fails::conflict])
}

fn preferences(names: &[&str]) -> Value {
    let fields: Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "type": ["boolean", "null"], "examples": [true] })))
        .collect();
    json!({ "type": "object", "properties": fields, "additionalProperties": false })
}

fn said(names: &[&str], needs_id: bool) -> Value {
    let mut schema = open(preferences(names));
    if needs_id {
        schema["properties"]["identifyId"] = name("ann@example.com");
        schema["required"] = json!(["identifyId"]);
    }
    schema
}

pub fn get_preferences(names: &[&str]) -> Doc {
    of_user(Doc::says("What a user wants to see; null is what was never told."))
        .gives(200, preferences(names))
        .fails(&[fails::user])
}

pub fn get_preferences_named(names: &[&str]) -> Doc {
    Doc::says("The same, with the identifyId in the body.")
        .takes(open(object([("identifyId", name("ann@example.com"))])))
        .gives(200, preferences(names))
        .fails(&[fails::user])
}

const OUT: &str =
    "trackUsage false keeps the user out, as the denylist does: the key needs the scope `delete` for it.";

pub fn put_preferences(names: &[&str]) -> Doc {
    of_user(Doc::says("Says what a user wants to see; what is left out stays."))
        .more(OUT)
        .takes(said(names, false))
        .gives_nothing(204)
        .fails(&[fails::user, fails::conflict])
}

pub fn put_preferences_named(names: &[&str]) -> Doc {
    Doc::says("The same, with the identifyId in the body.")
        .more(OUT)
        .takes(said(names, true))
        .gives_nothing(204)
        .fails(&[fails::user, fails::conflict])
}

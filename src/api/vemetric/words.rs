//! What the routes of Vemetric's two servers say of themselves.

use serde_json::{Value, json};

use crate::api::doc::{Doc, fails};
use crate::api::schema::{
    any, empty_list, flag, free, list, name, named, number, object, open, or_null, say, text, time,
};

pub fn error() -> Value {
    let detail = object([("field", text("limit")), ("message", text("must be between 1 and 1000"))]);
    named(
        "Error",
        object([(
            "error",
            object([
                ("code", text("VALIDATION_ERROR")),
                ("message", text("Invalid request parameters")),
                ("details?", list(detail)),
            ]),
        )]),
    )
}

fn user() -> Value {
    object([
        ("id", text("42")),
        ("identifier", or_null(text("ann@example.com"))),
        ("displayName", or_null(text("Ann Lee"))),
        ("country", or_null(text("DE"))),
        ("city", or_null(text("Berlin"))),
        ("lastSeenAt", or_null(time())),
        ("avatarUrl", or_null(text("https://cdn.example.com/ann.png"))),
        ("data", free(json!({ "plan": "pro" }))),
        ("anonymous", flag(false)),
    ])
}

/// Exactly one of the two.
fn target(doc: Doc) -> Doc {
    doc.query("id", text("42"), "The user's id; exactly one of id and identifier.").query(
        "identifier",
        text("ann@example.com"),
        "The user's identifier.",
    )
}

pub fn get_user() -> Doc {
    target(Doc::says("A user, by id or identifier."))
        .gives(200, object([("user", named("User", user()))]))
        .fails(&[fails::user])
}

fn asked() -> [(&'static str, Value); 5] {
    [
        ("dateRange", say(any(json!("7days")), "A preset such as 7days, or [start, end].")),
        ("filters?", or_null(list(free(json!({ "type": "user", "anonymous": false }))))),
        ("filtersOperator?", or_null(text("and"))),
        ("limit?", or_null(number(100))),
        ("offset?", or_null(number(0))),
    ]
}

fn listed(name: &str, rows: Value) -> Value {
    object([
        ("period", object([("from", time()), ("to", time())])),
        ("pagination", object([("limit", number(100)), ("offset", number(0)), ("returned", number(1))])),
        (name, list(rows)),
    ])
}

pub fn list_users() -> Doc {
    let [range, mut filters, operator, limit, offset] = asked();
    filters.1["items"] = free(json!({ "type": "user", "anonymous": false }));
    let order = ("orderBy?", or_null(list(any(json!(["lastSeenAt", "desc"])))));
    let mut seen = user();
    seen["properties"]["lastEventFiredAt"] = or_null(time());
    Doc::says("Whom the project saw in a period.")
        .takes(open(object([range, filters, operator, limit, offset, order])))
        .gives(200, listed("users", named("SeenUser", seen)))
}

pub fn list_events() -> Doc {
    let [range, mut filters, operator, limit, offset] = asked();
    filters.1["items"] = free(json!({ "type": "event", "name": { "operator": "eq", "value": "Signed up" } }));
    let event = object([
        ("sessionId", text("7")),
        ("name", text("Signed up")),
        ("isPageView", flag(false)),
        ("createdAt", time()),
        ("origin", or_null(text("https://shop.example.com"))),
        ("path", or_null(text("/a"))),
        ("hash", or_null(text("#b"))),
        ("data", free(json!({ "plan": "pro" }))),
    ]);
    target(Doc::says("What a user did in a period."))
        .takes(open(object([range, filters, operator, limit, offset])))
        .gives(200, listed("events", named("Event", event)))
        .fails(&[fails::user])
}

pub fn get_project() -> Doc {
    let repair =
        object([("outcome", text("repaired")), ("reason", text("control characters")), ("count", number(3))]);
    let project = object([
        ("id", text("1")),
        ("name", text("Shop")),
        ("domain", json!({ "type": "string", "maxLength": 0, "examples": [""] })),
        ("token", text("ush_pub_…")),
        ("createdAt", time()),
        ("firstEventAt", or_null(time())),
        ("hasPublicDashboard", flag(false)),
        ("excludedIps", empty_list()),
        ("excludedCountries", empty_list()),
        ("lateEvents", number(0)),
        ("repairs", list(repair)),
    ]);
    Doc::says("The project of the key, with its ingest token.")
        .gives(200, object([("project", named("Project", project))]))
}

const TEXT: &str = "text/plain; charset=utf-8";

fn sent(doc: Doc) -> Doc {
    doc.header("Allow-Cookies", text("true"), "true: the answer may set the visitor's cookie.")
        .gives_bytes(200, TEXT, "")
}

fn change() -> Value {
    or_null(open(object([
        ("set?", or_null(free(json!({ "plan": "pro" })))),
        ("setOnce?", or_null(free(json!({ "source": "web" })))),
        ("unset?", or_null(list(text("trial")))),
    ])))
}

fn profile() -> [(&'static str, Value); 4] {
    [
        ("identifier?", or_null(name("ann@example.com"))),
        ("displayName?", or_null(text("Ann Lee"))),
        ("avatarUrl?", or_null(text("https://cdn.example.com/ann.png"))),
        ("data?", change()),
    ]
}

pub fn track() -> Doc {
    sent(Doc::says("Stores an event. Each is one of its own."))
        .more("A page view has the name `$$pageView` and a `url`; an outbound link has `url` and `customData.href`.")
        .takes(open(object([
            ("name", text("Signed up")),
            ("userIdentifier?", or_null(name("ann@example.com"))),
            ("identifier?", or_null(name("ann@example.com"))),
            ("displayName?", or_null(text("Ann Lee"))),
            ("url?", or_null(text("https://shop.example.com/a"))),
            ("contextId?", or_null(text("tab-1"))),
            ("customData?", or_null(free(json!({ "plan": "pro" })))),
            ("userData?", change()),
        ])))
}

pub fn update() -> Doc {
    let [identifier, display, avatar, data] = profile();
    sent(Doc::says("Changes what is known of a user, or of the visitor."))
        .takes(open(object([
            ("userIdentifier?", or_null(name("ann@example.com"))),
            identifier,
            display,
            avatar,
            data,
        ])))
        .fails(&[fails::suppressed])
}

pub fn identify() -> Doc {
    let [_, display, avatar, data] = profile();
    sent(Doc::says("The visitor says who it is.")).takes(open(object([
        ("identifier", name("ann@example.com")),
        display,
        avatar,
        data,
    ])))
}

pub fn reset() -> Doc {
    sent(Doc::says("Somebody signs out: what comes next is a new visitor's.")).takes(open(object([])))
}

pub fn leave() -> Doc {
    sent(Doc::says("Somebody leaves a page: the session goes on until now.")).takes(open(object([
        ("userIdentifier?", or_null(name("ann@example.com"))),
        ("identifier?", or_null(name("ann@example.com"))),
    ])))
}

pub fn up() -> Doc {
    Doc::says("The server is there.").gives_bytes(200, TEXT, "")
}

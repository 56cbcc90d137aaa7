//! What the routes of OpenReplay's API say of themselves.

use serde_json::{Value, json};

use crate::api::doc::{Doc, fails};
use crate::api::schema::{
    any, between, either, list, millis, named, number, object, one_of, open, or_null, text,
};
use crate::error::Error;

fn data(schema: Value) -> Value {
    object([("data", schema)])
}

/// Errors have one of two shapes.
pub fn errors() -> Value {
    let detail = object([
        ("type", text("value_error")),
        ("loc", list(text("path"))),
        ("msg", text("must be an integer")),
        ("input", json!({ "type": "null" })),
    ]);
    let texts = named("ErrorTexts", object([("errors", list(text("project not found.")))]));
    let details = named("ErrorDetails", object([("detail", list(named("ErrorDetail", detail)))]));
    named("Errors", either(&[texts, details]))
}

fn job() -> Value {
    named(
        "Job",
        object([
            ("jobId", number(12)),
            ("description", text("Delete user sessions of userId = ann@example.com")),
            ("status", one_of(&["scheduled", "running", "completed", "failed", "cancelled"])),
            ("projectId", number(1)),
            ("action", one_of(&["delete_user_data"])),
            ("referenceId", text("ann@example.com")),
            ("createdAt", millis()),
            ("updatedAt", millis()),
            ("startAt", millis()),
            ("errors", or_null(text("the erasure met a fault, and is tried again"))),
        ]),
    )
}

fn project() -> Value {
    named("Project", object(project_fields()))
}

fn project_fields() -> [(&'static str, Value); 4] {
    [
        ("projectId", number(1)),
        ("projectKey", text("pk_5f3a9c21")),
        ("platform", text("web")),
        ("name", text("Shop")),
    ]
}

fn in_project(doc: Doc) -> Doc {
    doc.path("projectKey", text("pk_5f3a9c21"), "The project's key.")
}

fn of_user(doc: Doc) -> Doc {
    in_project(doc).path("userId", text("ann@example.com"), "The user's identifier.")
}

fn of_job(doc: Doc) -> Doc {
    in_project(doc).path("jobId", json!({ "type": "integer", "examples": [12] }), "The job's number.")
}

pub fn get_user() -> Doc {
    let user = object([
        ("userId", text("ann@example.com")),
        ("sessionCount", number(3)),
        ("lastSeen", or_null(millis())),
        ("firstSeen", or_null(millis())),
    ]);
    of_user(Doc::says("How often and when a user was seen; null for one that is unknown."))
        .gives(200, data(or_null(user)))
        .fails(&[fails::project])
}

pub fn delete_user() -> Doc {
    of_user(Doc::says("Schedules the erasure of a user and all that they did."))
        .more(
            "The answer's header Usher-Receipt has the token by which the person can show later that the receipt is \
             about them. The job can be cancelled until it starts.",
        )
        .gives(200, data(job()))
        .fails(&[fails::project, fails::held])
}

pub fn user_sessions() -> Doc {
    let session = object([
        ("projectId", number(1)),
        ("sessionId", text("7")),
        ("userUuid", text("0b2d7f60-a1c8-4c4e-9f3a-5d6b7c8e9f01")),
        ("userId", or_null(text("ann@example.com"))),
        ("userOs", or_null(text("Linux"))),
        ("userBrowser", or_null(text("Firefox"))),
        ("userDevice", or_null(text("desktop"))),
        ("userCountry", or_null(text("DE"))),
        ("startTs", millis()),
        ("duration", number(60_000)),
        ("eventsCount", number(12)),
        ("pagesCount", number(3)),
        ("errorsCount", number(0)),
    ]);
    of_user(Doc::says("The latest 50 sessions of a user; none of one that is unknown."))
        .query("start_date", millis(), "Sessions from then on.")
        .query("end_date", millis(), "Sessions until then.")
        .gives(200, data(list(named("Session", session))))
        .fails(&[fails::project])
}

pub fn session_events() -> Doc {
    let event = open(object([
        ("sessionId", text("7")),
        ("messageId", text("m-1")),
        ("timestamp", millis()),
        ("type", text("event")),
        ("name", text("Signed up")),
        ("url?", text("https://shop.example.com/a")),
    ]));
    in_project(Doc::says("What happened in a session; nothing in one that is unknown."))
        .path("sessionId", text("7"), "The session's id.")
        .gives(200, data(list(named("Event", event))))
        .fails(&[fails::project])
}

pub fn list_jobs() -> Doc {
    in_project(Doc::says("The project's erasures that were asked for here, the newest first."))
        .query("limit", between(1, 10_000, 100), "So many on a page, 10,000 unless given.")
        .query("page", json!({ "type": "integer", "minimum": 1, "examples": [1] }), "Which page, from 1.")
        .gives(200, data(list(job())))
        .fails(&[fails::project])
}

pub fn get_job() -> Doc {
    of_job(Doc::says("An erasure that was asked for; an empty object for a number that no job has."))
        .gives(200, data(either(&[job(), object([])])))
        .fails(&[fails::project])
}

pub fn cancel_job() -> Doc {
    of_job(Doc::says("Cancels an erasure that has not begun.")).gives(200, data(job())).fails(&[
        fails::project,
        fails::job,
        fails::conflict,
        ended,
    ])
}

fn ended() -> Error {
    Error::JobEnded
}

fn name_taken() -> Error {
    Error::NameTaken { what: "a project", name: "Shop".into() }
}

pub fn list_projects() -> Doc {
    let [id, key, platform, name] = project_fields();
    let listed = object([id, key, platform, name, ("createdAt", millis())]);
    Doc::says("The projects that the key opens.").gives(200, data(list(named("ListedProject", listed))))
}

pub fn create_project() -> Doc {
    Doc::says("Makes a project. The key has to be the organisation's.")
        .takes(open(object([("name", text("Shop")), ("platform?", or_null(text("web")))])))
        .gives(200, data(project()))
        .fails(&[name_taken])
}

pub fn get_project() -> Doc {
    in_project(Doc::says("A project.")).gives(200, data(project())).fails(&[fails::project])
}

/// The newer API.
pub mod v2 {
    use super::*;

    pub fn errors() -> Value {
        named("Error", object([("error", text("user not found"))]))
    }

    /// The vendor's, of which an empty one is none.
    fn columns() -> Value {
        or_null(list(json!({ "type": "string" , "examples": [""] })))
    }

    fn project() -> Value {
        let mut project = object([
            ("projectId", number(1)),
            ("name", text("Shop")),
            ("projectKey", text("pk_5f3a9c21")),
            ("tenantId", number(1)),
            ("maxSessionDuration", number(0)),
            ("sampleRate", number(100)),
            ("saveRequestPayloads", json!({ "type": "boolean", "examples": [false] })),
            ("beaconSize", number(0)),
            ("platform", text("web")),
        ]);
        for n in 1..=10 {
            project["properties"][format!("metadata{n}")] = json!({ "type": "null" });
        }
        named("ProjectV2", project)
    }

    fn of_user(doc: Doc) -> Doc {
        in_project(doc).path("userID", text("ann@example.com"), "The user's identifier.")
    }

    fn of_job(doc: Doc) -> Doc {
        in_project(doc).path("jobID", json!({ "type": "integer", "examples": [12] }), "The job's number.")
    }

    /// Of these the vendor takes 0, "" and null for absent.
    fn page_fields() -> [(&'static str, Value); 5] {
        [
            ("startTimestamp?", or_null(millis())),
            ("endTimestamp?", or_null(number(1_772_704_800_000))),
            ("limit?", or_null(number(50))),
            ("page?", or_null(number(1))),
            ("sortOrder?", or_null(json!({ "type": "string", "examples": ["desc"] }))),
        ]
    }

    pub fn list_projects() -> Doc {
        Doc::says("The projects that the key opens.").gives(200, data(list(project())))
    }

    pub fn create_project() -> Doc {
        Doc::says("Makes a project. The key has to be the organisation's.")
            .takes(open(object([("name", text("Shop")), ("platform?", or_null(text("web")))])))
            .gives(200, data(project()))
            .fails(&[name_taken])
    }

    pub fn get_project() -> Doc {
        in_project(Doc::says("A project.")).gives(200, data(project())).fails(&[fails::project])
    }

    fn user() -> Value {
        open(object([
            ("$user_id", text("ann@example.com")),
            ("$email", text("ann@example.com")),
            ("$name", text("Ann Lee")),
            ("$first_name", text("Ann")),
            ("$last_name", text("Lee")),
            ("$created_at", millis()),
            ("$last_seen", millis()),
        ]))
    }

    pub fn list_users() -> Doc {
        let [start, end, limit, page, order] = page_fields();
        in_project(Doc::says("Lists the users of a project, or finds some by a part of their names."))
            .more("Filters are refused. `columns` and `sortBy` take the vendor's columns.")
            .query("q", text("ann"), "As `query`, before which it goes.")
            .takes(open(object([
                ("query?", or_null(text("ann"))),
                start,
                end,
                limit,
                page,
                order,
                ("sortBy?", or_null(text("$created_at"))),
                ("columns?", columns()),
                ("filters?", or_null(any(json!([])))),
            ])))
            .gives(200, data(object([("total", number(1)), ("users", list(named("ListedUser", user())))])))
            .fails(&[fails::project])
    }

    pub fn get_user() -> Doc {
        let mut one = user();
        one["properties"]["distinct_ids"] = list(text("visitor-7"));
        of_user(Doc::says("All columns of a user, and the anonymous ids."))
            .gives(200, data(named("UserV2", one)))
            .fails(&[fails::project, fails::user])
    }

    pub fn delete_user() -> Doc {
        of_user(Doc::says("Schedules the erasure of a user and all that they did."))
            .gives(200, data(job()))
            .fails(&[fails::project, fails::held, scheduled])
    }

    fn scheduled() -> Error {
        Error::Conflict("a deletion job for this user is already scheduled or running")
    }

    pub fn user_sessions() -> Doc {
        let [start, end, limit, page, order] = page_fields();
        let session = object([
            ("sessionId", text("7")),
            ("eventsCount", number(12)),
            ("startTs", millis()),
            ("endTs", millis()),
        ]);
        of_user(Doc::says("The sessions of a user in a period, which is required."))
            .takes(open(object([start, end, limit, page, order])))
            .gives(200, data(object([("total", number(1)), ("sessions", list(named("SessionV2", session)))])))
            .fails(&[fails::project])
    }

    pub fn session_events() -> Doc {
        let [start, end, limit, page, order] = page_fields();
        let event = open(object([
            ("event_id", text("m-1")),
            ("$event_name", text("Signed up")),
            ("created_at", millis()),
            ("distinct_id", text("visitor-7")),
            ("session_id", text("7")),
        ]));
        in_project(Doc::says(
            "What happened in a session in a period, which is required, as are limit and page.",
        ))
        .path("sessionID", text("7"), "The session's id.")
        .takes(open(object([
            start,
            end,
            limit,
            page,
            order,
            ("sortBy?", or_null(text("created_at"))),
            ("columns?", columns()),
            ("filters?", or_null(any(json!([])))),
        ])))
        .gives(200, data(object([("total", number(1)), ("events", list(named("EventV2", event)))])))
        .fails(&[fails::project])
    }

    pub fn list_jobs() -> Doc {
        in_project(Doc::says("The project's erasures that were asked for, the newest first."))
            .query("limit", text("50"), "So many on a page, up to 200; what is no number is 50.")
            .query("page", text("1"), "Which page, from 1.")
            .gives(200, data(list(job())))
            .fails(&[fails::project])
    }

    pub fn get_job() -> Doc {
        of_job(Doc::says("An erasure that was asked for."))
            .gives(200, data(job()))
            .fails(&[fails::project, fails::job])
    }

    pub fn cancel_job() -> Doc {
        of_job(Doc::says("Cancels an erasure that has not begun.")).gives(200, data(job())).fails(&[
            fails::project,
            fails::job,
            fails::conflict,
        ])
    }
}

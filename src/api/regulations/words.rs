//! What the routes of Segment's regulations, and of RudderStack's, say of themselves.

use serde_json::Value;

use crate::api::doc::{Doc, fails};
use crate::api::schema::{
    between, empty_list, flag, list, name, named, object, one_of, open, or_null, say, text, time,
};
use crate::error::Error;
use crate::model::RegulationKind;

const ID: &str = "0b2d7f60-a1c8-4c4e-9f3a-5d6b7c8e9f01";

pub fn error() -> Value {
    let one = object([
        ("type", text("not-found")),
        ("message", text("there is no such regulation")),
        ("field?", text("id")),
    ]);
    named("Errors", object([("errors", list(one))]))
}

fn none() -> Error {
    Error::NotFound("regulation")
}

fn begun() -> Error {
    Error::JobEnded
}

fn data(schema: Value) -> Value {
    object([("data", schema)])
}

fn kinds() -> Value {
    one_of(&RegulationKind::ALL.map(RegulationKind::as_str))
}

fn of_source(doc: Doc) -> Doc {
    doc.path("sourceId", text("pk_5f3a9c21"), "The source: a project's key.")
}

fn one(doc: Doc) -> Doc {
    doc.path("regulateId", text(ID), "The regulation's id.")
}

fn regulate(doc: Doc) -> Doc {
    doc.more(
        "1 to 5,000 ids. Types that the vendor tells apart by where data is kept erase all of it here. The header \
         Usher-Receipt has the person's token where one person is erased.",
    )
    .takes(open(object([
        ("regulationType", kinds()),
        ("subjectType", one_of(&["USER_ID"])),
        ("subjectIds", list(name("ann@example.com"))),
    ])))
    .gives(200, data(object([("regulateId", text(ID))])))
    .fails(&[fails::project, fails::conflict])
}

pub fn create() -> Doc {
    regulate(Doc::says("Erases people, keeps them out, or lets them in again."))
}

pub fn create_of_source() -> Doc {
    of_source(regulate(Doc::says("The same for one source.")))
}

pub fn create_of_cloud_source() -> Doc {
    of_source(Doc::says("There are no cloud sources here: refused with what to use instead."))
        .takes_bytes("application/json", "{}")
        .fails(&[fails::project])
}

fn status() -> Value {
    one_of(&["INITIALIZED", "RUNNING", "FINISHED", "PARTIAL_SUCCESS", "FAILED"])
}

fn paged(doc: Doc) -> Doc {
    doc.query("pagination[count]", between(1, 1_000, 100), "So many on a page.").required().query(
        "pagination[cursor]",
        text(ID),
        "The `next` of the page before.",
    )
}

fn pagination() -> Value {
    object([("current", text("")), ("next?", text(ID))])
}

fn listed(doc: Doc) -> Doc {
    let regulation = object([
        ("id", text(ID)),
        ("subjectType", one_of(&["USER_ID"])),
        ("subjects", list(text("ann@example.com"))),
        ("status", status()),
        ("createdAt", time()),
        ("regulationType", kinds()),
        ("finishedAt?", time()),
    ]);
    paged(doc)
        .query("status", text("FINISHED"), "Those of this status alone.")
        .query("regulationTypes[]", kinds(), "Those of these types alone; may be given several times.")
        .gives(
            200,
            data(object([
                ("regulations", list(named("Regulation", regulation))),
                ("pagination", pagination()),
            ])),
        )
        .fails(&[fails::project])
}

pub fn list_all() -> Doc {
    listed(Doc::says("The regulations, the newest first."))
}

pub fn list_of_source() -> Doc {
    of_source(listed(Doc::says("The regulations of one source.")))
}

pub fn get() -> Doc {
    let stream = object([("id", text("pk_5f3a9c21")), ("destinationStatus", empty_list())]);
    let regulation = object([
        ("id", text(ID)),
        ("workspaceId", text("pk_5f3a9c21")),
        ("overallStatus", status()),
        ("createdAt", time()),
        ("finishedAt", say(text("2026-03-04T10:00:05.000Z"), "Empty until then.")),
        ("streamStatus", list(stream)),
    ]);
    one(Doc::says("How far a regulation is."))
        .gives(200, data(object([("regulation", named("RegulationProgress", regulation))])))
        .fails(&[none])
}

pub fn cancel() -> Doc {
    one(Doc::says("Cancels a regulation that has not begun."))
        .gives(200, data(object([("status", one_of(&["SUCCESS"]))])))
        .fails(&[none, begun])
}

pub fn list_suppressions() -> Doc {
    let people =
        object([("subjectType", one_of(&["USER_ID"])), ("subjectIds", list(text("ann@example.com")))]);
    paged(Doc::says("Who is kept out, by digests: no name is kept."))
        .gives(200, data(object([("suppressed", list(people)), ("pagination", pagination())])))
}

/// RudderStack's.
pub mod singly {
    use super::*;

    fn regulation() -> Value {
        named(
            "UserRegulation",
            object([
                ("id", text(ID)),
                ("workspaceId", text("pk_5f3a9c21")),
                ("canceled", flag(false)),
                ("regulationType", one_of(&["suppress_with_delete", "suppress"])),
                ("attributes", object([("userId", or_null(text("ann@example.com")))])),
            ]),
        )
    }

    pub fn create() -> Doc {
        Doc::says("Keeps each of these users out, and erases them if it is said: one regulation a user.")
            .takes(open(object([
                ("regulationType", one_of(&["suppress", "suppress_with_delete"])),
                ("users", list(open(object([("userId", name("ann@example.com"))])))),
                ("sourceIds?", or_null(list(text("pk_5f3a9c21")))),
                ("destinationIds?", or_null(empty_list())),
            ])))
            .gives(201, list(regulation()))
            .fails(&[fails::conflict])
    }

    pub fn list_all() -> Doc {
        Doc::says("The regulations of single users, the newest first.")
            .query("after_cursor", text(ID), "As `paging.next` has it.")
            .gives(
                200,
                object([
                    ("data", list(regulation())),
                    ("paging", object([("next?", text("/v2/regulations?after_cursor=0b2d7f60"))])),
                ]),
            )
    }

    pub fn cancel() -> Doc {
        one(Doc::says("Lets a user in again; what is erased does not return."))
            .gives_nothing(204)
            .fails(&[none, fails::conflict])
    }
}

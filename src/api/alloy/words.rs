//! What the routes of Alloy Embedded's API say of themselves.

use serde_json::{Value, json};

use crate::api::doc::{Doc, fails};
use crate::api::schema::{list, name, named, object, one_of, open, or_null, text};

const ID: &str = "00000000000000000000002a";

pub fn error() -> Value {
    named("Error", object([("message", text("User not found"))]))
}

/// The version stands in the header, or in the path.
fn versioned(doc: Doc, path: &str) -> Doc {
    if path.contains("{version}") {
        doc.path("version", one_of(&super::IN_PATHS), "A version of the vendor's.")
    } else {
        doc.header(
            "x-api-version",
            one_of(&[super::IN_HEADER]),
            "By this a request is known to be of this API.",
        )
        .required()
    }
}

fn of_user(doc: Doc, path: &str) -> Doc {
    versioned(doc.path("userId", text(ID), "The user's id, or username."), path)
}

fn user() -> Value {
    named(
        "User",
        object([
            ("userId", text(ID)),
            ("username", or_null(text("ann@example.com"))),
            ("fullName", or_null(text("Ann Lee"))),
        ]),
    )
}

pub fn list_users(path: &str) -> Doc {
    versioned(Doc::says("All users, the newest first."), path).gives(200, object([("data", list(user()))]))
}

pub fn create_user(path: &str) -> Doc {
    versioned(Doc::says("Creates a user."), path)
        .takes(open(object([("username", name("ann@example.com")), ("fullName?", or_null(text("Ann Lee")))])))
        .gives(200, object([("userId", text(ID))]))
        .fails(&[fails::taken, fails::suppressed])
}

pub fn get_user(path: &str) -> Doc {
    of_user(Doc::says("A user."), path).gives(200, user()).fails(&[fails::user])
}

pub fn update_user(path: &str) -> Doc {
    of_user(Doc::says("Changes a user; what is left out stays."), path)
        .takes(open(object([
            ("username?", or_null(name("ann@example.com"))),
            ("fullName?", or_null(text("Ann Lee"))),
        ])))
        .gives(200, user())
        .fails(&[fails::user, fails::taken, fails::suppressed])
}

pub fn delete_user(path: &str) -> Doc {
    of_user(Doc::says("Erases a user's account; what the user did stays, without a name."), path)
        .more("This does not undo. The header Usher-Receipt has the person's token.")
        .gives(200, object([("success", json!({ "type": "boolean", "examples": [true] }))]))
        .fails(&[fails::user, fails::held])
}

pub fn delete_logs(path: &str) -> Doc {
    of_user(Doc::says("Erases what a user did, also once the account is gone."), path)
        .more("This does not undo. The header Usher-Receipt has the person's token.")
        .gives(200, object([("message", one_of(&["Success"]))]))
        .fails(&[fails::user, fails::held])
}

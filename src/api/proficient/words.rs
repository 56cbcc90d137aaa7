//! What the routes of Proficient AI's two APIs say of themselves.

use serde_json::Value;

use crate::api::doc::{Doc, fails};
use crate::api::schema::{
    between, empty_list, flag, list, millis, name, named, number, object, one_of, open, or_null, text,
};
use crate::error::Error;

pub fn error() -> Value {
    let known = [
        "invalid_credentials",
        "forbidden",
        "resource_not_found",
        "invalid_request",
        "conflict",
        "unavailable",
        "unknown",
    ];
    named(
        "Error",
        object([("error", object([("code", one_of(&known)), ("message", text("there is no such user"))]))]),
    )
}

fn user() -> Value {
    named(
        "User",
        object([
            ("id", text("u_42")),
            ("object", one_of(&["user"])),
            ("created_at", millis()),
            ("external_id", text("ann@example.com")),
            ("first_name", text("Ann")),
            ("last_name", text("Lee")),
            ("live_mode", flag(true)),
            ("updated_at", millis()),
        ]),
    )
}

fn of_user(doc: Doc) -> Doc {
    doc.path("user_id", text("u_42"), "The user's id.")
}

fn names() -> [(&'static str, Value); 2] {
    [("first_name?", or_null(text("Ann"))), ("last_name?", or_null(text("Lee")))]
}

pub fn list_users() -> Doc {
    Doc::says("All users, the newest first.")
        .query("live_mode", flag(true), "false: test users alone.")
        .gives(200, object([("data", list(user()))]))
}

pub fn create_user() -> Doc {
    let [first, last] = names();
    Doc::says("Creates a user.")
        .takes(open(object([
            ("external_id", name("ann@example.com")),
            first,
            last,
            ("live_mode?", or_null(flag(true))),
        ])))
        .gives(200, user())
        .fails(&[fails::taken, fails::suppressed])
}

pub fn get_user() -> Doc {
    of_user(Doc::says("A user.")).gives(200, user()).fails(&[fails::user])
}

pub fn update_user() -> Doc {
    of_user(Doc::says("Changes a user; what is left out stays."))
        .takes(open(object(names())))
        .gives(200, user())
        .fails(&[fails::user, fails::taken, fails::suppressed])
}

pub fn delete_user() -> Doc {
    of_user(Doc::says("Erases a user and all that the user did; answers with the user as it was."))
        .more("This does not undo. The header Usher-Receipt has the person's token.")
        .gives(200, user())
        .fails(&[fails::user, fails::held])
}

/// The API for browsers.
pub mod client {
    use super::*;

    const INTERACTION: &str = "i_0b2d7f60a1c84c4e9f3a5d6b7c8e9f01";
    const MESSAGE: &str = "m_7c8e9f010b2d7f60a1c84c4e9f3a5d6b";

    fn of_caller(doc: Doc) -> Doc {
        doc.header("X-PROFICIENT-USER-EXTERNAL-ID", text("ann@example.com"), "Whose browser it is.").required().header(
            "X-PROFICIENT-USER-HMAC",
            text("9f1c22d0"),
            "The hex HMAC-SHA256 of that under the project's client secret, which is asked where there is one.",
        )
    }

    fn of_interaction(doc: Doc) -> Doc {
        of_caller(doc.path("interaction_id", text(INTERACTION), "The interaction's id."))
    }

    fn of_message(doc: Doc) -> Doc {
        of_caller(doc.path("message_id", text(MESSAGE), "The message's id."))
    }

    fn paged(doc: Doc, last: &str) -> Doc {
        doc.query("starting_after", text(last), "The last id of the page before.").query(
            "limit",
            between(1, 100, 20),
            "So many on a page, 20 unless given.",
        )
    }

    fn no_agent() -> Error {
        Error::NotFound("agent")
    }

    fn no_interaction() -> Error {
        Error::NotFound("interaction")
    }

    fn no_message() -> Error {
        Error::NotFound("message")
    }

    fn interaction() -> Value {
        named(
            "Interaction",
            object([
                ("id", text(INTERACTION)),
                ("object", one_of(&["interaction"])),
                ("agent_id", text("a_1")),
                ("archived", flag(false)),
                ("created_at", millis()),
                ("initial_turn", one_of(&["user"])),
                ("name", text("A talk")),
                ("total_message_count", number(1)),
                ("updated_at", millis()),
                ("user_id", text("u_42")),
            ]),
        )
    }

    fn message() -> Value {
        named(
            "Message",
            object([
                ("id", text(MESSAGE)),
                ("object", one_of(&["message"])),
                ("content", text("Hello")),
                ("created_at", millis()),
                ("depth", number(0)),
                ("interaction_id", text(INTERACTION)),
                ("parent_id", or_null(text(MESSAGE))),
                ("sent_by", one_of(&["user"])),
            ]),
        )
    }

    fn page(schema: Value) -> Value {
        object([("data", list(schema)), ("has_more", flag(false))])
    }

    pub fn list_agents() -> Doc {
        Doc::says("Agents, of which none is kept.").gives(200, object([("data", empty_list())]))
    }

    pub fn get_agent() -> Doc {
        Doc::says("An agent: each is unknown.")
            .path("agent_id", text("a_1"), "The agent's id.")
            .fails(&[no_agent])
    }

    pub fn list_interactions() -> Doc {
        paged(of_caller(Doc::says("The caller's interactions, the newest first.")), INTERACTION)
            .query("agent_id", text("a_1"), "Those with this agent alone.")
            .gives(200, page(interaction()))
            .fails(&[fails::user])
    }

    pub fn create_interaction() -> Doc {
        of_caller(Doc::says("Begins an interaction with an agent."))
            .takes(open(object([("agent_id", name("a_1"))])))
            .gives(200, object([("interaction", interaction()), ("messages", empty_list())]))
            .fails(&[fails::suppressed, fails::user])
    }

    pub fn get_interaction() -> Doc {
        of_interaction(Doc::says("An interaction of the caller."))
            .gives(200, interaction())
            .fails(&[no_interaction])
    }

    pub fn update_interaction() -> Doc {
        of_interaction(Doc::says("Renames an interaction."))
            .takes(open(object([("name?", or_null(text("A talk")))])))
            .gives(200, interaction())
            .fails(&[no_interaction, fails::suppressed])
    }

    pub fn delete_interaction() -> Doc {
        of_interaction(Doc::says("Deletes an interaction with its messages; answers with it as it was."))
            .more("This does not undo.")
            .gives(200, interaction())
            .fails(&[no_interaction, fails::held])
    }

    pub fn list_messages() -> Doc {
        paged(of_caller(Doc::says("The messages of an interaction, the newest first.")), MESSAGE)
            .query("interaction_id", text(INTERACTION), "The interaction.")
            .required()
            .gives(200, page(message()))
            .fails(&[no_interaction])
    }

    pub fn create_message() -> Doc {
        of_caller(Doc::says("Adds a message to an interaction."))
            .takes(open(object([
                ("interaction_id", text(INTERACTION)),
                ("content", text("Hello")),
                ("parent_id?", or_null(text(MESSAGE))),
            ])))
            .gives(200, message())
            .fails(&[no_interaction, no_message, fails::suppressed])
    }

    pub fn get_message() -> Doc {
        of_message(Doc::says("A message.")).gives(200, message()).fails(&[no_message])
    }

    pub fn ask() -> Doc {
        of_message(Doc::says("Asks for an agent's reply: there is none, and the answer is 503."))
            .takes(open(object([("interaction_id", name(INTERACTION))])))
            .fails(&[no_message])
    }

    pub fn get_user() -> Doc {
        of_caller(of_user(Doc::says("The caller itself."))).gives(200, user()).fails(&[fails::user])
    }

    pub fn update_user() -> Doc {
        of_caller(of_user(Doc::says("Changes the caller itself; what is left out stays.")))
            .takes(open(object(names())))
            .gives(200, user())
            .fails(&[fails::user, fails::suppressed])
    }
}

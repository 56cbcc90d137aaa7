//! Finding users by any part of what they are called.

mod api;
mod commands;
mod feed;
mod fold;
mod hostile;
mod index;
mod pages;
mod px;

use serde_json::{Value, json};

use crate::harness::{Reply, Server, TestProject};

/// Asks for users of a project.
fn ask(server: &Server, project: &TestProject, body: Value) -> Reply {
    server.post("/api/users/search").bearer(&project.all).json(body).send()
}

/// The ids on one page, of users of any state.
fn ids_of(server: &Server, project: &TestProject, q: &str) -> Vec<String> {
    let body = json!({ "q": q, "filter": { "state": "all" }, "limit": 1_000 });
    let found = ask(server, project, body).expect(200).json();
    let users = found["data"].as_array().expect("a list");
    users.iter().map(|user| user["id"].as_str().expect("an id").to_owned()).collect()
}

/// The same in the first project.
fn ids(server: &Server, q: &str) -> Vec<String> {
    ids_of(server, server.project(), q)
}

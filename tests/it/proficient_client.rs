//! Proficient's client API: an end user's conversations, called with a key that everybody
//! has.

mod erased;
mod refusals;
mod trust;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use usher::clock::MINUTE;
use usher::projects;
use usher::store::NormalTx;

use crate::harness::{Reply, Request, START, Server, fields};

const SECRET: &str = "a secret of the app's server";

pub fn sign(name: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(name.as_bytes());
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// A project whose users are vouched for.
pub fn signing() -> Server {
    let server = Server::start();
    let project = server.project().id;
    server.write(move |tx: &NormalTx| projects::set_client_secret(tx, project, Some(SECRET)));
    server
}

/// A call by the public token in the name of a user, without a signature.
pub fn unsigned<'a>(server: &'a Server, method: &str, path: &str, user: &str) -> Request<'a> {
    let request = server.request(method, path).header("X-PROFICIENT-API-KEY", &server.project().token);
    request.header("X-PROFICIENT-USER-EXTERNAL-ID", user)
}

/// The same with it.
pub fn signed<'a>(server: &'a Server, method: &str, path: &str, user: &str) -> Request<'a> {
    unsigned(server, method, path, user).header("X-PROFICIENT-USER-HMAC", &sign(user))
}

pub fn get(server: &Server, path: &str, user: &str) -> Value {
    signed(server, "GET", path, user).send().expect(200).json()
}

pub fn begin(server: &Server, user: &str) -> Value {
    let body = json!({ "agent_id": "helper" });
    let begun = signed(server, "POST", "/interactions", user).json(body).send().expect(200).json();
    assert_eq!((fields(&begun), &begun["messages"]), (vec!["interaction", "messages"], &json!([])));
    begun["interaction"].clone()
}

pub fn say(server: &Server, user: &str, interaction: &Value, content: &str) -> Value {
    let body = json!({ "interaction_id": interaction["id"], "content": content });
    signed(server, "POST", "/messages", user).json(body).send().expect(200).json()
}

pub fn path(thing: &Value) -> String {
    format!("/{}s/{}", thing["object"].as_str().expect("a kind"), thing["id"].as_str().expect("an id"))
}

pub fn ids(list: &Value) -> Vec<String> {
    assert_eq!(fields(list), ["data", "has_more"]);
    let data = list["data"].as_array().expect("a list");
    data.iter().map(|thing| thing["id"].as_str().expect("an id").to_owned()).collect()
}

#[track_caller]
pub fn refused(reply: Reply, status: u16, code: &str) -> String {
    let body = reply.expect(status).json();
    assert_eq!((fields(&body), fields(&body["error"])), (vec!["error"], vec!["code", "message"]));
    assert_eq!(body["error"]["code"], code);
    body["error"]["message"].as_str().expect("a text").to_owned()
}

pub fn count(server: &Server, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    server.sqlite().query_row(&sql, [], |row| row.get(0)).expect("a count")
}

#[test]
fn an_interaction_has_its_ten_fields() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let user: i64 = server.sqlite().query_row("SELECT id FROM users", [], |row| row.get(0)).expect("a user");
    let expected = json!({
        "id": interaction["id"], "object": "interaction", "agent_id": "helper", "archived": false,
        "created_at": START, "initial_turn": "user", "name": "", "total_message_count": 0,
        "updated_at": START, "user_id": format!("u_{user}"),
    });
    assert_eq!(interaction, expected);
    assert_eq!(get(&server, &path(&interaction), "ann"), expected);
}

#[test]
fn a_message_knows_its_parent_and_its_depth() {
    let server = signing();
    let interaction = begin(&server, "ann");
    server.clock.advance(MINUTE);
    let first = say(&server, "ann", &interaction, "hello\nthere");
    let body = json!({ "interaction_id": interaction["id"], "content": "more", "parent_id": first["id"] });
    let second = signed(&server, "POST", "/messages", "ann").json(body).send().expect(200).json();
    let expected = json!({
        "id": first["id"], "object": "message", "content": "hello\nthere", "created_at": START + MINUTE,
        "depth": 0, "interaction_id": interaction["id"], "parent_id": null, "sent_by": "user",
    });
    assert_eq!(first, expected);
    assert_eq!((&second["parent_id"], &second["depth"]), (&first["id"], &json!(1)));
    for message in [&first, &second] {
        assert_eq!(get(&server, &path(message), "ann"), *message);
    }
    let list = format!("/messages?interaction_id={}", interaction["id"].as_str().expect("an id"));
    assert_eq!(get(&server, &list, "ann"), json!({ "data": [second, first], "has_more": false }));
    let now = get(&server, &path(&interaction), "ann");
    assert_eq!((&now["total_message_count"], &now["updated_at"]), (&json!(2), &json!(START + MINUTE)));
}

#[test]
fn a_name_is_changed_only_where_it_is_given() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let rename = |body: Value| {
        server.clock.advance(MINUTE);
        signed(&server, "POST", &path(&interaction), "ann").json(body).send().expect(200).json()
    };
    let named = rename(json!({ "name": "Holidays" }));
    assert_eq!((&named["name"], &named["updated_at"]), (&json!("Holidays"), &json!(START + MINUTE)));
    assert_eq!(rename(json!({})), named);
    assert_eq!(rename(json!({ "name": "Holidays" })), named);
    assert_eq!(rename(json!({ "name": null }))["name"], "");
}

#[test]
fn a_deleted_interaction_is_gone_with_its_messages() {
    let server = signing();
    let (interaction, other) = (begin(&server, "ann"), begin(&server, "ann"));
    let message = say(&server, "ann", &interaction, "hello");
    let kept = say(&server, "ann", &other, "stays");
    let before = get(&server, &path(&interaction), "ann");
    let deleted = signed(&server, "DELETE", &path(&interaction), "ann").send().expect(200).json();
    assert_eq!(deleted, before);
    for (method, path) in
        [("GET", path(&interaction)), ("DELETE", path(&interaction)), ("GET", path(&message))]
    {
        refused(signed(&server, method, &path, "ann").send(), 404, "resource_not_found");
    }
    let list = format!("/messages?interaction_id={}", interaction["id"].as_str().expect("an id"));
    refused(signed(&server, "GET", &list, "ann").send(), 404, "resource_not_found");
    assert_eq!(ids(&get(&server, "/interactions", "ann")), [other["id"].as_str().expect("an id")]);
    assert_eq!(get(&server, &path(&kept), "ann"), kept);
    assert_eq!((count(&server, "interactions"), count(&server, "messages")), (1, 1));
}

#[test]
fn a_list_goes_on_where_the_last_one_ended() {
    let server = signing();
    // Several at one instant.
    let mut all: Vec<String> = (0..25)
        .map(|n| {
            if n % 3 == 0 {
                server.clock.advance(1);
            }
            begin(&server, "ann")["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    all.reverse();
    let first = get(&server, "/interactions", "ann");
    assert_eq!((ids(&first), &first["has_more"]), (all[..20].to_vec(), &json!(true)));
    let next = get(&server, &format!("/interactions?starting_after={}", all[19]), "ann");
    assert_eq!((ids(&next), &next["has_more"]), (all[20..].to_vec(), &json!(false)));
    let mut seen = Vec::new();
    let mut after = String::new();
    while seen.len() < all.len() {
        let page = ids(&get(&server, &format!("/interactions?limit=1{after}"), "ann"));
        after = format!("&starting_after={}", page[0]);
        seen.extend(page);
    }
    assert_eq!(seen, all);
    assert_eq!(ids(&get(&server, &format!("/interactions?limit=100{after}"), "ann")), Vec::<String>::new());
    let exact = get(&server, "/interactions?limit=25", "ann");
    assert_eq!((ids(&exact).len(), &exact["has_more"]), (25, &json!(false)));
    // The newest goes on from one that another page ended with.
    let body = json!({ "agent_id": "other" });
    let other = signed(&server, "POST", "/interactions", "ann").json(body).send().expect(200).json();
    let other = other["interaction"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ids(&get(&server, "/interactions?agent_id=other", "ann")), [other]);
    assert_eq!(ids(&get(&server, "/interactions?agent_id=nobody", "ann")), Vec::<String>::new());
}

#[test]
fn a_list_of_messages_goes_on_where_the_last_one_ended() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let id = interaction["id"].as_str().expect("an id");
    let mut all: Vec<String> = (0..21)
        .map(|n| say(&server, "ann", &interaction, &format!("{n}"))["id"].as_str().expect("an id").to_owned())
        .collect();
    all.reverse();
    let first = get(&server, &format!("/messages?interaction_id={id}"), "ann");
    assert_eq!((ids(&first), &first["has_more"]), (all[..20].to_vec(), &json!(true)));
    let next = get(&server, &format!("/messages?interaction_id={id}&starting_after={}", all[19]), "ann");
    assert_eq!((ids(&next), &next["has_more"]), (all[20..].to_vec(), &json!(false)));
    // A cursor of another interaction is none of this one.
    let foreign = say(&server, "ann", &begin(&server, "ann"), "elsewhere");
    let wrong =
        format!("/messages?interaction_id={id}&starting_after={}", foreign["id"].as_str().expect("an id"));
    let message = refused(signed(&server, "GET", &wrong, "ann").send(), 400, "invalid_request");
    assert_eq!(message, "starting_after: must be the id of a message of this interaction");
}

#[test]
fn there_are_no_agents_and_none_of_them_replies() {
    let server = signing();
    server.expect_faults();
    let interaction = begin(&server, "ann");
    let message = say(&server, "ann", &interaction, "hello?");
    let agents = server.get("/agents").header("X-PROFICIENT-API-KEY", &server.project().token).send();
    assert_eq!(agents.expect(200).json(), json!({ "data": [] }));
    refused(signed(&server, "GET", "/agents/helper", "ann").send(), 404, "resource_not_found");
    let ask = |path: String, user| {
        signed(&server, "POST", &path, user).json(json!({ "interaction_id": interaction["id"] })).send()
    };
    let reply = ask(format!("{}/ask", path(&message)), "ann");
    assert_eq!(reply.header("retry-after"), None);
    refused(reply, 503, "unavailable");
    begin(&server, "eve");
    refused(ask(format!("{}/ask", path(&message)), "eve"), 404, "resource_not_found");
    refused(ask("/messages/m_1/ask".to_owned(), "ann"), 404, "resource_not_found");
}

#[test]
fn a_user_sees_and_changes_itself_and_nobody_else() {
    let server = signing();
    let (ann, eve) = (begin(&server, "ann"), begin(&server, "eve"));
    let at = |of: &Value| format!("/users/{}", of["user_id"].as_str().expect("an id"));
    let itself = get(&server, &at(&ann), "ann");
    assert_eq!((&itself["external_id"], fields(&itself).len()), (&json!("ann"), 8));
    server.clock.advance(MINUTE);
    let body = json!({ "first_name": "Ann" });
    let changed = signed(&server, "POST", &at(&ann), "ann").json(body.clone()).send().expect(200).json();
    assert_eq!((&changed["first_name"], &changed["updated_at"]), (&json!("Ann"), &json!(START + MINUTE)));
    refused(signed(&server, "GET", &at(&eve), "ann").send(), 404, "resource_not_found");
    refused(signed(&server, "POST", &at(&eve), "ann").json(body).send(), 404, "resource_not_found");
    refused(signed(&server, "GET", "/users/ann", "ann").send(), 404, "resource_not_found");
    // Without the header it is the server's API, as ever.
    let seen = server.get(&at(&ann)).bearer(&server.project().all).send().expect(200).json();
    assert_eq!(seen, changed);
    refused(signed(&server, "GET", "/users", "ann").send(), 404, "resource_not_found");
    let delete = signed(&server, "DELETE", &at(&ann), "ann").send();
    assert_eq!(delete.header("allow"), Some("GET, HEAD, POST"));
    refused(delete, 405, "invalid_request");
}

//! Who is believed, and what who is not believed is told: nothing.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::erasure::trash;
use usher::error::Error;
use usher::model::TRASH_PERIOD;
use usher::people::find;
use usher::projects;
use usher::secrets;
use usher::store::NormalTx;

use super::{begin, count, get, ids, path, refused, say, sign, signed, signing, unsigned};
use crate::harness::{Request, Server};

fn hide(server: &Server, name: &'static str) {
    let project = server.project().id;
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, name)?));
}

/// Every call that tells or changes what is there.
fn told(interaction: &str, message: &str) -> Vec<(&'static str, String, Option<Value>)> {
    vec![
        ("GET", "/interactions".into(), None),
        ("GET", format!("/interactions/{interaction}"), None),
        ("POST", format!("/interactions/{interaction}"), Some(json!({ "name": "mine" }))),
        ("DELETE", format!("/interactions/{interaction}"), None),
        ("GET", format!("/messages?interaction_id={interaction}"), None),
        ("GET", format!("/messages/{message}"), None),
        ("POST", format!("/messages/{message}/ask"), Some(json!({ "interaction_id": interaction }))),
        ("GET", "/users/u_1".into(), None),
        ("POST", "/users/u_1".into(), Some(json!({ "first_name": "X" }))),
    ]
}

fn with(request: Request<'_>, body: Option<Value>) -> crate::harness::Reply {
    match body {
        Some(body) => request.json(body).send(),
        None => request.send(),
    }
}

#[test]
fn hmacs_are_the_known_ones() {
    let (key, text) = ("key", "The quick brown fox jumps over the lazy dog");
    let hmac = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    assert!(secrets::is_signed(key, text, hmac));
    assert!(secrets::is_signed(key, text, &hmac.to_uppercase()));
    for wrong in ["", "f7", &hmac[2..], &hmac.replace('f', "e"), &format!("{hmac}00"), "not hex"] {
        assert!(!secrets::is_signed(key, text, wrong), "{wrong}");
    }
    assert!(!secrets::is_signed("kez", text, hmac));
}

#[test]
fn without_a_secret_a_public_key_adds_and_is_told_nothing() {
    let server = Server::start();
    let begun = unsigned(&server, "POST", "/interactions", "ann").json(json!({ "agent_id": "a" }));
    let interaction = begun.send().expect(200).json()["interaction"].clone();
    assert_eq!(interaction["user_id"], "");
    let body = json!({ "interaction_id": interaction["id"], "content": "hello" });
    let message = unsigned(&server, "POST", "/messages", "ann").json(body).send().expect(200).json();
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    for (method, path, body) in told(&text(&interaction["id"]), &text(&message["id"])) {
        // A signature says nothing where there is no secret.
        let request = signed(&server, method, &path, "ann");
        refused(with(request, body.clone()), 403, "forbidden");
        refused(with(unsigned(&server, method, &path, "nobody"), body), 403, "forbidden");
    }
    assert_eq!(
        (count(&server, "interactions"), count(&server, "messages"), count(&server, "users")),
        (1, 1, 1)
    );
}

#[test]
fn with_a_secret_every_call_needs_the_signature_of_its_user() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let message = say(&server, "ann", &interaction, "hello");
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let mut calls = told(&text(&interaction["id"]), &text(&message["id"]));
    calls.push(("POST", "/interactions".into(), Some(json!({ "agent_id": "a" }))));
    let body = json!({ "interaction_id": interaction["id"], "content": "hello" });
    calls.push(("POST", "/messages".into(), Some(body)));
    for (method, path, body) in calls {
        let call = || unsigned(&server, method, &path, "ann");
        let none = refused(with(call(), body.clone()), 403, "forbidden");
        assert_eq!(none, "the project asks for the HMAC of the user's external id");
        for hmac in [sign("eve"), sign("ann ")[..62].to_owned(), "x".to_owned()] {
            let wrong = with(call().header("X-PROFICIENT-USER-HMAC", &hmac), body.clone());
            refused(wrong, 403, "forbidden");
        }
    }
    assert_eq!(
        (count(&server, "interactions"), count(&server, "messages"), count(&server, "users")),
        (1, 1, 1)
    );
    let upper = sign("ann").to_uppercase();
    unsigned(&server, "GET", "/interactions", "ann")
        .header("X-PROFICIENT-USER-HMAC", &upper)
        .send()
        .expect(200);
}

#[test]
fn a_plain_key_needs_the_scope_of_a_call_and_no_signature() {
    let server = signing();
    let project = server.project().id;
    let interaction = begin(&server, "ann");
    let rename = Some(json!({ "name": "x" }));
    let calls = [
        ("read", "GET", "/interactions".to_owned(), None),
        ("write", "POST", path(&interaction), rename),
        ("delete", "DELETE", path(&interaction), None),
    ];
    for (scope, method, path, body) in calls {
        let call = |scopes: &str| {
            let request = server.request(method, &path);
            let request = request.header("X-PROFICIENT-API-KEY", &server.key(Some(project), scopes));
            with(request.header("X-PROFICIENT-USER-EXTERNAL-ID", "ann"), body.clone())
        };
        let others = ["read", "write", "delete"].into_iter().filter(|other| *other != scope);
        refused(call(&format!("ingest,{}", others.collect::<Vec<&str>>().join(","))), 403, "forbidden");
        refused(call(scope), 403, "forbidden");
        call(&format!("ingest,{scope}")).expect(200);
    }
}

#[test]
fn who_is_not_believed_cannot_tell_who_exists() {
    let server = Server::start();
    server.seed("ann").insert();
    server.seed("bob").insert();
    hide(&server, "bob");
    server.clock.advance(DAY);
    let begun = |name: &str| {
        let request = unsigned(&server, "POST", "/interactions", name).json(json!({ "agent_id": "a" }));
        let mut answer = request.send().expect(200).json();
        let id = answer["interaction"]["id"].take();
        (answer, id)
    };
    let (ann, of_ann) = begun("ann");
    assert_eq!((begun("bob").0, begun("new").0), (ann.clone(), ann));
    // Nor by an interaction that is somebody else's: known, in the trash, or unknown.
    let answers: Vec<String> = ["bob", "new", "unknown"]
        .iter()
        .map(|name| {
            let body = json!({ "interaction_id": of_ann, "content": "x" });
            let mut answer =
                unsigned(&server, "POST", "/messages", name).json(body).send().expect(200).json();
            assert!(answer["id"].take().is_string());
            answer.to_string()
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(count(&server, "messages"), 0, "and nothing is kept of it");
    assert_eq!(count(&server, "users"), 3, "nobody is created by a message without an interaction");
}

#[test]
fn a_user_in_the_trash_is_unknown_and_stays_there() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let message = say(&server, "ann", &interaction, "hello");
    hide(&server, "ann");
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    for (method, path, body) in told(&text(&interaction["id"]), &text(&message["id"])) {
        let hidden = with(signed(&server, method, &path, "ann"), body.clone());
        let unknown = with(signed(&server, method, &path, "nobody"), body);
        assert_eq!(refused(hidden, 404, "resource_not_found"), refused(unknown, 404, "resource_not_found"));
    }
    // What is added is kept, and brings nobody back.
    let more = begin(&server, "ann");
    say(&server, "ann", &more, "still here");
    let project = server.project().id;
    assert!(server.read(|db| Ok(find::get(db, project, "ann").is_err())));
    assert_eq!(count(&server, "users"), 1);
    let body = json!({ "external_id": "ann" });
    server.post("/users").bearer(&server.project().all).json(body).send().expect(200);
    assert_eq!(ids(&get(&server, "/interactions", "ann")).len(), 2);
}

#[test]
fn after_7_days_in_the_trash_an_interaction_is_a_new_users() {
    let server = signing();
    let old = begin(&server, "ann");
    hide(&server, "ann");
    server.clock.advance(TRASH_PERIOD);
    let body = json!({ "interaction_id": old["id"], "content": "hello" });
    refused(signed(&server, "POST", "/messages", "ann").json(body).send(), 404, "resource_not_found");
    let new = begin(&server, "ann");
    assert_ne!(new["user_id"], old["user_id"]);
    assert_eq!(ids(&get(&server, "/interactions", "ann")), [new["id"].as_str().expect("an id")]);
    server.tick();
    assert_eq!(count(&server, "interactions"), 1);
}

#[test]
fn an_interaction_of_somebody_else_is_not_found() {
    let server = signing();
    let (interaction, own) = (begin(&server, "ann"), begin(&server, "eve"));
    let message = say(&server, "ann", &interaction, "hello");
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    for (method, path, body) in told(&text(&interaction["id"]), &text(&message["id"])).split_off(1) {
        refused(with(signed(&server, method, &path, "eve"), body), 404, "resource_not_found");
    }
    let post = |body: Value| signed(&server, "POST", "/messages", "eve").json(body).send();
    let foreign = json!({ "interaction_id": interaction["id"], "content": "x" });
    refused(post(foreign), 404, "resource_not_found");
    let foreign = json!({ "interaction_id": own["id"], "content": "x", "parent_id": message["id"] });
    refused(post(foreign), 404, "resource_not_found");
    let cursor = format!("/interactions?starting_after={}", text(&interaction["id"]));
    refused(signed(&server, "GET", &cursor, "eve").send(), 400, "invalid_request");
    // Nor has another project's user of this name anything of it.
    let second = server.second();
    let request = server.get(&path(&interaction)).header("X-PROFICIENT-API-KEY", &second.all);
    refused(request.header("X-PROFICIENT-USER-EXTERNAL-ID", "ann").send(), 404, "resource_not_found");
    assert_eq!(get(&server, &path(&interaction), "ann")["total_message_count"], 1);
}

#[test]
fn a_client_secret_has_16_to_256_characters() {
    let server = Server::start();
    let project = server.project().id;
    for (length, fits) in [(0, false), (15, false), (16, true), (256, true), (257, false)] {
        let secret = "s".repeat(length);
        let set = server
            .app
            .write_blocking(move |tx: &NormalTx| projects::set_client_secret(tx, project, Some(&secret)));
        assert_eq!(set.is_ok(), fits, "{length}");
        assert!(fits || matches!(set, Err(Error::Invalid(_))));
    }
    let call = || unsigned(&server, "POST", "/interactions", "ann").json(json!({ "agent_id": "a" })).send();
    refused(call(), 403, "forbidden");
    server.write(move |tx: &NormalTx| projects::set_client_secret(tx, project, None));
    call().expect(200);
}

//! `POST /api/users/search`.

use serde_json::{Value, json};
use usher::model::ProfileChange;
use usher::people::users;
use usher::store::NormalTx;

use super::{ask, ids, ids_of};
use crate::harness::{Names, Server, fields, named};

/// A user with a name.
fn person(server: &Server, identifier: &str, first: &str, last: &str, email: &str) -> String {
    let project = server.project().id;
    let change = ProfileChange {
        first_name: Some(Some(first.into())),
        last_name: Some(Some(last.into())),
        email: Some(Some(email.into())),
        country: Some(Some("DE".into())),
        set: json!({ "plan": "pro", "seats": 3 }).as_object().expect("an object").clone(),
        ..ProfileChange::default()
    };
    let identifier = named(identifier);
    server
        .write(move |tx: &NormalTx| users::create_or_update(tx, project, &identifier, &change))
        .expect("taken")
        .0
        .id
        .to_string()
}

#[test]
fn a_hit_says_in_which_field_and_how() {
    let server = Server::start();
    let id = person(&server, "u-77", "Björn", "Straße-Smith", "bjoern@example.com");
    for (q, matched) in [
        ("u-77", json!([{ "field": "identifier", "how": "whole" }])),
        (id.as_str(), json!([{ "field": "id", "how": "whole" }])),
        ("BJOERN@example.com", json!([{ "field": "email", "how": "whole" }])),
        ("bjorn", json!([{ "field": "name", "how": "start" }])),
        ("smith", json!([{ "field": "name", "how": "word" }])),
        ("mith", json!([{ "field": "name", "how": "part" }])),
        ("STRASSE bjorn", json!([{ "field": "name", "how": "start" }])),
        ("BJÖRN strasse-smith", json!([{ "field": "name", "how": "whole" }])),
        ("bj", json!([{ "field": "email", "how": "start" }, { "field": "name", "how": "start" }])),
    ] {
        let found = ask(&server, server.project(), json!({ "q": q })).expect(200).json();
        assert_eq!(found["data"][0]["matched"], matched, "{q}: {found}");
        assert_eq!(found["data"][0]["id"], id, "{q}");
    }
}

#[test]
fn an_answer_has_its_fields_and_no_others() {
    let server = Server::start();
    person(&server, "u-77", "Ann", "Smith", "ann@example.com");
    let found = ask(&server, server.project(), json!({ "q": "smith" })).expect(200).json();
    assert_eq!(fields(&found), ["data", "nextCursor", "suggestions", "truncated"]);
    assert_eq!((&found["nextCursor"], &found["truncated"]), (&Value::Null, &json!(false)));
    assert_eq!(
        fields(&found["data"][0]),
        [
            "city",
            "claimedEmail",
            "country",
            "createdAt",
            "data",
            "displayName",
            "email",
            "events",
            "firstName",
            "firstSeen",
            "id",
            "identifier",
            "lastName",
            "lastSeen",
            "matched",
            "sessions",
            "state",
            "trashedAt",
            "updatedAt"
        ]
    );
}

#[test]
fn whole_names_come_first_then_starts_words_and_parts() {
    let server = Server::start();
    let part = server.seed("joanna").insert();
    let word = server.seed("mary ann").insert();
    let start = server.seed("annie").insert();
    let whole = server.seed("ann").insert();
    let start_too = server.seed("anna").insert();
    let expected = [whole, start_too, start, word, part].map(|id| id.to_string());
    assert_eq!(ids(&server, "ann"), expected);
    // Nobody is called so to the letter.
    let expected = [start_too, whole, start, word, part].map(|id| id.to_string());
    assert_eq!(ids(&server, " ANN\t"), expected);
}

#[test]
fn pages_follow_one_another_without_gap_or_repetition() {
    let server = Server::start();
    for n in 0..25 {
        server.seed(&format!("{}ann{n}", if n % 3 == 0 { "x-" } else { "" })).insert();
    }
    server.seed("ann").insert();
    let all = ids(&server, "ann");
    assert_eq!(all.len(), 26);
    for limit in [1, 7, 25, 26, 27] {
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let body = json!({ "q": "ann", "filter": { "state": "all" }, "limit": limit, "cursor": cursor });
            let page = ask(&server, server.project(), body).expect(200).json();
            let users = page["data"].as_array().expect("a list");
            seen.extend(users.iter().map(|user| user["id"].as_str().expect("an id").to_owned()));
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(seen, all, "{limit} a page");
    }
}

#[test]
fn a_cursor_is_good_for_its_own_search_alone() {
    let server = Server::start();
    for n in 0..5 {
        server.seed(&format!("ann{n}")).insert();
    }
    let other = server.second();
    let page = ask(&server, server.project(), json!({ "q": "ann", "limit": 2 })).expect(200).json();
    let cursor = page["nextCursor"].as_str().expect("a cursor").to_owned();
    let refused = |project, body: Value| {
        let reply = ask(&server, project, body).expect(400);
        assert!(reply.text.contains("\"field\":\"cursor\""), "{}", reply.text);
    };
    refused(server.project(), json!({ "q": "anna", "cursor": cursor }));
    refused(server.project(), json!({ "q": "ann", "cursor": cursor, "filter": { "state": "all" } }));
    refused(&other, json!({ "q": "ann", "cursor": cursor }));
    refused(server.project(), json!({ "q": "ann", "cursor": format!("{cursor}A") }));
    refused(server.project(), json!({ "q": "ann", "cursor": "" }));
    ask(&server, server.project(), json!({ "q": "ann", "cursor": cursor, "limit": 3 })).expect(200);
}

#[test]
fn a_filter_narrows_it_by_the_rows() {
    let server = Server::start();
    let ann = person(&server, "u-1", "Ann", "Smith", "ann@example.com");
    let bob = server.seed("bob-smith").insert().to_string();
    let by = |filter: Value| {
        let found =
            ask(&server, server.project(), json!({ "q": "smith", "filter": filter })).expect(200).json();
        let users = found["data"].as_array().expect("a list").clone();
        users.iter().map(|user| user["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(by(json!({})), [bob.clone(), ann.clone()]);
    assert_eq!(by(json!({ "country": "DE" })), std::slice::from_ref(&ann));
    assert_eq!(by(json!({ "data": { "plan": "pro" } })), std::slice::from_ref(&ann));
    assert_eq!(by(json!({ "data": { "plan": "pro", "seats": 4 } })), Vec::<String>::new());
    assert_eq!(by(json!({ "anonymous": true })), Vec::<String>::new());
    assert_eq!(by(json!({ "seenAfter": "2020-01-01" })), Vec::<String>::new());
    assert_eq!(by(json!({ "state": "trash" })), Vec::<String>::new());
    assert_eq!(by(json!({ "state": "all", "anonymous": false })), [bob, ann]);
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    let server = Server::start();
    for (body, field) in [
        (json!({}), "q"),
        (json!({ "q": "" }), "q"),
        (json!({ "q": " \t" }), "q"),
        (json!({ "q": 7 }), "q"),
        (json!({ "q": "a", "limit": 0 }), "limit"),
        (json!({ "q": "a", "limit": 1_001 }), "limit"),
        (json!({ "q": "a", "limt": 1 }), "limt"),
        (json!({ "q": "a", "filter": { "sate": "live" } }), "filter.sate"),
        (json!({ "q": "a", "filter": { "state": "hidden" } }), "filter.state"),
        (json!({ "q": "a", "filter": { "seenAfter": "yesterday" } }), "filter.seenAfter"),
        (json!({ "q": "a", "filter": { "data": [] } }), "filter.data"),
        (json!({ "q": "a b c d e f g h i j k" }), "q"),
    ] {
        let reply = ask(&server, server.project(), body.clone()).expect(400);
        let named = &reply.json()["errors"][0]["field"];
        assert_eq!(named, field, "{body}: {}", reply.text);
    }
    // The twins at the bounds.
    ask(&server, server.project(), json!({ "q": "a b c d e f g h i j", "limit": 1_000 })).expect(200);
}

#[test]
fn slips_are_suggested_where_nothing_is_found() {
    let server = Server::start();
    let id = person(&server, "u-77", "Ann", "Johnson", "ann.johnson@example.com");
    let other = server.second();
    let found = ask(&server, server.project(), json!({ "q": "jonson" })).expect(200).json();
    assert_eq!(found["data"], json!([]));
    assert_eq!(found["suggestions"], json!([{ "id": id, "field": "name", "value": "Ann Johnson" }]));
    let found = ask(&server, server.project(), json!({ "q": "ann.jonhson@example.com" })).expect(200).json();
    assert_eq!(found["suggestions"][0]["value"], "ann.johnson@example.com");
    let found = ask(&server, server.project(), json!({ "q": "johnson" })).expect(200).json();
    assert_eq!(found["suggestions"], json!([]), "somebody was found");
    let found = ask(&server, &other, json!({ "q": "jonson" })).expect(200).json();
    assert_eq!(found["suggestions"], json!([]), "of another project");
}

#[test]
fn projects_see_nothing_of_one_another() {
    let server = Server::start();
    let other = server.second();
    let ours = server.seed("ann-of-one").insert().to_string();
    let id = other.id;
    server
        .write(move |tx: &NormalTx| {
            users::create_or_update(tx, id, &named("ann-of-two"), &ProfileChange::default())
        })
        .expect("taken");
    assert_eq!(ids(&server, "ann"), std::slice::from_ref(&ours));
    assert_eq!(ids_of(&server, &other, "ann").len(), 1);
    assert_eq!(ids_of(&server, &other, "of-one"), Vec::<String>::new());
    assert_eq!(ids_of(&server, &other, &ours), Vec::<String>::new());
}

#[test]
fn until_the_names_are_read_whole_ones_are_found_alone() {
    let server = Server::with(|options| options.names = Names::Later);
    server.expect_faults();
    let id = server.seed("ann").email("ann@example.com").insert().to_string();
    let found = ask(&server, server.project(), json!({ "q": "Ann@example.com" })).expect(200).json();
    assert_eq!((&found["data"][0]["id"], &found["truncated"]), (&json!(id), &json!(true)));
    assert!(found["note"].as_str().is_some_and(|note| note.contains("still being loaded")), "{found}");
    let early = ask(&server, server.project(), json!({ "q": "an" })).expect(503);
    assert_eq!(early.header("retry-after"), Some("1"));
    assert_eq!(early.json()["code"], "unavailable");
    server.app.build_find().expect("the names");
    assert_eq!(ids(&server, "an"), [id]);
    let later = server.seed("anna").insert().to_string();
    assert_eq!(ids(&server, "anna"), [later]);
}

#[test]
fn left_out_it_finds_whole_names_and_starts_and_says_so() {
    let server = Server::with(|options| options.names = Names::LeftOut);
    let ann = person(&server, "Ann-1", "Zoe", "Smith", "ann@example.com");
    let anna = server.seed("Ann-2").insert().to_string();
    server.app.build_find().expect("nothing is read");
    let found = ask(&server, server.project(), json!({ "q": "Ann", "limit": 1 })).expect(200).json();
    assert!(found["note"].as_str().is_some_and(|note| note.contains("--find off")), "{found}");
    assert_eq!(found["data"][0]["id"], anna);
    let body = json!({ "q": "Ann", "limit": 1, "cursor": found["nextCursor"] });
    let found = ask(&server, server.project(), body).expect(200).json();
    assert_eq!((&found["data"][0]["id"], &found["nextCursor"]), (&json!(ann), &Value::Null));
    let matched = json!([{ "field": "identifier", "how": "start" }, { "field": "email", "how": "start" }]);
    assert_eq!(found["data"][0]["matched"], matched);
    assert_eq!(ids(&server, "Ann-1"), [ann]);
    assert_eq!(ids(&server, "smith"), Vec::<String>::new());
    assert!(!server.app.find().holds(b"ann-1"));
}

#[test]
fn a_read_only_server_finds_as_well() {
    let server = Server::start();
    let id = server.seed("ann").insert().to_string();
    let project = server.project().clone();
    let dir = server.stop();
    let server = Server::over(dir, |options| options.read_only = Some(project));
    assert_eq!(ids(&server, "an"), [id]);
}

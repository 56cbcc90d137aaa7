//! Anonymous users, and what becomes of them when they turn out to be somebody.

use serde_json::{Value, json};
use usher::clock::{HOUR, Millis};
use usher::erasure::trash;
use usher::model::{ProfileChange, User, UserId};
use usher::people::subject::Subject;
use usher::people::{activity, find, holder, merge, profile};
use usher::store::NormalTx;

use crate::harness::{START, Server, event, named};
use crate::segment::{batch, check_counters, count, events, find, names, refusals, refused, send, user};

const CONFLICT: &str = "names no anonymous visitor who could become this user";

pub fn page(visitor: &str, id: &str) -> Value {
    json!({ "type": "page", "anonymousId": visitor, "name": id, "messageId": id })
}

pub fn identify(name: &str, visitor: &str) -> Value {
    json!({ "type": "identify", "userId": name, "anonymousId": visitor })
}

fn alias(name: &str, previous: &str) -> Value {
    json!({ "type": "alias", "userId": name, "previousId": previous })
}

/// Whose an anonymous id is.
pub fn holder(server: &Server, visitor: &'static str) -> Option<User> {
    let project = server.project().id;
    server.write(move |tx: &NormalTx| holder::alias_holder(tx, project, visitor))
}

pub fn track(server: &Server, name: &str, what: &str, at: Millis) {
    let (project, name, what) = (server.project().id, named(name), what.to_owned());
    server.write(move |tx: &NormalTx| activity::record(tx, project, &event(&name, &what, at)));
}

/// Events of a visitor, many enough for several moves.
pub fn wander(server: &Server, visitor: &'static str, number: u32) -> UserId {
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        for n in 0..number {
            let mut seen = event(&named("x"), &format!("page {n}"), tx.now());
            seen.subject = Subject { identifier: None, anonymous_id: Some(named(visitor)) };
            seen.message_id = Some(format!("{visitor} {n}"));
            activity::record(tx, project, &seen)?;
        }
        holder::alias_holder(tx, project, visitor).map(|user| user.expect("the visitor").id)
    })
}

/// One move, of 250 rows at most. False: there is nothing to move.
pub fn move_some(server: &Server) -> bool {
    server.write(|tx: &NormalTx| merge::chunk(tx))
}

#[test]
fn an_anonymous_user_is_one_and_the_same_by_its_id() {
    let server = Server::start();
    batch(&server, json!([page("v", "1"), page("v", "2"), page("w", "3")]));
    send(
        &server,
        "/v1/identify",
        json!({ "anonymousId": "v", "traits": { "plan": "x", "email": "v@example.com" } }),
    )
    .expect(200);
    let visitor = holder(&server, "v").expect("the visitor");
    assert_eq!((visitor.identifier, visitor.event_count, visitor.session_count), (None, 2, 1));
    assert_eq!(visitor.profile.email.as_deref(), Some("v@example.com"));
    assert_eq!(count(&server, "users"), 2);
    // The same text as a user's name is the same person.
    batch(&server, json!([{ "type": "page", "userId": "v", "messageId": "4" }]));
    assert_eq!(names(&server, "v").len(), 3);
    assert_eq!(count(&server, "users"), 2);
}

#[test]
fn a_visitor_that_gets_a_name_keeps_its_row() {
    for message in [identify("ann", "v"), alias("ann", "v")] {
        let server = Server::start();
        batch(&server, json!([page("v", "1")]));
        let visitor = holder(&server, "v").expect("the visitor");
        batch(&server, json!([message, page("v", "2")]));
        assert_eq!(user(&server, "ann").id, visitor.id);
        assert_eq!(names(&server, "ann"), ["1", "2"]);
        assert!(!move_some(&server), "nothing has to move");
        check_counters(&server);
    }
}

#[test]
fn a_merged_visitor_belongs_to_the_user_at_once() {
    for message in [identify("ann", "v"), alias("ann", "v")] {
        let server = Server::start();
        track(&server, "ann", "before", START - HOUR);
        wander(&server, "v", 600);
        batch(&server, json!([message]));
        let mut moves = 0;
        loop {
            let ann = user(&server, "ann");
            assert_eq!((ann.event_count, ann.session_count), (601, 2), "after {moves} moves");
            assert_eq!((ann.first_seen, ann.last_seen), (Some(START - HOUR), Some(START)));
            assert_eq!(events(&server, "ann").len(), 601, "after {moves} moves");
            let sessions = server.read(|db| activity::sessions(db, &ann, (0, Millis::MAX), 50));
            assert_eq!(sessions.len(), 2);
            let project = server.read(|db| usher::projects::get(db, ann.project));
            let shown = server.read(|db| activity::of_session(db, &project, sessions[1].id, 10_000));
            assert_eq!(shown.len(), 600, "events of the visit, after {moves} moves");
            // A copy that comes late is known, wherever the first one is.
            batch(
                &server,
                json!([page("v", "v 17"), { "type": "page", "userId": "ann", "messageId": "v 599" }]),
            );
            if !move_some(&server) {
                break;
            }
            moves += 1;
        }
        assert!(moves >= 3, "{moves} moves");
        assert_eq!((count(&server, "users"), count(&server, "aliases")), (1, 1));
        check_counters(&server);
    }
}

#[test]
fn after_a_merge_the_visit_that_still_moves_goes_on() {
    let server = Server::start();
    track(&server, "ann", "before", START - 5 * HOUR);
    let mut first = page("v", "1");
    first["context"] = json!({ "sessionId": "s" });
    batch(&server, json!([first, identify("ann", "v"), { "type": "track", "userId": "ann", "event": "2" }]));
    let mut named = json!({ "type": "track", "userId": "ann", "event": "3" });
    named["context"] = json!({ "sessionId": "s" });
    server.clock.advance(HOUR);
    batch(&server, json!([named]));
    assert_eq!(user(&server, "ann").session_count, 2);
    server.tick();
    check_counters(&server);
    assert_eq!(count(&server, "sessions"), 2);
    assert_eq!(count(&server, "sessions WHERE external_id = 's' AND event_count = 3"), 1);
}

#[test]
fn a_message_that_both_had_counts_once_and_so_does_its_visit() {
    let server = Server::start();
    let message = |id: &str, who: &str, name: &str, kind: &str| json!({ "type": kind, who: name, "messageId": id, "event": id, "name": id });
    batch(
        &server,
        json!([
            message("1", "anonymousId", "v", "page"),
            message("2", "anonymousId", "v", "track"),
            message("3", "anonymousId", "v", "page"),
            message("1", "userId", "ann", "page"),
            message("3", "userId", "ann", "page"),
            message("4", "userId", "ann", "track"),
            message("1", "anonymousId", "w", "page"),
            message("3", "anonymousId", "w", "screen"),
        ]),
    );
    assert_eq!(count(&server, "sessions"), 3);
    batch(&server, json!([identify("ann", "v"), identify("ann", "w")]));
    server.tick();
    let mut ids: Vec<String> = events(&server, "ann").into_iter().map(|event| event.message_id).collect();
    ids.sort();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    // The second visitor's visit had nothing of its own.
    assert_eq!(user(&server, "ann").session_count, 2);
    check_counters(&server);
}

#[test]
fn said_again_a_merge_changes_nothing() {
    let server = Server::start();
    track(&server, "ann", "before", START);
    batch(&server, json!([page("v", "1")]));
    for _ in 0..2 {
        batch(&server, json!([identify("ann", "v"), alias("ann", "v"), identify("ann", "v")]));
        assert_eq!(user(&server, "ann").event_count, 2);
        server.tick();
    }
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (1, 1));
    check_counters(&server);
}

#[test]
fn another_users_visitor_merges_with_nobody() {
    let server = Server::start();
    track(&server, "ann", "before", START);
    batch(&server, json!([page("v", "1"), identify("ann", "v"), page("w", "2"), alias("cy", "w")]));
    for moved in [false, true] {
        if moved {
            server.tick();
        }
        let faults = refusals(
            &server,
            json!([
                { "type": "track", "userId": "bob", "event": "kept" },
                identify("bob", "v"),
                alias("bob", "v"),
                // Nobody is kept from being known for what a browser had before.
                { "type": "identify", "userId": "dan", "anonymousId": "v", "traits": { "moved": moved } },
                // "w" got a name: it is no visitor any more.
                alias("ann", "w"),
                // A user's name is no anonymous id.
                alias("ann", "cy"),
                // Nothing new.
                alias("ann", "ann"),
                { "type": "track", "userId": "bob", "event": "kept" },
            ]),
        );
        let fault = |index| (index, "previousId".to_owned(), CONFLICT.to_owned());
        assert_eq!(faults, [fault(2), fault(4), fault(5)]);
        let dan = user(&server, "dan");
        assert_eq!((dan.event_count, &dan.profile.attributes["moved"]), (0, &json!(moved)));
        assert_eq!(holder(&server, "v").map(|user| user.id), Some(user(&server, "ann").id));
    }
    assert_eq!(
        (names(&server, "bob").len(), names(&server, "ann").len(), names(&server, "cy").len()),
        (4, 2, 1)
    );
    // Alone, too: what others did before it is no fault of the client's, and told beside its success.
    let alone = send(&server, "/v1/alias", json!({ "userId": "bob", "previousId": "v" })).expect(200);
    assert_eq!(refused(&alone.json()), [(0, "previousId".to_owned(), CONFLICT.to_owned())]);
    send(&server, "/v1/identify", json!({ "userId": "bob", "anonymousId": "v" })).expect(200);
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (4, 2));
    // Each identify is counted: two a round, and the last one.
    assert_eq!(count(&server, "recent_repairs WHERE reason = 'anonymous id of another user'"), 5);
    // A public credential is not told whose the visitor is, and moves it as little.
    let public = server.post("/v1/alias").bearer(&server.project().token);
    let reply = public.json(json!({ "userId": "bob", "previousId": "v" })).send().expect(200);
    assert_eq!(reply.json(), json!({ "success": true }));
    assert_eq!(holder(&server, "v").map(|user| user.id), Some(user(&server, "ann").id));
    check_counters(&server);
}

#[test]
fn events_with_both_ids_are_the_named_users_and_merge_nobody() {
    let server = Server::start();
    batch(&server, json!([page("v", "1")]));
    for kind in ["track", "page", "screen", "group"] {
        let body =
            json!({ "userId": "ann", "anonymousId": "v", "event": kind, "name": kind, "groupId": "g" });
        send(&server, &format!("/v1/{kind}"), body).expect(200);
    }
    assert_eq!(names(&server, "ann"), ["track", "page", "screen"]);
    assert_eq!(holder(&server, "v").map(|user| (user.identifier, user.event_count)), Some((None, 1)));
    // Nor is it a fault when the visitor is somebody else's.
    batch(
        &server,
        json!([identify("bob", "v"), { "type": "group", "userId": "ann", "anonymousId": "v", "groupId": "h" }]),
    );
    assert_eq!(user(&server, "ann").profile.attributes["groupId"], "h");
}

#[test]
fn a_visitors_profile_fills_the_gaps_of_the_named_users() {
    let server = Server::start();
    let about = json!({
        "email": "v@example.com", "firstName": "V", "city": "Bern", "avatar": "https://example.com/v",
        "plan": "visitor", "seats": 2,
    });
    send(&server, "/v1/identify", json!({ "anonymousId": "v", "traits": about })).expect(200);
    let about = json!({ "firstName": "Ann", "plan": "named" });
    send(&server, "/v1/identify", json!({ "userId": "ann", "traits": about })).expect(200);
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        let extra = |value: &str| json!({ "title": value, value: 1 }).as_object().expect("a map").clone();
        let change = |value: &str| ProfileChange { extra: extra(value), ..ProfileChange::default() };
        let visitor = holder::alias_holder(tx, project, "v")?.expect("the visitor");
        profile::update_and_restore(tx, visitor, &change("visitor"))?;
        profile::update_and_restore(tx, find::get(tx, project, "ann")?, &change("named")).map(|_| ())
    });
    send(&server, "/v1/alias", json!({ "userId": "ann", "previousId": "v" })).expect(200);
    let profile = user(&server, "ann").profile;
    assert_eq!(
        (profile.email.as_deref(), profile.first_name.as_deref()),
        (Some("v@example.com"), Some("Ann"))
    );
    assert_eq!(
        (profile.city.as_deref(), profile.avatar_url.as_deref()),
        (Some("Bern"), Some("https://example.com/v"))
    );
    assert_eq!(Value::Object(profile.attributes), json!({ "plan": "named", "seats": 2 }));
    assert_eq!(Value::Object(profile.extra), json!({ "title": "named", "named": 1, "visitor": 1 }));
    // Nothing of it is left where it was.
    let left = "users WHERE state = 'merged' AND (email IS NOT NULL OR attributes <> '{}' OR extra <> '{}')";
    assert_eq!(count(&server, left), 0);
}

#[test]
fn attributes_that_do_not_fit_together_keep_nobody_from_merging() {
    let server = Server::start();
    let half = |name: &str| json!({ name: "x".repeat(31 * 1024) });
    for (who, id) in [("anonymousId", "v"), ("userId", "ann")] {
        for name in ["a", "b"] {
            let traits = half(&format!("{id} {name}"));
            send(&server, "/v1/identify", json!({ who: id, "traits": traits })).expect(200);
        }
    }
    batch(&server, json!([page("v", "1"), alias("ann", "v")]));
    let attributes = user(&server, "ann").profile.attributes;
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["ann a", "ann b"]);
    assert_eq!(names(&server, "ann"), ["1"]);
}

#[test]
fn a_hidden_users_visitor_stays_hidden_with_it() {
    let server = Server::start();
    let project = server.project().id;
    track(&server, "ann", "before", START);
    batch(&server, json!([page("v", "1")]));
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    batch(&server, json!([alias("ann", "v")]));
    assert_eq!(find(&server, "ann").map(|user| user.id), None);
    server.tick();
    send(&server, "/v1/identify", json!({ "userId": "ann" })).expect(200);
    assert_eq!(names(&server, "ann").len(), 2);
    // Nobody is brought back by being made part of somebody; only by saying who it is.
    batch(&server, json!([page("w", "2")]));
    server.write(move |tx| {
        let visitor = holder::alias_holder(tx, project, "w")?.expect("the visitor");
        trash::hide(tx, &visitor)
    });
    assert_eq!(
        refusals(&server, json!([alias("ann", "w")])),
        [(0, "previousId".to_owned(), CONFLICT.to_owned())]
    );
    assert_eq!(names(&server, "ann").len(), 2);
    batch(&server, json!([identify("ann", "w")]));
    server.tick();
    assert_eq!(names(&server, "ann").len(), 3);
    check_counters(&server);
}

#[test]
fn a_users_many_visitors_all_come_along() {
    let server = Server::start();
    track(&server, "ann", "before", START);
    for visitor in ["a", "b", "c", "d"] {
        batch(
            &server,
            json!([
                page(visitor, &format!("{visitor}1")),
                alias("ann", visitor),
                page(visitor, &format!("{visitor}2"))
            ]),
        );
    }
    assert_eq!(names(&server, "ann").len(), 9);
    server.tick();
    assert_eq!((names(&server, "ann").len(), count(&server, "users"), count(&server, "aliases")), (9, 1, 4));
    check_counters(&server);
}

//! The native API's suppressions: whom a subject means, for how long, what is listed, how one ends.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::people::subject::VISITOR;

use crate::harness::{Reply, Server, fields};
use crate::late_bounds::erase;
use crate::merging::holder;
use crate::public_credentials::post;
use crate::segment::{count, find, names, send};

const PATH: &str = "/api/suppressions";

fn ask(server: &Server, body: Value) -> Reply {
    server.post(PATH).bearer(&server.project().all).json(body).send()
}

fn forever(server: &Server, subject: Value) -> Value {
    ask(server, json!({ "subject": subject, "policy": "forever" })).expect(201).json()["data"].clone()
}

fn list(server: &Server, query: &str) -> Value {
    server.get(&format!("{PATH}{query}")).bearer(&server.project().all).send().expect(200).json()
}

fn check(server: &Server, subject: Value) -> Value {
    let request = server.post("/api/suppressions/check").bearer(&server.project().all);
    request.json(json!({ "subject": subject })).send().expect(200).json()["data"].clone()
}

fn end(server: &Server, id: &Value) -> Reply {
    let id = id.as_str().expect("an id");
    server.delete(&format!("{PATH}/{id}")).bearer(&server.project().all).send()
}

fn track(server: &Server, name: &str) {
    send(server, "/v1/track", json!({ "userId": name, "event": "x" })).expect(200);
}

fn both(server: &Server, name: &str, visitor: &str) {
    send(server, "/v1/identify", json!({ "userId": name, "anonymousId": visitor })).expect(200);
}

fn page(server: &Server, visitor: &str) {
    send(server, "/v1/page", json!({ "anonymousId": visitor })).expect(200);
}

#[test]
fn an_identifier_is_kept_out_known_or_not() {
    let server = Server::start();
    server.seed("known").insert();
    for name in ["known", "unknown"] {
        let made = forever(&server, json!({ "identifier": name }));
        assert_eq!(fields(&made), ["createdAt", "hits", "id", "policy", "reason", "until"]);
        assert_eq!(
            (&made["policy"], &made["until"], &made["hits"]),
            (&json!("forever"), &json!(null), &json!(0))
        );
        track(&server, name);
    }
    track(&server, "other");
    assert_eq!((count(&server, "events"), count(&server, "users")), (1, 2));
    assert!(find(&server, "known").is_some(), "what is stored stays");
}

#[test]
fn a_number_is_an_identifier_by_its_digits() {
    let server = Server::start();
    forever(&server, json!({ "identifier": 42 }));
    track(&server, "42");
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn days_end_to_the_millisecond() {
    let server = Server::start();
    let body =
        json!({ "subject": { "identifier": "ann" }, "policy": "days", "days": 2, "reason": " a case " });
    let made = ask(&server, body).expect(201).json()["data"].clone();
    assert_eq!((&made["policy"], &made["reason"]), (&json!("days"), &json!("a case")));
    server.clock.advance(2 * DAY - 1);
    track(&server, "ann");
    assert_eq!(list(&server, "")["data"][0]["hits"], 1);
    server.clock.advance(1);
    assert_eq!(list(&server, "")["data"], json!([]));
    assert_eq!(check(&server, json!({ "identifier": "ann" }))["suppressed"], false);
    end(&server, &made["id"]).expect(404);
    track(&server, "ann");
    assert!(find(&server, "ann").is_some());
}

#[test]
fn the_same_subject_again_changes_the_policy() {
    let server = Server::start();
    let made = forever(&server, json!({ "identifier": "ann" }));
    let body = json!({ "subject": { "identifier": "ann" }, "policy": "days", "days": 1, "reason": "less" });
    let changed = ask(&server, body).expect(200).json()["data"].clone();
    assert_eq!((&changed["id"], &changed["policy"]), (&made["id"], &json!("days")));
    assert_eq!(list(&server, "")["data"], json!([changed]));
}

#[test]
fn an_email_is_matched_whole_and_without_case() {
    let server = Server::start();
    server.seed("ann").email("Ann@Example.com").insert();
    forever(&server, json!({ "email": " ann@example.COM " }));
    track(&server, "ann");
    assert_eq!(names(&server, "ann"), [] as [&str; 0]);
    let part = json!({ "subject": { "email": "ann@example" }, "policy": "forever" });
    assert_eq!(ask(&server, part).expect(404).json()["code"], "user_not_found");
    // It is no filter of mail: who comes with it later is let in.
    send(&server, "/v1/identify", json!({ "userId": "new", "traits": { "email": "ann@example.com" } }))
        .expect(200);
    assert!(find(&server, "new").is_some());
}

#[test]
fn an_email_of_several_is_409_with_their_ids() {
    let server = Server::start();
    let (one, two) =
        (server.seed("a").email("x@example.com").insert(), server.seed("b").email("X@example.com").insert());
    let body = json!({ "subject": { "email": "x@example.com" }, "policy": "forever" });
    let refused = ask(&server, body).expect(409).json();
    assert_eq!(refused["code"], "ambiguous");
    let detail = refused["detail"].as_str().expect("a text");
    assert!(detail.contains(&one.to_string()) && detail.contains(&two.to_string()), "{detail}");
    assert_eq!(count(&server, "suppressions"), 0);
    forever(&server, json!({ "id": two.to_string() }));
    track(&server, "a");
    track(&server, "b");
    assert_eq!((names(&server, "a").len(), names(&server, "b").len()), (1, 0));
}

#[test]
fn a_claimed_email_names_no_user() {
    let server = Server::start();
    server.seed("ann").email("ann@example.com").insert();
    let claim = json!({ "userId": "ann", "traits": { "email": "mine@example.com" } });
    post(&server, "/v1/identify", &server.project().token, claim).expect(200);
    assert_eq!(find(&server, "ann").expect("ann").profile.claimed_email.as_deref(), Some("mine@example.com"));
    let body = json!({ "subject": { "email": "mine@example.com" }, "policy": "forever" });
    ask(&server, body).expect(404);
}

#[test]
fn an_anonymous_person_is_kept_out_by_their_anonymous_ids() {
    let server = Server::start();
    page(&server, "phone");
    let id = holder(&server, "phone").expect("a visitor").id;
    for subject in [json!({ "anonymousId": "phone" }), json!({ "id": id.to_string() })] {
        let made = ask(&server, json!({ "subject": subject, "policy": "forever" })).json()["data"].clone();
        page(&server, "phone");
        assert_eq!(count(&server, "events"), 1, "{subject}");
        end(&server, &made["id"]).expect(204);
    }
    page(&server, "phone");
    assert_eq!(count(&server, "events"), 2);
}

#[test]
fn an_anonymous_id_of_nobody_is_kept_out_by_itself() {
    let server = Server::start();
    forever(&server, json!({ "anonymousId": "phone" }));
    page(&server, "phone");
    page(&server, "tablet");
    assert_eq!(count(&server, "users"), 1);
}

#[test]
fn a_planted_anonymous_id_keeps_nobody_else_out() {
    let server = Server::start();
    server.seed("victim").insert();
    let plant = json!({ "userId": "victim", "anonymousId": "attacker" });
    post(&server, "/v1/identify", &server.project().token, plant).expect(200);
    forever(&server, json!({ "anonymousId": "attacker" }));
    track(&server, "victim");
    assert_eq!(names(&server, "victim").len(), 1);
    // The twin: on the word of a key that is not public it is a name of theirs.
    both(&server, "bob", "bobs");
    forever(&server, json!({ "anonymousId": "bobs" }));
    track(&server, "bob");
    assert_eq!(names(&server, "bob").len(), 0);
}

#[test]
fn names_of_several_and_drawn_ones_are_refused() {
    let server = Server::start();
    both(&server, "ann", "kiosk");
    both(&server, "bob", "kiosk");
    for name in ["kiosk".to_owned(), format!("{VISITOR}x")] {
        let body = json!({ "subject": { "anonymousId": name }, "policy": "forever" });
        assert_eq!(ask(&server, body).expect(400).json()["errors"][0]["field"], "subject.anonymousId");
    }
    post(&server, "/e", &server.project().token, json!({ "name": "x" })).expect(200);
    let drawn = "SELECT user_id FROM aliases WHERE anonymous_id LIKE 'visitor-%'";
    let id: i64 = server.sqlite().query_row(drawn, [], |row| row.get(0)).expect("a visitor");
    let body = json!({ "subject": { "id": id.to_string() }, "policy": "forever" });
    assert_eq!(ask(&server, body).expect(409).json()["code"], "conflict");
    assert_eq!(count(&server, "suppressions"), 0);
}

#[test]
fn a_name_asked_for_by_itself_outlasts_its_person() {
    let server = Server::start();
    both(&server, "ann", "phone");
    let ann = forever(&server, json!({ "identifier": "ann" }));
    erase(&server, "ann");
    let covered = check(&server, json!({ "anonymousId": "phone" }));
    assert_eq!(covered, json!({ "suppressed": true, "suppression": ann }));
    forever(&server, json!({ "anonymousId": "phone" }));
    end(&server, &ann["id"]).expect(204);
    assert_eq!(
        check(&server, json!({ "identifier": "ann" })),
        json!({ "suppressed": false, "suppression": null })
    );
    assert_eq!(check(&server, json!({ "anonymousId": "phone" }))["suppressed"], true);
}

#[test]
fn a_list_is_paged_and_holds_neither_name_nor_digest() {
    let server = Server::start();
    both(&server, "ann", "phone");
    for name in ["ann", "bob", "cai", "dan", "eve"] {
        forever(&server, json!({ "identifier": name }));
    }
    let whole = list(&server, "");
    assert_eq!(whole["nextCursor"], json!(null));
    let mut paged = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = list(&server, &query);
        let data = page["data"].as_array().expect("a list");
        assert!(data.len() <= 2);
        paged.extend(data.clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(
        (json!(paged), paged.len()),
        (whole["data"].clone(), 5),
        "each subject once, no anonymous ids"
    );
    let text = whole.to_string();
    let conn = server.sqlite();
    let mut digests = conn.prepare("SELECT lower(hex(digest)) FROM suppressions").expect("a statement");
    let digests = digests.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    for digest in digests.map(|digest| digest.expect("a digest")) {
        assert!(!text.contains(&digest[..12]), "{digest}");
    }
    // Exactly as many as fit are no reason for another page.
    assert_eq!(list(&server, "?limit=5")["nextCursor"], json!(null));
    for query in ["?limit=0", "?limit=1001", "?limit=x", "?cursor=x", "?cursor="] {
        server.get(&format!("{PATH}{query}")).bearer(&server.project().all).send().expect(400);
    }
}

#[test]
fn a_suppression_of_another_project_is_not_there() {
    let server = Server::start();
    let made = forever(&server, json!({ "identifier": "ann" }));
    let other = server.second();
    let path = format!("{PATH}/{}", made["id"].as_str().expect("an id"));
    server.delete(&path).bearer(&other.all).send().expect(404);
    let page = server.get(PATH).bearer(&other.all).send().expect(200).json();
    assert_eq!(page["data"], json!([]));
    server.delete(&path).bearer(&server.project().all).send().expect(204);
    server.delete(&path).bearer(&server.project().all).send().expect(404);
    track(&server, "ann");
    assert!(find(&server, "ann").is_some());
}

#[test]
fn a_fault_names_its_field_and_keeps_nobody_out() {
    let server = Server::start();
    let id = server.seed("ann").email("ann@example.com").insert().to_string();
    let subject = json!({ "identifier": "ann" });
    let cases = [
        (json!({ "policy": "forever" }), "subject"),
        (json!({ "subject": {}, "policy": "forever" }), "subject"),
        (json!({ "subject": "ann", "policy": "forever" }), "subject"),
        (json!({ "subject": { "identifier": "a", "email": "b" }, "policy": "forever" }), "subject"),
        (json!({ "subject": { "identifier": "" }, "policy": "forever" }), "subject.identifier"),
        (json!({ "subject": { "identifier": "a\nb" }, "policy": "forever" }), "subject.identifier"),
        (
            json!({ "subject": { "anonymousId": "x".repeat(257) }, "policy": "forever" }),
            "subject.anonymousId",
        ),
        (json!({ "subject": { "id": "x" }, "policy": "forever" }), "subject.id"),
        (json!({ "subject": { "id": 1 }, "policy": "forever" }), "subject.id"),
        (json!({ "subject": { "email": " " }, "policy": "forever" }), "subject.email"),
        (json!({ "subject": subject }), "policy"),
        (json!({ "subject": subject, "policy": "" }), "policy"),
        (json!({ "subject": subject, "policy": "days" }), "days"),
        (json!({ "subject": subject, "policy": "days", "days": 0 }), "days"),
        (json!({ "subject": subject, "policy": "days", "days": 36_501 }), "days"),
        (json!({ "subject": subject, "policy": "days", "days": "3" }), "days"),
        (json!({ "subject": subject, "policy": "forever", "days": 3 }), "days"),
        (json!({ "subject": subject, "policy": "forever", "reason": 1 }), "reason"),
        (json!({ "subject": subject, "policy": "forever", "reason": "x".repeat(1_001) }), "reason"),
        (json!({ "subject": subject, "policy": "forever", "reason": "a\nb" }), "reason"),
        (json!({ "subject": subject, "policy": "forever", "reason": "for Ann's mother" }), "reason"),
        (
            json!({ "subject": { "id": id }, "policy": "forever", "reason": "Mail of ANN@example.com" }),
            "reason",
        ),
    ];
    for (body, field) in cases {
        let reply = ask(&server, body.clone()).expect(400).json();
        assert_eq!(reply["errors"][0]["field"], field, "{body}: {reply}");
    }
    assert_eq!(count(&server, "suppressions"), 0);
    let body = json!({ "subject": subject, "policy": "days", "days": 36_500, "reason": "x".repeat(1_000) });
    ask(&server, body).expect(201);
}

#[test]
fn who_may_not_delete_may_neither_suppress_nor_list() {
    let server = Server::start();
    let key = server.key(Some(server.project().id), "ingest,read,write");
    let body = json!({ "subject": { "identifier": "ann" }, "policy": "forever" });
    server.post(PATH).bearer(&key).json(body.clone()).send().expect(403);
    server.get(PATH).bearer(&key).send().expect(403);
    server.delete(&format!("{PATH}/x")).bearer(&key).send().expect(403);
    let key = server.key(Some(server.project().id), "delete");
    server.post(PATH).bearer(&key).json(body.clone()).send().expect(201);
    server.get(PATH).bearer(&key).send().expect(200);
    server.post("/api/suppressions/check").bearer(&key).json(body).send().expect(403);
}

#[test]
fn what_segments_api_keeps_out_is_listed_and_ended_here() {
    let server = Server::start();
    let body = json!({ "regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ["ann"] });
    server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
    let listed = list(&server, "")["data"].clone();
    assert_eq!(check(&server, json!({ "identifier": "ann" }))["suppression"], listed[0]);
    end(&server, &listed[0]["id"]).expect(204);
    let theirs =
        server.get("/suppressions?pagination[count]=9").bearer(&server.project().all).send().expect(200);
    assert_eq!(theirs.json()["data"]["suppressed"], json!([]));
}

#[test]
fn suppressing_and_ending_stand_in_the_audit_log() {
    let server = Server::start();
    let actions = || count(&server, "audit WHERE action IN ('suppress', 'unsuppress')");
    let made = forever(&server, json!({ "identifier": "ann" }));
    assert_eq!(actions(), 1);
    end(&server, &made["id"]).expect(204);
    assert_eq!(actions(), 2);
}

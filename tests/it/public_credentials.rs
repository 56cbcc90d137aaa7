//! What the ingest token and public keys may do, which anybody can read in a page or an app: they
//! restore nobody, change nobody's e-mail, take nobody's visitor, and learn of nobody. What they may
//! have erased is in `public_deletions.rs`, how many people they may make in `public_quotas.rs`.

use serde_json::{Value, json};
use usher::access::keys;
use usher::access::keys::{Bounds, Powers};
use usher::clock::HOUR;
use usher::erasure::trash;
use usher::model::{Intake, PublicWrites, State, User};
use usher::people::suppressions::Policy;
use usher::people::{find, holder, suppressions};
use usher::projects;
use usher::store::NormalTx;

use crate::admin::Browser;
use crate::harness::{Reply, Server, named};
use crate::late_bounds::erase;
use crate::merging::holder;
use crate::segment::{events, find, names, send, user};
use crate::tolerance::times;

/// A key that is made to be public.
pub fn public_key(server: &Server) -> String {
    let project = server.project().id;
    let (_, secret) = server
        .write(move |tx| keys::create(tx, Some(project), "in a page", Powers::Public, &Bounds::default()));
    server.app.reload_keys().expect("keys");
    secret
}

pub fn ingest_key(server: &Server) -> String {
    server.key(Some(server.project().id), "ingest")
}

/// Both kinds of public credentials.
pub fn public(server: &Server) -> [String; 2] {
    [server.project().token.clone(), public_key(server)]
}

/// As the API that has the path asks for the key.
pub fn post(server: &Server, path: &str, key: &str, body: Value) -> Reply {
    server.post(path).header("Token", key).bearer(key).json(body).send()
}

fn hide(server: &Server, name: &'static str) {
    let project = server.project().id;
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, name)?));
}

/// Somebody, in the trash, too.
fn held(server: &Server, name: &'static str) -> User {
    let (project, now) = (server.project().id, server.clock.now());
    server.read(|db| find::get_hidden_too(db, project, name, now))
}

fn set_writes(server: &Server, public_writes: PublicWrites) {
    let project = server.project().id;
    let intake = Intake { public_writes, erased_kept_days: Some(3_650), ..Intake::default() };
    server.write(move |tx: &NormalTx| projects::set_intake(tx, project, &intake));
    server.app.reload_keys().expect("keys");
}

/// What says of ann who she is, in each API that takes a public credential.
fn identifying() -> [(&'static str, Value); 4] {
    let traits = json!({ "plan": "new" });
    let message = json!({ "type": "identify", "userId": "ann", "traits": traits });
    [
        ("/v1/identify", message.clone()),
        ("/v1/batch", json!({ "batch": [message] })),
        ("/i", json!({ "identifier": "ann", "data": { "set": traits } })),
        ("/u", json!({ "userIdentifier": "ann", "data": { "set": traits } })),
    ]
}

#[test]
fn a_public_credential_restores_nobody() {
    for (path, body) in identifying() {
        let server = Server::start();
        server.seed("ann").events(1).insert();
        hide(&server, "ann");
        for key in public(&server) {
            post(&server, path, &key, body.clone()).expect(200);
            assert_eq!(held(&server, "ann").state, State::Hidden, "{path}");
        }
        assert_eq!(times(&server, "repaired", "user stays in the trash"), 2, "{path}");
        // A plain key does.
        post(&server, path, &ingest_key(&server), body).expect(200);
        assert_eq!(user(&server, "ann").profile.attributes["plan"], "new", "{path}");
    }
}

#[test]
fn what_a_person_in_the_trash_does_is_kept_and_stays_there() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    hide(&server, "ann");
    let key = server.project().token.clone();
    post(&server, "/v1/track", &key, json!({ "userId": "ann", "event": "x" })).expect(200);
    post(&server, "/e", &key, json!({ "identifier": "ann", "name": "y" })).expect(200);
    let own = json!({ "activity": [{ "type": "event", "userId": "ann", "name": "z" }] });
    post(&server, "/api/activity", &key, own).expect(200);
    assert_eq!(held(&server, "ann").state, State::Hidden);
    send(&server, "/v1/identify", json!({ "userId": "ann" })).expect(200);
    assert_eq!(events(&server, "ann").len(), 4);
}

#[test]
fn a_public_credential_creates_an_unknown_person_with_traits() {
    for (path, body) in identifying() {
        let server = Server::start();
        post(&server, path, &server.project().token, body).expect(200);
        assert_eq!(user(&server, "ann").profile.attributes["plan"], "new", "{path}");
    }
}

fn with_email(email: Value) -> Value {
    json!({ "userId": "ann", "traits": { "email": email } })
}

#[test]
fn a_second_e_mail_is_kept_apart_and_found() {
    let server = Server::start();
    server.seed("ann").email("ann@example.com").insert();
    for key in public(&server) {
        post(&server, "/v1/identify", &key, with_email(json!("other@example.com"))).expect(200);
        let profile = user(&server, "ann").profile;
        assert_eq!(profile.email.as_deref(), Some("ann@example.com"));
        assert_eq!(profile.claimed_email.as_deref(), Some("other@example.com"));
    }
    let (project, now) = (server.project().id, server.clock.now());
    let by = |text: &str| server.read(|db| find::find(db, &[project], text, &[], now)).len();
    assert_eq!((by("OTHER@example.com"), by("ann@example.com"), by("third@example.com")), (1, 1, 0));
    let pages = Browser::owner(&server);
    let search = |text: &str| pages.get(&format!("/admin/users?q={text}")).expect(200).text.contains("ann@");
    assert!(search("other%40example.com"));
    assert!(!search("third%40example.net"));
    assert_eq!(times(&server, "repaired", "second e-mail kept apart"), 2);
}

#[test]
fn a_plain_key_changes_an_e_mail() {
    let server = Server::start();
    server.seed("ann").email("ann@example.com").insert();
    post(&server, "/v1/identify", &ingest_key(&server), with_email(json!("other@example.com"))).expect(200);
    let profile = user(&server, "ann").profile;
    assert_eq!((profile.email.as_deref(), profile.claimed_email), (Some("other@example.com"), None));
}

#[test]
fn a_first_e_mail_is_taken_of_a_public_credential() {
    let server = Server::start();
    server.seed("ann").insert();
    let key = server.project().token.clone();
    post(&server, "/v1/identify", &key, with_email(json!("ann@example.com"))).expect(200);
    let profile = user(&server, "ann").profile;
    assert_eq!((profile.email.as_deref(), profile.claimed_email), (Some("ann@example.com"), None));
    // And taken away by none.
    for none in [Value::Null, json!("")] {
        post(&server, "/v1/identify", &key, with_email(none)).expect(200);
        assert_eq!(user(&server, "ann").profile.email.as_deref(), Some("ann@example.com"));
    }
    post(&server, "/v1/identify", &ingest_key(&server), with_email(Value::Null)).expect(200);
    assert_eq!(user(&server, "ann").profile.email, None, "a plain key does");
}

#[test]
fn a_visitor_brings_no_e_mail_to_a_person_who_has_one() {
    let server = Server::start();
    server.seed("ann").email("ann@example.com").insert();
    let key = server.project().token.clone();
    let visitor = json!({ "anonymousId": "v", "traits": { "email": "other@example.com" } });
    post(&server, "/v1/identify", &key, visitor).expect(200);
    post(&server, "/v1/identify", &key, json!({ "userId": "ann", "anonymousId": "v" })).expect(200);
    assert_eq!(user(&server, "ann").profile.email.as_deref(), Some("ann@example.com"));
}

#[test]
fn a_visitor_of_a_person_stays_with_that_person() {
    let server = Server::start();
    send(&server, "/v1/page", json!({ "anonymousId": "v" })).expect(200);
    send(&server, "/v1/identify", json!({ "userId": "ann", "anonymousId": "v" })).expect(200);
    let key = server.project().token.clone();
    let both = json!({ "userId": "bob", "anonymousId": "v", "traits": { "plan": "x" } });
    assert_eq!(post(&server, "/v1/identify", &key, both).expect(200).text, r#"{"success":true}"#);
    let alias = json!({ "userId": "bob", "previousId": "v" });
    assert_eq!(post(&server, "/v1/alias", &key, alias.clone()).expect(200).text, r#"{"success":true}"#);
    assert_eq!(holder(&server, "v").map(|user| user.id), Some(user(&server, "ann").id));
    assert_eq!((names(&server, "ann").len(), names(&server, "bob").len()), (1, 0));
    assert_eq!(user(&server, "bob").profile.attributes["plan"], "x");
    // A key that may read is told.
    let errors = post(
        &server,
        "/v1/batch",
        &server.project().all,
        json!({ "batch": [{ "type": "alias", "userId": "bob", "previousId": "v" }] }),
    );
    assert_eq!(errors.expect(200).json()["errors"][0]["field"], "previousId");
}

#[test]
fn a_visitor_without_a_person_becomes_the_one_named() {
    let server = Server::start();
    server.seed("ann").insert();
    let key = server.project().token.clone();
    post(&server, "/v1/page", &key, json!({ "anonymousId": "v" })).expect(200);
    post(&server, "/v1/identify", &key, json!({ "userId": "ann", "anonymousId": "v" })).expect(200);
    assert_eq!(names(&server, "ann").len(), 1);
}

#[test]
fn a_visitor_in_the_trash_is_brought_out_by_no_public_one() {
    let server = Server::start();
    let project = server.project().id;
    let page = || send(&server, "/v1/page", json!({ "anonymousId": "v" })).expect(200);
    page();
    server.write(move |tx| {
        let visitor = holder::alias_holder(tx, project, "v")?.expect("the visitor");
        trash::hide(tx, &visitor)
    });
    let both = json!({ "userId": "ann", "anonymousId": "v" });
    post(&server, "/v1/identify", &server.project().token, both.clone()).expect(200);
    assert!(holder(&server, "v").is_some_and(|visitor| visitor.state == State::Hidden));
    assert_eq!(names(&server, "ann").len(), 0);
    post(&server, "/v1/identify", &ingest_key(&server), both).expect(200);
    assert_eq!(names(&server, "ann").len(), 1, "a plain key does");
}

/// Each way in with a public credential, about somebody.
fn ways_in(name: &str) -> Vec<(&'static str, Value)> {
    let traits = json!({ "email": "x@example.com", "plan": "x", "fill": "f".repeat(20_000) });
    let both = |kind: &str| {
        json!({ "type": kind, "userId": name, "anonymousId": "v", "event": "x", "groupId": "g",
                "previousId": "w", "traits": traits })
    };
    let kinds = ["identify", "track", "page", "screen", "group", "alias"];
    let mut all = vec![("/v1/batch", json!({ "batch": kinds.map(both) }))];
    for (path, kind) in [
        ("/v1/identify", "identify"),
        ("/v1/track", "track"),
        ("/v1/page", "page"),
        ("/v1/screen", "screen"),
        ("/v1/group", "group"),
        ("/v1/alias", "alias"),
    ] {
        all.push((path, both(kind)));
    }
    let data = json!({ "set": traits });
    all.push(("/e", json!({ "name": "x", "identifier": name, "userData": data })));
    all.push(("/u", json!({ "identifier": name, "data": data })));
    all.push(("/i", json!({ "identifier": name, "data": data })));
    all.push(("/v1/events/custom", json!({ "identifyId": name, "eventName": "x" })));
    all.push(("/api/activity", json!({ "activity": [{ "type": "event", "userId": name, "name": "x" }] })));
    all
}

#[test]
fn the_answer_does_not_tell_who_is_known() {
    let server = Server::start();
    let project = server.project().id;
    for name in ["known", "trashed", "erased", "kept-out", "full"] {
        let email = format!("{name}@example.com");
        server.seed(name).events(1).email(&email).insert();
        send(&server, "/v1/identify", json!({ "userId": name, "anonymousId": "v" })).expect(200);
    }
    // As much is known of this one as may be.
    for n in 0..3 {
        let traits = json!({ format!("n{n}"): "f".repeat(20_000) });
        send(&server, "/v1/identify", json!({ "userId": "full", "traits": traits })).expect(200);
    }
    hide(&server, "trashed");
    erase(&server, "erased");
    server.write(move |tx: &NormalTx| suppressions::add(tx, project, &named("kept-out"), Policy::Forever));
    server.clock.advance(HOUR);
    for key in public(&server) {
        let ask = |path: &str, body: Value| {
            let reply = post(&server, path, &key, body);
            assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
            let header = |name| reply.header(name).map(str::to_owned);
            (reply.status, header("content-type"), header("content-length"), reply.bytes)
        };
        let unknown = format!("unknown {}", key.len());
        for (place, (path, body)) in ways_in(&unknown).into_iter().enumerate() {
            let expected = ask(path, body);
            for name in ["known", "trashed", "erased", "kept-out", "full"] {
                assert_eq!(ask(path, ways_in(name)[place].1.clone()), expected, "{path} {name}");
            }
        }
    }
    assert_eq!(held(&server, "trashed").state, State::Hidden);
    assert!(times(&server, "repaired", "attributes over the limit") > 0);
}

#[test]
fn a_plain_key_is_told_what_outgrows_a_profile() {
    let server = Server::start();
    for n in 0..4 {
        let body =
            json!({ "identifier": "full", "data": { "set": { format!("n{n}"): "f".repeat(20_000) } } });
        let reply = post(&server, "/i", &ingest_key(&server), body);
        assert_eq!(reply.status, if n < 3 { 200 } else { 400 }, "{}", reply.text);
    }
}

#[test]
fn public_writes_say_what_a_public_credential_may_write() {
    let group = json!({ "type": "group", "userId": "new 2", "groupId": "g" });
    for (writes, known, visitor, new) in [
        (PublicWrites::Open, true, true, true),
        (PublicWrites::OwnVisitors, false, true, true),
        (PublicWrites::EventsOnly, false, false, false),
    ] {
        let server = Server::start();
        server.seed("ann").insert();
        set_writes(&server, writes);
        let key = server.project().token.clone();
        for (path, body) in identifying() {
            post(&server, path, &key, body).expect(200);
            let has = user(&server, "ann").profile.attributes.contains_key("plan");
            assert_eq!(has, known, "{writes:?} {path}");
        }
        let of_visitor = json!({ "anonymousId": "v", "traits": { "plan": "x" } });
        post(&server, "/v1/identify", &key, of_visitor).expect(200);
        let has = holder(&server, "v").is_some_and(|user| user.profile.attributes.contains_key("plan"));
        assert_eq!(has, visitor, "{writes:?}");
        let of_new = json!({ "userId": "new", "traits": { "plan": "x" } });
        post(&server, "/v1/identify", &key, of_new).expect(200);
        post(&server, "/v1/batch", &key, json!({ "batch": [group] })).expect(200);
        let there = |name: &str| find(&server, name).map(|user| user.profile.attributes.len());
        let expected = new.then_some(1);
        assert_eq!((there("new"), there("new 2")), (expected, expected), "{writes:?}");
        // Events are taken always, with the people that they are of.
        let event = json!({ "name": "x", "identifier": "eve", "displayName": "Eve" });
        post(&server, "/e", &key, event).expect(200);
        assert_eq!(names(&server, "eve").len(), 1, "{writes:?}");
        assert_eq!(user(&server, "eve").profile.display_name.is_some(), new, "{writes:?}");
        // A plain key writes all of it.
        send(&server, "/v1/identify", json!({ "userId": "ann", "traits": { "own": 1 } })).expect(200);
        assert!(user(&server, "ann").profile.attributes.contains_key("own"), "{writes:?}");
        let dropped = times(&server, "dropped", "not public");
        assert_eq!(dropped == 0, writes == PublicWrites::Open, "{writes:?}: {dropped}");
    }
}

//! Names that somebody plants with a public credential: they keep no other living person out, turn no
//! deletion onto a decoy, and split nobody in two.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::model::{Intake, PublicWrites};
use usher::people::{activity, find, holder, merge};
use usher::store::NormalTx;

use crate::harness::{Reply, Server, event, named};
use crate::late_bounds::erase;
use crate::merging::holder;
use crate::public_credentials::{ingest_key, post, public_key};
use crate::regulations::say;
use crate::segment::{count, find, names, send, track, user};
use crate::tolerance::times;

const BOB: &str = "bob@example.com";
const REFUSED: &str = "anonymous id of another user";

fn public(server: &Server, path: &str, body: Value) {
    post(server, path, &server.project().token, body).expect(200);
}

fn regulate(server: &Server, kind: &str, name: &str) {
    let body = json!({ "regulationType": kind, "subjectType": "USER_ID", "subjectIds": [name] });
    server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
}

fn px(server: &Server, method: &str, path: &str) -> Reply {
    server.request(method, path).header("X-APTRINSIC-API-KEY", &server.project().all).send()
}

fn delete(server: &Server, name: &str, hard: bool) -> u16 {
    px(server, "DELETE", &format!("/v1/users/{name}?hardDelete={hard}")).status
}

fn schedule(server: &Server, name: &str) {
    let path = format!("/api/v1/{}/users/{name}", server.project().key);
    server.delete(&path).bearer(&server.project().all).send().expect(200);
}

/// The ways to plant a name on somebody with the ingest token, before anybody has it.
fn plant(server: &Server, way: usize, whom: &str) {
    match way {
        0 => {
            public(server, "/v1/track", json!({ "anonymousId": BOB, "event": "x" }));
            public(server, "/v1/identify", json!({ "userId": whom, "anonymousId": BOB }));
        }
        1 => public(server, "/v1/identify", json!({ "userId": whom, "anonymousId": BOB })),
        _ => public(server, "/v1/alias", json!({ "userId": whom, "previousId": BOB })),
    }
}

/// What bob says himself, by a plain key and by the token, is there.
fn check_taken(server: &Server) {
    send(server, "/v1/batch", json!({ "batch": [track(BOB, "by a server")] })).expect(200);
    public(server, "/v1/track", json!({ "userId": BOB, "event": "by a browser" }));
    let put = server.put(&format!("/v1/users/{BOB}")).header("X-APTRINSIC-API-KEY", &server.project().all);
    put.json(json!({ "firstName": "Bob" })).send().expect(204);
    let names = names(server, BOB);
    for said in ["by a server", "by a browser"] {
        assert!(names.iter().any(|name| name == said), "{names:?}");
    }
    assert_eq!(user(server, BOB).profile.first_name.as_deref(), Some("Bob"));
}

#[test]
fn a_planted_name_keeps_no_living_person_out() {
    for way in 0..3 {
        for known in [true, false] {
            for kind in ["SUPPRESS_WITH_DELETE", "SUPPRESS_ONLY"] {
                let server = Server::start();
                if known {
                    server.seed(BOB).insert();
                }
                server.seed("trouble").insert();
                plant(&server, way, "trouble");
                regulate(&server, kind, "trouble");
                check_taken(&server);
                let twin = say(&server, json!([{ "type": "identify", "userId": "trouble" }]));
                assert_eq!(twin, "suppressed", "{way}");
            }
        }
    }
}

#[test]
fn a_planted_name_makes_no_living_person_late() {
    for way in 0..3 {
        for known in [true, false] {
            let server = Server::start();
            if known {
                server.seed(BOB).insert();
            }
            server.seed("trouble").insert();
            plant(&server, way, "trouble");
            let before = server.clock.now();
            server.clock.advance(1_000);
            erase(&server, "trouble");
            let project = server.project().id;
            for (name, there) in [(BOB, true), ("trouble", false)] {
                let said = event(&named(name), "earlier", before);
                server.write(move |tx: &NormalTx| activity::record(tx, project, &said));
                let is_there = find(&server, name).is_some()
                    && names(&server, name).iter().any(|name| name == "earlier");
                assert_eq!(is_there, there, "{name} {way} {known}");
            }
        }
    }
}

#[test]
fn the_planted_name_itself_stays_out_as_an_anonymous_id() {
    let server = Server::start();
    plant(&server, 0, "trouble");
    regulate(&server, "SUPPRESS_ONLY", "trouble");
    let before = count(&server, "events");
    public(&server, "/v1/track", json!({ "anonymousId": BOB, "event": "x" }));
    assert_eq!((count(&server, "events") - before, times(&server, "dropped", "suppressed")), (0, 1));
    assert_eq!(say(&server, json!([{ "type": "identify", "userId": BOB }])), Value::Null);
    // On the word of a plain key it is a name of the person's, in either place.
    let body = json!({ "userId": "other", "anonymousId": "others-phone" });
    send(&server, "/v1/identify", body).expect(200);
    regulate(&server, "SUPPRESS_WITH_DELETE", "other");
    assert_eq!(say(&server, json!([{ "type": "identify", "userId": "others-phone" }])), "suppressed");
}

#[test]
fn no_alias_is_what_somebody_else_is_called() {
    for visitor_too in [false, true] {
        let server = Server::start();
        let project = server.project().id;
        if visitor_too {
            older_pair(&server, BOB);
        } else {
            server.seed(BOB).insert();
        }
        for (path, field) in [("/v1/identify", "anonymousId"), ("/v1/alias", "previousId")] {
            public(&server, path, json!({ "userId": "trouble", field: BOB }));
        }
        let aliases = server.write(move |tx: &NormalTx| {
            let trouble = holder::holder(tx, project, "trouble")?.expect("trouble");
            find::anonymous_ids(tx, &trouble, 10)
        });
        assert_eq!(aliases, [] as [&str; 0], "{visitor_too}");
    }
}

/// A person, and a visitor of the same name beside them, as 0.1 let them come about.
fn older_pair(server: &Server, name: &str) {
    public(server, "/v1/track", json!({ "anonymousId": name, "event": "stray" }));
    let id = server.seed("under another name").events(1).insert();
    let sql = "UPDATE users SET identifier = ?1 WHERE id = ?2";
    server.sqlite().execute(sql, rusqlite::params![name, id.0]).expect("a person");
}

#[test]
fn a_trusted_alias_is_no_identifier_for_a_public_credential() {
    let server = Server::start();
    let link = json!({ "userId": "dora", "anonymousId": "dora-anon" });
    send(&server, "/v1/identify", link).expect(200);
    let mut others = 0;
    for key in [server.project().token.clone(), public_key(&server)] {
        for (path, body) in [
            ("/v1/identify", json!({ "userId": "NAME" })),
            ("/v1/track", json!({ "userId": "NAME", "event": "x" })),
            ("/v1/alias", json!({ "userId": "NAME", "previousId": "before NAME" })),
            ("/i", json!({ "identifier": "NAME" })),
            ("/e", json!({ "identifier": "NAME", "name": "x" })),
            ("/u", json!({ "identifier": "NAME", "displayName": "X" })),
        ] {
            let told = |name: &str| {
                let body = body.to_string().replace("NAME", name);
                let body = serde_json::from_str(&body).expect("a body");
                post(&server, path, &key, body).expect(200).text
            };
            others += 1;
            let (other, before) = (format!("free-{others}"), times(&server, "refused", REFUSED));
            assert_eq!(told("dora-anon"), told(&other), "{path}");
            assert_eq!(times(&server, "refused", REFUSED), before + 1, "{path}");
            assert!(find(&server, "dora-anon").is_none() && find(&server, &other).is_some(), "{path}");
        }
    }
    // The twin: a plain key may.
    send(&server, "/v1/identify", json!({ "userId": "dora-anon" })).expect(200);
    assert!(find(&server, "dora-anon").is_some());
}

#[test]
fn a_deletion_by_an_anonymous_id_takes_no_decoy() {
    let server = Server::start();
    send(&server, "/v1/identify", json!({ "userId": "dora", "anonymousId": "dora-anon" })).expect(200);
    schedule(&server, "dora-anon");
    public(&server, "/v1/identify", json!({ "userId": "dora-anon" }));
    // Nor what a plain key makes of the name later.
    send(&server, "/v1/identify", json!({ "userId": "dora-anon" })).expect(200);
    server.clock.advance(DAY);
    server.tick();
    assert!(find(&server, "dora").is_none() && find(&server, "dora-anon").is_some());
    assert_eq!(count(&server, "jobs WHERE status = 'completed'"), 1);
}

#[test]
fn a_second_job_for_the_same_person_is_409_by_either_name() {
    let server = Server::start();
    send(&server, "/v1/identify", json!({ "userId": "dora", "anonymousId": "dora-anon" })).expect(200);
    let ask = |name: &str| {
        let path = format!("/v2/api/public/{}/users/{name}", server.project().key);
        server.delete(&path).bearer(&server.project().all).send().status
    };
    assert_ne!(ask("dora-anon"), 409);
    assert_eq!((ask("dora-anon"), ask("dora")), (409, 409));
}

#[test]
fn a_visitor_becomes_the_person_of_its_name() {
    for early in [true, false] {
        let server = Server::start();
        public(&server, "/v1/track", json!({ "anonymousId": "vera", "event": "before" }));
        if early {
            schedule(&server, "vera");
        }
        public(&server, "/v1/identify", json!({ "userId": "vera", "traits": { "plan": "x" } }));
        assert_eq!((count(&server, "users"), names(&server, "vera").len()), (1, 1));
        assert_eq!(user(&server, "vera").profile.attributes["plan"], "x");
        match early {
            true => server.clock.advance(DAY),
            false => assert_eq!(delete(&server, "vera", true), 200),
        }
        server.tick();
        server.tick();
        assert_eq!((count(&server, "users"), count(&server, "events"), count(&server, "aliases")), (0, 0, 0));
    }
}

#[test]
fn a_soft_deletion_takes_no_decoy_either() {
    let server = Server::start();
    send(&server, "/v1/identify", json!({ "userId": "dora", "anonymousId": "dora-anon" })).expect(200);
    public(&server, "/v1/identify", json!({ "userId": "dora-anon" }));
    assert_eq!(delete(&server, "dora-anon", false), 404, "PX hides by the identifier alone");
    public(&server, "/v1/track", json!({ "anonymousId": "vera", "event": "before" }));
    public(&server, "/v1/identify", json!({ "userId": "vera" }));
    assert_eq!(delete(&server, "vera", false), 200);
    server.clock.advance(7 * DAY);
    server.tick();
    assert_eq!((count(&server, "users"), count(&server, "events")), (1, 0));
}

#[test]
fn an_anonymous_id_that_is_an_identifier_means_the_person() {
    let server = Server::start();
    let erin = "erin@example.com";
    server.seed(erin).insert();
    public(&server, "/v1/track", json!({ "anonymousId": erin, "event": "hers" }));
    public(&server, "/v1/identify", json!({ "anonymousId": erin, "traits": { "plan": "hers" } }));
    let own = json!({ "activity": [{ "type": "event", "anonymousId": erin, "name": "hers, too" }] });
    public(&server, "/api/activity", own);
    assert_eq!((count(&server, "users"), names(&server, erin).len()), (1, 2));
    assert_eq!(user(&server, erin).profile.attributes["plan"], "hers");
    assert_eq!(delete(&server, erin, true), 200);
    server.tick();
    assert_eq!((count(&server, "users"), count(&server, "events"), count(&server, "aliases")), (0, 0, 0));
}

#[test]
fn a_visitor_joins_the_person_who_registers_with_its_name() {
    let server = Server::start();
    public(&server, "/v1/track", json!({ "anonymousId": BOB, "event": "before" }));
    // With another visitor, who becomes the same person.
    public(&server, "/v1/track", json!({ "anonymousId": "phone", "event": "on the phone" }));
    send(&server, "/v1/identify", json!({ "userId": BOB, "anonymousId": "phone" })).expect(200);
    while server.write(|tx: &NormalTx| merge::chunk(tx)) {}
    assert_eq!((count(&server, "users"), names(&server, BOB).len()), (1, 2));
    let bob = user(&server, BOB).id;
    assert_eq!(holder(&server, BOB).map(|user| user.id), Some(bob));
    assert_eq!(holder(&server, "phone").map(|user| user.id), Some(bob));
}

#[test]
fn a_visitor_joins_the_person_who_is_renamed_to_its_name() {
    let server = Server::start();
    server.seed("bob").events(1).insert();
    public(&server, "/v1/track", json!({ "anonymousId": BOB, "event": "before" }));
    let put = server.put("/users/bob").bearer(&server.project().all).header("x-api-version", "2025-09");
    put.json(json!({ "username": BOB })).send().expect(200);
    while server.write(|tx: &NormalTx| merge::chunk(tx)) {}
    assert_eq!((count(&server, "users"), names(&server, BOB).len()), (1, 2));
}

#[test]
fn an_older_pair_is_taken_by_one_deletion() {
    for way in ["hard", "soft", "job", "regulation", "account"] {
        let server = Server::start();
        older_pair(&server, BOB);
        assert_eq!(count(&server, "users"), 2);
        match way {
            "hard" => assert_eq!(delete(&server, BOB, true), 200),
            "soft" => assert_eq!(delete(&server, BOB, false), 200),
            "job" => schedule(&server, BOB),
            "regulation" => regulate(&server, "DELETE_ONLY", BOB),
            _ => {
                let request = server.delete(&format!("/users/{BOB}")).bearer(&server.project().all);
                request.header("x-api-version", "2025-09").send().expect(200);
            }
        }
        server.clock.advance(7 * DAY);
        server.tick();
        server.tick();
        assert_eq!(count(&server, "aliases"), 0, "{way}");
        let left = count(&server, "events");
        assert_eq!((left, count(&server, "users")), if way == "account" { (2, 1) } else { (0, 0) }, "{way}");
    }
}

#[test]
fn who_is_meant_is_judged_by_whichever_name() {
    for writes in [PublicWrites::OwnVisitors, PublicWrites::EventsOnly, PublicWrites::Open] {
        let server = Server::start();
        let (project, open) = (server.project().id, writes == PublicWrites::Open);
        let link = json!({ "userId": "ann", "anonymousId": "ann-anon", "traits": { "plan": "old" } });
        send(&server, "/v1/identify", link).expect(200);
        let intake = Intake { public_writes: writes, erased_kept_days: Some(3_650), ..Intake::default() };
        server.write(move |tx: &NormalTx| usher::projects::set_intake(tx, project, &intake));
        for name in ["ann-anon", "ann"] {
            let traits = json!({ "plan": format!("by {name}") });
            public(&server, "/v1/identify", json!({ "anonymousId": name, "traits": traits }));
            let group = json!({ "anonymousId": name, "groupId": "g", "traits": traits });
            public(&server, "/v1/group", group);
            let known = user(&server, "ann").profile.attributes["plan"].clone();
            assert_eq!(known, if open { format!("by {name}") } else { "old".to_owned() }, "{writes:?}");
        }
        assert_eq!(times(&server, "dropped", "not public"), if open { 0 } else { 4 });
        // A visitor of one's own, and a plain key.
        public(&server, "/v1/identify", json!({ "anonymousId": "v", "traits": { "plan": "v" } }));
        assert_eq!(holder(&server, "v").is_some(), writes != PublicWrites::EventsOnly);
        let plain = json!({ "anonymousId": "ann-anon", "traits": { "plan": "plain" } });
        post(&server, "/v1/identify", &ingest_key(&server), plain).expect(200);
        assert_eq!(user(&server, "ann").profile.attributes["plan"], "plain");
    }
}

#[test]
fn public_credentials_link_1000_anonymous_ids_to_a_person() {
    let server = Server::start();
    let message = |n: usize| json!({ "type": "identify", "userId": "ann", "anonymousId": format!("a{n}") });
    for part in 0..10 {
        let batch: Vec<Value> = (part * 100..part * 100 + 100).map(message).collect();
        public(&server, "/v1/batch", json!({ "batch": batch }));
    }
    assert_eq!(count(&server, "aliases"), 1_000);
    public(&server, "/v1/page", json!({ "anonymousId": "a1001" }));
    for (path, field) in [("/v1/identify", "anonymousId"), ("/v1/alias", "previousId")] {
        for name in ["a1001", "a1002"] {
            public(&server, path, json!({ "userId": "ann", field: name }));
        }
    }
    let ann = user(&server, "ann").id;
    assert_ne!(holder(&server, "a1001").map(|user| user.id), Some(ann), "it stays a visitor");
    assert_eq!(count(&server, "aliases"), 1_001);
    assert_eq!(times(&server, "repaired", "1000 anonymous ids of one user"), 4);
    // One that is linked already is nothing new, and a plain key links more.
    public(&server, "/v1/identify", json!({ "userId": "ann", "anonymousId": "a7" }));
    send(&server, "/v1/identify", json!({ "userId": "ann", "anonymousId": "a1002" })).expect(200);
    assert_eq!(holder(&server, "a1002").map(|user| user.id), Some(ann));
    assert_eq!(times(&server, "repaired", "1000 anonymous ids of one user"), 4);
}

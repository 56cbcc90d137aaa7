//! Whose suppressions there are: each stands for itself, covers the person by whichever name it was
//! asked for, and ends where it was asked for.

use serde_json::{Value, json};
use usher::people::suppressions;
use usher::people::suppressions::{Policy, Source};
use usher::store::NormalTx;

use crate::harness::{Reply, Server, named};
use crate::public_credentials::post;
use crate::regulations::say;
use crate::segment::{count, find, send};

fn segment(server: &Server, kind: &str, name: &str) {
    let body = json!({ "regulationType": kind, "subjectType": "USER_ID", "subjectIds": [name] });
    server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
}

/// A suppression of RudderStack's; its path.
fn rudder(server: &Server, name: &str) -> String {
    let body = json!({ "regulationType": "suppress", "users": [{ "userId": name }] });
    let made =
        server.post("/v2/regulations").bearer(&server.project().all).json(body).send().expect(201).json();
    format!("/v2/regulations/{}", made[0]["id"].as_str().expect("an id"))
}

fn own(server: &Server, name: &str) -> String {
    let body = json!({ "subject": { "identifier": name }, "policy": "forever" });
    let made = server.post("/api/suppressions").bearer(&server.project().all).json(body).send().json();
    format!("/api/suppressions/{}", made["data"]["id"].as_str().expect("an id"))
}

fn deny(server: &Server, name: &str, denied: bool) -> Reply {
    let put = server.put(&format!("/v1/users/denylist/{name}"));
    put.header("X-APTRINSIC-API-KEY", &server.project().all).json(json!({ "denied": denied })).send()
}

fn denied(server: &Server, name: &str) -> Value {
    let get = server.get(&format!("/v1/users/denylist/{name}"));
    get.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200).json()["denied"].clone()
}

fn end(server: &Server, path: &str) {
    server.delete(path).bearer(&server.project().all).send().expect(204);
}

/// How many each list shows as in force: Segment's, RudderStack's, our own.
fn listed(server: &Server) -> [usize; 3] {
    let get = |path: &str| server.get(path).bearer(&server.project().all).send().expect(200).json();
    let segments = get("/suppressions?pagination[count]=9")["data"]["suppressed"].clone();
    let rudders = get("/v2/regulations")["data"].as_array().expect("a list").clone();
    let in_force = rudders.iter().filter(|one| one["canceled"] == false).count();
    let all = get("/api/suppressions")["data"].clone();
    [segments.as_array().map_or(0, Vec::len), in_force, all.as_array().map_or(0, Vec::len)]
}

#[track_caller]
fn check_out(server: &Server, name: &str, out: bool) {
    let why = say(server, json!([{ "type": "identify", "userId": name }]));
    assert_eq!(why == "suppressed", out, "{name}: {why}");
}

#[test]
fn a_person_is_let_in_when_the_last_suppression_ends() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let server = Server::start();
        server.seed("two").insert();
        segment(&server, "SUPPRESS_ONLY", "two");
        let (rudder, own) = (rudder(&server, "two"), own(&server, "two"));
        deny(&server, "two", true).expect(200);
        assert_eq!(listed(&server), [1, 1, 4]);
        let mut left = [1, 1, 4];
        for (done, one) in order.into_iter().enumerate() {
            check_out(&server, "two", true);
            assert_eq!(denied(&server, "two"), true);
            match one {
                0 => segment(&server, "UNSUPPRESS", "two"),
                1 => end(&server, &rudder),
                2 => end(&server, &own),
                // It says why they are still out.
                _ => drop(deny(&server, "two", false).expect(if done == 3 { 200 } else { 409 })),
            }
            left[2] -= 1;
            if one < 2 {
                left[one] -= 1;
            }
            assert_eq!(listed(&server), left, "{order:?} {one}");
        }
        assert_eq!(denied(&server, "two"), false);
        check_out(&server, "two", false);
        assert_eq!(count(&server, "suppressions"), 0);
    }
}

#[test]
fn two_suppressions_of_rudderstack_are_two() {
    let server = Server::start();
    let (one, two) = (rudder(&server, "ann"), rudder(&server, "ann"));
    end(&server, &one);
    check_out(&server, "ann", true);
    end(&server, &two);
    check_out(&server, "ann", false);
}

#[test]
fn one_that_is_ended_by_its_id_shows_where_it_was_asked_for() {
    let server = Server::start();
    rudder(&server, "ann");
    let all = server.get("/api/suppressions").bearer(&server.project().all).send().json()["data"].clone();
    end(&server, &format!("/api/suppressions/{}", all[0]["id"].as_str().expect("an id")));
    assert_eq!(listed(&server), [0, 0, 0]);
    check_out(&server, "ann", false);
}

#[test]
fn a_suppression_from_before_ends_with_anybodys() {
    let server = Server::start();
    server.seed("ann").insert();
    for way in 0..2 {
        segment(&server, "SUPPRESS_ONLY", "ann");
        server.sqlite().execute("UPDATE suppressions SET source = ''", []).expect("a row");
        check_out(&server, "ann", true);
        match way {
            0 => drop(deny(&server, "ann", false).expect(200)),
            _ => segment(&server, "UNSUPPRESS", "ann"),
        }
        check_out(&server, "ann", false);
        assert_eq!(count(&server, "suppressions"), 0);
    }
}

fn both(server: &Server, name: &str, visitor: &str) {
    send(server, "/v1/identify", json!({ "userId": name, "anonymousId": visitor })).expect(200);
}

#[test]
fn a_suppression_by_an_alias_covers_the_person() {
    for kind in ["SUPPRESS_ONLY", "SUPPRESS_WITH_DELETE"] {
        let server = Server::start();
        both(&server, "sa", "sa-anon");
        both(&server, "sa", "sa-phone");
        segment(&server, kind, "sa-anon");
        for name in ["sa", "sa-anon", "sa-phone"] {
            check_out(&server, name, true);
        }
        both(&server, "sa", "sa-new");
        assert_eq!(find(&server, "sa").is_some(), kind == "SUPPRESS_ONLY");
        check_out(&server, "other", false);
        // Either name ends it.
        segment(&server, "UNSUPPRESS", if kind == "SUPPRESS_ONLY" { "sa" } else { "sa-anon" });
        assert_eq!(count(&server, "suppressions"), 0);
        server.clock.advance(1_000);
        both(&server, "sa", "sa-phone");
        assert!(find(&server, "sa").is_some());
    }
}

#[test]
fn a_claimed_alias_covers_itself_alone() {
    let server = Server::start();
    let link = json!({ "userId": "victim", "anonymousId": "mine" });
    post(&server, "/v1/identify", &server.project().token, link).expect(200);
    segment(&server, "SUPPRESS_ONLY", "mine");
    check_out(&server, "victim", false);
    check_out(&server, "mine", true);
}

#[test]
fn a_name_that_went_with_a_person_is_let_in_alone() {
    let server = Server::start();
    both(&server, "ann", "phone");
    segment(&server, "SUPPRESS_WITH_DELETE", "ann");
    check_out(&server, "phone", true);
    segment(&server, "UNSUPPRESS", "phone");
    server.clock.advance(1_000);
    check_out(&server, "phone", false);
    check_out(&server, "ann", true);
    segment(&server, "UNSUPPRESS", "ann");
    check_out(&server, "ann", false);
}

#[test]
fn a_denied_user_who_is_erased_by_an_alias_loses_the_switch() {
    let server = Server::start();
    both(&server, "ann", "ann-anon");
    deny(&server, "ann", true).expect(200);
    let path = "/v1/users/ann-anon?hardDelete=true";
    server.delete(path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    assert_eq!(count(&server, "suppressions"), 0);
    server.clock.advance(1_000);
    both(&server, "ann", "ann-new");
    assert!(find(&server, "ann").is_some());
}

#[test]
fn the_denylist_tells_of_a_name_that_another_took_along() {
    let server = Server::start();
    both(&server, "ann", "bob");
    // A key that is not public gives the name to somebody, too.
    server.seed("bob").insert();
    let (project, ann) = (server.project().id, named("ann"));
    server.write(move |tx: &NormalTx| suppressions::add_for(tx, project, Source::Own, &ann, Policy::Forever));
    assert_eq!(denied(&server, "bob"), true);
    let refused = deny(&server, "bob", false).expect(409).text;
    assert!(refused.contains("keeps the user out"), "{refused}");
    let bob = named("bob");
    assert!(server.write(move |tx: &NormalTx| suppressions::lift_for(tx, project, Source::Own, &bob)));
    assert_eq!(denied(&server, "bob"), false);
    deny(&server, "bob", false).expect(200);
}

#[test]
fn the_step_to_sources_keeps_every_suppression() {
    let conn = rusqlite::Connection::open_in_memory().expect("a database");
    for step in [
        include_str!("../../schema.sql"),
        include_str!("../../src/store/migrations/2_intake.sql"),
        include_str!("../../src/store/migrations/3_interactions.sql"),
        include_str!("../../src/store/migrations/4_visitors.sql"),
        include_str!("../../src/store/migrations/5_origins.sql"),
        include_str!("../../src/store/migrations/6_regulations.sql"),
        include_str!("../../src/store/migrations/7_suppressions.sql"),
    ] {
        conn.execute_batch(step).expect("a step");
    }
    // Somebody else's, with a name that went along; each switch; both of one user.
    let before = "INSERT INTO projects (id, key, name, platform, ingest_token, created_at)
         VALUES (1, 'k', 'n', 'web', 't', 0);
         INSERT INTO suppressions (project_id, digest, subject, created_at, hits, ends_with_user, handle) VALUES
         (1, x'01', x'01', 5, 7, 0, x'a1'), (1, x'02', x'01', 5, 0, 0, NULL), (1, x'03', x'03', 5, 0, 1, x'a3'),
         (1, x'04', x'04', 5, 0, 2, x'a4'), (1, x'05', x'05', 5, 0, 3, x'a5'), (1, x'06', x'05', 5, 0, 3, NULL)";
    conn.execute_batch(before).expect("rows");
    conn.execute_batch(include_str!("../../src/store/migrations/8_sources.sql")).expect("the step");
    let sql = "SELECT hex(digest) || hex(subject) || ' ' || source || ' ' || hits || ' '
                   || CASE length(handle) WHEN 16 THEN 'drawn' ELSE hex(handle) END
               FROM suppressions ORDER BY digest, source";
    let mut statement = conn.prepare(sql).expect("a statement");
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    let rows: Vec<String> = rows.map(|row| row.expect("a row")).collect();
    let after = [
        "0101  7 A1",
        "0201  0 ",
        "0303 denylist 0 A3",
        "0404 preference 0 A4",
        "0505 denylist 0 A5",
        "0505 preference 0 drawn",
        "0605 denylist 0 ",
        "0605 preference 0 ",
    ];
    assert_eq!(rows, after);
}

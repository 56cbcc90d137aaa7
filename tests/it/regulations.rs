//! Regulations: what each type does, who sees them, and what they say of the people.

use serde_json::{Value, json};

use crate::harness::{Reply, Server};
use crate::segment::{count, find, names, send, track};

fn ask(server: &Server, kind: &str, ids: &[&str]) -> Reply {
    let body = json!({ "regulationType": kind, "subjectType": "USER_ID", "subjectIds": ids });
    server.post("/regulations").bearer(&server.project().all).json(body).send()
}

/// The id of one that was taken.
fn asked(server: &Server, kind: &str, ids: &[&str]) -> String {
    let reply = ask(server, kind, ids).expect(200).json();
    reply["data"]["regulateId"].as_str().expect("an id").to_owned()
}

fn status(server: &Server, id: &str) -> String {
    let one = server.get(&format!("/regulations/{id}")).bearer(&server.project().all).send().expect(200);
    one.json()["data"]["regulation"]["overallStatus"].as_str().expect("a status").to_owned()
}

fn list(server: &Server, key: &str, query: &str) -> Value {
    let path = format!("/regulations?pagination%5Bcount%5D={query}");
    server.get(&path).bearer(key).send().expect(200).json()["data"].clone()
}

/// Sends what may be dropped, and says why it was.
pub fn say(server: &Server, messages: Value) -> Value {
    let told = send(server, "/v1/batch", json!({ "batch": messages })).expect(200).json();
    told["dropped"][0]["reason"].clone()
}

/// What is shown of the people of the newest regulation.
fn subjects(server: &Server) -> Vec<String> {
    let page = list(server, &server.project().all, "1");
    let subjects = page["regulations"][0]["subjects"].as_array().expect("subjects").clone();
    subjects.iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

#[track_caller]
fn check_stand_in(text: &str, word: &str) {
    let hex = text.strip_prefix(word).unwrap_or_else(|| panic!("{text} does not begin with {word}"));
    assert!(hex.len() == 12 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
}

#[test]
fn a_deletion_erases_at_once_and_the_id_may_come_back() {
    for kind in ["DELETE_ONLY", "DELETE_INTERNAL", "DELETE_ARCHIVE_ONLY"] {
        let server = Server::start();
        server.seed("ann").events(3).insert();
        server.seed("bob").insert();
        let id = asked(&server, kind, &["ann", "nobody"]);
        assert!(find(&server, "ann").is_none() && find(&server, "bob").is_some());
        assert_eq!(status(&server, &id), "RUNNING");
        server.tick();
        assert_eq!(status(&server, &id), "FINISHED");
        assert_eq!(count(&server, "events"), 0);
        for one in subjects(&server) {
            check_stand_in(&one, "erased:");
        }
        server.clock.advance(1);
        say(&server, json!([{ "type": "identify", "userId": "ann", "traits": {} }]));
        assert!(find(&server, "ann").is_some(), "{kind}");
    }
}

#[test]
fn a_suppression_drops_messages_and_leaves_what_is_there() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    let id = asked(&server, "SUPPRESS_ONLY", &["ann"]);
    assert_eq!(status(&server, &id), "FINISHED");
    assert_eq!(say(&server, json!([track("ann", "more")])), "suppressed");
    assert_eq!(names(&server, "ann"), ["event 0"]);
    check_stand_in(&subjects(&server)[0], "suppressed:");
}

#[test]
fn unsuppress_lets_in_again_and_nothing_returns() {
    for kind in ["SUPPRESS_ONLY", "SUPPRESS_WITH_DELETE", "SUPPRESS_WITH_DELETE_INTERNAL"] {
        let server = Server::start();
        asked(&server, kind, &["ann"]);
        say(&server, json!([{ "type": "identify", "userId": "ann", "traits": {} }]));
        assert!(find(&server, "ann").is_none(), "{kind}");
        asked(&server, "UNSUPPRESS", &["ann", "never"]);
        assert_eq!(count(&server, "suppressions"), 0);
        let digests = "regulation_subjects WHERE digest IS NOT NULL";
        assert_eq!(count(&server, digests), 0, "no digest stays");
        say(&server, json!([{ "type": "identify", "userId": "ann", "traits": {} }]));
        assert!(find(&server, "ann").is_some(), "{kind}");
    }
}

#[test]
fn suppress_with_delete_keeps_out_the_visitors_name_too() {
    let server = Server::start();
    server.seed("ann").insert();
    say(&server, json!([{ "type": "identify", "userId": "ann", "anonymousId": "anon", "traits": {} }]));
    // Only who is kept out first has the name still: the erasure takes it away.
    let id = asked(&server, "SUPPRESS_WITH_DELETE", &["ann"]);
    server.clock.advance(2_000);
    let now = usher::clock::rfc3339(server.clock.now());
    for (field, name) in [("anonymousId", "anon"), ("userId", "ann")] {
        let told = say(&server, json!([{ "type": "page", field: name, "timestamp": now.clone() }]));
        assert_eq!(told, "suppressed", "{field}");
    }
    server.tick();
    assert_eq!(status(&server, &id), "FINISHED");
    assert_eq!((count(&server, "users"), count(&server, "events")), (0, 0));
    check_stand_in(&subjects(&server)[0], "erased:");
}

/// The twin: after a mere deletion both come in.
#[test]
fn delete_only_keeps_nobody_out() {
    let server = Server::start();
    server.seed("ann").insert();
    asked(&server, "DELETE_ONLY", &["ann"]);
    server.clock.advance(1);
    say(&server, json!([{ "type": "identify", "userId": "ann", "anonymousId": "anon", "traits": {} }]));
    assert!(find(&server, "ann").is_some());
}

#[test]
fn what_is_shown_tells_of_no_name_that_it_was_erased() {
    let server = Server::start();
    server.seed("ann").insert();
    asked(&server, "SUPPRESS_WITH_DELETE", &["ann"]);
    let of_erased = subjects(&server);
    asked(&server, "UNSUPPRESS", &["ann"]);
    let of_lifted = subjects(&server);
    asked(&server, "SUPPRESS_ONLY", &["ann"]);
    let digits = |shown: &[String]| shown[0].split(':').next_back().map(str::to_owned);
    let now = digits(&subjects(&server));
    assert!(now != digits(&of_erased) && now != digits(&of_lifted));
    asked(&server, "DELETE_ONLY", &["ann"]);
    check_stand_in(&subjects(&server)[0], "erased:");
}

#[test]
fn no_id_is_in_the_files_once_it_is_completed() {
    let server = Server::start();
    server.seed("unmistakable-name").events(2).insert();
    asked(&server, "SUPPRESS_WITH_DELETE", &["unmistakable-name", "unmistakable-stranger"]);
    server.tick();
    let path = server.path();
    let found = |name: &str| -> Vec<String> {
        let files = std::fs::read_dir(path.parent().expect("a folder")).expect("files");
        let files = files.map(|file| file.expect("a file").path()).filter(|file| file.is_file());
        let has = |file: &std::path::PathBuf| {
            let bytes = std::fs::read(file).expect("bytes");
            bytes.windows(name.len()).any(|window| window == name.as_bytes())
        };
        files.filter(has).map(|file| file.display().to_string()).collect()
    };
    assert_eq!(found("unmistakable-"), Vec::<String>::new());
    // The twin: who is there is found.
    server.seed("unmistakable-other").insert();
    assert_ne!(found("unmistakable-"), Vec::<String>::new());
}

#[test]
fn one_to_five_thousand_different_ids_are_taken() {
    let server = Server::start();
    let ids: Vec<String> = (0..5_001).map(|n| format!("person-{n}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    server.seed("person-0").insert();
    server.seed("person-4999").insert();
    for refused in [&all[..], &[], &["a", ""]] {
        let error = ask(&server, "SUPPRESS_WITH_DELETE", refused).expect(422).json();
        assert_eq!(error["errors"][0]["type"], "validation");
        assert_eq!(error["errors"][0]["field"], "subjectIds");
    }
    assert_eq!((count(&server, "regulations"), count(&server, "suppressions")), (0, 0));
    let mut taken = all[..5_000].to_vec();
    // One that is named twice counts once.
    taken.push("person-0");
    asked(&server, "SUPPRESS_WITH_DELETE", &taken);
    assert_eq!((count(&server, "suppressions"), count(&server, "jobs")), (5_000, 2));
    assert!(find(&server, "person-0").is_none() && find(&server, "person-4999").is_none());
    asked(&server, "DELETE_ONLY", &["person-1"]);
}

#[test]
fn what_is_said_wrong_is_named_and_does_nothing() {
    let server = Server::start();
    let good = json!({ "regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ["ann"] });
    let cases = [
        ("regulationType", json!("DELETE_SOME")),
        ("regulationType", Value::Null),
        ("subjectType", json!("OBJECT_ID")),
        ("subjectType", Value::Null),
        ("subjectIds", json!("ann")),
        ("subjectIds", json!([{}])),
    ];
    let post =
        |body: &Value| server.post("/regulations").bearer(&server.project().all).json(body.clone()).send();
    for (field, value) in cases {
        let mut body = good.clone();
        body[field] = value;
        let error = post(&body).expect(422).json();
        assert_eq!(error["errors"][0]["field"], field, "{error}");
    }
    assert_eq!(count(&server, "regulations"), 0);
    post(&good).expect(200);
    let typed = server.post("/regulations").bearer(&server.project().all);
    typed.body(good.to_string(), "application/vnd.segment.v1+json").send().expect(200);
    let counts = ["0", "1001", "", "x"];
    for count in counts {
        let path = format!("/regulations?pagination[count]={count}");
        server.get(&path).bearer(&server.project().all).send().expect(422);
    }
    server.get("/regulations").bearer(&server.project().all).send().expect(422);
}

#[test]
fn another_projects_key_sees_nothing_and_lifts_nothing() {
    let server = Server::start();
    let other = server.second();
    let id = asked(&server, "SUPPRESS_ONLY", &["ann"]);
    let source = format!("/regulations/sources/{}", server.project().key);
    server.get(&format!("/regulations/{id}")).bearer(&other.all).send().expect(404);
    server.delete(&format!("/regulations/{id}")).bearer(&other.all).send().expect(404);
    server.get(&format!("{source}?pagination[count]=1")).bearer(&other.all).send().expect(404);
    let body = json!({ "regulationType": "UNSUPPRESS", "subjectType": "USER_ID", "subjectIds": ["ann"] });
    server.post(&source).bearer(&other.all).json(body.clone()).send().expect(404);
    server.post("/regulations").bearer(&other.all).json(body.clone()).send().expect(200);
    assert_eq!(count(&server, "suppressions"), 1);
    assert_eq!(list(&server, &other.all, "9")["regulations"].as_array().map(Vec::len), Some(1));
    let kept_out = server.get("/suppressions?pagination[count]=9").bearer(&other.all).send().expect(200);
    assert_eq!(kept_out.json()["data"]["suppressed"], json!([]));
    // The twin: its own key does.
    server.post(&source).bearer(&server.project().all).json(body).send().expect(200);
    assert_eq!(count(&server, "suppressions"), 0);
}

#[test]
fn an_organisations_key_regulates_every_project() {
    let server = Server::start();
    let other = server.second();
    let key = server.key(None, "read,delete");
    let body = json!({ "regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ["ann"] });
    let reply = server.post("/regulations").bearer(&key).json(body.clone()).send().expect(200).json();
    assert_eq!(count(&server, "suppressions"), 2);
    let id = reply["data"]["regulateId"].as_str().expect("an id");
    let one = server.get(&format!("/regulations/{id}")).bearer(&key).send().expect(200).json();
    let one = &one["data"]["regulation"];
    assert_eq!(one["streamStatus"].as_array().map(Vec::len), Some(2));
    assert_eq!(one["workspaceId"], "organisation");
    server.get(&format!("/regulations/{id}")).bearer(&other.all).send().expect(404);
    // One source alone.
    let source = format!("/regulations/sources/{}", other.key);
    let lift = json!({ "regulationType": "UNSUPPRESS", "subjectType": "USER_ID", "subjectIds": ["ann"] });
    server.post(&source).bearer(&key).json(lift).send().expect(200);
    assert_eq!(count(&server, &format!("suppressions WHERE project_id = {}", other.id)), 0);
    assert_eq!(count(&server, "suppressions"), 1);
}

#[test]
fn what_has_begun_cannot_be_cancelled() {
    let server = Server::start();
    server.seed("ann").insert();
    for kind in ["DELETE_ONLY", "SUPPRESS_ONLY"] {
        let id = asked(&server, kind, &["ann"]);
        let path = format!("/regulations/{id}");
        let error = server.delete(&path).bearer(&server.project().all).send().expect(422).json();
        assert_eq!(error["errors"][0]["type"], "validation");
        server.get(&path).bearer(&server.project().all).send().expect(200);
    }
    for unknown in ["nothing", "00000000-0000-0000-0000-000000000000"] {
        server.delete(&format!("/regulations/{unknown}")).bearer(&server.project().all).send().expect(404);
    }
}

#[test]
fn cloud_sources_are_refused_by_name() {
    let server = Server::start();
    let path = format!("/regulations/cloudsources/{}", server.project().key);
    let reply = server.post(&path).bearer(&server.project().all).json(json!({})).send().expect(422).json();
    assert_eq!(reply["errors"][0]["type"], "validation");
    server
        .post("/regulations/cloudsources/x")
        .bearer(&server.project().all)
        .json(json!({}))
        .send()
        .expect(404);
}

#[test]
fn lists_are_paged_newest_first_and_filtered() {
    let server = Server::start();
    server.seed("ann").insert();
    let kinds = ["SUPPRESS_ONLY", "DELETE_ONLY", "UNSUPPRESS"];
    let ids: Vec<String> = kinds.iter().map(|kind| asked(&server, kind, &["ann"])).collect();
    let all = &server.project().all;
    let of = |page: &Value| -> Vec<String> {
        let list = page["regulations"].as_array().expect("a list").clone();
        list.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
    };
    let first = list(&server, all, "2");
    assert_eq!(of(&first), [ids[2].clone(), ids[1].clone()]);
    let next = first["pagination"]["next"].as_str().expect("a next page");
    let last = list(&server, all, &format!("2&pagination[cursor]={next}"));
    assert_eq!(of(&last), [ids[0].clone()]);
    assert_eq!((&last["pagination"]["current"], &last["pagination"]["next"]), (&json!(next), &Value::Null));
    let exact = list(&server, all, "3");
    assert_eq!((of(&exact).len(), &exact["pagination"]["next"]), (3, &Value::Null));
    let some = list(&server, all, "9&regulationTypes[]=SUPPRESS_ONLY&regulationTypes[]=UNSUPPRESS");
    assert_eq!(of(&some), [ids[2].clone(), ids[0].clone()]);
    assert_eq!(of(&list(&server, all, "9&status=RUNNING")), [ids[1].clone()]);
    assert_eq!(of(&list(&server, all, "9&status=FAILED")), Vec::<String>::new());
    let source = format!("/regulations/sources/{}?pagination[count]=9", server.project().key);
    assert_eq!(of(&server.get(&source).bearer(all).send().expect(200).json()["data"]).len(), 3);
    let bad = server.get("/regulations?pagination[count]=9&pagination[cursor]=x").bearer(all).send();
    assert_eq!(bad.expect(422).json()["errors"][0]["field"], "pagination[cursor]");
}

#[test]
fn suppressions_are_listed_page_by_page_without_names() {
    let server = Server::start();
    let ids = ["ann", "bob", "cat"];
    asked(&server, "SUPPRESS_ONLY", &ids);
    let mut found = Vec::new();
    let mut cursor = String::new();
    for n in 0..3 {
        let path = format!("/suppressions?pagination[count]=1&pagination[cursor]={cursor}");
        let page = server.get(&path).bearer(&server.project().all).send().expect(200).json()["data"].clone();
        assert_eq!(page["suppressed"][0]["subjectType"], "USER_ID");
        let shown = page["suppressed"][0]["subjectIds"][0].as_str().expect("one").to_owned();
        check_stand_in(&shown, "suppressed:");
        found.push(shown);
        let next = page["pagination"]["next"].as_str().map(str::to_owned);
        assert_eq!(next.is_some(), n < 2, "after {n}");
        cursor = next.unwrap_or_default();
    }
    let mut shown = subjects(&server);
    shown.sort();
    found.sort();
    assert_eq!(shown, found);
}

#[test]
fn a_request_about_thousands_lets_others_write_in_between() {
    let server = Server::start();
    let ids: Vec<String> = (0..2_000).map(|n| format!("user {n}")).collect();
    let messages: Vec<Value> =
        ids.iter().map(|id| json!({ "type": "identify", "userId": id, "traits": {} })).collect();
    send(&server, "/v1/batch", json!({ "batch": messages })).expect(200);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();

    let meanwhile = std::thread::scope(|scope| {
        let asking = scope.spawn(|| asked(&server, "SUPPRESS_WITH_DELETE", &ids));
        let mut written = 0;
        while !asking.is_finished() {
            send(&server, "/v1/track", track("bob", "still here")).expect(200);
            written += 1;
        }
        let id = asking.join().expect("an answer");
        assert_eq!(status(&server, &id), "RUNNING");
        written
    });
    // In one write there would be those that came before it, and one that waited for it.
    assert!(meanwhile >= 20, "{meanwhile} writes");
    assert!(ids.iter().all(|id| find(&server, id).is_none()), "all are erased");
    assert_eq!(subjects(&server).len(), 2_000);
}

/// Nobody waits for the answer any more.
#[test]
fn a_request_that_is_given_up_is_carried_out_to_its_end() {
    use std::io::Write;

    let server = Server::start();
    let ids: Vec<String> = (0..500).map(|n| format!("user {n}")).collect();
    let body =
        json!({ "regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ids }).to_string();
    let key = &server.project().all;
    let mut stream = std::net::TcpStream::connect(server.addr).expect("a connection");
    let head =
        format!("POST /regulations HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\n", server.addr);
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("a request");
    // Some of it is done by then, and not all.
    crate::process::wait_until("begun", || (count(&server, "suppressions") > 0).then_some(()));
    drop(stream);
    let listed = || list(&server, key, "1")["regulations"].as_array().map_or(0, Vec::len);
    crate::process::wait_until("done", || (listed() == 1).then_some(()));
    assert_eq!(count(&server, "suppressions"), 500);
    assert_eq!(subjects(&server).len(), 500);
}

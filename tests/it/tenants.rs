//! What one project sees stays inside it: of two equal projects, one beside a busy neighbour and
//! one alone, every answer is the same.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR};
use usher::erasure::jobs;
use usher::proof::check::check_one;
use usher::worker;

use crate::admin::backups::pack;
use crate::common::house::House;
use crate::harness::{Request, START, Server, TestProject, named};

const ANN: &str = "ann@example.com";

/// A project's answers, one a call, with what names it or a person of it put aside.
struct Side {
    server: Server,
    project: TestProject,
    neighbour: Option<TestProject>,
    answers: Vec<String>,
}

impl Side {
    fn alone() -> Side {
        let server = Server::start();
        let project = server.project().clone();
        Side { server, project, neighbour: None, answers: Vec::new() }
    }

    /// The second project: the first was there before.
    fn beside_another() -> Side {
        let server = Server::start();
        let (first, second) = (server.project().clone(), server.second());
        Side { server, project: second, neighbour: Some(first), answers: Vec::new() }
    }

    /// The neighbour's life goes on: people who name ours, erasures, jobs that wait and are withdrawn.
    fn meanwhile(&self, round: usize) {
        let Some(TestProject { id, all, .. }) = self.neighbour.clone() else { return };
        for n in 0..20 {
            let (name, message) = (format!("neighbour-{round}-{n}"), format!("{round}-{n}"));
            let track = json!({"userId": name, "event": "Wrote", "messageId": message, "properties": {
                "to": ANN, "and": "bob-who-is-erased", "text": format!("of {ANN}")
            }});
            self.server.post("/v1/track").bearer(&all).json(track).send().expect(200);
        }
        for n in 0..4 {
            let path = format!("/v1/users/neighbour-{round}-{n}?hardDelete=true");
            self.server.delete(&path).header("X-APTRINSIC-API-KEY", &all).send().expect(200);
        }
        let name = named(&format!("neighbour-{round}-9"));
        self.server.write(move |tx| {
            let job = jobs::schedule(tx, id, &name)?;
            jobs::cancel(tx, Some(id), job.id)
        });
    }

    fn call(&mut self, method: &str, path: &str, how: How, body: Option<Value>) -> Value {
        let path = path.replace("{key}", &self.project.key);
        let request = how.with_key(self.server.request(method, &path), &self.project.all);
        let reply = match body {
            Some(body) => request.json(body).send(),
            None => request.send(),
        };
        let named = ["usher-receipt", "usher-left-out", "retry-after", "content-type", "etag", "location"];
        let headers: Vec<_> = named.iter().filter_map(|name| reply.header(name)).collect();
        let said = format!("{} {headers:?} {}", reply.status, reply.text);
        let answer = self.put_aside(&format!("{method} {path}: {said}"));
        self.answers.push(answer);
        serde_json::from_str(&reply.text).unwrap_or(Value::Null)
    }

    /// Names that are drawn say nothing; they differ from one installation to the next.
    fn put_aside(&self, text: &str) -> String {
        let TestProject { id, key, token, .. } = &self.project;
        let text = text
            .replace(key.as_str(), "KEY")
            .replace(token.as_str(), "TOKEN")
            .replace(&format!("\"projectId\":{id},"), "\"projectId\":ID,")
            .replace(&format!("\"projectId\":{id}}}"), "\"projectId\":ID}")
            .replace("project 2", "default");
        // Vemetric's project; a job's number is no name.
        let text = match text.contains("\"excludedIps\"") {
            true => text.replace(&format!("\"id\":\"{id}\""), "\"id\":\"ID\""),
            false => text,
        };
        // A cursor has ids in it.
        let text = match text.split_once("\"scrollId\":\"") {
            Some((before, after)) => {
                format!("{before}\"scrollId\":\"#{}", &after[after.find('"').unwrap_or(0)..])
            }
            None => text,
        };
        let mut out = String::new();
        let mut run = String::new();
        for letter in text.chars().chain([' ']) {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                run.push(letter);
                continue;
            }
            // Ids, digests, tokens: time and chance.
            let drawn =
                run.len() >= 16 && run.bytes().any(|byte| byte.is_ascii_digit()) || out.ends_with("erased:");
            let is_uuid = run.len() >= 4 && letter == '-' || out.ends_with('-');
            let hex = run.bytes().all(|byte| byte.is_ascii_hexdigit());
            match drawn
                || run.starts_with("u_")
                || is_uuid && hex && run.len() >= 4 && !run.starts_with("2026")
            {
                true => out.push('#'),
                false => out.push_str(&run),
            }
            run.clear();
            out.push(letter);
        }
        out
    }

    /// All that a project's key can ask, with the neighbour at work in between.
    fn live(&mut self) {
        self.meanwhile(1);
        let identify = |name: &str, email: &str| json!({"type": "identify", "userId": name, "traits": {"email": email, "plan": "gold"}, "messageId": format!("i{name}")});
        let track = |name: &str, n: usize| json!({"type": "track", "userId": name, "event": "Read", "messageId": format!("{name}{n}"), "properties": {"n": n, "friend": "ANN@Example.com"}, "context": {"sessionId": "s1"}});
        let batch = json!({"batch": [
            identify("ann@example.com", "Ann@Example.com"), identify("bob-who-is-erased", "bob@example.org"),
            identify("cat", "cat@example.org"), track("cat", 1), track("cat", 2), track("bob-who-is-erased", 1),
            track(ANN, 1), {"type": "track", "userId": 7.5, "event": ""}
        ]});
        self.call("POST", "/v1/batch", How::Bearer, Some(batch));
        self.meanwhile(2);
        let activity = json!({"activity": [{"userId": "dan", "type": "error", "name": "Oops", "messageId": "e1", "data": {"of": "ANN@Example.com, ann@example.com"}}]});
        self.call("POST", "/api/activity", How::Bearer, Some(activity));
        self.call("POST", "/users", How::Alloy, Some(json!({"username": "eve", "fullName": "Eve"})));
        self.call("POST", "/users", How::Bearer, Some(json!({"external_id": "fay", "name": "Fay"})));
        self.reads();
        self.meanwhile(3);
        for path in ["/v1/users/bob-who-is-erased?hardDelete=true", "/v1/users/eve", "/v1/users/nobody"] {
            self.call("DELETE", path, How::Px, None);
        }
        self.call("DELETE", "/api/v1/{key}/users/ann@example.com", How::Plain, None);
        self.call("DELETE", "/v2/api/public/{key}/users/cat", How::Bearer, None);
        self.meanwhile(4);
        self.server.tick();
        self.reads();
        self.server.clock.advance(HOUR);
        // It comes after the deletion was asked for.
        self.call(
            "POST",
            "/v1/track",
            How::Bearer,
            Some(json!({"userId": ANN, "event": "Late", "messageId": "late"})),
        );
        self.server.clock.advance(DAY);
        self.meanwhile(5);
        self.server.tick();
        self.reads();
        self.call("POST", "/regulations", How::Bearer, Some(json!({"regulationType": "SUPPRESS_WITH_DELETE", "subjectType": "USER_ID", "subjectIds": ["fay"]})));
        self.server.tick();
        self.reads();
    }

    fn reads(&mut self) {
        for path in ["/api/v1/projects", "/api/v1/projects/{key}", "/api/v1/{key}/jobs"] {
            self.call("GET", path, How::Plain, None);
        }
        for n in 0..6 {
            self.call("GET", &format!("/api/v1/{{key}}/jobs/{n}"), How::Plain, None);
            self.call("GET", &format!("/v2/api/public/{{key}}/jobs/{n}"), How::Bearer, None);
            self.call("GET", &format!("/api/jobs/{n}"), How::Bearer, None);
            self.call("GET", &format!("/api/receipts/{n}"), How::Bearer, None);
        }
        for path in ["projects", "projects/{key}", "{key}/users/cat", "{key}/jobs"] {
            self.call("GET", &format!("/v2/api/public/{path}"), How::Bearer, None);
        }
        self.call("POST", "/v2/api/public/{key}/users", How::Bearer, Some(json!({})));
        for name in ["cat", "dan", ANN] {
            self.call("GET", &format!("/api/v1/{{key}}/users/{name}"), How::Plain, None);
            self.call("GET", &format!("/api/v1/{{key}}/users/{name}/sessions"), How::Plain, None);
            self.call("GET", &format!("/v1/users/single?identifier={name}"), How::Bearer, None);
            self.call("GET", &format!("/v1/users/{name}"), How::Px, None);
            self.call("GET", &format!("/v1/users/denylist/{name}"), How::Px, None);
        }
        self.call("POST", "/v1/users", How::Bearer, Some(json!({})));
        self.call("POST", "/v1/users/events", How::Bearer, Some(json!({"identifier": "cat"})));
        self.call("GET", "/v1/project", How::Bearer, None);
        for path in ["/v1/users", "/v1/events/custom", "/v1/events/identify", "/v1/accounts", "/v1/feature"] {
            self.call("GET", path, How::Px, None);
        }
        self.call("GET", "/v1/admin/model/user/attributes", How::Px, None);
        self.call("GET", "/users", How::Alloy, None);
        for path in
            ["/users", "/api/repairs", "/api/projects/{key}", "/api/backups", "/regulations", "/suppressions"]
        {
            self.call("GET", path, How::Bearer, None);
        }
    }
}

/// Where the key stands.
#[derive(Clone, Copy)]
enum How {
    Bearer,
    Plain,
    Px,
    Alloy,
}

impl How {
    fn with_key<'a>(self, request: Request<'a>, key: &str) -> Request<'a> {
        match self {
            How::Bearer => request.bearer(key),
            How::Plain => request.header("Authorization", key),
            How::Px => request.header("X-APTRINSIC-API-KEY", key),
            How::Alloy => request.bearer(key).header("x-api-version", "2025-09"),
        }
    }
}

#[test]
fn a_busy_neighbour_changes_no_answer_of_a_project() {
    let (mut alone, mut beside) = (Side::alone(), Side::beside_another());
    alone.live();
    beside.live();
    for (one, other) in alone.answers.iter().zip(&beside.answers) {
        assert_eq!(one, other, "alone, and beside a neighbour");
    }
    assert_eq!(alone.answers.len(), beside.answers.len());
    let found = |text: &str| alone.answers.iter().any(|answer| answer.contains(text));
    for there in ["\"jobId\":3", "\"#.#\"", "\"mentions\":2", "\"since\":[{", "\"status\":\"completed\""] {
        assert!(found(there), "the calls came to nothing: no {there}");
    }
}

/// The twin: what the operator sees is of the installation, and does differ.
#[test]
fn the_figures_that_the_organisation_keeps_tell_of_all_projects() {
    let (mut alone, mut beside) = (Side::alone(), Side::beside_another());
    let last = |side: &mut Side| {
        side.live();
        let receipts = side.server.app.receipts();
        let listed = receipts.below(None, 1).remove(0);
        let bytes = listed.file_bytes().expect("a file");
        check_one(&bytes, &side.server.app.signer().public()).expect("a receipt")
    };
    let (one, other) = (last(&mut alone), last(&mut beside));
    assert!(one.place < other.place && one.ledger.seq < other.ledger.seq && one.audit.seq < other.audit.seq);
    assert!(one.scan != other.scan);
}

#[test]
fn jobs_and_receipts_are_numbered_in_their_project() {
    let server = Server::start();
    let (first, second) = (server.project().clone(), server.second());
    let delete = |project: &TestProject, name: &str| {
        let path = format!("/api/v1/{}/users/{name}", project.key);
        let job = server.delete(&path).header("Authorization", &project.all).send().expect(200).json();
        job["data"]["jobId"].as_i64().expect("a number")
    };
    for (project, name) in [(&first, "ann"), (&second, "ann")] {
        let track = json!({"userId": name, "event": "Read", "messageId": "1"});
        server.post("/v1/track").bearer(&project.all).json(track).send().expect(200);
    }
    assert_eq!(
        [delete(&first, "ann"), delete(&first, "x"), delete(&second, "ann"), delete(&first, "y")],
        [1, 2, 1, 3]
    );
    server.clock.advance(DAY);
    server.tick();
    let get = |project: &TestProject, path: &str| server.get(path).bearer(&project.all).send();
    let [one, other] = [&first, &second].map(|project| get(project, "/api/receipts/1").expect(200).json());
    assert_eq!((&one["number"], &other["number"]), (&json!(1), &json!(1)));
    assert_ne!(one["id"], other["id"]);
    assert_ne!(one["project"], other["project"]);
    get(&second, "/api/receipts/2").expect(404);
    get(&second, "/api/jobs/2").expect(404);
    // Each finds its own by its number, and nobody another's by its id.
    let id = one["id"].as_str().expect("an id");
    get(&first, &format!("/api/receipts/{id}")).expect(200);
    get(&second, &format!("/api/receipts/{id}")).expect(404);
}

/// Erases somebody at once. What the receipt says.
fn erase(server: &Server, name: &str) -> Value {
    let all = &server.project().all;
    let path = format!("/v1/users/{name}?hardDelete=true");
    let reply = server.delete(&path).header("X-APTRINSIC-API-KEY", all).send().expect(200);
    let token = reply.header("usher-receipt").expect("a token").to_owned();
    worker::tick(&server.app).expect("a tick");
    let id = token.split_once('.').expect("a point").0;
    server.get(&format!("/api/receipts/{id}")).bearer(all).send().expect(200).json()
}

fn write(server: &Server, by: &str, key: &str, text: &str) {
    let track = json!({"userId": by, "event": "Wrote", "properties": {"text": text}});
    server.post("/v1/track").bearer(key).json(track).send().expect(200);
}

#[test]
fn mentions_are_whole_names_of_any_case_in_the_project_alone() {
    for (text, places) in [
        ("ask ann@example.com or ANN@Example.COM", 2),
        ("ask ann%40example.com", 1),
        ("a line\nann@example.com", 1),
        ("joann@example.com", 0),
        ("ann@example.community", 0),
        ("ann.example.com", 0),
        ("\"ann@example.com\"", 1),
    ] {
        let server = Server::start();
        let second = server.second();
        let all = server.project().all.clone();
        write(&server, ANN, &all, "ann@example.com of herself");
        write(&server, "friend", &all, text);
        write(&server, "stranger", &second.all, "ann@example.com ann@example.com");
        // What was written long before is found, too.
        let server = Server::over(server.stop(), |_| {});
        let all = server.key(Some(server.project().id), "ingest,read,delete");
        write(&server, "somebody", &all, "nothing");
        let receipt = erase(&server, ANN);
        assert_eq!(
            (&receipt["mentions"], &receipt["mentions_of"]),
            (&json!(places), &json!("all rows")),
            "{text}"
        );
    }
}

#[test]
fn what_an_account_did_is_its_own_and_no_mention() {
    let server = Server::start();
    let all = server.project().all.clone();
    write(&server, ANN, &all, "ann@example.com of herself");
    write(&server, "friend", &all, "ann@example.com");
    let request = server.get(&format!("/v1/users/single?identifier={ANN}")).bearer(&all);
    request.send().expect(200);
    let path = format!("/users/{ANN}");
    let reply = server.delete(&path).bearer(&all).header("x-api-version", "2025-09").send().expect(200);
    let token = reply.header("usher-receipt").expect("a token").to_owned();
    server.tick();
    let id = token.split_once('.').expect("a point").0;
    let receipt = server.get(&format!("/api/receipts/{id}")).bearer(&all).send().expect(200).json();
    assert_eq!((&receipt["asked"]["erasure"], &receipt["mentions"]), (&json!("account"), &json!(1)));
}

#[test]
fn what_came_after_the_asking_is_counted_apart() {
    let server = Server::start();
    let project = server.project().clone();
    for n in 0..3 {
        write(&server, ANN, &project.all, &format!("before {n}"));
    }
    let path = format!("/api/v1/{}/users/{ANN}", project.key);
    server.delete(&path).header("Authorization", &project.all).send().expect(200);
    server.clock.advance(HOUR);
    for n in 0..2 {
        write(&server, "friend", &project.all, &format!("another's {n}"));
        write(&server, ANN, &project.all, &format!("after {n}"));
    }
    server.clock.advance(DAY);
    server.tick();
    let get = |path: &str| server.get(path).bearer(&project.all).send().expect(200).json();
    let rows = |list: &Value, kind: &str| {
        let list = list.as_array().expect("a list");
        list.iter().find(|gone| gone["kind"] == kind).map(|gone| gone["rows"].as_i64().expect("a number"))
    };
    let receipt = get("/api/receipts/1");
    assert_eq!((rows(&receipt["counts"], "events"), rows(&receipt["since"], "events")), (Some(3), Some(2)));
    assert_eq!((rows(&receipt["counts"], "users"), rows(&receipt["since"], "users")), (Some(1), None));
    let job = &get("/api/jobs/1")["data"];
    assert_eq!((&job["counts"]["events"], &job["since"]["events"]), (&json!(3), &json!(2)));
    // One that begins at once leaves no time for more.
    assert_eq!(erase(&server, "friend")["since"], json!([]));
}

#[test]
fn only_backups_from_since_the_person_came_are_named() {
    let server = Server::start();
    let all = server.project().all.clone();
    let house = House::new();
    let backup = || pack(&server, &house);
    let names: Vec<String> = (0..3)
        .map(|n| {
            if n == 1 {
                server.clock.advance(1);
                write(&server, ANN, &all, "something");
            }
            server.clock.advance(HOUR);
            backup().file_name().expect("a name").to_string_lossy().into_owned()
        })
        .collect();
    let receipt = erase(&server, ANN);
    let said: Vec<&str> =
        receipt["backups"].as_array().expect("a list").iter().filter_map(|b| b["name"].as_str()).collect();
    assert_eq!(said, names[1..].iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn ids_of_one_instant_do_not_tell_how_many_there_are() {
    let server = Server::start();
    let ids: Vec<i64> = (0..200).map(|n| server.seed(&format!("user {n}")).insert().0).collect();
    assert!(ids.is_sorted_by(|one, next| one < next));
    let mut steps: Vec<i64> = ids.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (1..=1_024).contains(step)), "{steps:?}");
    steps.sort_unstable();
    steps.dedup();
    assert!(steps.len() > 100, "{steps:?}");
}

#[test]
fn an_older_database_gives_no_number_out_again() {
    let server = Server::start();
    let project = server.project().clone();
    let dir = server.path().parent().expect("a folder").to_owned();
    let schedule = |server: &Server, name: &'static str| {
        let id = project.id;
        server.write(move |tx| jobs::schedule(tx, id, &named(name))).number
    };
    assert_eq!(schedule(&server, "ann"), 1);
    let kept = server.stop();
    let old = std::fs::read(dir.join("usher.db")).expect("a database");
    let server = Server::over(kept, |_| {});
    let numbers: Vec<i64> = ["bob", "cat"].iter().map(|name| schedule(&server, name)).collect();
    assert_eq!(numbers, [2, 3]);
    let kept = server.stop();
    std::fs::write(dir.join("usher.db"), &old).expect("an old database");
    let server = Server::on_older(kept, START);
    let known = server.read(|db| usher::store::jobs::list(db, None, None, 10));
    assert_eq!(
        known.iter().map(|job| job.number).collect::<Vec<_>>(),
        [5, 4, 1],
        "both wait again, under new numbers"
    );
    assert_eq!(schedule(&server, "dan"), 6);
    drop(server);
}

/// The twin: without the file, it is the old database alone that counts.
#[test]
fn without_the_numbers_file_an_old_database_goes_on() {
    let server = Server::start();
    let id = server.project().id;
    let dir = server.path().parent().expect("a folder").to_owned();
    let kept = server.stop();
    let old = std::fs::read(dir.join("usher.db")).expect("a database");
    let server = Server::over(kept, |_| {});
    let schedule = |server: &Server, name: &'static str| {
        server
            .write(move |tx| {
                jobs::schedule(tx, id, &named(name)).and_then(|job| jobs::cancel(tx, Some(id), job.id))
            })
            .number
    };
    assert_eq!([schedule(&server, "ann"), schedule(&server, "bob")], [1, 2]);
    let kept = server.stop();
    std::fs::write(dir.join("usher.db"), &old).expect("an old database");
    std::fs::remove_file(dir.join("numbers")).expect("a file");
    let server = Server::on_older(kept, START);
    assert_eq!(schedule(&server, "cat"), 1);
}

#[test]
fn the_search_by_night_waits_for_no_reader() {
    let server = Server::start();
    server.tick();
    write(&server, ANN, &server.project().all, "something");
    erase(&server, ANN);
    server.clock.advance(DAY);
    let needles = || {
        let count = |row: &rusqlite::Row| row.get::<_, i64>(0);
        server.sqlite().query_row("SELECT COUNT(*) FROM needles", [], count).expect("a count")
    };
    assert!(needles() > 0);
    let reader = server.sqlite();
    reader.execute_batch("BEGIN; SELECT * FROM users LIMIT 1").expect("a reader");
    write(&server, "friend", &server.project().all, "more");
    server.tick();
    assert_eq!(needles(), 0);
    reader.execute_batch("ROLLBACK").expect("an end");
}

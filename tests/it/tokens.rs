//! What a deletion hands out for the person, in the header `Usher-Receipt`: it shows that the
//! receipt is theirs, and shows nothing of anybody else's. A row of a table for each
//! deleting call of the APIs.

use std::str::FromStr;

use usher::clock::DAY;
use usher::erasure::receipts::{Person, check};
use usher::model::{JobStatus, TRASH_PERIOD, UserId};
use usher::proof::receipt::{Receipt, Token, is_subject};
use usher::store::jobs;

use crate::harness::{Reply, Request, Server};

/// One user of a test.
struct User {
    name: &'static str,
    id: UserId,
}

/// Where a deleting call goes.
struct Deletion {
    /// As in routes.txt.
    route: &'static str,
    query: &'static str,
    /// Whom a receipt speaks of: the identifier, unless the account is gone already.
    called: fn(&User) -> String,
    /// The user as the path names it.
    named: fn(&User) -> String,
    /// What it answers where there is nobody.
    nobody: u16,
}

fn identifier(user: &User) -> String {
    user.name.to_owned()
}

fn number(user: &User) -> String {
    user.id.to_string()
}

fn hex(user: &User) -> String {
    format!("{:024x}", user.id.0)
}

fn prefixed(user: &User) -> String {
    format!("u_{}", user.id)
}

const PX: &str = "Gainsight DELETE /v1/users/{identifyId}";
const OPENREPLAY: &str = "OpenReplay DELETE /api/v1/{projectKey}/users/{userId}";
const OPENREPLAY_V2: &str = "OpenReplayV2 DELETE /v2/api/public/{projectKey}/users/{userID}";
const CANCEL: &str = "OpenReplay DELETE /api/v1/{projectKey}/jobs/{jobId}";
const ALLOY: &str = "Alloy DELETE /users/{userId}";
const ALLOY_LOGS: &str = "Alloy DELETE /users/{userId}/logs";

const fn to(route: &'static str, named: fn(&User) -> String) -> Deletion {
    Deletion { route, query: "", called: identifier, named, nobody: 404 }
}

const HIDE: Deletion = to(PX, identifier);
const HARD: Deletion = Deletion { query: "?hardDelete=true", ..HIDE };

/// Each deleting call that begins an erasure, or asks for one.
const DELETIONS: &[Deletion] = &[
    HARD,
    // Hidden for 7 days, and gone then.
    HIDE,
    // A job is made for whoever will have the name.
    Deletion { nobody: 200, ..to(OPENREPLAY, identifier) },
    Deletion { nobody: 200, ..to(OPENREPLAY_V2, identifier) },
    to(ALLOY, identifier),
    to(ALLOY, hex),
    to(ALLOY_LOGS, identifier),
    to("Alloy DELETE /{version}/users/{userId}", hex),
    to("Alloy DELETE /{version}/users/{userId}/logs", identifier),
    to("Proficient DELETE /users/{user_id}", prefixed),
];

/// Those of many people at once, or of no deletion, which hand nothing out for a person; and those that
/// are told apart from a row above by where the name stands alone.
const WITHOUT_A_PERSON: &[&str] = &[
    // Of the person in its body: a test of its own, below.
    "Gainsight DELETE /v1/users/delete",
    "Gainsight PUT /v1/users/denylist/{identifyId}",
    "Native DELETE /api/suppressions/{id}",
    "Native DELETE /api/users/{id}/restriction",
    "Native GET /api/holds",
    "Native GET /api/suppressions",
    "Native GET /api/users/{id}/hold",
    "Native GET /api/users/{id}/restriction",
    "Native POST /api/suppressions",
    "Native POST /api/users/{id}/restriction",
    "OpenReplayV2 DELETE /v2/api/public/{projectKey}/jobs/{jobID}",
    "Regulations DELETE /regulations/{regulateId}",
    "Regulations DELETE /v2/regulations/{regulateId}",
    "Regulations GET /suppressions",
    "Regulations POST /regulations",
    "Regulations POST /regulations/cloudsources/{sourceId}",
    "Regulations POST /regulations/sources/{sourceId}",
    "Regulations POST /v2/regulations",
];

/// That which takes a request back.
const OTHERS: &[Deletion] = &[to(CANCEL, identifier)];

impl Deletion {
    fn words(&self) -> [&'static str; 3] {
        let words: Vec<&str> = self.route.split(' ').collect();
        words[..].try_into().expect("whose, method, path")
    }

    fn path(&self, server: &Server, name: &str) -> String {
        let [_, _, pattern] = self.words();
        let fill = |segment: &str| match segment {
            "{version}" => "2023-01".to_owned(),
            "{projectKey}" => server.project().key.clone(),
            place if place.starts_with('{') => name.to_owned(),
            plain => plain.to_owned(),
        };
        let path = pattern.split('/').map(fill).collect::<Vec<String>>().join("/");
        format!("{path}{}", self.query)
    }

    fn request<'a>(&self, server: &'a Server, name: &str, key: &str) -> Request<'a> {
        let [face, method, pattern] = self.words();
        let request = server.request(method, &self.path(server, name));
        match face {
            "Gainsight" => request.header("X-APTRINSIC-API-KEY", key),
            "Alloy" if !pattern.contains("{version}") => {
                request.bearer(key).header("x-api-version", "2025-09")
            }
            _ => request.bearer(key),
        }
    }

    fn ask(&self, server: &Server, user: &User) -> Reply {
        self.request(server, &(self.named)(user), &server.project().all).send()
    }
}

fn token_of(reply: &Reply) -> Option<&str> {
    assert!(reply.all("usher-receipt").count() < 2);
    reply.header("usher-receipt")
}

fn seed(server: &Server, name: &'static str) -> User {
    User { name, id: server.seed(name).events(2).insert() }
}

/// The receipts that the jobs got, in the order in which they were asked for.
fn receipts(server: &Server) -> Vec<Vec<u8>> {
    let mut jobs = server.read(|db| jobs::list(db, None, None, 100));
    jobs.reverse();
    let bytes = |number: Option<i64>| {
        let number = u64::try_from(number.expect("a receipt")).expect("a number");
        server.app.receipts().numbered(number).expect("a receipt").bytes().expect("a file")
    };
    jobs.into_iter()
        .map(|job| {
            assert_eq!(job.status, JobStatus::Completed);
            bytes(job.receipt_no)
        })
        .collect()
}

/// What is wrong with it: the names of the fields.
fn opens(server: &Server, receipt: &[u8], token: &str, identifier: &str) -> Result<Receipt, Vec<String>> {
    let person = Person { token, identifier };
    let checked = check(receipt, &server.app.signer().public(), Some(person));
    checked.map_err(|faults| faults.into_iter().map(|fault| fault.field).collect())
}

/// Whoever was given a token opens the receipt with it; nobody opens another's.
fn check_both(server: &Server, given: &[(String, String)]) {
    server.clock.advance(TRASH_PERIOD);
    server.tick();
    let receipts = receipts(server);
    assert_eq!(receipts.len(), given.len());
    for (n, receipt) in receipts.iter().enumerate() {
        for (m, (token, called)) in given.iter().enumerate() {
            let opened = opens(server, receipt, token, called);
            if n == m {
                let opened = opened.expect("their own");
                let token = Token::from_str(token).expect("a token");
                assert_eq!(token.receipt, opened.id);
                assert!(is_subject(&opened, &token.salt, called));
            } else {
                assert_eq!(opened.expect_err("another's"), ["token"]);
            }
        }
        let (token, called) = &given[n];
        for other in ["ann@example.org", "ben@example.com", "", &called.to_uppercase()] {
            assert_eq!(opens(server, receipt, token, other).expect_err("not theirs"), ["identifier"]);
        }
        // The receipt is named in its file: who knows no more cannot show that it is theirs.
        let (id, salt) = token.split_once('.').expect("a point");
        let others = given[1 - n].0.split_once('.').expect("a point").1;
        for salt in [others, &salt.replace(&salt[..1], if salt.starts_with('0') { "1" } else { "0" })] {
            let forged = format!("{id}.{salt}");
            assert_eq!(opens(server, receipt, &forged, called).expect_err("not theirs"), ["identifier"]);
        }
    }
}

#[test]
fn the_deleting_calls_are_all_in_these_tables() {
    let mut listed: Vec<String> = include_str!("routes.txt")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<&str>>())
        .filter(|words| words.get(3) == Some(&"delete"))
        .map(|words| words[..3].join(" "))
        .collect();
    let mut here: Vec<String> =
        DELETIONS.iter().chain(OTHERS).map(|deletion| deletion.route.to_owned()).collect();
    here.extend(WITHOUT_A_PERSON.iter().map(|route| (*route).to_owned()));
    listed.sort();
    here.sort();
    here.dedup();
    assert_eq!(here, listed);
}

#[test]
fn a_deletion_by_the_name_in_its_body_hands_out_a_token() {
    let server = Server::start();
    seed(&server, "ann@example.com");
    let request = server.delete("/v1/users/delete?hardDelete=true");
    let request = request.header("X-APTRINSIC-API-KEY", &server.project().all);
    let reply = request.json(serde_json::json!({ "identifyId": "ann@example.com" })).send().expect(200);
    assert!(token_of(&reply).is_some());
}

#[test]
fn each_deletions_token_opens_its_own_receipt_alone() {
    for deletion in DELETIONS {
        let server = Server::start();
        let given = ["ann@example.com", "ben@example.org"].map(|name| {
            let user = seed(&server, name);
            let reply = deletion.ask(&server, &user).expect(200);
            let token = token_of(&reply).unwrap_or_else(|| panic!("{} gives no token", deletion.route));
            assert!(!reply.text.contains(token), "{}: it is for the header alone", deletion.route);
            (token.to_owned(), (deletion.called)(&user))
        });
        check_both(&server, &given);
    }
}

/// One registration, two erasures: each has a token and a receipt of its own, and the second
/// is about a bare number, for the name is gone.
#[test]
fn an_account_and_then_its_logs_have_a_token_each() {
    let server = Server::start();
    let ann = seed(&server, "ann@example.com");
    let account = token_of(&to(ALLOY, identifier).ask(&server, &ann).expect(200)).expect("one").to_owned();
    let logs = token_of(&to(ALLOY_LOGS, hex).ask(&server, &ann).expect(200)).expect("one").to_owned();
    server.tick();
    let [first, second] = &receipts(&server)[..] else { panic!("two receipts") };
    opens(&server, first, &account, "ann@example.com").expect("hers");
    opens(&server, second, &logs, &number(&ann)).expect("hers");
    assert_eq!(opens(&server, second, &logs, "ann@example.com").expect_err("no name"), ["identifier"]);
    // Both are hers, and either token shows it.
    opens(&server, first, &logs, "ann@example.com").expect("hers");
    opens(&server, second, &account, &number(&ann)).expect("hers");
    assert_eq!(opens(&server, second, &account, "ann@example.com").expect_err("no name"), ["token"]);
}

/// The receipt that there would have been at the end of the 7 days is another.
#[test]
fn a_hidden_user_who_is_erased_gets_a_token_once_more() {
    for deletion in [HARD, to(OPENREPLAY, identifier)] {
        let server = Server::start();
        let ann = seed(&server, "ann@example.com");
        let first = token_of(&HIDE.ask(&server, &ann).expect(200)).expect("a token").to_owned();
        let second = token_of(&deletion.ask(&server, &ann).expect(200)).expect("a token").to_owned();
        assert_ne!(first, second);
        server.clock.advance(DAY);
        server.tick();
        let receipts = receipts(&server);
        assert_eq!(receipts.len(), 1);
        for token in [second, first] {
            opens(&server, &receipts[0], &token, ann.name).expect("hers, however often it was asked for");
        }
    }
}

#[test]
fn a_user_hidden_twice_has_two_good_tokens() {
    let server = Server::start();
    let ann = seed(&server, "ann@example.com");
    let hide = || token_of(&HIDE.ask(&server, &ann).expect(200)).expect("a token").to_owned();
    let first = hide();
    server.clock.advance(TRASH_PERIOD - 1);
    let back = server.put("/v1/users/ann%40example.com").header("X-APTRINSIC-API-KEY", &server.project().all);
    back.json(serde_json::json!({})).send().expect(204);
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 0);
    let second = hide();
    server.clock.advance(TRASH_PERIOD - 1);
    assert_eq!(server.tick().reaped, 0);
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
    let receipts = receipts(&server);
    for token in [second, first] {
        opens(&server, &receipts[0], &token, ann.name).expect("hers");
    }
}

#[test]
fn a_visitors_anonymous_id_gives_the_users_token() {
    for deletion in [HARD, to(OPENREPLAY, identifier)] {
        let server = Server::start();
        let id = server.seed("ann@example.com").insert();
        let body = r#"{"userId":"ann@example.com","anonymousId":"visitor-of-ann"}"#;
        let identify = server.post("/v1/identify").bearer(&server.project().all);
        identify.body(body, "application/json").send().expect(200);
        let reply = deletion.ask(&server, &User { name: "visitor-of-ann", id }).expect(200);
        let token = token_of(&reply).expect("a token").to_owned();
        server.clock.advance(TRASH_PERIOD);
        server.tick();
        let receipt = &receipts(&server)[0];
        opens(&server, receipt, &token, "ann@example.com").expect("hers");
        assert_eq!(
            opens(&server, receipt, &token, "visitor-of-ann").expect_err("the name comes first"),
            ["identifier"]
        );
    }
}

#[test]
fn what_erases_nobody_gives_no_token() {
    for deletion in DELETIONS.iter().chain(OTHERS) {
        let server = Server::start();
        let ann = seed(&server, "ann@example.com");
        let name = (deletion.named)(&ann);
        let none = |request: Request, status: u16| {
            let reply = request.send().expect(status);
            assert_eq!(token_of(&reply), None, "{}: {status}", deletion.route);
        };
        let all = &server.project().all;
        none(deletion.request(&server, &name, "no-such-key"), 401);
        none(
            deletion.request(&server, &name, &server.key(Some(server.project().id), "read,write,ingest")),
            403,
        );
        let [face, ..] = deletion.words();
        let nobody = User { name: "nobody", id: UserId(ann.id.0 + 1) };
        // A job is looked up by its number.
        let (nobody, status) = match deletion.route {
            CANCEL => ("999".to_owned(), 404),
            _ => ((deletion.named)(&nobody), deletion.nobody),
        };
        none(deletion.request(&server, &nobody, all), status);
        if deletion.route != CANCEL {
            // There, she is nobody; and OpenReplay's v2 knows no project of another key.
            let status = if face == "OpenReplayV2" { 401 } else { 404 };
            none(deletion.request(&server, &name, &server.second().all), status);
        }
        if face == "Gainsight" {
            let path = format!("/v1/users/{name}?hardDelete=maybe");
            none(server.delete(&path).header("X-APTRINSIC-API-KEY", all), 400);
        }
        if face == "Alloy" {
            let unknown = server.delete(&deletion.path(&server, &name)).bearer(all);
            none(unknown.header("x-api-version", "2024-01"), 400);
        }
        server.tick();
        assert_eq!(server.rows_of(ann.id), 4, "{}: she is whole", deletion.route);
    }
}

#[test]
fn a_cancellation_and_a_second_deletion_give_no_token() {
    let server = Server::start();
    let ann = seed(&server, "ann@example.com");
    let job = to(OPENREPLAY, identifier).ask(&server, &ann).expect(200).json()["data"]["jobId"].to_string();
    let cancelled = OTHERS[0].request(&server, &job, &server.project().all).send().expect(200);
    assert_eq!(token_of(&cancelled), None);
    assert!(token_of(&HIDE.ask(&server, &ann).expect(200)).is_some());
    assert_eq!(token_of(&HIDE.ask(&server, &ann).expect(404)), None, "she is hidden");
    assert!(token_of(&HARD.ask(&server, &ann).expect(200)).is_some());
    for deletion in [HARD, HIDE] {
        assert_eq!(token_of(&deletion.ask(&server, &ann).expect(404)), None, "she is gone");
    }
}

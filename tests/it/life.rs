//! What each operation of each API does to a user in each state of its life: one table,
//! every cell of it tried. The clock stands 7 days after one user was hidden, and 7 days
//! less a millisecond after another was.

use serde_json::json;
use usher::clock::{DAY, MINUTE, Millis};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Erasure, Origin, TRASH_PERIOD, UserId};
use usher::people::late::UNDATED_LATE_PERIOD;
use usher::people::{activity, find};

use crate::harness::{START, Server, encode};

/// Who an operation is tried on.
struct Subject {
    name: &'static str,
    /// As it was before: of nobody, for one that never was.
    id: UserId,
}

const EVENTS: u32 = 5;
const STATES: [&str; 6] = ["unknown", "live", "hidden", "expired", "erasing", "detached"];

/// What is there afterwards under the identifier.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Absent,
    /// Hidden, with all it did.
    Hidden,
    /// The same person, with all it did.
    Same,
    /// The same person, without anything it did.
    Emptied,
    /// Somebody new, with nothing of the past.
    New,
}
use After::{Absent, Emptied, Hidden, New, Same};

/// A server with one user in each state but `unknown`, who was never there.
fn everybody(server: &Server) -> Vec<Subject> {
    server.clock.advance(-8 * DAY);
    let ids = STATES.map(|name| match name {
        "unknown" => UserId(12_345),
        name => server.seed(name).events(EVENTS).insert(),
    });
    let project = server.project().id;
    let act = |name: &'static str, erasure: Erasure| {
        server.write(move |tx| {
            let user = find::get(tx, project, name)?;
            match erasure {
                Erasure::Hide => trash::hide(tx, &user).map(|_| ()),
                kind => erasure::begin(tx, &user, kind, Origin::Request).map(|_| ()),
            }
        });
    };
    act("expired", Erasure::Hide);
    server.clock.advance(1);
    act("hidden", Erasure::Hide);
    act("erasing", Erasure::Everything);
    act("detached", Erasure::Account);
    server.clock.advance(TRASH_PERIOD - 1);
    assert_eq!(server.clock.now(), START - DAY);
    STATES.into_iter().zip(ids).map(|(name, id)| Subject { name, id }).collect()
}

fn after(server: &Server, subject: &Subject) -> After {
    let (project, now) = (server.project().id, server.clock.now());
    let Ok(user) = server.app.read(|db| find::get_hidden_too(db, project, subject.name, now)) else {
        return Absent;
    };
    let events = server.read(|db| activity::timeline(db, &user, 0, now - MINUTE, 1_000, 0)).len();
    let events = u32::try_from(events).expect("a number");
    match (user.id == subject.id, user.is_revivable(now), events) {
        (true, true, EVENTS) => Hidden,
        (true, false, EVENTS) => Same,
        (true, false, 0) => Emptied,
        (false, false, 0) => New,
        other => panic!("{}: {other:?}", subject.name),
    }
}

/// Tries an operation on each state: `expected` has the status and what is there after it.
#[track_caller]
fn try_on_each(operation: impl Fn(&Server, &Subject) -> u16, expected: [(u16, After); 6]) {
    let server = Server::start();
    for (subject, expected) in everybody(&server).iter().zip(expected) {
        let status = operation(&server, subject);
        assert_eq!((status, after(&server, subject)), expected, "on one who is {}", subject.name);
    }
    // Nobody else was touched, and once all work is done nobody has come back.
    server.tick();
    for (subject, expected) in everybody_again(&server).iter().zip(expected) {
        if expected.1 != Same || subject.name != "live" {
            continue;
        }
        assert_eq!(after(&server, subject), Same, "{} after the work", subject.name);
    }
}

fn everybody_again(server: &Server) -> Vec<Subject> {
    let project = server.project().id;
    let find = |name: &'static str| server.app.read(|db| find::get(db, project, name)).ok();
    STATES.iter().filter_map(|name| Some(Subject { name, id: find(name)?.id })).collect()
}

/// The status of a GET that knows nobody is 200 in OpenReplay: told apart by its body.
fn openreplay_get(server: &Server, subject: &Subject) -> u16 {
    let path = format!("/api/v1/{}/users/{}", server.project().key, subject.name);
    let reply = server.get(&path).bearer(&server.project().all).send().expect(200);
    if reply.json()["data"].is_null() { 404 } else { 200 }
}

fn segment(server: &Server, path: &str, body: serde_json::Value) -> u16 {
    server.post(path).bearer(&server.project().all).json(body).send().status
}

fn px(server: &Server, method: &str, path: &str, body: Option<serde_json::Value>) -> u16 {
    let request = server.request(method, path).header("X-APTRINSIC-API-KEY", &server.project().all);
    match body {
        Some(body) => request.json(body).send().status,
        None => request.send().status,
    }
}

fn alloy(server: &Server, method: &str, path: &str, body: Option<serde_json::Value>) -> u16 {
    let request =
        server.request(method, path).bearer(&server.project().all).header("x-api-version", "2025-09");
    match body {
        Some(body) => request.json(body).send().status,
        None => request.send().status,
    }
}

fn proficient(server: &Server, method: &str, path: &str, body: Option<serde_json::Value>) -> u16 {
    let request = server.request(method, path).bearer(&server.project().all);
    match body {
        Some(body) => request.json(body).send().status,
        None => request.send().status,
    }
}

fn alloy_id(subject: &Subject) -> String {
    format!("{:024x}", subject.id.0)
}

const NOTHING: [After; 6] = [Absent, Same, Hidden, Absent, Absent, Absent];

/// Statuses of an operation that changes nobody.
fn unchanged(statuses: [u16; 6]) -> [(u16, After); 6] {
    let mut expected = [(0, Absent); 6];
    for (n, cell) in expected.iter_mut().enumerate() {
        *cell = (statuses[n], NOTHING[n]);
    }
    expected
}

const LIVE_ONLY: [u16; 6] = [404, 200, 404, 404, 404, 404];

#[test]
fn openreplay_reads_the_live_alone() {
    try_on_each(openreplay_get, unchanged(LIVE_ONLY));
}

#[test]
fn vemetric_reads_the_live_alone_by_identifier_and_by_id() {
    let read = |server: &Server, query: String| {
        server.get(&format!("/v1/users/single?{query}")).bearer(&server.project().all).send().status
    };
    try_on_each(|server, subject| read(server, format!("identifier={}", subject.name)), unchanged(LIVE_ONLY));
    try_on_each(|server, subject| read(server, format!("id={}", subject.id)), unchanged(LIVE_ONLY));
}

#[test]
fn px_reads_the_live_alone() {
    let get =
        |server: &Server, subject: &Subject| px(server, "GET", &format!("/v1/users/{}", subject.name), None);
    try_on_each(get, unchanged(LIVE_ONLY));
}

#[test]
fn alloy_reads_the_live_alone_by_name_and_by_id() {
    try_on_each(|server, s| alloy(server, "GET", &format!("/users/{}", s.name), None), unchanged(LIVE_ONLY));
    try_on_each(
        |server, s| alloy(server, "GET", &format!("/users/{}", alloy_id(s)), None),
        unchanged(LIVE_ONLY),
    );
}

#[test]
fn proficient_reads_the_live_alone() {
    let get = |server: &Server, s: &Subject| proficient(server, "GET", &format!("/users/u_{}", s.id), None);
    try_on_each(get, unchanged(LIVE_ONLY));
}

#[test]
fn hidden_users_are_in_no_list() {
    let server = Server::start();
    everybody(&server);
    let key = server.project().all.clone();
    let lists = [
        server.post("/v1/users").bearer(&key).json(json!({ "dateRange": "1year" })).send(),
        server.get("/v1/users").header("X-APTRINSIC-API-KEY", &key).send(),
        server.get("/users").bearer(&key).header("x-api-version", "2025-09").send(),
        server.get("/users").bearer(&key).send(),
    ];
    for reply in lists {
        let text = reply.expect(200).text;
        assert!(text.contains("live"), "{text}");
        for name in ["hidden", "expired", "erasing", "detached"] {
            assert!(!text.contains(&format!("\"{name}\"")), "{name} is listed: {text}");
        }
    }
}

/// Says who a user is: creates, updates, revives.
const IDENTIFIES: [(u16, After); 6] =
    [(200, New), (200, Same), (200, Same), (200, New), (200, New), (200, New)];
/// The same with a credential that everybody has: it brings nobody out of the trash.
const IDENTIFIES_IN_PUBLIC: [(u16, After); 6] =
    [(200, New), (200, Same), (200, Hidden), (200, New), (200, New), (200, New)];
/// Says what a user did since it was erased, if it was: creates, revives nobody.
const TRACKS: [(u16, After); 6] =
    [(200, New), (200, Same), (200, Hidden), (200, New), (200, New), (200, New)];
/// Says what a user did and not when: who was erased stays out.
const TRACKS_UNDATED: [(u16, After); 6] =
    [(200, New), (200, Same), (200, Hidden), (200, Absent), (200, Absent), (200, Absent)];

/// A time after the erasure of each. That of who is expired was a moment ago.
fn since(server: &Server, subject: &Subject) -> Millis {
    if subject.name == "expired" {
        server.clock.advance(1);
    }
    server.clock.now()
}

/// Tries what says nothing of when it was on who was erased, before 30 days are over and after.
#[track_caller]
fn try_for_30_days(operation: impl Fn(&Server, &Subject) -> u16, status: u16) {
    let server = Server::start();
    let mut erased: Vec<(Millis, Subject)> = everybody(&server)
        .into_iter()
        .filter_map(|subject| match subject.name {
            "erasing" | "detached" => Some((START - 8 * DAY + 1, subject)),
            "expired" => Some((START - DAY, subject)),
            _ => None,
        })
        .collect();
    erased.sort_by_key(|(at, _)| *at);
    for (at, subject) in &erased {
        for (passed, expected) in [(UNDATED_LATE_PERIOD - 1, Absent), (UNDATED_LATE_PERIOD, New)] {
            // Two were erased in the same millisecond.
            server.clock.advance(at + passed - server.clock.now());
            let status_and_after = (operation(&server, subject), after(&server, subject));
            assert_eq!(status_and_after, (status, expected), "{} {passed} ms after", subject.name);
        }
    }
}

#[test]
fn segment_identify_revives() {
    let identify = |server: &Server, s: &Subject| {
        segment(server, "/v1/identify", json!({ "userId": s.name, "traits": { "plan": "team" } }))
    };
    try_on_each(identify, IDENTIFIES);
}

#[test]
fn segment_events_revive_nobody() {
    for (path, field) in [("/v1/track", "event"), ("/v1/page", "name"), ("/v1/screen", "name")] {
        let undated = |server: &Server, s: &Subject| {
            segment(server, path, json!({ "userId": s.name, field: "Going On" }))
        };
        let dated = |server: &Server, s: &Subject| {
            let body = json!({ "userId": s.name, field: "Going On", "timestamp": since(server, s) });
            segment(server, path, body)
        };
        try_on_each(undated, TRACKS_UNDATED);
        try_on_each(dated, TRACKS);
        try_for_30_days(undated, 200);
    }
}

/// What a client of Vemetric's sends as its token: the project's own, or a plain key.
fn token(server: &Server, is_public: bool) -> String {
    match is_public {
        true => server.project().token.clone(),
        false => server.key(Some(server.project().id), "ingest"),
    }
}

/// A server's client may have a plain key for its token, which restores; the project's own token
/// is in every page, and restores nobody.
#[test]
fn vemetric_i_and_u_revive_with_a_key_that_is_not_public() {
    for (is_public, expected) in [(true, IDENTIFIES_IN_PUBLIC), (false, IDENTIFIES)] {
        for (path, field) in [("/u", "userIdentifier"), ("/i", "identifier")] {
            let send = |server: &Server, s: &Subject| {
                let request = server.post(path).header("Token", &token(server, is_public));
                request.json(json!({ field: s.name })).send().status
            };
            try_on_each(send, expected);
        }
    }
}

#[test]
fn vemetric_e_revives_nobody() {
    for is_public in [true, false] {
        let send = |server: &Server, s: &Subject| {
            let body = json!({ "userIdentifier": s.name, "name": "Going On" });
            server.post("/e").header("Token", &token(server, is_public)).json(body).send().status
        };
        // It never says when.
        try_on_each(send, TRACKS_UNDATED);
        try_for_30_days(send, 200);
    }
}

#[test]
fn an_activity_of_our_own_api_revives_nobody() {
    let undated = |server: &Server, s: &Subject| {
        let activity = json!([{ "type": "interaction", "userId": s.name, "name": "Asked" }]);
        segment(server, "/api/activity", json!({ "activity": activity }))
    };
    let dated = |server: &Server, s: &Subject| {
        let at = since(server, s);
        let activity = json!([{ "type": "interaction", "userId": s.name, "name": "Asked", "at": at }]);
        segment(server, "/api/activity", json!({ "activity": activity }))
    };
    try_on_each(undated, TRACKS_UNDATED);
    try_on_each(dated, TRACKS);
    try_for_30_days(undated, 200);
}

#[test]
fn px_post_creates_updates_and_revives() {
    let post = |server: &Server, s: &Subject| {
        px(server, "POST", "/v1/users", Some(json!({ "identifyId": s.name, "firstName": "A" })))
    };
    try_on_each(post, IDENTIFIES.map(|(_, after)| (201, after)));
}

#[test]
fn px_put_updates_and_revives_but_creates_nobody() {
    let put = |server: &Server, s: &Subject| {
        px(server, "PUT", &format!("/v1/users/{}", s.name), Some(json!({ "firstName": "A" })))
    };
    let gone = (404, Absent);
    try_on_each(put, [gone, (204, Same), (204, Same), gone, gone, gone]);
}

#[test]
fn px_delete_hides_the_live() {
    let delete = |server: &Server, s: &Subject| px(server, "DELETE", &format!("/v1/users/{}", s.name), None);
    let gone = (404, Absent);
    try_on_each(delete, [gone, (200, Hidden), (404, Hidden), gone, gone, gone]);
}

#[test]
fn px_hard_delete_takes_the_live_and_the_hidden() {
    let delete = |server: &Server, s: &Subject| {
        px(server, "DELETE", &format!("/v1/users/{}?hardDelete=true", s.name), None)
    };
    let gone = (404, Absent);
    try_on_each(delete, [gone, (200, Absent), (200, Absent), gone, gone, gone]);
}

#[test]
fn px_events_revive_nobody() {
    let undated = |server: &Server, s: &Subject| {
        let body = json!({ "identifyId": s.name, "eventName": "Going On", "attributes": {} });
        px(server, "POST", "/v1/events/custom", Some(body))
    };
    let dated = |server: &Server, s: &Subject| {
        let body = json!({ "identifyId": s.name, "eventName": "Going On", "date": since(server, s) });
        px(server, "POST", "/v1/events/custom", Some(body))
    };
    try_on_each(undated, TRACKS_UNDATED.map(|(_, after)| (201, after)));
    try_on_each(dated, TRACKS.map(|(_, after)| (201, after)));
    try_for_30_days(undated, 201);
}

#[test]
fn alloy_post_creates_and_revives_but_takes_no_name_twice() {
    let post =
        |server: &Server, s: &Subject| alloy(server, "POST", "/users", Some(json!({ "username": s.name })));
    try_on_each(post, [(200, New), (409, Same), (200, Same), (200, New), (200, New), (200, New)]);
}

#[test]
fn alloy_put_and_delete_know_the_live_alone() {
    let put = |server: &Server, s: &Subject| {
        alloy(server, "PUT", &format!("/users/{}", s.name), Some(json!({ "fullName": "A B" })))
    };
    try_on_each(put, unchanged(LIVE_ONLY));
    let by_name = |server: &Server, s: &Subject| alloy(server, "DELETE", &format!("/users/{}", s.name), None);
    let by_id =
        |server: &Server, s: &Subject| alloy(server, "DELETE", &format!("/users/{}", alloy_id(s)), None);
    let gone = (404, Absent);
    try_on_each(by_name, [gone, (200, Absent), (404, Hidden), gone, gone, gone]);
    try_on_each(by_id, [gone, (200, Absent), (404, Hidden), gone, gone, gone]);
}

#[test]
fn alloy_deletes_logs_with_and_without_an_account() {
    let by_name =
        |server: &Server, s: &Subject| alloy(server, "DELETE", &format!("/users/{}/logs", s.name), None);
    let by_id =
        |server: &Server, s: &Subject| alloy(server, "DELETE", &format!("/users/{}/logs", alloy_id(s)), None);
    let gone = (404, Absent);
    try_on_each(by_name, [gone, (200, Emptied), (404, Hidden), gone, gone, gone]);
    try_on_each(by_id, [gone, (200, Emptied), (404, Hidden), gone, gone, (200, Absent)]);
}

#[test]
fn proficient_post_creates_and_revives() {
    let create = |server: &Server, s: &Subject| {
        proficient(server, "POST", "/users", Some(json!({ "external_id": s.name })))
    };
    try_on_each(create, [(200, New), (409, Same), (200, Same), (200, New), (200, New), (200, New)]);
    let update = |server: &Server, s: &Subject| {
        proficient(server, "POST", &format!("/users/u_{}", s.id), Some(json!({ "first_name": "A" })))
    };
    let gone = (404, Absent);
    try_on_each(update, [gone, (200, Same), (200, Same), gone, gone, gone]);
}

#[test]
fn proficient_delete_takes_the_live_and_the_hidden() {
    let delete =
        |server: &Server, s: &Subject| proficient(server, "DELETE", &format!("/users/u_{}", s.id), None);
    let gone = (404, Absent);
    try_on_each(delete, [gone, (200, Absent), (200, Absent), gone, gone, gone]);
}

#[test]
fn an_openreplay_job_erases_who_has_the_name_when_due() {
    let server = Server::start();
    let subjects = everybody(&server);
    for subject in &subjects {
        let path = format!("/api/v1/{}/users/{}", server.project().key, subject.name);
        let reply = server.delete(&path).bearer(&server.project().all).send().expect(200);
        assert_eq!(reply.json()["data"]["status"], "scheduled");
    }
    for (subject, expected) in subjects.iter().zip(NOTHING) {
        assert_eq!(after(&server, subject), expected, "{} before midnight", subject.name);
    }
    server.clock.advance(DAY);
    server.tick();
    for subject in &subjects {
        assert_eq!(after(&server, subject), Absent, "{} after midnight", subject.name);
        assert_eq!(
            server.rows_of(subject.id),
            if subject.name == "detached" { 7 } else { 0 },
            "{}",
            subject.name
        );
    }
}

#[test]
fn restoring_is_for_the_hidden() {
    let restore = |server: &Server, s: &Subject| {
        let id = s.id;
        let restored = server.app.write_blocking(move |tx| trash::restore(tx, id));
        if restored.is_ok() { 200 } else { 404 }
    };
    let gone = (404, Absent);
    try_on_each(restore, [gone, (404, Same), (200, Same), gone, gone, gone]);
}

#[test]
fn a_revived_user_has_its_events_its_profile_and_its_id() {
    let server = Server::start();
    let user = server.seed("ann@example.com").email("ann@example.com").events(3).insert();
    let key = server.project().all.clone();
    let path = format!("/v1/users/{}", encode("ann@example.com"));
    let before = server.get(&path).header("X-APTRINSIC-API-KEY", &key).send().expect(200).json();
    server.delete(&path).header("X-APTRINSIC-API-KEY", &key).send().expect(200);
    server.clock.advance(TRASH_PERIOD - 1);
    server.tick();
    server.put(&path).header("X-APTRINSIC-API-KEY", &key).json(json!({ "title": "Dr" })).send().expect(204);
    let mut revived = server.get(&path).header("X-APTRINSIC-API-KEY", &key).send().expect(200).json();
    assert_eq!(revived["title"], "Dr");
    for field in ["title", "lastModifiedDate"] {
        revived[field] = before[field].clone();
    }
    assert_eq!(revived, before);
    // Nothing is waiting to take it after all.
    server.clock.advance(30 * DAY);
    server.tick();
    assert_eq!(server.rows_of(user), 1 + 3 + 1);
}

#[test]
fn the_reaper_alone_removes_who_is_due_and_nobody_else() {
    let server = Server::start();
    let ann = server.seed("ann").events(3).insert();
    let ben = server.seed("ben").events(3).insert();
    let key = server.project().all.clone();
    server.delete("/v1/users/ann").header("X-APTRINSIC-API-KEY", &key).send().expect(200);
    server.clock.advance(1);
    server.delete("/v1/users/ben").header("X-APTRINSIC-API-KEY", &key).send().expect(200);
    server.clock.advance(TRASH_PERIOD - 2);
    assert_eq!(server.tick().reaped, 0, "a millisecond too early");
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
    assert_eq!((server.rows_of(ann), server.rows_of(ben)), (0, 5));
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
    assert_eq!(server.rows_of(ben), 0);
}

#[test]
fn the_worker_wakes_by_itself_when_somebody_falls_due() {
    let server = Server::with(|options| options.worker = true);
    let ann = server.seed("ann").events(3).insert();
    let key = server.project().all.clone();
    server.delete("/v1/users/ann").header("X-APTRINSIC-API-KEY", &key).send().expect(200);
    server.clock.advance(TRASH_PERIOD);
    crate::process::wait_until("the reaper", || (server.rows_of(ann) == 0).then_some(()));
}

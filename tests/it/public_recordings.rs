//! Into which sessions public credentials may record, and how a plain key that stands in a page is
//! noticed.

use serde_json::json;
use usher::access::keys;
use usher::clock::DAY;

use crate::harness::{Reply, Server};
use crate::public_credentials::{ingest_key, post, public, public_key};
use crate::segment::count;
use crate::tolerance::times;

/// Opens a session of somebody.
fn open(server: &Server, key: &str, user: &str, session: &str) {
    let page = json!({ "type": "page", "userId": user, "sessionId": session });
    post(server, "/api/activity", key, json!({ "activity": [page] })).expect(200);
}

fn record(server: &Server, key: &str, session: &str) -> Reply {
    let put = server.put(&format!("/api/sessions/{session}/recording")).bearer(key);
    put.body("piece", "application/octet-stream").send().expect(200)
}

fn recorded(server: &Server, session: &str) -> i64 {
    count(
        server,
        &format!("recordings r JOIN sessions s ON s.id = r.session_id WHERE s.external_id = '{session}'"),
    )
}

#[test]
fn a_recording_goes_into_a_session_of_the_same_credential_alone() {
    let server = Server::start();
    let [token, key] = public(&server);
    let plain = ingest_key(&server);
    for (session, opener) in [("of-token", &token), ("of-key", &key), ("of-plain", &plain)] {
        open(&server, opener, session, session);
    }
    let sessions = ["of-token", "of-key", "of-plain", "of-nobody"];
    let told: Vec<Vec<u8>> = sessions.iter().map(|session| record(&server, &token, session).bytes).collect();
    assert!(told.iter().all(|bytes| *bytes == told[0]), "{told:?}");
    assert_eq!(sessions.map(|session| recorded(&server, session)), [1, 0, 0, 0]);
    let again: Vec<Vec<u8>> = sessions.iter().map(|session| record(&server, &key, session).bytes).collect();
    assert!(again.iter().all(|bytes| *bytes == told[0]), "{again:?}");
    assert_eq!(sessions.map(|session| recorded(&server, session)), [1, 1, 0, 0]);
    // A plain key adds to each that there is.
    sessions[..3].iter().for_each(|session| drop(record(&server, &plain, session)));
    assert_eq!(sessions.map(|session| recorded(&server, session)), [2, 2, 1, 0]);
    assert_eq!(times(&server, "dropped", "not public"), 6);
    // The twin: a plain key is told which sessions there are.
    let told = record(&server, &plain, "of-plain").json();
    assert!(told["data"]["sessionId"].is_string(), "{told}");
    let put = server.put("/api/sessions/of-nobody/recording").bearer(&plain);
    put.body("piece", "application/octet-stream").send().expect(404);
}

#[test]
fn a_session_takes_a_public_recording_for_a_day() {
    let server = Server::start();
    let key = server.project().token.clone();
    open(&server, &key, "ann", "s");
    server.clock.advance(DAY - 1);
    record(&server, &key, "s");
    assert_eq!(recorded(&server, "s"), 1);
    server.clock.advance(1);
    record(&server, &key, "s");
    assert_eq!(recorded(&server, "s"), 1, "a day is over");
    record(&server, &ingest_key(&server), "s");
    assert_eq!(recorded(&server, "s"), 2, "a plain key may");
}

/// Pieces in a user's session.
fn recorded_of(server: &Server, user: &str) -> i64 {
    let of = format!("recordings r JOIN users u ON u.id = r.user_id WHERE u.identifier = '{user}'");
    count(server, &of)
}

#[test]
fn a_recording_goes_on_where_it_has_begun() {
    let server = Server::start();
    let [token, key] = public(&server);
    open(&server, &token, "ann", "1772618400");
    record(&server, &token, "1772618400");
    // Somebody else opens a session of the same name, with the same and with another credential.
    open(&server, &token, "eve", "1772618400");
    open(&server, &key, "eva", "1772618400");
    record(&server, &key, "1772618400");
    for opener in [&token, &ingest_key(&server)] {
        let before = recorded_of(&server, "ann");
        let reply = record(&server, &token, "1772618400");
        assert_eq!(reply.json(), json!({ "data": { "accepted": true } }));
        assert_eq!(recorded_of(&server, "ann"), before + 1);
        open(&server, opener, "eve", "1772618400");
    }
    assert_eq!((recorded_of(&server, "eve"), recorded_of(&server, "eva")), (0, 1));
}

#[test]
fn of_two_sessions_that_have_none_neither_is_recorded() {
    let server = Server::start();
    let token = server.project().token.clone();
    open(&server, &token, "ann", "s");
    open(&server, &token, "eve", "s");
    record(&server, &token, "s");
    assert_eq!((recorded(&server, "s"), times(&server, "dropped", "not public")), (0, 1));
    let put = server.put("/api/sessions/s/recording").bearer(&ingest_key(&server));
    put.body("piece", "application/octet-stream").send().expect(409);
}

#[test]
fn a_plain_key_that_comes_from_a_browser_is_flagged() {
    let server = Server::start();
    let (plain, quiet, public) = (ingest_key(&server), ingest_key(&server), public_key(&server));
    let message = json!({ "userId": "ann", "event": "x" });
    for (key, origin) in [(&plain, true), (&quiet, false), (&public, true)] {
        let mut request = server.post("/v1/track").bearer(key).json(message.clone());
        if origin {
            request = request.header("Origin", "https://app.example.com");
        }
        request.send().expect(200);
    }
    let flagged = || {
        let keys = server.read(keys::list);
        keys.iter()
            .filter(|key| key.browser_at.is_some())
            .map(|key| key.hint.clone())
            .collect::<Vec<String>>()
    };
    assert_eq!(flagged(), [] as [&str; 0], "it is counted in memory");
    server.tick();
    assert_eq!(flagged(), [plain[..8].to_owned()]);
    assert_eq!(count(&server, &format!("api_keys WHERE browser_at = {}", server.clock.now())), 1);
}

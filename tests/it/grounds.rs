//! By what right somebody is erased: as whoever asks states it, else not stated; the receipt
//! says it.

use serde_json::json;
use usher::clock::DAY;
use usher::model::TRASH_PERIOD;
use usher::proof::receipt::Receipt;

use crate::harness::{Request, Server};

fn px<'a>(server: &'a Server, name: &str) -> Request<'a> {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all)
}

fn last_receipt(server: &Server) -> Receipt {
    let receipts = server.app.receipts();
    receipts.numbered(receipts.last().number).expect("a receipt").read().expect("a good one").receipt
}

#[test]
fn a_receipt_says_what_was_stated_and_nothing_that_was_not() {
    let server = Server::start();
    for (ground, right) in [
        (None, "not stated"),
        (Some("unstated"), "not stated"),
        (Some("request"), "request of the person (GDPR Art. 17)"),
        (Some("purpose"), "no longer needed for its purpose (GDPR Art. 17(1)(a))"),
        (Some("consent"), "consent withdrawn (GDPR Art. 17(1)(b))"),
        (Some("objection"), "objection of the person (GDPR Art. 17(1)(c))"),
        (Some("unlawful"), "it was unlawful to keep it (GDPR Art. 17(1)(d))"),
        (Some("duty"), "a legal duty to erase (GDPR Art. 17(1)(e))"),
    ] {
        server.seed("ann").events(1).insert();
        let request = px(&server, "ann");
        match ground {
            Some(ground) => request.header("Usher-Ground", ground).send().expect(200),
            None => request.send().expect(200),
        };
        assert_eq!(server.tick().completed, 1);
        assert_eq!(last_receipt(&server).asked.right, right);
    }
}

#[test]
fn an_unknown_legal_basis_is_refused_in_each_apis_words() {
    let server = Server::start();
    let ann = server.seed("ann").events(1).insert();
    let all = &server.project().all;
    let requests = [
        px(&server, "ann"),
        server.delete(&format!("/api/v1/{}/users/ann", server.project().key)).header("Authorization", all),
        server.delete("/users/ann").bearer(all).header("x-api-version", "2025-09"),
        server.delete("/users/ann/logs").bearer(all).header("x-api-version", "2025-09"),
        server.delete(&format!("/users/u_{ann}")).bearer(all),
    ];
    for request in requests {
        let reply = request.header("Usher-Ground", "because").send();
        assert!(matches!(reply.status, 400 | 422), "{}", reply.status);
        assert!(reply.text.contains("must be one of unstated, request"), "{}", reply.text);
    }
    server.clock.advance(DAY);
    server.tick();
    assert_eq!(server.rows_of(ann), 3);
}

#[test]
fn the_legal_basis_is_read_from_both_headers() {
    let server = Server::start();
    for header in ["Usher-Legal-Basis", "Usher-Ground"] {
        server.seed("ann").events(1).insert();
        px(&server, "ann").header(header, "consent").send().expect(200);
        assert_eq!(server.tick().completed, 1);
        assert_eq!(last_receipt(&server).asked.right, "consent withdrawn (GDPR Art. 17(1)(b))");
    }
    server.seed("ann").events(1).insert();
    let both = px(&server, "ann").header("Usher-Legal-Basis", "duty").header("Usher-Ground", "duty");
    both.send().expect(200);
    server.tick();
    assert_eq!(last_receipt(&server).asked.right, "a legal duty to erase (GDPR Art. 17(1)(e))");
}

#[test]
fn a_wrong_or_contradicted_legal_basis_is_refused_by_its_header() {
    let server = Server::start();
    let ann = server.seed("ann").events(1).insert();
    for (header, value) in [("Usher-Legal-Basis", "because"), ("Usher-Ground", "because")] {
        let reply = px(&server, "ann").header(header, value).send();
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert!(reply.text.contains(header), "{}", reply.text);
        assert!(reply.text.contains("must be one of unstated, request"), "{}", reply.text);
    }
    let differ = px(&server, "ann").header("Usher-Legal-Basis", "duty").header("Usher-Ground", "consent");
    let reply = differ.send();
    assert_eq!(reply.status, 400, "{}", reply.text);
    assert!(reply.text.contains("must not differ"), "{}", reply.text);
    server.clock.advance(DAY);
    server.tick();
    assert_eq!(server.rows_of(ann), 3);
}

#[test]
fn a_scheduled_erasure_keeps_what_was_stated_until_its_hour() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    let path = format!("/api/v1/{}/users/ann", server.project().key);
    let request = server.delete(&path).header("Authorization", &server.project().all);
    request.header("Usher-Ground", "consent").send().expect(200);
    let server = Server::over(server.stop(), |_| {});
    server.clock.advance(DAY);
    server.tick();
    assert_eq!(last_receipt(&server).asked.right, "consent withdrawn (GDPR Art. 17(1)(b))");
}

#[test]
fn what_one_request_states_is_not_taken_for_the_next() {
    let server = Server::start();
    for name in ["ann", "ben"] {
        server.seed(name).events(1).insert();
    }
    px(&server, "ann").header("Usher-Ground", "duty").send().expect(200);
    server.tick();
    server
        .post("/v1/track")
        .bearer(&server.project().all)
        .json(json!({"userId": "ben", "event": "x"}))
        .send();
    px(&server, "ben").send().expect(200);
    server.tick();
    assert_eq!(last_receipt(&server).asked.right, "not stated");
}

/// What was stated at the hiding is what the reaper's receipt says, and when it was asked for.
#[test]
fn a_hiding_keeps_what_was_stated_until_the_reaper_comes() {
    let server = Server::start();
    for name in ["ann", "ben"] {
        server.seed(name).events(1).insert();
    }
    let hide = |name: &str| {
        server.delete(&format!("/v1/users/{name}")).header("X-APTRINSIC-API-KEY", &server.project().all)
    };
    let asked_at = server.clock.now();
    hide("ann").header("Usher-Ground", "objection").send().expect(200);
    server.clock.advance(TRASH_PERIOD);
    server.tick();
    let asked = last_receipt(&server).asked;
    assert_eq!(asked.right, "objection of the person (GDPR Art. 17(1)(c))");
    assert_eq!((asked.at, asked.due), (asked_at, asked_at + TRASH_PERIOD));
    assert_eq!(
        audited(&server, "hide"),
        [(true, Some("objection of the person (GDPR Art. 17(1)(c))".to_owned()))]
    );
    // One who came back, and is hidden again without a word, has none; nor has what the reaping
    // request states for another.
    hide("ben").header("Usher-Ground", "consent").send().expect(200);
    let put = server.put("/v1/users/ben").header("X-APTRINSIC-API-KEY", &server.project().all);
    put.json(json!({})).send().expect(204);
    hide("ben").send().expect(200);
    server.clock.advance(TRASH_PERIOD);
    hide("ben").header("Usher-Ground", "duty").send().expect(404);
    server.tick();
    assert_eq!(last_receipt(&server).asked.right, "deleted 7 days before and not taken back");
}

#[test]
fn the_log_says_whose_erasure_was_scheduled_and_by_what_right() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    for name in ["ann", "nobody"] {
        let path = format!("/api/v1/{}/users/{name}", server.project().key);
        let request = server.delete(&path).header("Authorization", &server.project().all);
        request.header("Usher-Ground", "objection").send().expect(200);
    }
    let reason = Some("objection of the person (GDPR Art. 17(1)(c))".to_owned());
    assert_eq!(audited(&server, "schedule erasure"), [(true, reason.clone()), (false, reason)]);
}

/// The rows of an action: whether each names somebody, and why it was done.
fn audited(server: &Server, action: &str) -> Vec<(bool, Option<String>)> {
    let conn = server.sqlite();
    let mut rows = conn
        .prepare("SELECT subject IS NOT NULL, reason FROM audit WHERE action = ?1 ORDER BY seq")
        .expect("a query");
    rows.query_map([action], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect()
}

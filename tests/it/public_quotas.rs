//! How many new people public credentials may make in an hour.

use serde_json::{Value, json};
use usher::clock::{HOUR, SECOND};
use usher::model::Intake;
use usher::projects;
use usher::store::NormalTx;

use crate::harness::Server;
use crate::public_credentials::{ingest_key, post, public_key};
use crate::segment::count;
use crate::tolerance::times;

/// A server that counts new people, with these numbers in place of the usual ones.
fn counting(per_address: Option<u32>, per_hour: Option<u32>) -> Server {
    let server = Server::with(|options| options.rate_limit = Some(1_000_000));
    let project = server.project().id;
    let intake = Intake {
        people_per_address: per_address,
        people_per_hour: per_hour,
        erased_kept_days: Some(3_650),
        ..Intake::default()
    };
    server.write(move |tx: &NormalTx| projects::set_intake(tx, project, &intake));
    server.app.reload_keys().expect("keys");
    server
}

/// New people, in one request.
fn people(server: &Server, key: &str, from: usize, to: usize) -> u16 {
    let messages: Vec<Value> =
        (from..to).map(|n| json!({ "type": "identify", "userId": format!("p{n}") })).collect();
    post(server, "/v1/batch", key, json!({ "batch": messages })).status
}

fn alarms(server: &Server) -> i64 {
    times(server, "repaired", "half the hourly limit for new people")
}

#[test]
fn an_address_makes_1000_people_in_an_hour() {
    let server = counting(None, None);
    let token = server.project().token.clone();
    assert_eq!(people(&server, &token, 0, 1_000), 200);
    assert_eq!(people(&server, &token, 1_000, 1_101), 429, "a tenth more at most");
    assert!((1_000..=1_100).contains(&count(&server, "users")));
}

/// Where the number is known, who stands one below it names a person, and sees whether they were new.
#[test]
fn an_hour_does_not_tell_how_many_it_allows() {
    let server = counting(Some(100), None);
    let token = server.project().token.clone();
    let mut allowed = std::collections::BTreeSet::new();
    for hour in 0..24 {
        let before = count(&server, "users");
        assert_eq!(people(&server, &token, hour * 1_000, hour * 1_000 + 111), 429);
        allowed.insert(count(&server, "users") - before);
        server.clock.advance(HOUR);
    }
    assert!(allowed.iter().all(|made| (100..=110).contains(made)), "{allowed:?}");
    assert!(allowed.len() > 1, "{allowed:?}");
}

#[test]
fn over_it_every_public_write_is_429_for_any_name() {
    let server = counting(Some(3), None);
    server.seed("known").insert();
    let (token, public, plain) = (server.project().token.clone(), public_key(&server), ingest_key(&server));
    assert_eq!(people(&server, &token, 0, 3), 200);
    for key in [&token, &public] {
        for name in ["known", "p0", "unknown"] {
            let message = json!({ "type": "track", "userId": name, "event": "x" });
            let reply = post(&server, "/v1/batch", key, json!({ "batch": [message] })).expect(429);
            assert_eq!(reply.header("retry-after"), Some("3601"));
            post(&server, "/i", key, json!({ "identifier": name })).expect(429);
            post(&server, "/e", key, json!({ "identifier": name, "name": "x" })).expect(429);
            let own = json!({ "activity": [{ "type": "event", "userId": name, "name": "x" }] });
            post(&server, "/api/activity", key, own).expect(429);
        }
    }
    assert_eq!(count(&server, "events"), 0);
    // Plain keys, and other projects, have nothing to do with it.
    assert_eq!(people(&server, &plain, 3, 9), 200);
    assert_eq!(people(&server, &server.second().token, 0, 3), 200);
}

#[test]
fn known_people_do_not_count() {
    let server = counting(Some(3), None);
    let token = server.project().token.clone();
    for _ in 0..5 {
        assert_eq!(people(&server, &token, 0, 2), 200);
    }
    assert_eq!(people(&server, &token, 2, 3), 200);
    assert_eq!(people(&server, &token, 0, 2), 429);
}

#[test]
fn anonymous_visitors_count_too() {
    let server = counting(Some(2), None);
    let token = server.project().token.clone();
    let page = |visitor: &str| post(&server, "/v1/page", &token, json!({ "anonymousId": visitor })).status;
    assert_eq!([page("v"), page("v"), page("w"), page("v")], [200, 200, 200, 429]);
}

#[test]
fn a_whole_project_has_its_number_too() {
    let server = counting(Some(1_000), Some(4));
    let (token, public) = (server.project().token.clone(), public_key(&server));
    assert_eq!(people(&server, &token, 0, 2), 200);
    assert_eq!(people(&server, &public, 2, 4), 200);
    assert_eq!(people(&server, &token, 4, 5), 429);
    assert_eq!(people(&server, &public, 4, 5), 429);
}

#[test]
fn the_next_hour_is_free() {
    let server = counting(Some(2), None);
    let token = server.project().token.clone();
    assert_eq!(people(&server, &token, 0, 2), 200);
    server.clock.advance(HOUR - 1);
    let refused = post(&server, "/v1/track", &token, json!({ "userId": "p0", "event": "x" })).expect(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    server.clock.advance(1);
    assert_eq!(people(&server, &token, 2, 4), 200);
    server.clock.advance(HOUR - 10 * SECOND);
    let refused = post(&server, "/v1/track", &token, json!({ "userId": "p0", "event": "x" })).expect(429);
    assert_eq!(refused.header("retry-after"), Some("11"));
}

#[test]
fn half_of_it_raises_an_alarm_once() {
    for (per_address, per_hour) in [(Some(10), None), (None, Some(10))] {
        let server = counting(per_address, per_hour);
        let token = server.project().token.clone();
        assert_eq!((people(&server, &token, 0, 4), alarms(&server)), (200, 0));
        assert_eq!((people(&server, &token, 4, 5), alarms(&server)), (200, 1));
        assert_eq!((people(&server, &token, 5, 10), alarms(&server)), (200, 1));
        server.clock.advance(HOUR);
        assert_eq!((people(&server, &token, 10, 15), alarms(&server)), (200, 2), "in another hour again");
    }
}

#[test]
fn without_a_rate_limit_there_is_no_quota() {
    let server = Server::start();
    let token = server.project().token.clone();
    assert_eq!(people(&server, &token, 0, 1_001), 200);
    assert_eq!(people(&server, &token, 1_001, 1_002), 200);
    assert_eq!(alarms(&server), 0);
}

/// How many messages of requests with too many new people were refused.
fn refused(server: &Server) -> i64 {
    times(server, "refused", "over the hourly limit for new people")
}

#[test]
fn a_batch_makes_no_more_people_than_are_left() {
    for (per_address, per_hour) in [(Some(5), None), (None, Some(5))] {
        let server = counting(per_address, per_hour);
        let token = server.project().token.clone();
        assert_eq!((people(&server, &token, 0, 3), refused(&server)), (200, 0));
        let messages: Vec<Value> =
            (3..9).map(|n| json!({ "type": "identify", "userId": format!("p{n}") })).collect();
        let reply = post(&server, "/v1/batch", &token, json!({ "batch": messages })).expect(429);
        assert_eq!(reply.header("retry-after"), Some("3601"));
        assert_eq!((count(&server, "users"), refused(&server)), (5, 4), "two were left");
        // The next hour the same is sent again, and nobody is made twice.
        server.clock.advance(HOUR);
        assert_eq!((people(&server, &token, 3, 9), count(&server, "users")), (200, 9));
    }
}

#[test]
fn exactly_as_many_as_are_left_are_made() {
    let server = counting(Some(5), None);
    let token = server.project().token.clone();
    assert_eq!((people(&server, &token, 0, 5), refused(&server)), (200, 0));
    assert_eq!(count(&server, "users"), 5);
}

#[test]
fn behind_one_too_many_nobody_is_taken_known_or_not() {
    let server = counting(Some(2), None);
    server.seed("known").insert();
    let token = server.project().token.clone();
    let track = |n: usize, name: &str| json!({ "type": "track", "userId": name, "event": "x", "messageId": format!("m{n}") });
    let names = ["known", "a", "b", "c", "known", "d"];
    let messages: Vec<Value> = names.iter().enumerate().map(|(n, name)| track(n, name)).collect();
    post(&server, "/v1/batch", &token, json!({ "batch": messages })).expect(429);
    assert_eq!((count(&server, "events"), count(&server, "users"), refused(&server)), (3, 3, 3));
    // Sent again, each message counts once.
    server.clock.advance(HOUR);
    post(&server, "/v1/batch", &token, json!({ "batch": messages })).expect(200);
    assert_eq!((count(&server, "events"), count(&server, "users")), (6, 5));
}

#[test]
fn a_list_of_the_native_api_makes_no_more_either() {
    let server = counting(Some(2), None);
    let token = server.project().token.clone();
    let entry = |n: usize| json!({ "type": "event", "userId": format!("p{n}"), "name": "x" });
    let all: Vec<Value> = (0..5).map(entry).collect();
    let reply = post(&server, "/api/activity", &token, json!({ "activity": all })).expect(429);
    assert_eq!(reply.header("retry-after"), Some("3601"));
    assert_eq!((count(&server, "users"), count(&server, "events"), refused(&server)), (2, 2, 3));
    // The twin: a plain key has no number.
    let plain = ingest_key(&server);
    post(&server, "/api/activity", &plain, json!({ "activity": all })).expect(200);
    assert_eq!(count(&server, "users"), 5);
}

#[test]
fn a_refused_message_uses_up_nothing() {
    let server = counting(Some(2), None);
    let token = server.project().token.clone();
    // Each would make somebody, and is refused for what else is in it.
    let bad: Vec<Value> =
        (0..9).map(|n| json!({ "type": "track", "userId": format!("bad{n}"), "event": {} })).collect();
    post(&server, "/v1/batch", &token, json!({ "batch": bad })).expect(200);
    assert_eq!((people(&server, &token, 0, 2), count(&server, "users")), (200, 2));
}

#[test]
fn requests_at_once_make_no_more_than_are_left() {
    let server = counting(Some(40), None);
    let token = server.project().token.clone();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (server, token) = (&server, &token);
            scope.spawn(move || {
                for n in 0..10 {
                    let from = thread * 100 + n * 2;
                    assert!([200, 429].contains(&people(server, token, from, from + 2)));
                }
            });
        }
    });
    let (made, more) = (count(&server, "users"), people(&server, &token, 5_000, 5_001));
    assert!((40..=44).contains(&made), "a tenth more at most: {made}");
    assert_eq!((more, count(&server, "users")), (429, made));
}

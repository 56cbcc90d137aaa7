//! The forms in which clients write times and ids: what can be understood is taken, never as
//! somebody else's.

use serde_json::{Value, json};
use usher::clock::{Millis, parse_rfc3339};
use usher::model::Intake;
use usher::people::placeholders::USUAL;
use usher::projects;
use usher::store::NormalTx;

use crate::harness::{START, Server};
use crate::merging::holder;
use crate::segment::{count, events, find, names, refused, send, user};
use crate::tolerance::{raw, times};

/// When a page that was sent with this `timestamp` counts as seen, and what the answer names.
fn seen(server: &Server, id: usize, timestamp: Value) -> (Millis, Value) {
    let id = format!("t{id}");
    let page = json!({ "userId": "ann", "messageId": id, "timestamp": timestamp });
    let answer = send(server, "/v1/page", page).expect(200).json();
    let event = events(server, "ann").into_iter().find(|event| event.message_id == id);
    (event.expect("the event").at, answer["repairs"].clone())
}

#[test]
fn every_form_of_a_time_that_clients_send_is_read() {
    let server = Server::start();
    let forms: &[(Value, &str)] = &[
        (json!("2025-07-28T21:43:35Z"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28T23:43:35+02:00"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28T21:43:35.123Z"), "2025-07-28T21:43:35.123Z"),
        (json!("2025-07-28T21:43:35.123456+00:00"), "2025-07-28T21:43:35.123Z"),
        (json!("2025-07-28T21:43:35.12345678Z"), "2025-07-28T21:43:35.123Z"),
        (json!("2025-07-28T21:43:35.123456789Z"), "2025-07-28T21:43:35.123Z"),
        (json!("2025-07-28T21:43:35.1234567"), "2025-07-28T21:43:35.123Z"),
        (json!("2025-07-28T21:43:35"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28 21:43:35"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28"), "2025-07-28T00:00:00Z"),
        (json!("2025-11-16T16:00:27.029:Z"), "2025-11-16T16:00:27.029Z"),
        (json!("1685923200"), "2023-06-05T00:00:00Z"),
        (json!(1_685_923_200), "2023-06-05T00:00:00Z"),
        (json!(1_685_923_200.5), "2023-06-05T00:00:00.500Z"),
        (json!("1685923200000"), "2023-06-05T00:00:00Z"),
        (json!(1_685_923_200_000_i64), "2023-06-05T00:00:00Z"),
        (json!("2025-07-28 21:43:35 +0000 UTC"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28 23:43:35.123456789 +0200 CEST m=+0.5"), "2025-07-28T21:43:35.123Z"),
        (json!("Mon, 28 Jul 2025 21:43:35 GMT"), "2025-07-28T21:43:35Z"),
        (json!("Mon, 28 Jul 2025 23:43:35 +0200"), "2025-07-28T21:43:35Z"),
        (json!("Mon Jul 28 2025 23:43:35 GMT+0200 (Central European Summer Time)"), "2025-07-28T21:43:35Z"),
        (json!("Mon Jul 28 2025 21:43:35 GMT+0000"), "2025-07-28T21:43:35Z"),
        (json!("  2025-07-28T21:43:35Z \n"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28T21:43:35 Z"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28 21:43:35 UTC"), "2025-07-28T21:43:35Z"),
        (json!("2025-07-28 23:43:35 +0200"), "2025-07-28T21:43:35Z"),
        (json!("Mon Jul 28 21:43:35 UTC 2025"), "2025-07-28T21:43:35Z"),
        (json!("Mon Jul 28 21:43:35 GMT 2025"), "2025-07-28T21:43:35Z"),
        (json!("Mon Jul 28 23:43:35 +0200 2025"), "2025-07-28T21:43:35Z"),
        (json!("/Date(1685923200000)/"), "2023-06-05T00:00:00Z"),
        (json!("/Date(1685923200000+0200)/"), "2023-06-05T00:00:00Z"),
        (json!(1_685_923_200_000_500_i64), "2023-06-05T00:00:00.001Z"),
        (json!("1685923200000000"), "2023-06-05T00:00:00Z"),
        (json!(1_685_923_200_000_000_000_i64), "2023-06-05T00:00:00Z"),
        (json!("1685923200250000000"), "2023-06-05T00:00:00.250Z"),
        (json!(1_000_000_000_000_000_i64), "2001-09-09T01:46:40Z"),
        (json!(1_000_000_000_000_000_000_i64), "2001-09-09T01:46:40Z"),
        (json!("2025-07-28T24:00:00Z"), "2025-07-29T00:00:00Z"),
        (json!("2025-12-31T24:00:00.000+02:00"), "2025-12-31T22:00:00Z"),
        (json!("2025-07-28 24:00:00"), "2025-07-29T00:00:00Z"),
        // The last of the seconds would be the year 5138, which is now; the first of the milliseconds.
        (json!(100_000_000_000_i64), "1973-03-03T09:46:40Z"),
        (json!(0), "1970-01-01T00:00:00Z"),
    ];
    for (id, (form, meant)) in forms.iter().enumerate() {
        let found = seen(&server, id, form.clone());
        assert_eq!(found, (parse_rfc3339(meant).expect("a time"), Value::Null), "{form}");
    }
    assert_eq!(seen(&server, 99, json!(99_999_999_999_i64)), (START, Value::Null));
    assert_eq!(times(&server, "repaired", "time unreadable"), 0);
}

#[test]
fn a_time_that_cannot_be_read_costs_itself_alone_and_is_named() {
    let server = Server::start();
    let forms = [
        json!("yesterday"),
        json!("2025-13-01T00:00:00Z"),
        json!("2025-07-28T25:00:00Z"),
        json!("...."),
        json!(true),
        json!({}),
        json!([1]),
        json!(-1),
        json!("-1"),
        json!(253_402_300_800_000_i64),
        // Between the numbers that can be told apart.
        json!(999_999_999_999_999_i64),
        json!(500_000_000_000_000_000_i64),
        json!("9400000000000000000"),
        // What has two meanings, or none.
        json!("11/04/2025"),
        json!("Mon Jul 28 21:43:35 CST 2025"),
        json!("2025-07-28T24:00:01Z"),
        json!("2025-07-28T24:00:00.5Z"),
        json!("2025-07-28T24:01:00Z"),
        json!("/Date(now)/"),
        json!("/Date(1685923200000+2)/"),
        json!("/Date(-1)/"),
        json!("1899-12-31T23:59:59Z"),
    ];
    let named = json!([{ "index": 0, "field": "timestamp", "message": "time unreadable" }]);
    for (id, form) in forms.iter().enumerate() {
        assert_eq!(seen(&server, id, form.clone()), (START, named.clone()), "{form}");
    }
    let huge = r#"{"userId":"bea","event":"x","timestamp":1e400}"#;
    assert_eq!(raw(&server, "/v1/track", huge).expect(200).json()["repairs"], named);
    assert_eq!(times(&server, "repaired", "time unreadable"), forms.len() as i64 + 1);
}

#[test]
fn an_empty_time_is_none_and_is_not_named() {
    let server = Server::start();
    for (id, form) in [json!(""), json!("  "), Value::Null].into_iter().enumerate() {
        assert_eq!(seen(&server, id, form), (START, Value::Null));
    }
    assert_eq!(seen(&server, 9, json!(253_402_300_799_999_i64)), (START, Value::Null), "the last that is");
}

#[test]
fn a_number_is_an_id_by_its_digits() {
    let server = Server::start();
    let long = "7".repeat(256);
    let round = format!("1{}", "0".repeat(255));
    for (number, name) in [
        ("18446744073709551616", "18446744073709551616"),
        ("18446744073709551617", "18446744073709551617"),
        ("1", "1"),
        ("1.0", "1"),
        ("1e0", "1"),
        ("10e-1", "1"),
        ("0.1e1", "1"),
        ("-0", "0"),
        ("0.0e9999999999", "0"),
        ("-5", "-5"),
        ("1E2", "100"),
        ("1e+2", "100"),
        ("120e-1", "12"),
        (&long, &long),
        ("1e255", &round),
    ] {
        let before = find(&server, name).map_or(0, |user| user.event_count);
        let body = format!(r#"{{"userId":{number},"event":"x"}}"#);
        raw(&server, "/v1/track", body).expect(200);
        assert_eq!(find(&server, name).map(|user| user.event_count), Some(before + 1), "{number}");
    }
    assert_eq!(count(&server, "users"), 9, "nobody else is there");
}

#[test]
fn a_number_that_is_no_whole_one_or_too_long_is_refused() {
    let server = Server::start();
    let long = "7".repeat(257);
    let negative = format!("-{}", "7".repeat(256));
    for number in [
        "12.5",
        "5e-324",
        "1e256",
        "1e400",
        "-1e400",
        "1e9999999999",
        "1e99999999999999999999999999",
        "1e-99999999999999999999999999",
        "1e9223372036854775807",
        "1e-9223372036854775808",
        "0.0001e-9223372036854775808",
        "0.0001e9223372036854775807",
        &long,
    ] {
        let body = format!(r#"{{"batch":[{{"type":"track","userId":{number},"event":"x"}}]}}"#);
        let faults = refused(&raw(&server, "/v1/batch", body).expect(200).json());
        let why = "must be a whole number of at most 256 digits, or a string";
        assert_eq!(faults, [(0, "userId".to_owned(), why.to_owned())], "{number}");
        // Another id that can be used names the person.
        let body = format!(r#"{{"userId":{number},"anonymousId":"v","event":"x"}}"#);
        let answer = raw(&server, "/v1/track", body).expect(200).json();
        assert_eq!(answer["repairs"][0]["message"], "unusable id", "{number}");
    }
    let body = format!(r#"{{"userId":{negative},"event":"x"}}"#);
    raw(&server, "/v1/track", body).expect(400);
    assert_eq!(count(&server, "users WHERE identifier IS NOT NULL"), 0);
    assert_eq!(holder(&server, "v").map(|visitor| visitor.event_count), Some(13));
}

#[test]
fn a_number_as_an_anonymous_id_is_its_digits_too() {
    let server = Server::start();
    for number in ["4.0", "4", "4e0"] {
        raw(&server, "/v1/track", format!(r#"{{"anonymousId":{number},"event":"x"}}"#)).expect(200);
    }
    assert_eq!(holder(&server, "4").map(|visitor| visitor.event_count), Some(3));
    assert_eq!(count(&server, "users"), 1);
}

#[test]
fn an_original_timestamp_dates_what_has_no_other() {
    let server = Server::start();
    let body = json!({ "batch": [
        { "type": "track", "userId": "ann", "event": "alone", "originalTimestamp": "2025-01-01T00:00:00Z" },
        { "type": "track", "userId": "ann", "event": "first", "originalTimestamp": "2025-02-01T00:00:00Z",
          "timestamp": "2025-03-01T00:00:00Z", "receivedAt": "2020-01-01T00:00:00Z" },
    ] });
    raw(&server, "/v1/batch", body.to_string()).expect(200);
    let times: Vec<Option<Millis>> = events(&server, "ann").iter().map(|event| Some(event.at)).collect();
    let dates = ["2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"].map(parse_rfc3339);
    assert_eq!(times, dates);
}

/// Strangers whose clients send the same name where they have no id.
fn strangers(server: &Server, junk: &str, n: usize) -> (String, String) {
    let (first, second) = (format!("first {n}"), format!("second {n}"));
    let body = json!({ "batch": [
        { "type": "track", "anonymousId": junk, "event": "Somebody" },
        { "type": "identify", "userId": first, "anonymousId": junk, "traits": { "plan": "a" } },
        { "type": "identify", "userId": second, "anonymousId": junk, "traits": { "plan": "b" } },
    ] });
    raw(server, "/v1/batch", body.to_string()).expect(200);
    (first, second)
}

#[test]
fn a_name_that_stands_for_nobody_merges_nobody() {
    let server = Server::start();
    let odd = ["UNDEFINED", " Null ", "[object Object]", "None", "NaN", "GUEST", "Anonymous"];
    for (n, junk) in USUAL.into_iter().chain(odd).enumerate() {
        for name in <[String; 2]>::from(strangers(&server, junk, n)) {
            assert_eq!(names(&server, &name), [] as [&str; 0], "{junk}");
            assert!(user(&server, &name).profile.attributes.contains_key("plan"), "{junk}");
        }
    }
    let all = USUAL.len() + odd.len();
    assert_eq!(times(&server, "repaired", "placeholder id"), 2 * all as i64);
    // One that is somebody's does merge.
    let (first, _) = strangers(&server, "undefined-1", all);
    assert_eq!(names(&server, &first), ["Somebody"]);
}

#[test]
fn a_user_id_that_stands_for_nobody_leaves_the_other_one() {
    let server = Server::start();
    let body = json!({ "userId": "undefined", "anonymousId": "dev-1", "traits": { "plan": "x" } });
    send(&server, "/v1/identify", body).expect(200);
    assert!(find(&server, "undefined").is_none());
    assert_eq!(
        holder(&server, "dev-1").map(|visitor| visitor.profile.attributes["plan"].clone()),
        Some(json!("x"))
    );
    let zero = r#"{"userId":-0.0,"anonymousId":"dev-1","event":"x"}"#;
    raw(&server, "/v1/track", zero).expect(200);
    assert_eq!((find(&server, "0").is_none(), count(&server, "users")), (true, 1));
}

#[test]
fn an_alias_of_a_name_that_stands_for_nobody_is_refused() {
    let server = Server::start();
    send(&server, "/v1/track", json!({ "anonymousId": "guest", "event": "x" })).expect(200);
    for (name, previous) in [("ann", "guest"), ("undefined", "dev-1")] {
        let body = json!({ "batch": [{ "type": "alias", "userId": name, "previousId": previous }] });
        let faults = refused(&raw(&server, "/v1/batch", body.to_string()).expect(200).json());
        assert_eq!((faults.len(), faults[0].1.as_str()), (1, "previousId"));
    }
    assert!(holder(&server, "guest").is_some_and(|visitor| visitor.identifier.is_none()));
}

#[test]
fn a_project_may_have_names_of_its_own_that_stand_for_nobody() {
    let server = Server::start();
    let project = server.project().id;
    let intake = Intake {
        placeholders: Some(vec!["N/A".into(), " kiosk ".into()]),
        erased_kept_days: Some(3_650),
        ..Intake::default()
    };
    server.write(move |tx: &NormalTx| projects::set_intake(tx, project, &intake));
    for (n, junk) in ["n/a", "KIOSK"].into_iter().enumerate() {
        let (first, _) = strangers(&server, junk, n);
        assert_eq!(names(&server, &first), [] as [&str; 0], "{junk}");
    }
    // Its list is in place of the usual one.
    let (first, second) = strangers(&server, "guest", 9);
    assert_eq!((names(&server, &first).len(), names(&server, &second).len()), (1, 0));
}

#[test]
fn an_id_of_nothing_but_zeros_stands_for_nobody() {
    let zeros = [
        "000000000000",
        "000000000000000",
        "00",
        "{00000000-0000-0000-0000-000000000000}",
        "00:00:00:00:00:00",
    ];
    for zero in zeros {
        let server = Server::start();
        for name in ["ann", "bea"] {
            send(&server, "/v1/identify", json!({ "userId": name, "anonymousId": zero })).expect(200);
        }
        assert_eq!(count(&server, "aliases"), 0, "{zero}");
        assert_eq!(times(&server, "repaired", "placeholder id"), 2, "{zero}");
    }
    // A digit that says something makes it an id.
    for id in ["000000000001", "0a", "----"] {
        let server = Server::start();
        send(&server, "/v1/identify", json!({ "userId": "ann", "anonymousId": id })).expect(200);
        assert_eq!(count(&server, "aliases"), 1, "{id}");
    }
}

#[test]
fn an_event_that_asks_for_a_deletion_deletes_nobody() {
    let server = Server::start();
    for (n, event) in ["User Deleted", "User Suppressed", "User Added"].into_iter().enumerate() {
        let named = json!([{ "index": 0, "field": "event", "message": "deletes nobody" }]);
        let answer =
            send(&server, "/v1/track", json!({ "userId": "ann", "event": event })).expect(200).json();
        assert_eq!(answer["repairs"], if n < 2 { named } else { json!(null) }, "{event}");
    }
    server.tick();
    assert_eq!(names(&server, "ann").len(), 3);
    assert_eq!(times(&server, "repaired", "deletes nobody"), 2);
}

#[test]
fn a_key_with_space_around_it_is_the_key() {
    let server = Server::start();
    let token = server.project().token.clone();
    let basic = |key: &str| format!("Basic {}", data_encoding::BASE64.encode(format!("{key}:").as_bytes()));
    let page = json!({ "userId": "ann" });
    for around in ["\n", "\r\n", " ", "\t"] {
        let key = format!("{token}{around}");
        server.post("/v1/page").header("Authorization", &basic(&key)).json(page.clone()).send().expect(200);
        let body = json!({ "userId": "ann", "writeKey": key });
        server.post("/v1/page").json(body).send().expect(200);
    }
    assert_eq!(names(&server, "ann").len(), 8);
    for wrong in [format!("{token}\u{a0}"), format!("{token}x\n"), "\n".to_owned()] {
        let request = server.post("/v1/page").header("Authorization", &basic(&wrong));
        request.json(page.clone()).send().expect(401);
    }
}

#[test]
fn a_message_of_64_kib_is_stored_found_and_erased_whole() {
    let server = Server::start();
    let [from, to] = ["firstpieceofit", "lastpieceofit"];
    let message = |fill: usize| {
        let text = format!("{from} {} {to}", "x".repeat(fill));
        json!({ "type": "track", "userId": "ann", "event": "Large", "properties": { "p": text } }).to_string()
    };
    let whole = message(64 * 1024 - message(0).len());
    assert_eq!(whole.len(), 64 * 1024);
    raw(&server, "/v1/track", whole.clone()).expect(200);
    raw(&server, "/v1/batch", format!("{{\"batch\":[{}]}}", [whole.as_str(); 7].join(","))).expect(200);
    let all = events(&server, "ann");
    assert_eq!(all.len(), 8);
    for event in &all {
        let text = event.data["p"].as_str().expect("the text");
        assert!(text.starts_with(from) && text.ends_with(to) && text.len() > 64 * 1024 - 200);
    }
    crate::late_bounds::erase(&server, "ann");
    server.tick();
    assert_eq!((count(&server, "users"), count(&server, "events")), (0, 0));
    let dir = server.stop();
    for entry in std::fs::read_dir(dir.path()).expect("the directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        for piece in [from, to, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"] {
            let is_there = bytes.windows(piece.len()).any(|part| part == piece.as_bytes());
            assert!(!is_there, "{} has {piece}", path.display());
        }
    }
}

#[test]
fn who_has_a_name_that_no_path_has_is_reached_by_the_body() {
    let server = Server::start();
    let all = &server.project().all;
    for name in [".", ".."] {
        send(&server, "/v1/identify", json!({ "userId": name })).expect(200);
        let px = |method: &str, path: &str| server.request(method, path).header("X-APTRINSIC-API-KEY", all);
        let body = json!({ "identifyId": name, "firstName": "Dot" });
        px("PUT", "/v1/users/update").json(body).send().expect(204);
        assert_eq!(user(&server, name).profile.first_name.as_deref(), Some("Dot"));
        px("DELETE", "/v1/users/delete").json(json!({ "identifyId": name })).send().expect(200);
        assert!(find(&server, name).is_none(), "{name}");
    }
}

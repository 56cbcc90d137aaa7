//! What a period means, at its boundary values.

use serde_json::{Value, json};
use usher::clock::{Clock, DAY, MINUTE, SECOND, rfc3339};
use usher::erasure;
use usher::model::{Erasure, Origin, ProfileChange};
use usher::people::{find, identify, registration, subject};
use usher::store::NormalTx;

use super::lists::{SPANS, events, post, titles};
use super::{at, did, invalid, list, names, seen, send, user, visit};
use crate::harness::{START, Server, named};

const TIMES: &str = "must be YYYY-MM-DD or a time such as 2026-01-19T12:30:00Z";
const ORDER: &str = "Start date must be before or equal to end date";

/// The vendor's server counts whole columns of its charts, in UTC.
#[test]
fn each_preset_begins_with_a_column_of_the_vendors_chart() {
    let cases = [
        (
            "2026-03-04T10:00:00.000Z",
            [
                "2026-03-04T09:55:30Z",
                "2026-03-04T09:10:00Z",
                "2026-03-03T11:00:00Z",
                "2026-02-26T00:00:00Z",
                "2026-02-03T00:00:00Z",
                "2025-12-15T00:00:00Z",
                "2025-10-01T00:00:00Z",
                "2025-03-01T00:00:00Z",
            ],
        ),
        // The last millisecond of a leap day, and of a column of each.
        (
            "2024-02-29T23:59:59.999Z",
            [
                "2024-02-29T23:55:00Z",
                "2024-02-29T23:00:00Z",
                "2024-02-29T00:00:00Z",
                "2024-02-23T00:00:00Z",
                "2024-01-31T00:00:00Z",
                "2023-12-11T00:00:00Z",
                "2023-09-01T00:00:00Z",
                "2023-02-01T00:00:00Z",
            ],
        ),
        (
            "2026-01-01T00:00:00.000Z",
            [
                "2025-12-31T23:55:30Z",
                "2025-12-31T23:10:00Z",
                "2025-12-31T01:00:00Z",
                "2025-12-26T00:00:00Z",
                "2025-12-03T00:00:00Z",
                "2025-10-13T00:00:00Z",
                "2025-08-01T00:00:00Z",
                "2025-01-01T00:00:00Z",
            ],
        ),
    ];
    let presets = ["live", "1hr", "24hrs", "7days", "30days", "3months", "6months", "1year"];
    for (now, starts) in cases {
        let server = Server::with(|options| options.clock = Clock::manual(at(now)));
        for (preset, start) in presets.into_iter().zip(starts) {
            let list = list(&server, json!({ "dateRange": preset }));
            let expected = json!({ "from": start, "to": rfc3339(at(now)) });
            assert_eq!(list["period"], expected, "{preset} at {now}");
        }
    }
    // Weeks begin on Monday: a millisecond makes a week of difference.
    let server = Server::with(|options| options.clock = Clock::manual(at("2026-03-08T23:59:59.999Z")));
    let from = || list(&server, json!({ "dateRange": "3months" }))["period"]["from"].clone();
    assert_eq!(from(), "2025-12-15T00:00:00Z");
    server.clock.advance(1);
    assert_eq!(from(), "2025-12-22T00:00:00Z");
}

#[test]
fn a_period_begins_with_its_first_millisecond() {
    for preset in ["live", "1hr", "24hrs", "7days", "30days", "3months", "6months", "1year"] {
        let server = Server::start();
        let from = list(&server, json!({ "dateRange": preset }))["period"]["from"].clone();
        let from = at(from.as_str().expect("a time"));
        seen(&server, "in", from);
        seen(&server, "out", from - 1);
        assert_eq!(names(&list(&server, json!({ "dateRange": preset }))), ["in"], "{preset}");
        did(&server, "in", "too early", from - 1);
        let listed = events(&server, "in", json!({ "dateRange": preset }));
        assert_eq!(titles(&listed), ["something"], "{preset}");
    }
}

#[test]
fn a_preset_moves_with_the_clock() {
    let server = Server::start();
    seen(&server, "ann", START);
    let shown = || names(&list(&server, json!({ "dateRange": "live" }))).len();
    server.clock.advance(5 * MINUTE - 1);
    assert_eq!(shown(), 1, "10:04:59.999: from 10:00:00");
    server.clock.advance(1);
    assert_eq!(shown(), 0, "10:05:00: from 10:00:30");
}

#[test]
fn a_period_ends_with_the_last_millisecond_of_its_last_second() {
    let server = Server::start();
    let noon = at("2026-02-10T12:00:00Z");
    for (name, at) in [
        ("before", noon - 1),
        ("first", noon),
        ("last", noon + MINUTE + SECOND - 1),
        ("after", noon + MINUTE + SECOND),
    ] {
        seen(&server, name, at);
    }
    let range = json!(["2026-02-10T12:00:00Z", "2026-02-10T12:01:00Z"]);
    let listed = list(&server, json!({ "dateRange": range }));
    assert_eq!(names(&listed), ["last", "first"]);
    // Shown are the seconds that were asked for.
    assert_eq!(listed["period"], json!({ "from": range[0], "to": range[1] }));
    assert_eq!(listed["users"][0]["lastSeenAt"], "2026-02-10T12:01:00Z");
    // A second is a period, too.
    let second = json!({ "dateRange": ["2026-02-10T12:01:00Z", "2026-02-10T12:01:00Z"] });
    assert_eq!(names(&list(&server, second.clone())), ["last"]);
    for (at, name) in [(noon + MINUTE - 1, "a"), (noon + MINUTE, "b"), (noon + MINUTE + SECOND, "c")] {
        did(&server, "last", name, at);
    }
    assert_eq!(titles(&events(&server, "last", second)), ["something", "b"]);
}

#[test]
fn dates_are_whole_days_and_times_may_have_offsets() {
    let server = Server::start();
    let day = at("2026-02-10T00:00:00Z");
    for (name, at) in [("eve", day - 1), ("first", day), ("last", day + DAY - 1), ("next", day + DAY)] {
        seen(&server, name, at);
    }
    let whole = json!({ "from": "2026-02-10T00:00:00Z", "to": "2026-02-10T23:59:59Z" });
    for range in [
        json!(["2026-02-10", "2026-02-10"]),
        json!(["2026-02-10T00:00:00Z", "2026-02-10"]),
        json!(["2026-02-10", "2026-02-10T23:59:59Z"]),
        json!(["2026-02-10T00:00:00.000Z", "2026-02-10T23:59:59.000Z"]),
        json!(["2026-02-10T00:00:00.999Z", "2026-02-10T23:59:59.001Z"]),
        json!(["2026-02-10T01:00:00+01:00", "2026-02-10T15:59:59-08:00"]),
    ] {
        let listed = list(&server, json!({ "dateRange": range }));
        assert_eq!(listed["period"], whole, "{range}");
        assert_eq!(names(&listed), ["last", "first"], "{range}");
        assert_eq!(events(&server, "first", json!({ "dateRange": range }))["period"], whole);
    }
}

#[test]
fn a_period_may_lie_ahead_or_reach_beyond_every_calendar() {
    let server = Server::start();
    seen(&server, "ann", START);
    let today = list(&server, json!({ "dateRange": ["2026-03-04", "2026-03-04"] }));
    assert_eq!(names(&today), ["ann"]);
    assert_eq!(today["period"]["to"], "2026-03-04T23:59:59Z");
    let ever = list(&server, json!({ "dateRange": ["0000-01-01", "9999-12-31"] }));
    assert_eq!(names(&ever), ["ann"]);
    assert_eq!(ever["period"], json!({ "from": "0000-01-01T00:00:00Z", "to": "9999-12-30T22:00:00Z" }));
    let ahead = list(&server, json!({ "dateRange": ["2026-03-05", "2026-03-06"] }));
    assert_eq!(names(&ahead), Vec::<&str>::new());
    // The second that is now is in, to its end.
    server.clock.advance(500);
    seen(&server, "bob", START + 500);
    let now = json!(["2026-03-04T10:00:00Z", "2026-03-04T10:00:00Z"]);
    assert_eq!(names(&list(&server, json!({ "dateRange": now }))), ["bob", "ann"]);
}

/// The vendor's page: `lastSeenAt` is "the latest activity for this user within the
/// selected period".
#[test]
fn a_user_seen_again_stays_in_a_past_period() {
    let server = Server::start();
    let february = json!({ "dateRange": ["2026-02-01", "2026-02-28"] });
    let (early, late) = (at("2026-02-05T08:00:00Z"), at("2026-02-20T08:00:00Z"));
    for at in [early, late, START] {
        seen(&server, "ann", at);
    }
    // Seen before and after, but not in it.
    for at in [at("2026-01-31T23:59:59.999Z"), START] {
        seen(&server, "bob", at);
    }
    seen(&server, "cid", early);
    let listed = list(&server, february.clone());
    assert_eq!(names(&listed), ["ann", "cid"]);
    assert_eq!(listed["users"][0]["lastSeenAt"], "2026-02-20T08:00:00Z");
    assert_eq!(listed["users"][1]["lastSeenAt"], "2026-02-05T08:00:00Z");
    assert_eq!(user(&server, "ann")["lastSeenAt"], "2026-03-04T10:00:00Z");
}

#[test]
fn erased_activity_is_unseen_before_its_rows_go() {
    let server = Server::start();
    for at in [at("2026-02-05T08:00:00Z"), START] {
        seen(&server, "ann", at);
    }
    let project = server.project().id;
    server.write(move |tx| {
        let ann = find::get(tx, project, "ann")?;
        erasure::begin(tx, &ann, Erasure::Activity, Origin::Request)
    });
    server.clock.advance(SECOND);
    send(&server, "/i", json!({ "identifier": "ann" })).expect(200);
    server.clock.advance(DAY);
    seen(&server, "ann", server.clock.now());
    let february = json!({ "dateRange": ["2026-02-01", "2026-02-28"] });
    assert_eq!(names(&list(&server, february)), Vec::<&str>::new());
    // Of the day of the erasure, what came after it.
    let that_day = list(&server, json!({ "dateRange": ["2026-03-04", "2026-03-04"] }));
    assert_eq!(that_day["users"][0]["lastSeenAt"], "2026-03-04T10:00:01Z");
    let order = json!([["lastEventFired", "desc", { "name": { "operator": "any" } }]]);
    let ordered = list(&server, json!({ "dateRange": ["2026-03-04", "2026-03-04"], "orderBy": order }));
    assert_eq!(ordered["users"][0]["lastEventFiredAt"], Value::Null);
    assert_eq!(titles(&events(&server, "ann", json!({ "dateRange": "1year" }))), ["something"]);
}

#[test]
fn who_said_who_it_is_was_seen_though_there_is_no_event() {
    let server = Server::with(|options| options.clock = Clock::manual(at("2026-02-05T08:00:00Z")));
    send(&server, "/i", json!({ "identifier": "ann" })).expect(200);
    server.clock.advance(27 * DAY);
    seen(&server, "ann", server.clock.now());
    let february = list(&server, json!({ "dateRange": ["2026-02-01", "2026-02-28"] }));
    assert_eq!(names(&february), ["ann"]);
    assert_eq!(february["users"][0]["lastSeenAt"], "2026-02-05T08:00:00Z");
}

#[test]
fn a_visitor_amid_a_merge_counts_for_the_user() {
    let server = Server::start();
    for at in [at("2026-02-05T08:00:00Z"), at("2026-02-20T08:00:00Z")] {
        visit(&server, "visitor", at);
    }
    seen(&server, "ann", START);
    let project = server.project().id;
    server
        .write(move |tx: &NormalTx| {
            let subject =
                subject::Subject { identifier: Some(named("ann")), anonymous_id: Some(named("visitor")) };
            identify::identify(tx, project, &subject, &ProfileChange::default(), None)
        })
        .expect("taken");
    let february = json!({ "dateRange": ["2026-02-01", "2026-02-28"] });
    let check = |when: &str| {
        let listed = list(&server, february.clone());
        assert_eq!(names(&listed), ["ann"], "{when}");
        assert_eq!(listed["users"][0]["lastSeenAt"], "2026-02-20T08:00:00Z", "{when}");
        assert_eq!(titles(&events(&server, "ann", february.clone())), ["$$pageView"; 2], "{when}");
    };
    check("before its rows have moved");
    server.tick();
    check("after");
}

#[test]
fn a_visitors_erased_activity_is_unseen_in_the_user() {
    let server = Server::start();
    let project = server.project().id;
    let subject = |identifier: Option<&str>| subject::Subject {
        identifier: identifier.map(named),
        anonymous_id: Some(named("visitor")),
    };
    visit(&server, "visitor", at("2026-03-04T08:00:00Z"));
    let alone = subject(None);
    server.write(move |tx| {
        let visitor = registration::ensure(tx, project, &alone)?;
        erasure::begin(tx, &visitor, Erasure::Activity, Origin::Request)
    });
    server.clock.advance(SECOND);
    send(&server, "/i", json!({ "identifier": "ann" })).expect(200);
    let both = subject(Some("ann"));
    server
        .write(move |tx: &NormalTx| identify::identify(tx, project, &both, &ProfileChange::default(), None))
        .expect("taken");
    server.clock.advance(DAY);
    seen(&server, "ann", server.clock.now());
    for when in ["before its rows have left", "after"] {
        let that_day = list(&server, json!({ "dateRange": ["2026-03-04", "2026-03-04"] }));
        assert_eq!(names(&that_day), ["ann"], "{when}");
        assert_eq!(that_day["users"][0]["lastSeenAt"], "2026-03-04T10:00:01Z", "{when}");
        server.tick();
    }
}

#[test]
fn a_bad_period_is_refused_by_name() {
    let server = Server::start();
    seen(&server, "ann", START);
    let (start, end) = (format!("start {TIMES}"), format!("end {TIMES}"));
    let cases: Vec<(Value, Vec<&str>)> = vec![
        (Value::Null, vec!["is required"]),
        (json!("today"), vec![SPANS]),
        (json!("7DAYS"), vec![SPANS]),
        (json!(""), vec![SPANS]),
        (json!(7), vec![SPANS]),
        (json!({}), vec![SPANS]),
        (json!([]), vec![SPANS]),
        (json!(["2026-01-01"]), vec![SPANS]),
        (json!(["2026-01-01", "2026-01-02", "2026-01-03"]), vec![SPANS]),
        (json!(["2026-02-30", "2026-03-01"]), vec![&start]),
        (json!(["2026-01-01", "2026-1-2"]), vec![&end]),
        (json!(["2026-01-01", "20260102"]), vec![&end]),
        (json!(["2026-01-01", 1]), vec![&end]),
        (json!(["2026-01-01T00:00:00", "2026-01-02T00:00:00"]), vec![&start, &end]),
        (json!([null, "yesterday"]), vec![&start, &end]),
        (json!(["2026-02-18", "2026-02-17"]), vec![ORDER]),
        (json!(["2026-02-18T00:00:01Z", "2026-02-18T00:00:00Z"]), vec![ORDER]),
    ];
    for (range, messages) in cases {
        let faults: Vec<(&str, &str)> = messages.into_iter().map(|message| ("dateRange", message)).collect();
        let body = json!({ "dateRange": range });
        invalid(post(&server, "/v1/users", body.clone()), &faults);
        invalid(post(&server, "/v1/users/events?identifier=ann", body), &faults);
    }
    invalid(post(&server, "/v1/users", json!({})), &[("dateRange", "is required")]);
}

//! The span of time of a list of events, its order, and its pages.

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE, Millis};

use super::history::send;
use super::{bad, call, hard_delete};
use crate::harness::{START, Server};

fn page(server: &Server, query: &str) -> Value {
    call(server, "GET", &format!("/v1/events/custom?{query}")).send().expect(200).json()
}

fn names(page: &Value) -> Vec<&str> {
    let events = page["customEvents"].as_array().expect("a list").iter();
    events.map(|event| event["eventName"].as_str().expect("a name")).collect()
}

fn event(server: &Server, user: &str, name: &str, at: Millis) {
    send(server, json!({ "identifyId": user, "eventName": name, "date": at }));
}

/// Every page of a search, one after the other.
fn scroll(server: &Server, query: &str, size: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = format!("{query}&pageSize={size}");
    loop {
        let page = page(server, &next);
        let found = names(&page);
        all.extend(found.iter().map(|name| (*name).to_owned()));
        match page["scrollId"].as_str() {
            Some(scroll) => {
                assert_eq!(found.len(), size);
                next = format!("{query}&scrollId={scroll}");
            }
            None => {
                assert!(found.len() < size);
                return all;
            }
        }
    }
}

/// Events of three users that take turns: `0` of ann, `1` of ben, `2` of cai, `3` of ann…
fn turns(server: &Server, many: i64) {
    for n in 0..many {
        let user = ["ann", "ben", "cai"][usize::try_from(n % 3).expect("a small number")];
        event(server, user, &n.to_string(), START - (many - n) * MINUTE);
    }
}

#[test]
fn without_a_span_it_is_the_last_day_to_the_millisecond() {
    let server = Server::start();
    for (name, at) in [("before", START - DAY - 1), ("first", START - DAY), ("now", START)] {
        event(&server, "ann", name, at);
    }
    assert_eq!(names(&page(&server, "sort=date")), ["first", "now"]);
    // The day before an end that is named.
    let until = |name: &str| format!("{name}{}", START - 1);
    assert_eq!(names(&page(&server, &until("sort=date&dateRangeEnd="))), ["before", "first"]);
    assert_eq!(names(&page(&server, &until("sort=date&filter=date%3C="))), ["before", "first"]);
}

#[test]
fn both_ends_of_a_span_are_in_it() {
    let server = Server::start();
    for n in 0..4 {
        event(&server, "ann", &n.to_string(), START - 10 * DAY + n);
    }
    let (from, to) = (START - 10 * DAY + 1, START - 10 * DAY + 2);
    let parameters = format!("dateRangeStart={from}&dateRangeEnd={to}");
    assert_eq!(names(&page(&server, &parameters)), ["1", "2"]);
    assert_eq!(names(&page(&server, &format!("filter=date%3E={from};date%3C={to}"))), ["1", "2"]);
    // Both say something: both hold.
    assert_eq!(names(&page(&server, &format!("{parameters}&filter=date%3E{from}"))), ["2"]);
    assert_eq!(page(&server, &format!("{parameters}&filter=date%3E{to}"))["totalHits"], 0);
    assert_eq!(
        names(&page(&server, "dateRangeStart=2026-02-22&dateRangeEnd=2026-02-23")),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn a_span_has_at_most_190_days() {
    let server = Server::start();
    event(&server, "ann", "old", START - 190 * DAY);
    let from = START - 190 * DAY;
    assert_eq!(names(&page(&server, &format!("dateRangeStart={from}"))), ["old"]);
    assert_eq!(names(&page(&server, &format!("filter=date%3E={from}"))), ["old"]);
    let refused = |query: String| bad(call(&server, "GET", &format!("/v1/events/custom?{query}")).send());
    let fault = "Exceeded date range190days";
    assert_eq!(refused(format!("dateRangeStart={}", from - 1)), [format!("dateRangeStart: {fault}")]);
    assert_eq!(refused(format!("filter=date%3E={}", from - 1)), [format!("filter: {fault}")]);
    // With one list that begins nowhere, the others do not lengthen it.
    let open = format!("filter=date%3E={}&filter=eventName==old", from - 1);
    assert_eq!(page(&server, &open)["totalHits"], 0);
}

#[test]
fn sorted_by_date_all_users_events_are_in_one_order() {
    let server = Server::start();
    turns(&server, 20);
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let backwards: Vec<String> = expected.iter().rev().cloned().collect();
    for size in [1, 3, 7, 19, 21, 1_000] {
        assert_eq!(scroll(&server, "sort=date", size), expected, "{size}");
        assert_eq!(scroll(&server, "sort=%2Bdate", size), expected, "{size}");
        assert_eq!(scroll(&server, "sort=-date;accountId", size), backwards, "{size}");
    }
}

#[test]
fn unsorted_each_users_events_stand_together() {
    let server = Server::start();
    turns(&server, 20);
    let of = |first: u32| (first..20).step_by(3).map(|n| n.to_string());
    let expected: Vec<String> = of(0).chain(of(1)).chain(of(2)).collect();
    for size in [1, 3, 7, 19, 21] {
        assert_eq!(scroll(&server, "", size), expected, "{size}");
    }
    let of_ben: Vec<String> = of(1).collect();
    assert_eq!(scroll(&server, "filter=identifyId~b*", 2), of_ben);
    assert_eq!(scroll(&server, "filter=eventName!=4;identifyId==ben&sort=date", 2)[..2], ["1", "7"]);
}

#[test]
fn events_of_one_millisecond_are_each_on_one_page() {
    let server = Server::start();
    for n in 0..9 {
        event(&server, ["ann", "ben"][n % 2], &n.to_string(), START - MINUTE);
    }
    let expected: Vec<String> = (0..9).map(|n: i32| n.to_string()).collect();
    for size in [1, 2, 4] {
        assert_eq!(scroll(&server, "sort=date", size), expected);
        let mut unsorted = scroll(&server, "", size);
        unsorted.sort();
        assert_eq!(unsorted, expected);
    }
}

#[test]
fn what_comes_in_meanwhile_shifts_no_page() {
    for sort in ["", "sort=date", "sort=-date"] {
        let server = Server::start();
        turns(&server, 9);
        let first = page(&server, &format!("{sort}&pageSize=4"));
        let scroll = first["scrollId"].as_str().expect("a scrollId").to_owned();
        // Another user, and an event that is later than the window's end.
        server.clock.advance(DAY);
        event(&server, "zoe", "new", START + DAY);
        let second = page(&server, &format!("scrollId={scroll}"));
        assert_eq!(
            (&second["totalHits"], second["customEvents"].as_array().map(Vec::len)),
            (&json!(9), Some(4))
        );
        let third = page(&server, &format!("scrollId={}", second["scrollId"].as_str().expect("a scrollId")));
        assert_eq!(third["scrollId"], Value::Null);
        let mut all: Vec<&str> = [&first, &second, &third].into_iter().flat_map(names).collect();
        all.sort_unstable();
        assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6", "7", "8"], "{sort}");
    }
}

#[test]
fn who_is_erased_meanwhile_is_on_no_later_page() {
    for sort in ["", "sort=date"] {
        let server = Server::start();
        turns(&server, 9);
        let first = page(&server, &format!("{sort}&pageSize=2"));
        let scroll = first["scrollId"].as_str().expect("a scrollId").to_owned();
        hard_delete(&server, "cai").expect(200);
        let rest = page(&server, &format!("scrollId={scroll}&pageSize=100"));
        assert!(names(&rest).iter().all(|name| name.parse::<i32>().expect("a number") % 3 != 2), "{sort}");
        assert_eq!(names(&rest).len(), 4, "{sort}");
    }
}

#[test]
fn a_scroll_id_is_good_for_its_own_search_alone() {
    let server = Server::start();
    turns(&server, 9);
    let first = page(&server, "pageSize=2&sort=date&filter=eventName!=0");
    let scroll = first["scrollId"].as_str().expect("a scrollId");
    let refused = |path: &str| bad(call(&server, "GET", &format!("/v1/{path}")).send());
    let same = format!("sort=date&filter=eventName!=0&scrollId={scroll}");
    assert_eq!(names(&page(&server, &same)), ["3", "4"]);
    let other = ["scrollId: was given out for another filter, sort or date range"];
    for query in ["sort=-date", "filter=eventName==0", "dateRangeStart=1", "dateRangeEnd=1"] {
        assert_eq!(refused(&format!("events/custom?scrollId={scroll}&{query}")), other, "{query}");
    }
    let unknown = ["scrollId: was not issued by this server"];
    for path in ["events/pageView", "events/session", "events/lead", "users", "accounts"] {
        assert_eq!(refused(&format!("{path}?scrollId={scroll}")), unknown, "{path}");
    }
    let second = server.second();
    let theirs = server.get(&format!("/v1/events/custom?scrollId={scroll}"));
    assert_eq!(bad(theirs.header("X-APTRINSIC-API-KEY", &second.all).send()), unknown);
    let users = call(&server, "GET", "/v1/users?pageSize=1").send().expect(200).json();
    let of_users = users["scrollId"].as_str().expect("a scrollId");
    assert_eq!(refused(&format!("events/custom?scrollId={of_users}")), unknown);
}

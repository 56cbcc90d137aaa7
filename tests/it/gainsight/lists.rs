//! `GET /v1/users`: pages, their order, and how one leads to the next.

use std::cmp::Ordering;
use usher::store::NormalTx;

use serde_json::{Value, json};
use usher::clock::MINUTE;
use usher::model::Kind;
use usher::people::{activity, subject};

use super::{bad, call, create, delete, get, hard_delete, put};
use crate::harness::{START, Server, encode, event, fields, named};

/// A page as the vendor gives it.
pub struct Page {
    pub ids: Vec<String>,
    pub scroll: Option<String>,
    pub total: i64,
}

#[track_caller]
pub fn page(server: &Server, query: &str) -> Page {
    let body = call(server, "GET", &format!("/v1/users?{query}")).send().expect(200).json();
    assert_eq!(fields(&body), ["scrollId", "totalHits", "users"]);
    let ids = body["users"].as_array().expect("a list").iter();
    Page {
        ids: ids.map(|user| user["identifyId"].as_str().expect("an id").to_owned()).collect(),
        scroll: body["scrollId"].as_str().map(str::to_owned),
        total: body["totalHits"].as_i64().expect("a number"),
    }
}

/// Every page of a search, as a client reads that follows the scrollId.
#[track_caller]
pub fn pages(server: &Server, query: &str, size: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut at = format!("{query}&pageSize={size}");
    loop {
        let Page { ids, scroll, .. } = page(server, &at);
        assert_eq!(ids.len() == size, scroll.is_some(), "a scrollId is there if the page is full");
        pages.push(ids);
        match scroll {
            Some(scroll) => at = format!("{query}&pageSize={size}&scrollId={scroll}"),
            None => return pages,
        }
    }
}

pub fn several(server: &Server, names: &[&str]) {
    names.iter().for_each(|name| create(server, json!({ "identifyId": name })));
}

#[test]
fn a_list_has_the_whole_users_the_oldest_first_25_at_a_time() {
    let server = Server::start();
    let names: Vec<String> = (0..30).map(|n| format!("user {n}")).collect();
    for name in &names {
        create(&server, json!({ "identifyId": name, "title": name }));
    }
    let body = call(&server, "GET", "/v1/users").send().expect(200).json();
    assert_eq!(body["users"].as_array().expect("a list").len(), 25);
    assert_eq!(body["users"][24], get(&server, "user 24"));
    let first = page(&server, "");
    assert_eq!((first.ids.as_slice(), first.total), (&names[..25], 30));
    // A client may ask for the next page by the scrollId alone.
    let second = page(&server, &format!("scrollId={}", first.scroll.expect("a scrollId")));
    assert_eq!((second.ids.as_slice(), second.scroll, second.total), (&names[25..], None, 30));
    // Parameters may be there and empty.
    assert_eq!(page(&server, "filter=&pageSize=&scrollId=&sort=").ids, names[..25]);
    assert_eq!(page(&server, "pageSize=1000").ids, names);
}

#[test]
fn without_users_there_is_an_empty_page() {
    let server = Server::start();
    let body = call(&server, "GET", "/v1/users").send().expect(200).json();
    assert_eq!(body, json!({ "users": [], "scrollId": null, "totalHits": 0 }));
}

#[test]
fn pages_of_exactly_the_size_end_with_an_empty_one() {
    let server = Server::start();
    several(&server, &["a", "b", "c", "d"]);
    assert_eq!(pages(&server, "", 2), [vec!["a", "b"], vec!["c", "d"], vec![]]);
    assert_eq!(pages(&server, "", 4), [vec!["a", "b", "c", "d"], vec![]]);
    assert_eq!(pages(&server, "", 3), [vec!["a", "b", "c"], vec!["d"]]);
    assert_eq!(pages(&server, "sort=-identifyId", 2), [vec!["d", "c"], vec!["b", "a"], vec![]]);
}

#[test]
fn who_comes_and_goes_between_two_pages_moves_nobody_else() {
    for (sort, mut expected) in [
        ("", vec!["b", "d", "f", "h"]),
        ("createDate", vec!["b", "d", "f", "h"]),
        ("-createDate", vec!["h", "f", "d", "b"]),
        ("identifyId", vec!["b", "d", "f", "h"]),
        ("-identifyId", vec!["h", "f", "d", "b"]),
    ] {
        let server = Server::start();
        for name in ["b", "d", "f", "h"] {
            create(&server, json!({ "identifyId": name }));
            server.clock.advance(1);
        }
        let first = page(&server, &format!("pageSize=1&sort={sort}"));
        let mut seen = first.ids;
        let mut scroll = first.scroll;
        // On each side of the place, somebody comes and somebody seen goes.
        for name in ["a", "z", "g"] {
            create(&server, json!({ "identifyId": name }));
        }
        delete(&server, &seen[0]).expect(200);
        while let Some(at) = scroll {
            let next = page(&server, &format!("pageSize=1&sort={sort}&scrollId={at}"));
            assert_eq!(next.total, 4, "as it was when it began");
            seen.extend(next.ids);
            scroll = next.scroll;
        }
        seen.retain(|name| !["a", "z", "g"].contains(&name.as_str()));
        assert_eq!(seen, expected, "sorted by {sort}");
        // One who goes before its turn is not there.
        expected.retain(|name| *name != seen[0].as_str());
        let first = page(&server, &format!("pageSize=1&sort={sort}"));
        let last = *expected.last().expect("somebody");
        hard_delete(&server, last).expect(200);
        let at = first.scroll.expect("a scrollId");
        let rest = page(&server, &format!("pageSize=1000&scrollId={at}"));
        assert!(!rest.ids.iter().any(|name| name == last), "{:?}", rest.ids);
    }
}

/// Users with what sorting stumbles over: equal values, none, and other alphabets.
fn crowd(server: &Server) {
    let project = server.project().id;
    for n in 0..24_i64 {
        let name = format!("u{n:02}");
        let email = ["b@x", "a@x", "", "Ä@x", "a@x"][n as usize % 5];
        let first = ["Zoë", "", "ann", "Ann"][n as usize % 4];
        let city = ["Bern", ""][n as usize % 2];
        server.clock.advance(if n % 3 == 0 { 0 } else { MINUTE });
        let body = json!({
            "identifyId": name, "email": email, "firstName": first, "location": { "city": city },
        });
        create(server, body);
        if n % 3 != 1 {
            // Some were seen, some at the same time.
            server.write(move |tx: &NormalTx| {
                let seen = event(&named(&format!("u{n:02}")), "seen", START - (n % 4) * MINUTE);
                activity::record(tx, project, &seen)
            });
        }
    }
}

/// The order of two users by one field of what is shown of them.
fn compare(one: &Value, other: &Value, field: &str) -> Ordering {
    let at = |user: &Value| field.split('.').fold(user.clone(), |at, name| at[name].clone());
    match (at(one), at(other)) {
        (Value::String(one), Value::String(other)) => one.as_bytes().cmp(other.as_bytes()),
        (one, other) => one.as_i64().expect("a number").cmp(&other.as_i64().expect("a number")),
    }
}

#[test]
fn pages_of_any_size_have_everybody_once_in_any_order() {
    let server = Server::start();
    crowd(&server);
    let everybody: Vec<Value> = (0..24).map(|n| get(&server, &format!("u{n:02}"))).collect();
    for (n, sort) in [
        "identifyId",
        "-id",
        "email",
        "-email",
        "firstName;email",
        "-firstName;email",
        "firstName;-email",
        "lastSeenDate",
        "-lastSeenDate",
        "-lastSeenDate;firstName;-email",
        "location.city;-numberOfVisits;lastSeenDate",
        "-createDate",
        "+lastModifiedDate;-lastName",
        "createDate;",
    ]
    .into_iter()
    .enumerate()
    {
        let keys: Vec<(&str, bool)> = sort
            .split(';')
            .filter(|key| !key.is_empty())
            .map(|key| (key.trim_start_matches(['-', '+']), key.starts_with('-')))
            .collect();
        let descends = keys.last().is_some_and(|(_, descends)| *descends);
        let mut expected: Vec<(usize, &Value)> = everybody.iter().enumerate().collect();
        expected.sort_by(|(n, one), (m, other)| {
            let by_keys = keys.iter().fold(Ordering::Equal, |order, (field, descends)| {
                let next = compare(one, other, field);
                order.then(if *descends { next.reverse() } else { next })
            });
            by_keys.then(if descends { m.cmp(n) } else { n.cmp(m) })
        });
        let expected: Vec<&str> =
            expected.iter().map(|(_, user)| user["identifyId"].as_str().expect("an id")).collect();
        // One at a time takes long: in two orders.
        let sizes: &[usize] = if n < 2 { &[1, 5, 24] } else { &[5] };
        for &size in sizes {
            let query = format!("sort={}", encode(sort));
            assert_eq!(pages(&server, &query, size).concat(), expected, "{size} by {sort}");
        }
        // A plus sign that was not encoded arrives as a space.
        assert_eq!(page(&server, &format!("pageSize=1000&sort={sort}")).ids, expected, "{sort}");
    }
}

#[test]
fn a_scroll_id_is_good_for_the_search_that_gave_it_and_no_other() {
    let server = Server::start();
    several(&server, &["a", "b", "c", "d", "e"]);
    let query = "pageSize=2&sort=-identifyId&filter=id!=c";
    let first = page(&server, query);
    assert_eq!((first.ids, first.total), (vec!["e".to_owned(), "d".to_owned()], 4));
    let scroll = first.scroll.expect("a scrollId");
    // The same again, with all of it, with a part of it, and for another size.
    for more in
        ["", "&sort=-identifyId", "&filter=id!=c", "&pageSize=2&sort=-identifyId&filter=id!=c", "&filter="]
    {
        assert_eq!(page(&server, &format!("scrollId={scroll}{more}")).ids, ["b", "a"], "{more}");
    }
    assert_eq!(page(&server, &format!("scrollId={scroll}&pageSize=1")).ids, ["b"]);
    assert_eq!(page(&server, &format!("scrollId={scroll}&pageSize=3")).scroll, None);
    let other = ["scrollId: was given out for another filter or sort"];
    for more in ["sort=identifyId", "filter=id!=d", "filter=id!=c&filter=id==c"] {
        let reply = call(&server, "GET", &format!("/v1/users?scrollId={scroll}&{more}")).send();
        assert_eq!(bad(reply), other, "{more}");
    }
    let reply = call(&server, "GET", &format!("/v1/users?scrollId={scroll}&pageSize=0")).send();
    assert_eq!(bad(reply), ["pageSize: must be from 1 to 1000"]);

    let none = ["scrollId: was not issued by this server"];
    let theirs = server.second().all;
    let request = server.get(&format!("/v1/users?scrollId={scroll}"));
    assert_eq!(bad(request.header("X-APTRINSIC-API-KEY", &theirs).send()), none);
    let decoded = String::from_utf8(data_encoding(&scroll)).expect("a text");
    for forged in [
        decoded.replace("-identifyId", "-title"),
        decoded.replace("-identifyId", "-lastSeenDate"),
        decoded.replace("-identifyId", "-identifyId;email"),
        decoded.replace("id!=c", "shoe!=c"),
        decoded.replace("\"size\":2", "\"size\":1001"),
        decoded.replace("\"size\":2", "\"size\":0"),
        decoded.replace("\"total\":4", "\"total\":-4"),
        decoded.replace("\"total\":4", "\"total\":null"),
        decoded.replace("\"d\"", "7"),
        decoded.replace("\"d\"", "\"d\",\"e\""),
        decoded.replace("\"size\"", "\"seize\""),
        "{}".to_owned(),
    ] {
        assert_ne!(forged, decoded);
        let forged = base64(&forged);
        let reply = call(&server, "GET", &format!("/v1/users?scrollId={forged}")).send();
        assert_eq!(bad(reply), none);
    }
    for broken in ["x", "%20", "null", &scroll[1..], &scroll[..scroll.len() - 4], &format!("{scroll}=")] {
        let reply = call(&server, "GET", &format!("/v1/users?scrollId={broken}")).send();
        assert_eq!(bad(reply), none, "{broken}");
    }
    let reply = call(&server, "GET", "/v1/users?scrollId=%ff").send();
    assert_eq!(bad(reply), ["scrollId: must be UTF-8, percent-encoded"]);
}

/// What a scrollId is made of. Nobody is to know, but whoever tries must get nowhere.
fn data_encoding(scroll: &str) -> Vec<u8> {
    let digits = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for four in scroll.as_bytes().chunks(4) {
        let bits =
            four.iter().fold(0_u32, |bits, c| bits << 6 | u32::from(digits(*c))) << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}

fn base64(text: &str) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - three.len()));
        (0..=three.len()).for_each(|n| encoded.push(digits[bits >> (18 - 6 * n) & 63].into()));
    }
    encoded
}

#[test]
fn who_cannot_be_seen_is_neither_listed_nor_counted() {
    let server = Server::start();
    let project = server.project().id;
    several(&server, &["ann", "hidden", "gone"]);
    server.write(move |tx: &NormalTx| {
        let mut seen = event(&named("x"), "seen", START);
        seen.subject = subject::Subject { identifier: None, anonymous_id: Some(named("visitor")) };
        seen.kind = Kind::Page;
        activity::record(tx, project, &seen)
    });
    delete(&server, "hidden").expect(200);
    hard_delete(&server, "gone").expect(200);
    for filter in ["", "title==", "email=="] {
        let all = page(&server, &format!("filter={filter}"));
        assert_eq!((all.ids, all.total), (vec!["ann".to_owned()], 1), "{filter}");
    }
    let second = server.second();
    let theirs = server.get("/v1/users").header("Authorization", &second.all).send().expect(200).json();
    assert_eq!(theirs["totalHits"], 0);
    put(&server, "hidden", json!({})).expect(204);
    assert_eq!(page(&server, "").ids, ["ann", "hidden"]);
}

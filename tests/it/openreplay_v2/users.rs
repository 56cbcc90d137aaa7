//! Users: one by its identifier, and the list with its search.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR};
use usher::erasure::trash;
use usher::people::{find, users};
use usher::store::NormalTx;

use super::{House, data, refused};
use crate::harness::{START, encode, fields, named};

/// 1 January 2000.
const EARLIEST: i64 = 946_684_800_000;

impl House {
    fn user(&self, name: &str) -> Value {
        data(self.get(&format!("users/{}", encode(name))))
    }

    /// The identifiers on a page, and the total.
    #[track_caller]
    fn listed(&self, body: Value) -> (Vec<String>, i64) {
        names(&data(self.post("users", body)))
    }

    /// Registers each, without any word of what it did.
    fn register(&self, people: &[&str]) {
        let (project, people) = (self.server.project().id, people.iter().map(|name| named(name)));
        let people: Vec<_> = people.collect();
        self.server.write(move |tx: &NormalTx| {
            people.iter().try_for_each(|name| {
                users::create_or_update(tx, project, name, &Default::default()).map(|_| ())
            })
        });
    }
}

#[track_caller]
fn names(list: &Value) -> (Vec<String>, i64) {
    assert_eq!(fields(list), ["total", "users"]);
    let users = list["users"].as_array().expect("a list").iter();
    let names = users.map(|user| user["$user_id"].as_str().expect("a text").to_owned()).collect();
    (names, list["total"].as_i64().expect("a number"))
}

/// What the vendor's validator says, and behind it what is asked for.
fn rule(name: &str, tag: &str, rule: &str) -> String {
    format!(
        "Key: 'SearchUsersRequest.{name}' Error:Field validation for '{name}' failed on the '{tag}' tag ({rule})"
    )
}

#[test]
fn a_user_has_every_member() {
    let house = House::new();
    house.send(json!([
        { "type": "track", "anonymousId": "visitor-1", "event": "Came", "timestamp": "2026-03-04T08:00:00Z" },
        {
            "type": "identify", "userId": "ann", "anonymousId": "visitor-1", "timestamp": "2026-03-04T09:00:00Z",
            "traits": {
                "email": "ann@example.com", "firstName": "Ann", "lastName": "Lee", "phone": "+41 44 000 00 00",
                "avatar": "https://example.com/ann.png", "address": { "country": "CH", "city": "Zürich" },
                "plan": "pro",
            },
        },
        { "type": "group", "userId": "ann", "groupId": "acme", "timestamp": "2026-03-04T09:00:00Z" },
    ]));
    house.server.tick();
    assert_eq!(
        house.user("ann"),
        json!({
            "$user_id": "ann", "$email": "ann@example.com", "$name": "Ann Lee", "$first_name": "Ann",
            "$last_name": "Lee", "$phone": "+41 44 000 00 00", "$avatar": "https://example.com/ann.png",
            "$created_at": START,
            "properties": {
                "address": { "country": "CH", "city": "Zürich" }, "groupId": "acme",
                "phone": "+41 44 000 00 00", "plan": "pro",
            },
            "distinct_ids": ["visitor-1"], "group_id1": ["acme"], "group_id2": null, "group_id3": null,
            "group_id4": null, "group_id5": null, "group_id6": null, "$sdk_edition": "", "$sdk_version": "",
            "$current_url": "", "$initial_referrer": "", "$referring_domain": "", "initial_utm_source": "",
            "initial_utm_medium": "", "initial_utm_campaign": "", "$country": "CH", "$state": "",
            "$city": "Zürich", "$or_api_endpoint": "", "$timezone": 0, "$first_event_at": START - 2 * HOUR,
            "$last_seen": START - HOUR,
        })
    );
    // Of whom nothing is known, each is there as well.
    house.register(&["bob"]);
    let bob = house.user("bob");
    assert_eq!(fields(&bob), fields(&house.user("ann")));
    for (member, empty) in [
        ("$email", json!("")),
        ("$name", json!("")),
        ("$phone", json!("")),
        ("properties", json!({})),
        ("distinct_ids", json!([])),
        ("group_id1", Value::Null),
        ("$first_event_at", json!(0)),
        ("$last_seen", json!(0)),
    ] {
        assert_eq!(bob[member], empty, "{member}");
    }
}

#[test]
fn a_user_shows_at_most_1000_anonymous_ids() {
    let house = House::new();
    let user = house.server.seed("ann").insert();
    for (first, last, shown) in [(1, 1_000, 1_000), (1_001, 1_001, 1_000)] {
        let sql = "INSERT INTO aliases (anonymous_id, project_id, user_id, created_at)
                   WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
                   SELECT printf('visitor-%04d', i), ?3, ?4, 0 FROM n";
        let values = rusqlite::params![first, last, house.server.project().id.0, user.0];
        house.server.sqlite().execute(sql, values).expect("aliases");
        assert_eq!(house.user("ann")["distinct_ids"].as_array().map(Vec::len), Some(shown));
    }
}

#[test]
fn who_is_not_there_or_not_to_be_seen_is_not_found() {
    let house = House::new();
    let project = house.server.project().id;
    house.register(&["ann"]);
    assert_eq!(house.user("ann")["$user_id"], "ann");
    let second = house.server.second();
    let theirs = format!("/v2/api/public/{}/users/ann", second.key);
    refused(house.call("GET", &theirs).send(), 404, "user not found");
    house.server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    refused(house.get("users/ann"), 404, "user not found");
    assert_eq!(house.listed(json!({})), (vec![], 0));
    // An anonymous id is no identifier.
    house.send(json!([{ "type": "track", "anonymousId": "visitor-1", "event": "Came" }]));
    refused(house.get("users/visitor-1"), 404, "user not found");
}

#[test]
fn an_identifier_has_at_most_256_characters() {
    let house = House::new();
    let day = json!({ "startTimestamp": EARLIEST, "endTimestamp": START });
    let long = "😀".repeat(256);
    house.register(&[&long, "a/b%2F c"]);
    for name in [long.as_str(), "a/b%2F c"] {
        assert_eq!(house.user(name)["$user_id"], name);
    }
    for (segment, text) in [
        (encode(&"😀".repeat(257)), "userID exceeds maximum length of 256 characters"),
        ("x".repeat(257), "userID exceeds maximum length of 256 characters"),
        ("a%0Ab".to_owned(), "userID must not contain control characters"),
        ("%ff".to_owned(), "userID must be UTF-8, percent-encoded"),
    ] {
        refused(house.get(&format!("users/{segment}")), 400, text);
        refused(house.delete(&format!("users/{segment}")), 400, text);
        refused(house.post(&format!("users/{segment}/sessions"), day.clone()), 400, text);
    }
    assert_eq!(data(house.get("jobs")), json!([]));
}

#[test]
fn a_listed_user_has_seven_members_and_the_columns_asked_for() {
    let house = House::new();
    house.send(json!([{
        "type": "identify", "userId": "ann", "timestamp": "2026-03-04T09:00:00Z",
        "traits": { "email": "ann@example.com", "firstName": "Ann", "lastName": "Lee", "plan": "pro" },
    }]));
    let base = json!({
        "$user_id": "ann", "$email": "ann@example.com", "$name": "Ann Lee", "$first_name": "Ann",
        "$last_name": "Lee", "$created_at": START, "$last_seen": START - HOUR,
    });
    for columns in [Value::Null, json!([]), json!([""]), json!(["$email", "$user_id"])] {
        let list = data(house.post("users", json!({ "columns": columns })));
        assert_eq!(list, json!({ "total": 1, "users": [base] }));
    }
    let list = data(house.post("users", json!({ "columns": ["properties", "$phone", "group_id2"] })));
    let mut more = base;
    more["properties"] = json!({ "plan": "pro" });
    more["$phone"] = json!("");
    more["group_id2"] = Value::Null;
    assert_eq!(list["users"], json!([more]));
    let unknown = rule("Columns[1]", "validateUserColumn", "columns[1] must be a known column");
    refused(house.post("users", json!({ "columns": ["$email", "email"] })), 400, &unknown);
    let kind = "invalid JSON body: columns must be a list of strings";
    for columns in [json!("$email"), json!([1])] {
        refused(house.post("users", json!({ "columns": columns })), 400, kind);
    }
}

#[test]
fn visitors_without_an_identifier_are_not_listed() {
    let house = House::new();
    house.register(&["ann"]);
    house.send(json!([{ "type": "track", "anonymousId": "visitor-1", "event": "Came" }]));
    assert_eq!(house.listed(json!({})), (vec!["ann".to_owned()], 1));
    assert_eq!(house.listed(json!({ "query": "visitor" })), (vec![], 0));
}

#[test]
fn a_page_has_50_users_unless_1_to_200_are_asked_for() {
    let house = House::new();
    let people: Vec<String> = (0..201).map(|n| format!("u-{n:03}")).collect();
    house.register(&people.iter().map(String::as_str).collect::<Vec<&str>>());
    // By identifier, the last one first, unless it is asked for otherwise.
    let mut down = people.clone();
    down.reverse();
    for body in [json!({}), json!({ "limit": 0, "page": 0 }), json!({ "limit": null, "page": 1 })] {
        assert_eq!(house.listed(body), (down[..50].to_vec(), 201));
    }
    assert_eq!(house.listed(json!({ "limit": 200 })), (down[..200].to_vec(), 201));
    assert_eq!(house.listed(json!({ "limit": 1, "page": 3 })), (down[2..3].to_vec(), 201));
    assert_eq!(house.listed(json!({ "limit": 200, "page": 2 })), (down[200..].to_vec(), 201));
    for page in [3, i64::from(u32::MAX), i64::MAX] {
        assert_eq!(house.listed(json!({ "limit": 200, "page": page })), (vec![], 201));
    }
    let up = house.listed(json!({ "sortOrder": "asc", "limit": 2 }));
    assert_eq!(up, (people[..2].to_vec(), 201));
    for (field, value, text) in [
        ("limit", -1, rule("Limit", "min", "limit must be at least 1")),
        ("limit", 201, rule("Limit", "max", "limit must be at most 200")),
        ("page", -1, rule("Page", "min", "page must be at least 1")),
    ] {
        refused(house.post("users", json!({ field: value })), 400, &text);
    }
    // Each fault has a line.
    let both =
        [rule("Limit", "max", "limit must be at most 200"), rule("Page", "min", "page must be at least 1")];
    refused(house.post("users", json!({ "limit": 201, "page": -1 })), 400, &both.join("\n"));
    for value in [json!("1"), json!(1.5), json!(true), json!([])] {
        let text = "invalid JSON body: limit must be an integer";
        refused(house.post("users", json!({ "limit": value })), 400, text);
    }
}

#[test]
fn a_query_is_looked_for_in_identifier_email_and_names() {
    let house = House::new();
    house.send(json!([
        { "type": "identify", "userId": "u-1", "traits": { "email": "Needle@example.com" } },
        { "type": "identify", "userId": "u-2", "traits": { "name": "The NEEDLE" } },
        { "type": "identify", "userId": "u-3", "traits": { "firstName": "needle", "lastName": "Point" } },
        { "type": "identify", "userId": "u-4", "traits": { "name": "x", "lastName": "Needles" } },
        { "type": "identify", "userId": "a-needle", "traits": {} },
        { "type": "identify", "userId": "u-5", "traits": { "plan": "needle", "city": "needle" } },
    ]));
    let found = ["u-4", "u-3", "u-2", "u-1", "a-needle"].map(str::to_owned).to_vec();
    assert_eq!(house.listed(json!({ "query": "nEEdle" })), (found.clone(), 5));
    // The total is of all pages.
    assert_eq!(house.listed(json!({ "query": "needle", "limit": 2, "page": 2 })), (found[2..4].to_vec(), 5));
    assert_eq!(house.listed(json!({ "query": "needle point" })), (vec!["u-3".to_owned()], 1));
    assert_eq!(house.listed(json!({ "query": "" })).1, 6);
    for nothing in ["%", "_", "needle*", "'"] {
        assert_eq!(house.listed(json!({ "query": nothing })), (vec![], 0), "{nothing}");
    }
    // So are letters beyond ASCII, in the cases in which names are written.
    house.send(json!([{ "type": "identify", "userId": "oe", "traits": { "name": "Ölü MÜLLER-ÖZ" } }]));
    for query in ["müller", "Müller", "ölü", "ÖLÜ", "öz"] {
        assert_eq!(house.listed(json!({ "query": query })).0, ["oe"], "{query}");
    }
    // The parameter q goes before the body's query.
    let q = |q: &str| names(&data(house.post(&format!("users?q={q}"), json!({ "query": "u-5" }))));
    assert_eq!(q("u-1"), (vec!["u-1".to_owned()], 1));
    assert_eq!(q("needle%20POINT"), (vec!["u-3".to_owned()], 1));
    assert_eq!(q(""), (vec!["u-5".to_owned()], 1));
    refused(house.post("users?q=a&q=b", json!({})), 400, "q must be given once");
}

#[test]
fn a_query_has_at_most_100_characters() {
    let house = House::new();
    let name = "é".repeat(100);
    house.register(&[&name]);
    assert_eq!(house.listed(json!({ "query": name })).1, 1);
    let long = rule("Query", "max", "query must have at most 100 characters");
    refused(house.post("users", json!({ "query": "x".repeat(101) })), 400, &long);
    refused(house.post(&format!("users?q={}", "x".repeat(101)), json!({})), 400, &long);
    refused(house.post("users", json!({ "query": 5 })), 400, "invalid JSON body: query must be a string");
}

#[test]
fn users_of_a_period_are_those_seen_from_its_start_to_its_end() {
    let house = House::new();
    house.track("early", "came", START - 3 * DAY);
    house.track("early", "went", START - 2 * DAY);
    house.track("late", "came", START - DAY);
    house.register(&["never"]);
    let listed = |start: i64, end: i64| {
        house.listed(json!({ "startTimestamp": start, "endTimestamp": end, "sortOrder": "asc" })).0
    };
    assert_eq!(listed(EARLIEST, START), ["early", "late"]);
    assert_eq!(listed(START - 2 * DAY, START - DAY), ["early", "late"]);
    assert_eq!(listed(START - 2 * DAY + 1, START - DAY - 1), Vec::<String>::new());
    assert_eq!(listed(START - 2 * DAY + 1, START - DAY), ["late"]);
    assert_eq!(listed(START - 3 * DAY - 1, START - 3 * DAY), ["early"]);
    assert_eq!(listed(START - 4 * DAY, START - 3 * DAY - 1), Vec::<String>::new());
    assert_eq!(house.listed(json!({ "startTimestamp": START - DAY })).0, ["late"]);
    assert_eq!(house.listed(json!({ "endTimestamp": START - 2 * DAY })).0, ["early"]);
    for (body, text) in [
        (
            json!({ "startTimestamp": EARLIEST - 1 }),
            rule("StartDate", "min", "startTimestamp must be at least 946684800000"),
        ),
        (
            json!({ "endTimestamp": EARLIEST - 1 }),
            rule("EndDate", "min", "endTimestamp must be at least 946684800000"),
        ),
        (
            json!({ "startTimestamp": START, "endTimestamp": START }),
            rule("EndDate", "gtfield", "endTimestamp must be greater than startTimestamp"),
        ),
    ] {
        refused(house.post("users", body), 400, &text);
    }
    assert_eq!(listed(START - 1, START), Vec::<String>::new());
}

#[test]
fn users_are_sorted_by_each_column_that_has_an_order_here() {
    let house = House::new();
    // Who is before the other in one column is behind in the next.
    house.send(json!([
        {
            "type": "identify", "userId": "a", "timestamp": "2026-03-01T00:00:00Z",
            "traits": {
                "email": "b@example.com", "firstName": "A", "lastName": "Z",
                "country": "DE", "city": "Aachen",
            },
        },
        {
            "type": "identify", "userId": "b", "timestamp": "2026-03-02T00:00:00Z",
            "traits": {
                "email": "a@example.com", "firstName": "B", "lastName": "Y",
                "country": "CH", "city": "Bern",
            },
        },
    ]));
    for (column, first) in [
        ("$user_id", "a"),
        ("$email", "b"),
        ("$name", "a"),
        ("$first_name", "a"),
        ("$last_name", "b"),
        ("$country", "b"),
        ("$city", "a"),
        ("$first_event_at", "a"),
        ("$last_seen", "a"),
        ("$created_at", "a"),
    ] {
        let listed = |order: &str| house.listed(json!({ "sortBy": column, "sortOrder": order })).0;
        let mut expected = ["a", "b"];
        if first == "b" {
            expected.reverse();
        }
        assert_eq!(listed("asc"), expected, "{column}");
        expected.reverse();
        assert_eq!(listed("desc"), expected, "{column}");
        assert_eq!(house.listed(json!({ "sortBy": column })).0, expected, "{column}");
    }
    let unknown = rule("SortBy", "validateUserColumn", "sortBy must be a known column");
    for column in ["email", "$USER_ID", "id; DROP TABLE users", "distinct_ids"] {
        refused(house.post("users", json!({ "sortBy": column })), 400, &unknown);
    }
    for column in ["$phone", "properties", "group_id1"] {
        let text = format!("sorting by {column} is not supported");
        refused(house.post("users", json!({ "sortBy": column })), 400, &text);
    }
    let order = rule("SortOrder", "oneof", "sortOrder must be asc or desc");
    for value in ["ASC", "up"] {
        refused(house.post("users", json!({ "sortOrder": value })), 400, &order);
    }
    let text = "invalid JSON body: sortOrder must be a string";
    refused(house.post("users", json!({ "sortOrder": 1 })), 400, text);
}

#[test]
fn filters_are_refused_and_no_filters_are_none() {
    let house = House::new();
    house.register(&["ann"]);
    for none in [json!([]), Value::Null] {
        assert_eq!(house.listed(json!({ "filters": none })).1, 1);
    }
    let filter = json!([{ "name": "$email", "operator": "is", "value": ["a"] }]);
    for filters in [filter, json!([1]), json!({}), json!("x"), json!(0), json!(false)] {
        refused(house.post("users", json!({ "filters": filters })), 400, "filters are not supported");
    }
}

//! What a page of events costs: no more at the end than at the beginning.

use std::time::{Duration, Instant};

use serde_json::Value;
use usher::clock::{DAY, HOUR};

use super::call;
use crate::harness::{START, Server};

const USERS: i64 = 2_000;
const EACH: i64 = 20;

/// Many users with events of the last 190 days, every other one a page view, written past the
/// server.
fn crowd(server: &Server) {
    let conn = server.sqlite();
    let users = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO users (id, project_id, incarnation, state, identifier, created_at, updated_at,
             first_seen, last_seen, event_count)
         SELECT n, (SELECT min(id) FROM projects), randomblob(16), 'live', 'user-' || n, 1, 1, ?2, ?3, ?4
         FROM n";
    let span = 189 * DAY;
    conn.execute(users, [USERS, START - span, START, EACH]).expect("many users");
    let events = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n <= ?1 * ?2)
         INSERT INTO events (user_id, message_key, kind, name, at, message_id, data)
         SELECT n % ?1 + 1, n, CASE n % 2 WHEN 0 THEN 'event' ELSE 'page' END, 'Saved',
             ?3 - (n * 7919 % (?1 * ?2)) * ?4 / (?1 * ?2), 'm-' || n, '{\"plan\":\"team\",\"size\":12}'
         FROM n WHERE n > 1";
    conn.execute(events, [USERS, EACH, START, span]).expect("many events");
}

fn page(server: &Server, query: &str) -> Value {
    call(server, "GET", &format!("/v1/events/custom?{query}")).send().expect(200).json()
}

/// How long the page after a first one takes, at its best of three.
fn time(server: &Server, query: &str) -> Duration {
    let first = page(server, query);
    let scroll = first["scrollId"].as_str().expect("a scrollId");
    let once = || {
        let started = Instant::now();
        page(server, &format!("scrollId={scroll}"));
        started.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

#[test]
fn the_last_pages_cost_what_the_first_ones_do() {
    let server = Server::start();
    crowd(&server);
    let half = USERS * EACH / 2;
    for sort in ["", "&sort=date", "&sort=-date"] {
        let whole = format!("dateRangeStart={}&dateRangeEnd={START}{sort}", START - 189 * DAY - HOUR);
        let first = page(&server, &format!("{whole}&pageSize=1"));
        assert_eq!(first["totalHits"], half, "{sort}");
        let at_first = time(&server, &format!("{whole}&pageSize=100"));
        // Pages of 1,000 lead to the last but one.
        let mut next = format!("{whole}&pageSize=1000");
        let mut before_last = next.clone();
        for _ in 0..half / 1_000 - 1 {
            let scroll = page(&server, &next)["scrollId"].as_str().expect("a scrollId").to_owned();
            before_last = std::mem::replace(&mut next, format!("scrollId={scroll}"));
        }
        let at_last = time(&server, &format!("{before_last}&pageSize=100"));
        println!("{sort}: {at_first:?} {at_last:?}");
        assert!(
            at_last < at_first * 10 + Duration::from_millis(20),
            "{sort}: {at_first:?}, then {at_last:?}"
        );
    }
}

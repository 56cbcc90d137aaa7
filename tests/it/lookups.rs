//! Finding somebody is a probe of an index, however many there are.

use std::time::{Duration, Instant};

use usher::people::listings::{Direction, Field, Filter, Paging};
use usher::people::{find, listings};

use crate::harness::Server;

/// Enough for a walk through all of them to take a hundred times as long as a probe.
const CROWD: u32 = 50_000;
const LOOKUPS: u32 = 100;

/// Many live users, written past the server: `user-7`, with the e-mail `User-7@example.com`,
/// every other one of them seen, at 7.
fn crowd(server: &Server) {
    let insert = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO users (id, project_id, incarnation, state, identifier, email, created_at, updated_at,
             last_seen)
         SELECT n, (SELECT min(id) FROM projects), randomblob(16), 'live', 'user-' || n,
             'User-' || n || '@example.com', 1, 1, CASE n % 2 WHEN 1 THEN n END FROM n";
    server.sqlite().execute(insert, [CROWD]).expect("many users");
}

fn time(mut look: impl FnMut(u32)) -> Duration {
    let started = Instant::now();
    (0..LOOKUPS).for_each(|n| look(n * 397 % CROWD + 1));
    started.elapsed()
}

#[test]
fn the_pages_find_by_email_about_as_fast_as_by_identifier() {
    let server = Server::start();
    crowd(&server);
    let project = server.project().id;
    let by_identifier = time(|n| {
        let found = server.read(|db| find::get(db, project, &format!("user-{n}")));
        assert_eq!(found.identifier, Some(format!("user-{n}")));
    });
    let by_email = time(|n| {
        let email = format!("uSER-{n}@example.com");
        let found = server.read(|db| find::find(db, &[project], &email, &[], 0));
        assert_eq!(found.len(), 1);
    });
    assert!(by_email < by_identifier * 30, "{by_email:?} by e-mail, {by_identifier:?} by identifier");
}

#[test]
fn px_finds_by_email_about_as_fast_as_by_identifier() {
    let server = Server::start();
    crowd(&server);
    let get = |path: &str| {
        server.get(path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200).json()
    };
    let by_identifier = time(|n| {
        assert_eq!(get(&format!("/v1/users/user-{n}"))["identifyId"], format!("user-{n}"));
    });
    let by_email = time(|n| {
        let found = get(&format!("/v1/users?filter=email==uSER-{n}@example.com"));
        assert_eq!(
            (&found["totalHits"], &found["users"][0]["identifyId"]),
            (&1.into(), &format!("user-{n}").into())
        );
    });
    assert!(by_email < by_identifier * 10, "{by_email:?} by e-mail, {by_identifier:?} by identifier");
}

#[test]
fn the_last_page_of_many_costs_what_the_first_one_does() {
    let server = Server::start();
    crowd(&server);
    let project = server.project().id;
    // Of those without a time the oldest is the very last: the order has them behind the rest.
    for (order, last) in [
        (vec![], "user-49990"),
        (vec![(Field::LastSeen, Direction::Descending)], "user-22"),
        (vec![(Field::CreatedAt, Direction::Descending)], "user-11"),
    ] {
        let paging = Paging { project, filter: Filter::Identified, order };
        let page = |after: Option<&str>| {
            server.read(|db| {
                let after = after.map(|name| find::get(db, project, name)).transpose()?;
                let after = after.map(|user| paging.position(&user));
                listings::page(db, &paging, after.as_ref(), 10, None)
            })
        };
        assert_eq!(page(Some(last)).len(), 10);
        let at_first = time(|_| drop(page(None)));
        let at_last = time(|_| drop(page(Some(last))));
        assert!(at_last < at_first * 10, "{at_last:?} for the last page, {at_first:?} for the first");
    }
}

//! Finding somebody is a probe of an index, however many there are.

use std::time::{Duration, Instant};

use usher::domain::users;

use crate::harness::Server;

/// Enough for a walk through all of them to take a hundred times as long as a probe.
const CROWD: u32 = 50_000;
const LOOKUPS: u32 = 100;

/// Many live users, written past the server: `user-7`, with the e-mail `User-7@example.com`.
fn crowd(server: &Server) {
    let insert = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO users (id, project_id, incarnation, state, identifier, email, created_at, updated_at)
         SELECT n, (SELECT min(id) FROM projects), randomblob(16), 'live', 'user-' || n,
             'User-' || n || '@example.com', 1, 1 FROM n";
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
        let found = server.read(|db| users::get(db, project, &format!("user-{n}")));
        assert_eq!(found.identifier, Some(format!("user-{n}")));
    });
    let by_email = time(|n| {
        let email = format!("uSER-{n}@example.com");
        let found = server.read(|db| users::find(db, &[project], &email, &[], 0));
        assert_eq!(found.len(), 1);
    });
    assert!(by_email < by_identifier * 30, "{by_email:?} by e-mail, {by_identifier:?} by identifier");
}

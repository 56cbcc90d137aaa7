//! Finding somebody.

use std::time::{Duration, Instant};

use usher::model::UserId;
use usher::people::find;

use crate::harness::Server;

fn find(server: &Server, text: &str) -> Vec<UserId> {
    let (project, now) = (server.project().id, server.clock.now());
    let found = server.read(|db| find::find(db, &[project], text, &[], now));
    found.into_iter().map(|user| user.id).collect()
}

/// The shortest of some tries: what else the machine does makes a try longer, never shorter.
fn shortest(mut run: impl FnMut()) -> Duration {
    let tries = (0..20).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    });
    tries.min().expect("some tries")
}

#[test]
fn an_e_mail_is_found_in_any_case_by_its_index() {
    let server = Server::start();
    let ann = server.seed("ann").email("Ann@Example.com").insert();
    server
        .sqlite()
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50000)
             INSERT INTO users (id, project_id, incarnation, state, identifier, email, created_at, updated_at)
             SELECT n, 1, randomblob(16), 'live', 'user ' || n, n || '@example.com', 1, 1 FROM n",
            [],
        )
        .expect("many users");
    assert_eq!(find(&server, "ann@EXAMPLE.com"), [ann]);
    let nobody = shortest(|| assert_eq!(find(&server, "nobody"), []));
    let project = server.project().id;
    let named = shortest(|| {
        server.read(|db| find::get(db, project, "user 7"));
    });
    assert!(nobody < named * 20, "{nobody:?} for a search, {named:?} for one probe");
}

//! What programs are told of the backups.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::erasure;
use usher::model::{Erasure, Origin};
use usher::people::find;

use crate::admin::backups::{pack, pack_at};
use crate::common::house::House;
use crate::harness::{Server, fields};

fn list(server: &Server) -> Vec<Value> {
    let key = server.key(None, "admin");
    let reply = server.get("/api/backups").bearer(&key).send().expect(200).json();
    reply["data"].as_array().expect("a list").clone()
}

#[test]
fn each_backup_tells_its_age_size_end_and_erasures_since() {
    let (server, house) = (Server::start(), House::new());
    assert_eq!(list(&server), Vec::<Value>::new());
    let people = ["ann", "ben", "cat"].map(|name| server.seed(name).insert());
    let erase = |n: usize| {
        let id = people[n];
        server.write(move |tx| {
            let user = find::held(tx, id, tx.now())?;
            erasure::begin(tx, &user, Erasure::Everything, Origin::Page).map(|_| ())
        });
    };
    let first = pack(&server, &house);
    erase(0);
    server.clock.advance(DAY);
    let second = pack(&server, &house);
    erase(1);
    erase(2);
    let told = list(&server);
    let name = |path: &std::path::Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let bytes = |path: &std::path::Path| path.metadata().expect("a file").len();
    assert_eq!(
        told,
        [
            json!({
                "name": name(&second), "madeAt": "2026-03-05T10:00:00Z", "prunedAt": "2026-04-04T10:00:00Z",
                "bytes": bytes(&second), "erasuresSince": 2, "refused": null
            }),
            json!({
                "name": name(&first), "madeAt": "2026-03-04T10:00:00Z", "prunedAt": "2026-04-03T10:00:00Z",
                "bytes": bytes(&first), "erasuresSince": 3, "refused": null
            }),
        ]
    );
}

#[test]
fn a_backup_that_a_restore_would_refuse_says_why() {
    let (server, house) = (Server::start(), House::new());
    let damaged = pack(&server, &house);
    std::fs::write(&damaged, "cut").expect("a cut");
    server.clock.advance(DAY);
    pack_at(&server, &house, crate::common::house::position(12));
    server.clock.advance(30 * DAY);
    let told = list(&server);
    assert_eq!(fields(&told[0]), ["bytes", "erasuresSince", "madeAt", "name", "prunedAt", "refused"]);
    let why = |n: usize| told[n]["refused"].as_str().expect("a reason");
    assert!(why(0).contains("another ledger"), "{}", why(0));
    assert!(why(1).contains("is not a backup of Usher"), "{}", why(1));
    assert_eq!((&told[0]["erasuresSince"], &told[1]["erasuresSince"]), (&Value::Null, &Value::Null));
    // The last that reads stays until there is a younger one; the damaged one is pruned.
    assert_eq!((&told[0]["prunedAt"], &told[1]["prunedAt"]), (&Value::Null, &json!("2026-04-03T10:00:00Z")));
    assert_eq!(told[0]["madeAt"], "2026-03-05T10:00:00Z");
}

/// A backup holds every project.
#[test]
fn only_the_organisations_admin_sees_the_backups() {
    let server = Server::start();
    for (project, scopes) in
        [(None, "ingest,read,write,delete"), (Some(server.project().id), "ingest,read,write,delete,admin")]
    {
        let reply = server.get("/api/backups").bearer(&server.key(project, scopes)).send().expect(403);
        assert_eq!(reply.json()["code"], "forbidden");
    }
    server.get("/api/backups").bearer(&server.key(None, "admin")).send().expect(200);
}

//! Projects that are renamed and deleted: gone for every caller at once, their users erased one by one,
//! after a kill and out of an older copy too.

use serde_json::{Value, json};
use tempfile::TempDir;
use usher::clock::Clock;
use usher::erasure::{jobs, project_deletion};
use usher::error::Error;
use usher::model::{ProfileChange, ProjectId};
use usher::people::identify;
use usher::people::subject::Subject;
use usher::projects;
use usher::store::NormalTx;

use crate::harness::{Reply, Server, TestProject, encode, named};
use crate::matrix::activity;
use crate::process::{Process, agent, begin, directory, get, lines, refused, sqlite, usher};

fn path(project: &TestProject) -> String {
    format!("/api/projects/{}", project.key)
}

fn name(server: &Server, project: &TestProject) -> String {
    let id = project.id;
    server.read(|db| Ok(projects::get(db, id)?.name))
}

fn delete(server: &Server, project: &TestProject, key: &str, confirm: &str) -> Reply {
    let path = format!("{}?confirm={}", path(project), encode(confirm));
    server.delete(&path).bearer(key).send()
}

fn count(server: &Server, sql: &str, project: &TestProject) -> i64 {
    server.sqlite().query_row(sql, [project.id.0], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// What is left of a project's people and of what it was told about them.
fn left(server: &Server, project: &TestProject) -> Vec<i64> {
    ["users", "aliases", "sessions", "erased_identifiers", "suppressions", "recent_repairs", "old_secrets"]
        .iter()
        .map(|table| count(server, &format!("SELECT COUNT(*) FROM {table} WHERE project_id = ?1"), project))
        .collect()
}

/// People in every state: live, without a name, in the trash, without an account, kept out, and one
/// whose deletion waits for the night.
fn populate(server: &Server, project: &TestProject) {
    for name in ["live", "trash", "detached", "waiting", "gone"] {
        activity(server, project, name);
    }
    let page =
        json!({"activity": [{"type": "page", "anonymousId": "visitor", "name": "/", "messageId": "v"}]});
    server.post("/api/activity").bearer(&project.all).json(page).send().expect(200);
    let px = |path: &str| {
        server.delete(path).header("X-APTRINSIC-API-KEY", &project.all).send().expect(200);
    };
    px("/v1/users/trash");
    px("/v1/users/gone?hardDelete=true");
    let alloy = server.delete("/users/detached").bearer(&project.all).header("x-api-version", "2025-09");
    alloy.send().expect(200);
    let openreplay = format!("/api/v1/{}/users/waiting", project.key);
    server.delete(&openreplay).bearer(&project.all).send().expect(200);
    let kept_out = json!({"subject": {"identifier": "unwanted"}, "policy": "forever"});
    server.post("/api/suppressions").bearer(&project.all).json(kept_out).send().expect(201);
    server.tick();
    assert!(left(server, project).iter().filter(|rows| **rows > 0).count() >= 5);
}

/// Nothing is left of it, and each of its users has a receipt.
#[track_caller]
fn check_empty(server: &Server, project: &TestProject) {
    assert_eq!(left(server, project), [0; 7]);
    assert_eq!(
        count(
            server,
            "SELECT COUNT(*) FROM jobs WHERE project_id = ?1 AND status <> 'completed' AND status <> 'cancelled'",
            project
        ),
        0
    );
    let without =
        "SELECT COUNT(*) FROM jobs WHERE project_id = ?1 AND status = 'completed' AND receipt_no IS NULL";
    assert_eq!(count(server, without, project), 0);
    let events = "SELECT COUNT(*) FROM events WHERE user_id NOT IN (SELECT id FROM users) AND ?1 = ?1";
    assert_eq!(count(server, events, project), 0);
}

#[test]
fn a_project_is_renamed_and_keeps_its_keys() {
    let server = Server::start();
    let project = server.second();
    let patch = |body: Value| server.request("PATCH", &path(&project)).bearer(&project.all).json(body).send();
    let told = patch(json!({"name": "  Shop  "})).expect(200).json();
    assert_eq!((&told["name"], &told["key"]), (&json!("Shop"), &json!(project.key)));
    assert_eq!(server.get(&path(&project)).bearer(&project.all).send().expect(200).json()["name"], "Shop");
    // The same name again is no other's.
    patch(json!({"name": "Shop"})).expect(200);
    let taken = patch(json!({"name": "default"})).expect(409).json();
    assert_eq!(taken["code"], "name_taken");
    for wrong in [json!(""), json!(" "), json!("a\nb"), json!("x".repeat(201)), json!(7), json!(null)] {
        let told = patch(json!({"name": wrong, "publicWrites": "events-only"})).expect(400).json();
        assert_eq!(told["errors"][0]["field"], "name", "{told}");
    }
    let told = server.get(&path(&project)).bearer(&project.all).send().expect(200).json();
    assert_eq!((&told["name"], &told["publicWrites"]), (&json!("Shop"), &json!("open")));
    patch(json!({"name": "x".repeat(200)})).expect(200);
}

#[test]
fn a_project_is_deleted_by_who_confirms_it() {
    let server = Server::start();
    let project = server.second();
    populate(&server, &project);
    let before = left(&server, &project);
    for (confirm, key, status, words) in [
        ("", project.all.clone(), 400, "confirm"),
        ("default", project.all.clone(), 400, "confirm"),
        (&*project.key, project.all.clone(), 400, "confirm"),
        (&*name(&server, &project), server.key(Some(project.id), "admin"), 403, "delete"),
        (&*name(&server, &project), server.key(Some(project.id), "delete"), 403, "admin"),
        (&*name(&server, &project), server.project().all.clone(), 404, "project"),
    ] {
        let told = delete(&server, &project, &key, confirm).expect(status).text;
        assert!(told.contains(words), "{confirm}: {told}");
    }
    assert_eq!(left(&server, &project), before);
    let request = server.delete(&format!("{}?confirm={}", path(&project), encode(&name(&server, &project))));
    let told = request.bearer(&project.all).header("Usher-Ground", "duty").send().expect(202).json();
    assert_eq!(told, json!({"key": project.key, "state": "deleting"}));
    let ground = "SELECT COUNT(*) FROM projects WHERE id = ?1 AND deleted_ground = 'duty'";
    assert_eq!(count(&server, ground, &project), 1);
}

#[test]
fn a_deleted_project_is_gone_at_once() {
    let server = Server::start();
    let (project, organisation) = (server.second(), server.key(None, "ingest,read,delete,admin"));
    populate(&server, &project);
    server.seed("ann").events(2).insert();
    let old_name = name(&server, &project);
    let of_others = left(&server, server.project());
    delete(&server, &project, &organisation, &old_name).expect(202);
    assert_eq!(server.get(&path(&project)).bearer(&project.all).send().status, 401);
    assert_eq!(server.get(&path(&project)).bearer(&organisation).send().status, 404);
    assert_eq!(delete(&server, &project, &organisation, &old_name).status, 404);
    let track = json!({"userId": "new", "event": "x"});
    for key in [&project.token, &project.all] {
        assert_eq!(server.post("/v1/track").bearer(key).json(track.clone()).send().status, 401);
    }
    let listed = server.get("/api/v1/projects").bearer(&organisation).send().expect(200).text;
    assert!(!listed.contains(&project.key), "{listed}");
    // Its name is free for another.
    let again = server.write(move |tx| projects::create(tx, &old_name, "web"));
    assert_ne!(again.id, project.id);
    server.tick();
    check_empty(&server, &project);
    assert_eq!(left(&server, server.project()), of_others);
    // Visitors, who have no other name, too: each of the six has a job, one had it before.
    let completed = "SELECT COUNT(*) FROM jobs WHERE project_id = ?1 AND status = 'completed'";
    assert_eq!(count(&server, completed, &project), 7);
}

/// A write that found the project before makes nobody in it after.
#[test]
fn nobody_is_made_in_a_deleted_project() {
    let server = Server::start();
    let id = server.second().id;
    let register = move |server: &Server, project: ProjectId| {
        server.app.write_blocking(move |tx: &NormalTx| {
            let subject = Subject { identifier: Some(named("late")), anonymous_id: None };
            identify::identify(tx, project, &subject, &ProfileChange::default(), None).map(|_| ())
        })
    };
    register(&server, id).expect("the twin: before it is deleted");
    server.write(move |tx| project_deletion::begin(tx, id, usher::model::Origin::Request));
    server.tick();
    let late = register(&server, id);
    assert!(matches!(late, Err(Error::ProjectNotFound)), "{late:?}");
}

fn over(server: Server) -> Server {
    let now = server.clock.now();
    Server::over(server.stop(), |options| options.clock = Clock::manual(now))
}

#[test]
fn a_deletion_goes_on_after_a_stop_at_each_step() {
    for steps in 0..8 {
        let server = Server::start();
        let project = server.second();
        populate(&server, &project);
        delete(&server, &project, &project.all, &name(&server, &project)).expect(202);
        for _ in 0..steps {
            server.write(|tx: &NormalTx| project_deletion::step(tx));
        }
        let server = over(server);
        assert_eq!(server.get(&path(&project)).bearer(&project.all).send().status, 401);
        server.tick();
        check_empty(&server, &project);
    }
}

/// More than are erased at a time.
#[test]
fn a_project_of_many_users_is_emptied_in_one_round() {
    const USERS: i64 = 1_050;
    let server = Server::start();
    let project = server.second();
    let id = project.id;
    server.write(move |tx: &NormalTx| {
        (0..USERS).try_for_each(|n| {
            let subject = Subject { identifier: Some(named(&format!("user-{n}"))), anonymous_id: None };
            identify::identify(tx, id, &subject, &ProfileChange::default(), None).map(|_| ())
        })
    });
    delete(&server, &project, &project.all, &name(&server, &project)).expect(202);
    server.tick();
    check_empty(&server, &project);
    let completed = "SELECT COUNT(*) FROM jobs WHERE project_id = ?1 AND status = 'completed'";
    assert_eq!(count(&server, completed, &project), USERS);
}

/// Copies of the database file from before, put back by hand.
fn put_back(server: Server, copy: &TempDir) -> Server {
    let now = server.clock.now();
    let dir = server.stop();
    std::fs::copy(copy.path().join("usher.db"), dir.path().join("usher.db")).expect("a copy");
    for beside in ["usher.db-wal", "usher.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(beside));
    }
    Server::on_older(dir, now)
}

fn copied(server: Server) -> (Server, TempDir) {
    let now = server.clock.now();
    let dir = server.stop();
    let copy = tempfile::tempdir().expect("a directory");
    std::fs::copy(dir.path().join("usher.db"), copy.path().join("usher.db")).expect("a copy");
    (Server::over(dir, |options| options.clock = Clock::manual(now)), copy)
}

#[test]
fn an_older_copy_deletes_the_project_again() {
    // Once with nobody erased yet, once with all of them.
    for finished in [false, true] {
        let server = Server::start();
        let (project, organisation) = (server.second(), server.key(None, "read,delete,admin"));
        populate(&server, &project);
        let (server, copy) = copied(server);
        delete(&server, &project, &organisation, &name(&server, &project)).expect(202);
        if finished {
            server.tick();
            check_empty(&server, &project);
        }
        let server = put_back(server, &copy);
        assert_eq!(server.get(&path(&project)).bearer(&project.all).send().status, 401, "{finished}");
        assert_eq!(server.get(&path(&project)).bearer(&organisation).send().status, 404, "{finished}");
        assert_eq!(server.post("/v1/track").bearer(&project.token).json(json!({})).send().status, 401);
        server.tick();
        check_empty(&server, &project);
        assert!(server.read(|db| jobs::list(db, None, 100)).len() > 6, "{finished}");
    }
}

/// The twin: without the deletion the copy has them all.
#[test]
fn an_older_copy_of_a_project_that_stays_is_whole() {
    let server = Server::start();
    let project = server.second();
    populate(&server, &project);
    let before = left(&server, &project);
    let (server, copy) = copied(server);
    let server = put_back(server, &copy);
    assert_eq!(left(&server, &project), before);
    server.get(&path(&project)).bearer(&project.all).send().expect(200);
}

#[test]
fn projects_are_renamed_and_deleted_by_command() {
    let dir = directory();
    begin(dir.path());
    let list = || lines(dir.path(), &["project", "list"]);
    let key = list()[0].split('\t').next().expect("a key").to_owned();
    for with_a_server in [true, false] {
        let server = with_a_server.then(|| Process::start(dir.path()));
        assert!(lines(dir.path(), &["project", "rename", &key, &format!("shop {with_a_server}")]).is_empty());
        drop(server);
    }
    assert_eq!(list(), [format!("{key}\tshop false")]);
    assert!(refused(dir.path(), &["project", "rename", &key, ""]).contains("name"));
    assert!(refused(dir.path(), &["project", "rename", "NOPE", "x"]).contains("no such project"));

    let made = lines(dir.path(), &["key", "create", "--project", &key, "--name", "k"]).remove(0);
    let server = Process::start(dir.path());
    let body = json!({"userId": "ann", "event": "x"});
    crate::process::post(&agent(), &server.url("/v1/track"), &made, &body).expect("an answer");
    for confirm in [&["project", "delete", &key][..], &["project", "delete", &key, "--confirm", "shop"]] {
        let why = refused(dir.path(), confirm);
        assert!(why.contains("1 users") && why.contains("1 keys") && why.contains("--confirm"), "{why}");
    }
    let said = lines(dir.path(), &["project", "delete", &key, "--confirm", "shop false"]);
    assert!(said[0].starts_with("deleted; 1 users"), "{said:?}");
    assert_eq!(get(&agent(), &server.url("/v1/project"), &made).0, 401);
    crate::restore::wait_for_proof(dir.path());
    crate::process::wait_until("nobody", || {
        let left: i64 =
            sqlite(dir.path()).query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).ok()?;
        (left == 0).then_some(())
    });
    // It was the last one: none is made in its place, and the next one works.
    assert!(list().is_empty());
    assert!(server.terminate().success());
    let server = Process::start(dir.path());
    assert!(list().is_empty());
    assert_eq!(agent().get(server.url("/readyz")).call().expect("an answer").status(), 200);
    let verified = usher(dir.path(), &["verify"]).output().expect("it runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let other = lines(dir.path(), &["project", "create", "shop false"]).remove(0);
    assert_ne!(other, key);
    let made = lines(dir.path(), &["key", "create", "--project", &other, "--name", "k"]).remove(0);
    assert_eq!(get(&agent(), &server.url("/v1/project"), &made).1["project"]["name"], "shop false");
}

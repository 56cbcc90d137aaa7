//! A database that was put back gives no admin back what ended since: an account, a role, a
//! project, a password.

use std::path::Path;

use tempfile::TempDir;
use usher::access::admin_rights::LastOwner;
use usher::access::{admin_rights, admins};
use usher::clock::Clock;
use usher::model::{Admin, ProjectId, Reach, Role};
use usher::projects;

use crate::admin::PASSWORD;
use crate::harness::Server;

fn at(dir: TempDir, now: i64) -> Server {
    Server::over(dir, |options| options.clock = Clock::manual(now))
}

/// Stops, keeps a copy of the database file, and starts again.
fn copied(server: Server) -> (Server, TempDir) {
    let now = server.clock.now();
    let (dir, aside) = (server.stop(), tempfile::tempdir().expect("a directory"));
    std::fs::copy(dir.path().join("usher.db"), aside.path().join("usher.db")).expect("a copy");
    (at(dir, now), aside)
}

/// Stops, puts the copy back, and starts again.
fn put_back(server: Server, aside: &Path) -> Server {
    let now = server.clock.now();
    let dir = server.stop();
    std::fs::copy(aside.join("usher.db"), dir.path().join("usher.db")).expect("a copy");
    let _ = std::fs::remove_file(dir.path().join("usher.db-wal"));
    let _ = std::fs::remove_file(dir.path().join("usher.db-shm"));
    Server::on_older(dir, now)
}

fn make(server: &Server, name: &'static str, role: Role, reach: &Reach) {
    let reach = reach.clone();
    server.write(move |tx| {
        let (_, token) = admin_rights::invite(tx, name, role, &reach)?;
        admin_rights::set_by_link(tx, &token, &admins::hash_password(PASSWORD)?)
    });
}

fn admin(server: &Server, name: &str) -> Option<Admin> {
    server.read(|db| admins::by_name(db, name))
}

fn change(server: &Server, name: &'static str, role: Role, reach: &Reach) {
    let reach = reach.clone();
    server.write(move |tx| {
        let id = admin_rights::named(tx, name)?.id;
        admin_rights::change(tx, id, role, &reach, LastOwner::Stays)
    });
}

fn can_sign_in(server: &Server, name: &str) -> bool {
    admins::is_password(admin(server, name).as_ref(), PASSWORD)
}

#[test]
fn a_copy_gives_no_admin_back_what_ended_since() {
    let server = Server::start();
    let (one, two) = (server.project().id, server.second().id);
    make(&server, "owner", Role::Owner, &Reach::All);
    for name in ["removed", "lowered", "to auditor", "reset", "untouched", "twice"] {
        make(&server, name, Role::Owner, &Reach::All);
    }
    make(&server, "crossed", Role::Support, &Reach::All);
    make(&server, "narrowed", Role::Owner, &Reach::All);
    make(&server, "fewer", Role::Owner, &Reach::Only(vec![one, two]));
    make(&server, "more", Role::Support, &Reach::Only(vec![one]));
    let (server, aside) = copied(server);

    server.write(|tx| admin_rights::remove(tx, admin_rights::named(tx, "removed")?.id, LastOwner::Stays));
    change(&server, "lowered", Role::Support, &Reach::All);
    change(&server, "to auditor", Role::Auditor, &Reach::All);
    change(&server, "crossed", Role::Auditor, &Reach::All);
    change(&server, "twice", Role::Support, &Reach::All);
    change(&server, "twice", Role::Auditor, &Reach::All);
    change(&server, "narrowed", Role::Owner, &Reach::Only(vec![two]));
    change(&server, "fewer", Role::Owner, &Reach::Only(vec![two]));
    change(&server, "more", Role::Owner, &Reach::All);
    server.write(|tx| admin_rights::reset_password(tx, admin_rights::named(tx, "reset")?.id));

    let server = put_back(server, aside.path());
    assert!(admin(&server, "removed").is_none());
    let rights = |name: &str| admin(&server, name).map(|admin| (admin.role, admin.reach)).expect("an admin");
    let only = |projects: &[ProjectId]| Reach::Only(projects.to_vec());
    assert_eq!(rights("lowered"), (Role::Support, Reach::All));
    assert_eq!(rights("to auditor"), (Role::Auditor, Reach::All));
    assert_eq!(rights("crossed"), (Role::Auditor, Reach::All));
    assert_eq!(rights("twice"), (Role::Auditor, only(&[])), "to be set anew by an owner");
    assert_eq!(rights("narrowed"), (Role::Owner, only(&[two])));
    assert_eq!(rights("fewer"), (Role::Owner, only(&[two])));
    assert_eq!(rights("more"), (Role::Support, only(&[one])), "what was given since is given again");
    assert_eq!(rights("untouched"), (Role::Owner, Reach::All));
    assert_eq!(rights("owner"), (Role::Owner, Reach::All));
    assert!(!can_sign_in(&server, "reset") && can_sign_in(&server, "untouched"));
    assert_eq!(server.read(projects::list).len(), 2);
}

/// What was given after it was taken stays in a copy from after that.
#[test]
fn a_copy_from_after_the_end_keeps_what_was_given_since() {
    let server = Server::start();
    make(&server, "owner", Role::Owner, &Reach::All);
    make(&server, "mia", Role::Owner, &Reach::All);
    change(&server, "mia", Role::Auditor, &Reach::All);
    change(&server, "mia", Role::Owner, &Reach::All);
    let (server, aside) = copied(server);
    make(&server, "later", Role::Owner, &Reach::All);
    server.write(|tx| admin_rights::remove(tx, admin_rights::named(tx, "later")?.id, LastOwner::Stays));
    let server = put_back(server, aside.path());
    assert_eq!(admin(&server, "mia").map(|admin| admin.role), Some(Role::Owner));
}

/// A link that was used since does not set a password once more.
#[test]
fn a_copy_gives_no_link_back() {
    let server = Server::start();
    make(&server, "owner", Role::Owner, &Reach::All);
    let token =
        server.write(|tx| admin_rights::invite(tx, "mia", Role::Owner, &Reach::All).map(|(_, token)| token));
    let (server, aside) = copied(server);
    let opens = |server: &Server| {
        let link = server.read(|db| admin_rights::link(db, &token, server.clock.now()));
        matches!(link, admin_rights::Link::Opens(_))
    };
    assert!(opens(&server), "the twin");
    server.write(|tx| admin_rights::reset_password(tx, admin_rights::named(tx, "owner")?.id));
    assert!(!opens(&put_back(server, aside.path())));
}

//! The life of keys on the command line.

use std::path::Path;

use crate::process::{Process, agent, directory, get, lines, refused};

fn project(dir: &Path) -> String {
    lines(dir, &["project", "list"])[0].split('\t').next().expect("a key").to_owned()
}

fn last(dir: &Path) -> String {
    lines(dir, &["key", "list"]).pop().expect("a key")
}

#[test]
fn a_key_lives_by_command() {
    let dir = directory();
    let server = Process::start(dir.path());
    let project = project(dir.path());
    let status = |key: &str| get(&agent(), &server.url("/users"), key).0;
    let create = ["key", "create", "--project", &project, "--name", "a", "--expires", "2999-01-31"];
    let key = lines(dir.path(), &[&create[..], &["--address", "127.0.0.1,10.1.2.3/8"]].concat()).remove(0);
    assert_eq!(status(&key), 200);
    let line = last(dir.path());
    assert!(
        line.ends_with(
            "expires 2999-01-31T00:00:00Z\tonly from 127.0.0.1,10.0.0.0/8; refused from elsewhere: 0"
        ),
        "{line}"
    );
    let id = line.split('\t').next().expect("an id").to_owned();

    let new = lines(dir.path(), &["key", "rotate", &id]).remove(0);
    assert_eq!((status(&key), status(&new)), (200, 200));
    assert!(
        last(dir.path()).contains(&format!("old secret {}… valid until", &key[..8])),
        "{}",
        last(dir.path())
    );
    lines(dir.path(), &["key", "end-old", &id]);
    assert_eq!((status(&key), status(&new)), (401, 200));
    assert!(
        refused(dir.path(), &["key", "end-old", &id])
            .contains("there is no previous secret that is still valid")
    );
    let newest = lines(dir.path(), &["key", "rotate", &id, "--overlap", "0"]).remove(0);
    assert_eq!((status(&new), status(&newest)), (401, 200));

    lines(dir.path(), &["key", "set", &id, "--name", "b", "--expires", "never", "--address", "192.0.2.1"]);
    let line = last(dir.path());
    assert!(line.contains("\tb\t") && !line.contains("expires"), "{line}");
    assert_eq!(status(&newest), 401);
    lines(dir.path(), &["key", "set", &id, "--address", ""]);
    assert_eq!(status(&newest), 200);
    lines(dir.path(), &["key", "revoke", &id]);
    assert_eq!(status(&newest), 401);
}

#[test]
fn what_is_wrong_is_named_by_its_flag() {
    let dir = directory();
    let server = Process::start(dir.path());
    let project = project(dir.path());
    let create = |more: &[&str]| {
        let create = ["key", "create", "--project", &project, "--name", "a"];
        refused(dir.path(), &[&create[..], more].concat())
    };
    assert!(create(&["--expires", "tomorrow"]).contains("--expires: must be a day such as"));
    assert!(create(&["--expires", "2001-01-01"]).contains("--expires: must be later than now"));
    assert!(create(&["--address", "10.0.0.0/33"]).contains("--address: must be an address, or a range"));
    assert!(refused(dir.path(), &["key", "rotate", "99"]).contains("no such key"));
    let key = ["key", "create", "--project", &project, "--name", "a"];
    lines(dir.path(), &key);
    for hours in ["-1", "721", "9223372036854775807"] {
        let why = refused(dir.path(), &["key", "rotate", "1", "--overlap", hours]);
        assert!(why.contains("--overlap: must be from 0 hours to 30 days"), "{why}");
    }
    drop(server);
}

#[test]
fn an_ingest_token_is_rotated_by_command() {
    let dir = directory();
    let server = Process::start(dir.path());
    let project = project(dir.path());
    let settings =
        |token: &str| get(&agent(), &server.url(&format!("/v1/projects/{token}/settings")), "none").0;
    let first = lines(dir.path(), &["project", "rotate-token", &project]).remove(0);
    let second = lines(dir.path(), &["project", "rotate-token", &project, "--overlap", "1"]).remove(0);
    assert_eq!((settings(&first), settings(&second)), (200, 200));
    let shown = lines(dir.path(), &["project", "show", &project]);
    assert!(
        shown.iter().any(|line| line.starts_with(&format!("old token\t{}… valid", &first[..8]))),
        "{shown:?}"
    );
    lines(dir.path(), &["project", "end-old-tokens", &project]);
    assert_eq!((settings(&first), settings(&second)), (404, 200));
    assert!(refused(dir.path(), &["project", "end-old-tokens", "NOPE"]).contains("no such project"));
}

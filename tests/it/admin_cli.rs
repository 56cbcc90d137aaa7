//! Admins on the command line, with and without a server.

use std::path::Path;

use crate::process::{Process, agent, begin, directory, lines, refused};

fn admin(dir: &Path, args: &[&str]) -> Vec<String> {
    lines(dir, &[&["admin"], args].concat())
}

fn refuses(dir: &Path, args: &[&str]) -> String {
    refused(dir, &[&["admin"], args].concat())
}

/// The fields of an admin's line.
fn listed(dir: &Path, name: &str) -> Vec<String> {
    let all = admin(dir, &["list"]);
    let line = all.iter().find(|line| line.starts_with(&format!("{name}\t"))).expect("a line");
    line.split('\t').map(str::to_owned).collect()
}

fn goes_through(dir: &Path) {
    let key = lines(dir, &["project", "list"]).remove(0).split('\t').next().expect("a key").to_owned();
    let link = admin(dir, &["create", "mia"]);
    assert!(
        link.len() == 1 && link[0].starts_with("http://") && link[0].contains("/admin/password/"),
        "{link:?}"
    );
    assert_eq!(listed(dir, "mia")[1..3], ["owner", "(all projects)"]);
    assert_eq!(listed(dir, "mia")[4], "no password set");
    admin(dir, &["create", "sue", "--role", "support", "--project", &key]);
    assert_eq!(listed(dir, "sue")[1..3], ["support", key.as_str()]);
    assert!(refuses(dir, &["create", "sue"]).contains("an admin called sue already exists"));
    assert!(refuses(dir, &["create", "x", "--role", "king"]).contains("must be owner, privacy-officer"));
    assert!(refuses(dir, &["create", "x", "--project", "NOPE"]).contains("no such project"));
    assert!(refuses(dir, &["rename", "nobody", "x"]).contains("there is no such admin"));

    admin(dir, &["rename", "sue", "susan"]);
    admin(dir, &["role", "susan", "auditor"]);
    admin(dir, &["projects", "susan", "--all"]);
    assert_eq!(listed(dir, "susan")[1..3], ["auditor", "(all projects)"]);
    let link = admin(dir, &["reset-password", "susan"]);
    assert!(link[0].contains("/admin/password/"), "{link:?}");
    admin(dir, &["remove", "susan"]);
    assert_eq!(admin(dir, &["list"]).len(), 1);

    // The last owner goes by a flag alone.
    for args in [&["remove", "mia"][..], &["role", "mia", "support"], &["projects", "mia", "--project", &key]]
    {
        assert!(refuses(dir, args).contains("--last-owner"), "{args:?}");
    }
    admin(dir, &["role", "mia", "support", "--last-owner"]);
    admin(dir, &["role", "mia", "owner"]);
    admin(dir, &["remove", "mia", "--last-owner"]);
    assert!(admin(dir, &["list"]).is_empty());
}

#[test]
fn admins_come_and_go_while_a_server_runs() {
    let dir = directory();
    let _server = Process::start(dir.path());
    goes_through(dir.path());
}

#[test]
fn admins_come_and_go_without_a_server() {
    let dir = directory();
    begin(dir.path());
    goes_through(dir.path());
}

#[test]
fn the_link_that_a_command_prints_opens_on_the_server() {
    let dir = directory();
    begin(dir.path());
    let link = admin(dir.path(), &["create", "mia"]).remove(0);
    let path = &link[link.find("/admin/").expect("a path")..];
    let server = Process::start(dir.path());
    let open = |path: &str| agent().get(server.url(path)).call().expect("an answer").status().as_u16();
    assert_eq!(open(path), 200);
    admin(dir.path(), &["reset-password", "mia"]);
    assert_eq!(open(path), 404, "another was made since");
}

//! A project's settings and public keys on the command line.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::process::{Process, agent, begin, directory, get, lines, refused, sqlite, usher};

/// The first project's key.
fn project(dir: &Path) -> String {
    let list = lines(dir, &["project", "list"]);
    list[0].split('\t').next().expect("a key").to_owned()
}

fn set(dir: &Path, project: &str, flags: &[&str]) -> Vec<String> {
    lines(dir, &[&["project", "set", project], flags].concat())
}

fn with_input(dir: &Path, args: &[&str], input: &str) -> Output {
    let mut child = usher(dir, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("an end")
}

/// Refused for the way it is written, before anything is done.
fn misused(dir: &Path, args: &[&str]) -> String {
    let output = usher(dir, args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn a_projects_origins_are_set_by_command() {
    let dir = directory();
    let server = Process::start(dir.path());
    let project = project(dir.path());
    let set = |origins: &str| set(dir.path(), &project, &["--origins", origins])[0].clone();
    assert_eq!(
        set("https://App.example.com,http://localhost:3000"),
        "origins\thttps://app.example.com,http://localhost:3000"
    );
    let create = ["key", "create", "--project", &project, "--name", "k", "--scopes", "admin"];
    let key = lines(dir.path(), &create).remove(0);
    let path = server.url(&format!("/api/projects/{project}"));
    let read = || get(&agent(), &path, &key).1["origins"].to_string();
    assert_eq!(read(), r#"["https://app.example.com","http://localhost:3000"]"#);
    let wrong = ["project", "set", &project, "--origins", "example.com"];
    assert!(refused(dir.path(), &wrong).contains("origins[0]"));
    assert!(refused(dir.path(), &["project", "set", "NOPE", "--origins", ""]).contains("no such project"));
    assert_eq!(read(), r#"["https://app.example.com","http://localhost:3000"]"#);
    assert_eq!(set(""), "origins\t(all sites)");
    assert_eq!(read(), "[]");
}

#[test]
fn every_setting_is_set_by_command_and_shown() {
    let dir = directory();
    begin(dir.path());
    let project = project(dir.path());
    let show = || lines(dir.path(), &["project", "show", &project]);
    let usual = [
        "origins\t(all sites)",
        "public writes\topen",
        "people per address\t1000",
        "people per hour\t100000",
        "placeholders\tundefined,null,nil,none,nan,0,true,false,anonymous,guest,[object object],(null),\
         00000000-0000-0000-0000-000000000000",
        "erased days\t3650",
        "client secret\t(none)",
    ];
    assert_eq!(show(), usual);
    assert_eq!(set(dir.path(), &project, &[]), usual, "without a flag nothing is changed");
    let flags = [
        "--public-writes",
        "events-only",
        "--people-per-address",
        "5",
        "--people-per-hour",
        "50",
        "--placeholders",
        "n/a,test",
        "--erased-days",
        "forever",
        "--erased-why",
        "a law",
        "--client-secret",
        "sixteen letters.",
    ];
    let changed = [
        "origins\t(all sites)",
        "public writes\tevents-only",
        "people per address\t5",
        "people per hour\t50",
        "placeholders\tn/a,test",
        "erased days\tforever: a law",
        "client secret\tset",
    ];
    let said = set(dir.path(), &project, &flags);
    assert_eq!(said[..7], changed);
    assert!(said.len() == 8 && said[7].contains("dropped and counted"), "{said:?}");
    assert_eq!(show(), changed);
    let back = [
        "--public-writes",
        "open",
        "--people-per-address",
        "usual",
        "--people-per-hour",
        "usual",
        "--placeholders",
        "usual",
        "--erased-days",
        "3650",
        "--client-secret",
        "",
    ];
    let said = set(dir.path(), &project, &back);
    assert_eq!(said[..7], usual);
    assert!(refused(dir.path(), &["project", "show", "NOPE"]).contains("no such project"));
}

#[test]
fn a_shorter_time_says_what_follows() {
    let dir = directory();
    begin(dir.path());
    let project = project(dir.path());
    let notes = |days: &str| {
        let said = set(dir.path(), &project, &["--erased-days", days]);
        said.into_iter().filter(|line| line.starts_with("note\t")).collect::<Vec<String>>()
    };
    let shorter = notes("30");
    assert!(shorter.len() == 1 && shorter[0].contains("older than 30 days are deleted"), "{shorter:?}");
    assert_eq!(notes("30"), Vec::<String>::new(), "the same time");
    assert_eq!(notes("31"), Vec::<String>::new(), "a longer one");
}

#[test]
fn a_fault_names_its_flag_and_nothing_is_changed() {
    let dir = directory();
    begin(dir.path());
    let project = project(dir.path());
    let before = lines(dir.path(), &["project", "show", &project]);
    let cases = [
        ["--public-writes", "all"],
        ["--people-per-address", "0"],
        ["--people-per-address", "many"],
        ["--people-per-hour", "1000000001"],
        ["--placeholders", "a,,b"],
        ["--erased-days", "29"],
        ["--erased-days", "always"],
        ["--erased-why", "a law"],
        ["--client-secret", "short"],
    ];
    for [flag, value] in cases {
        let why =
            refused(dir.path(), &["project", "set", &project, "--origins", "https://a.example", flag, value]);
        assert!(why.contains(&format!("{flag}: ")), "{flag} {value}: {why}");
        assert_eq!(lines(dir.path(), &["project", "show", &project]), before, "{flag} {value}");
    }
    let why = refused(dir.path(), &["project", "set", &project, "--erased-days", "forever"]);
    assert!(why.contains("--erased-why: is required"), "{why}");
}

#[test]
fn a_client_secret_is_read_from_standard_input() {
    let dir = directory();
    begin(dir.path());
    let project = project(dir.path());
    let args = ["project", "set", project.as_str(), "--client-secret", "-"];
    let done = with_input(dir.path(), &args, "a secret of the app\r\n");
    assert!(done.status.success());
    assert!(!String::from_utf8_lossy(&done.stdout).contains("a secret of the app"));
    let held = || {
        let sql = "SELECT proficient_client_secret FROM projects";
        sqlite(dir.path()).query_row(sql, [], |row| row.get::<_, Option<String>>(0)).expect("a project")
    };
    assert_eq!(held().as_deref(), Some("a secret of the app"));
    // Nothing there is no wish to remove it.
    let empty = with_input(dir.path(), &args, "\n");
    assert_eq!(empty.status.code(), Some(1));
    assert_eq!(held().as_deref(), Some("a secret of the app"));
    set(dir.path(), &project, &["--client-secret", ""]);
    assert_eq!(held(), None);
}

#[test]
fn a_public_key_is_made_and_listed_as_one() {
    let dir = directory();
    let server = Process::start(dir.path());
    let project = project(dir.path());
    let create = ["key", "create", "--project", &project, "--public", "--name", "page"];
    let key = lines(dir.path(), &create).remove(0);
    let listed = lines(dir.path(), &["key", "list"]);
    let columns: Vec<&str> = listed[0].split('\t').collect();
    assert_eq!((listed.len(), columns[2], columns[3]), (1, "page", "public"));
    // It stands where a token may stand, and reads nothing.
    assert_eq!(get(&agent(), &server.url("/v1/project"), &key).0, 403);
    let settings = server.url(&format!("/v1/projects/{key}/settings"));
    assert_eq!(agent().get(&settings).call().expect("an answer").status(), 200);
    let plain = lines(dir.path(), &["key", "create", "--project", &project, "--name", "k"]).remove(0);
    assert_ne!(
        agent()
            .get(server.url(&format!("/v1/projects/{plain}/settings")))
            .call()
            .expect("an answer")
            .status(),
        200
    );
}

#[test]
fn a_public_key_is_of_one_project_and_has_no_scopes() {
    let dir = directory();
    begin(dir.path());
    let project = project(dir.path());
    misused(dir.path(), &["key", "create", "--org", "--public", "--name", "k"]);
    misused(dir.path(), &["key", "create", "--public", "--name", "k"]);
    let scoped = ["key", "create", "--project", &project, "--public", "--scopes", "ingest", "--name", "k"];
    assert!(misused(dir.path(), &scoped).contains("--scopes"));
    assert_eq!(lines(dir.path(), &["key", "list"]), Vec::<String>::new());
}

#[test]
fn a_plain_key_from_a_browser_is_flagged_in_the_list() {
    let dir = directory();
    let server = Process::start(dir.path());
    let project = project(dir.path());
    let make = |name: &str, flags: &[&str]| {
        lines(dir.path(), &[&["key", "create", "--project", &project, "--name", name], flags].concat())
            .remove(0)
    };
    let (plain, public) = (make("plain", &["--scopes", "ingest"]), make("public", &["--public"]));
    make("unused", &[]);
    for key in [&plain, &public] {
        let request = agent().post(server.url("/v1/track")).header("Authorization", format!("Bearer {key}"));
        let request =
            request.header("Origin", "https://app.example.com").header("Content-Type", "application/json");
        assert_eq!(request.send(r#"{"userId":"ann","event":"x"}"#).expect("an answer").status(), 200);
    }
    // A stop writes it down.
    assert!(server.terminate().success());
    let listed = lines(dir.path(), &["key", "list"]);
    let flagged = |name: &str| {
        let line = listed.iter().find(|line| line.split('\t').nth(2) == Some(name)).expect("a key");
        line.contains("used from a browser on ")
    };
    assert_eq!((flagged("plain"), flagged("public"), flagged("unused")), (true, false, false));
}

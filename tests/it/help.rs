//! What each command says of itself.

use std::process::{Command, Output};

use crate::process::{directory, usher};

/// The standard output of a help.
fn help(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    let Output { status, stdout, .. } = command.args(args).output().expect("it runs");
    assert!(status.success(), "{args:?}");
    String::from_utf8(stdout).expect("UTF-8")
}

/// The long flags that stand at the beginning of a line, but help and version.
fn flags(text: &str) -> Vec<&str> {
    let named = text.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let names = named.map(|rest| rest.split([' ', '[', '=']).next().unwrap_or_default());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_help_of_all_is_the_commands_a_line_each() {
    for args in [&["--help"][..], &["-h"], &["help"]] {
        let said = help(args);
        assert!(flags(&said).is_empty(), "{said}");
        let (_, commands) = said.split_once("Commands:\n").expect("a list");
        let commands = commands.split("\n\n").next().expect("a part");
        let named = commands.lines().map(|line| line.split_whitespace().next().expect("a name"));
        let known = [
            "serve", "project", "key", "admin", "user", "import", "suppress", "hold", "release", "export",
            "clock", "demo", "backup", "restore", "verify", "doctor", "health", "help",
        ];
        assert_eq!(named.collect::<Vec<_>>(), known, "{said}");
        assert!(said.lines().count() < 34, "{said}");
        assert!(said.contains("usher serve"), "{said}");
    }
}

#[test]
fn each_command_shows_its_own_flags_alone() {
    let cases: [(&[&str], &[&str]); 9] = [
        (&["key", "create"], &["project", "org", "name", "scopes", "public", "expires", "address", "data"]),
        (&["key", "revoke"], &["data"]),
        (
            &["project", "set"],
            &[
                "origins",
                "public-writes",
                "people-per-address",
                "people-per-hour",
                "placeholders",
                "erased-days",
                "erased-why",
                "client-secret",
                "data",
            ],
        ),
        (&["project", "delete"], &["confirm", "data"]),
        (&["backup"], &["data", "backup-copy", "backup-command"]),
        (&["demo"], &["users", "heavy", "project", "remove", "data"]),
        (&["doctor"], &["data"]),
        (&["health"], &["data", "listen", "tls-cert"]),
        (&["clock", "show"], &["data"]),
    ];
    for (command, own) in cases {
        let said = help(&[command, &["--help"]].concat());
        let mut shown = flags(&said);
        let mut own = own.to_vec();
        shown.sort_unstable();
        own.sort_unstable();
        assert_eq!(shown, own, "{command:?}: {said}");
        assert_eq!(help(&[&["help"], command].concat()), said);
    }
}

#[test]
fn the_help_of_a_group_is_its_commands() {
    for group in ["project", "key", "admin", "suppress", "clock"] {
        let said = help(&[group, "--help"]);
        assert!(flags(&said).is_empty() && said.contains("Commands:"), "{said}");
        assert_eq!(help(&["help", group]), said);
    }
}

#[test]
fn the_help_of_serve_names_what_a_server_takes() {
    let said = help(&["serve", "--help"]);
    for flag in [
        "data",
        "listen",
        "public-url",
        "trusted-proxy",
        "tls-cert",
        "backup-every",
        "log-format",
        "new-ledger",
    ] {
        assert!(flags(&said).contains(&flag), "{flag}: {said}");
    }
}

/// What a help does not show is taken all the same: units and images set it for every command.
#[test]
fn flags_that_are_not_shown_are_taken() {
    let dir = directory();
    crate::process::begin(dir.path());
    let listed = usher(dir.path(), &["project", "list", "--clock-grace", "0", "--listen", "8080"]).output();
    assert!(listed.expect("it runs").status.success());
    // The twin: one that no command has.
    let wrong = usher(dir.path(), &["project", "list", "--no-such-flag"]).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2));
}

//! What is printed to somebody who is not there to read it: a pipe that was closed, a disk
//! that is full.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::process::{begin, directory, lines, refused, usher};

/// A pipe that nobody reads any more.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("the device").into()
}

fn told(dir: &Path, args: &[&str], out: Stdio) -> (Option<i32>, String) {
    let mut command = usher(dir, args);
    let Output { status, stderr, .. } =
        command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).output().expect("the program runs");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

#[test]
fn without_a_terminal_secrets_go_to_private_files() {
    let dir = directory();
    let server = usher(dir.path(), &SERVE).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut server = server.expect("the program starts");
    let link = dir.path().join("setup-link.txt");
    crate::process::wait_until("the link", || link.exists().then_some(()));
    for (name, secret) in [("recovery-key.txt", "AGE-SECRET-KEY-1"), ("setup-link.txt", "/admin/setup/")] {
        let at = dir.path().join(name);
        assert!(read(&at).contains(secret), "{name}");
        let about = std::fs::metadata(&at).expect("the file");
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777, 0o600, "{name}");
    }
    crate::process::terminate(&server);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut server.stdout.take().expect("output"), &mut said).expect("text");
    std::io::Read::read_to_string(&mut server.stderr.take().expect("a log"), &mut said).expect("text");
    assert!(server.wait().expect("an end").success());
    assert!(said.contains("recovery-key.txt") && said.contains("setup-link.txt"), "{said}");
    assert!(!said.contains("AGE-SECRET-KEY") && !said.contains("/admin/setup/"), "a secret is in the output");
    assert!(!link.exists(), "the link's file outlives the link");
    // The twin: a terminal shows both and makes no file.
    let dir = directory();
    let typed =
        format!("{} serve --listen 127.0.0.1:0 --data {}", env!("CARGO_BIN_EXE_usher"), dir.path().display());
    let mut terminal = Command::new("script");
    let mut shown = terminal
        .args(["-qfec", &typed, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs (Debian: bsdutils)");
    let mut screen = std::io::BufReader::new(shown.stdout.take().expect("a screen"));
    let mut seen = String::new();
    while !seen.contains("/admin/setup/") {
        assert_ne!(std::io::BufRead::read_line(&mut screen, &mut seen).expect("a line"), 0, "{seen}");
    }
    shown.kill().expect("a kill");
    shown.wait().expect("an end");
    assert!(seen.contains("AGE-SECRET-KEY-1"), "{seen}");
    assert!(!dir.path().join("recovery-key.txt").exists() && !dir.path().join("setup-link.txt").exists());
}

fn read(at: &Path) -> String {
    std::fs::read_to_string(at).expect("a file")
}

#[test]
fn a_recovery_key_that_could_not_be_told_is_not_kept() {
    let (dir, shelf) = (directory(), directory());
    // Where the file should be, something is in the way.
    let at = dir.path().join(".recovery-key.txt.new");
    std::fs::create_dir(&at).expect("a folder");
    let backup = shelf.path().to_string_lossy().into_owned();
    lines(dir.path(), &["demo", "--users", "50", "--heavy", "0"]);
    for args in [&SERVE[..], &["backup", &backup]] {
        let (code, why) = told(dir.path(), args, Stdio::null());
        assert_eq!(code, Some(1), "{why}");
        assert!(why.contains("the recovery key could not be printed") && why.contains("next start"), "{why}");
        assert!(!why.contains("panicked"), "{why}");
        assert!(!dir.path().join("secrets/recovery.pub").exists());
    }
    assert_eq!(std::fs::read_dir(shelf.path()).expect("a folder").count(), 0);
    std::fs::remove_dir(&at).expect("out of the way");
    assert!(begin(dir.path()).contains("AGE-SECRET-KEY-1"));
    assert!(!begin(dir.path()).contains("AGE-SECRET-KEY-1"), "it is told twice");
}

/// Once there is a key, nothing that cannot be had again is on standard output.
#[test]
fn a_server_whose_greeting_nobody_reads_serves() {
    let dir = directory();
    begin(dir.path());
    for out in [closed, full] {
        let mut server = usher(dir.path(), &SERVE)
            .stdout(out())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        crate::process::wait_until("an answer, or an end", || {
            let ended = server.try_wait().expect("a look").is_some();
            let answers = std::os::unix::net::UnixStream::connect(dir.path().join("usher.sock")).is_ok();
            (ended || answers).then_some(())
        });
        assert_eq!(lines(dir.path(), &["project", "list"]).len(), 1);
        server.kill().expect("a kill");
        server.wait().expect("an end");
    }
}

#[test]
fn a_restore_that_succeeded_ends_well_or_says_that_it_did() {
    let (dir, shelf) = (directory(), directory());
    begin(dir.path());
    let backup = lines(dir.path(), &["backup", &shelf.path().to_string_lossy()]).remove(0);
    let (code, why) = told(dir.path(), &["restore", &backup], closed());
    assert_eq!((code, why.as_str()), (Some(0), ""));
    let (code, why) = told(dir.path(), &["restore", &backup], full());
    assert_eq!(code, Some(1), "{why}");
    assert!(why.contains("the backup is restored") && why.contains("No space left"), "{why}");
    assert!(!why.contains("panicked"), "{why}");
}

#[test]
fn a_list_that_is_not_read_to_its_end_is_no_fault() {
    let dir = directory();
    begin(dir.path());
    assert_eq!(told(dir.path(), &["project", "list"], closed()), (Some(0), String::new()));
}

#[test]
fn a_command_tells_when_its_answer_was_lost() {
    let dir = directory();
    begin(dir.path());
    let (code, why) = told(dir.path(), &["project", "list"], full());
    assert!(code == Some(1) && why.contains("No space left"), "{code:?} {why}");
    // A key is shown once: whoever does not see it must know.
    let make: &[&str] = &["key", "create", "--org", "--name", "lost"];
    for out in [closed, full] {
        let (code, why) = told(dir.path(), make, out());
        assert!(
            code == Some(1) && why.contains("the key was created but could not be printed"),
            "{code:?} {why}"
        );
    }
    assert!(refused(dir.path(), &["key", "revoke", "99"]).contains("there is no such key"));
    let status =
        usher(dir.path(), &["key", "revoke", "99"]).stderr(full()).status().expect("the program runs");
    assert_eq!(status.code(), Some(1), "an error that cannot be told is no panic");
}

//! What is printed to somebody who is not there to read it: a pipe that was closed, a disk
//! that is full.

use std::fs::File;
use std::path::Path;
use std::process::{Output, Stdio};

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
fn a_recovery_key_that_nobody_could_read_is_not_kept_and_the_next_start_shows_one() {
    for out in [closed, full] {
        let dir = directory();
        let (code, why) = told(dir.path(), &SERVE, out());
        assert_eq!(code, Some(1), "{why}");
        assert!(why.contains("the recovery key could not be shown") && why.contains("next start"), "{why}");
        assert!(!why.contains("panicked"), "{why}");
        assert!(!dir.path().join("secrets/recovery.pub").exists());
        assert!(begin(dir.path()).contains("AGE-SECRET-KEY-1"));
        assert!(!begin(dir.path()).contains("AGE-SECRET-KEY-1"), "it is shown twice");
    }
    // The same for a first backup, which shows it on standard error.
    let (dir, shelf) = (directory(), directory());
    lines(dir.path(), &["demo", "--users", "50", "--heavy", "0"]);
    let status = usher(dir.path(), &["backup", &shelf.path().to_string_lossy()])
        .stdout(Stdio::null())
        .stderr(full())
        .status()
        .expect("the program runs");
    assert_eq!(status.code(), Some(1));
    assert!(!dir.path().join("secrets/recovery.pub").exists());
    assert_eq!(std::fs::read_dir(shelf.path()).expect("a folder").count(), 0);
    assert!(begin(dir.path()).contains("AGE-SECRET-KEY-1"));
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
    assert!(why.contains("the backup is in place") && why.contains("No space left"), "{why}");
    assert!(!why.contains("panicked"), "{why}");
}

#[test]
fn a_command_tells_when_its_answer_was_lost_and_a_list_that_nobody_wants_to_the_end_is_no_fault() {
    let dir = directory();
    begin(dir.path());
    assert_eq!(told(dir.path(), &["project", "list"], closed()), (Some(0), String::new()));
    let (code, why) = told(dir.path(), &["project", "list"], full());
    assert!(code == Some(1) && why.contains("No space left"), "{code:?} {why}");
    // A key is shown once: whoever does not see it must know.
    let make: &[&str] = &["key", "create", "--org", "--name", "lost"];
    for out in [closed, full] {
        let (code, why) = told(dir.path(), make, out());
        assert!(code == Some(1) && why.contains("the key could not be shown"), "{code:?} {why}");
    }
    assert!(refused(dir.path(), &["key", "revoke", "99"]).contains("there is no such key"));
    let status =
        usher(dir.path(), &["key", "revoke", "99"]).stderr(full()).status().expect("the program runs");
    assert_eq!(status.code(), Some(1), "an error that cannot be told is no panic");
}

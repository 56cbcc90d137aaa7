//! A stop waits for nobody for long, and a machine that gives too little is told of in words.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{
    Process, agent, begin, check_file, directory, key, lines, post, sqlite, usher, wait_until,
};

/// The longest that a stop may take.
const LONGEST: Duration = Duration::from_secs(10);

fn people(dir: &Path) -> i64 {
    sqlite(dir).query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).expect("a count")
}

#[test]
fn a_stop_ends_a_long_command_and_tells_it() {
    let dir = directory();
    begin(dir.path());
    let server = Process::start(dir.path());
    let args = ["demo", "--users", "20000", "--heavy", "1", "--project", "long"];
    let mut command = usher(dir.path(), &args);
    let demo = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    wait_until("the first people", || (people(dir.path()) > 5).then_some(()));
    let began = Instant::now();
    assert!(server.terminate().success());
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    let told = demo.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(told.status.code(), Some(1), "{said}");
    assert!(said.contains("the server is stopping"), "{said}");
    check_file(dir.path());
    lines(dir.path(), &["verify"]);
    // One that is short ends by itself.
    let server = Process::start(dir.path());
    assert_eq!(lines(dir.path(), &["project", "list"]).len(), 2);
    assert!(server.terminate().success());
}

/// The program with a limit of the shell's.
fn limited(dir: &Path, limit: &str) -> Command {
    let serve = usher(dir, &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    shell.arg(serve.get_program()).args(serve.get_args()).env_remove("RUST_LOG");
    shell
}

#[test]
fn too_little_memory_for_threads_is_refused_in_words() {
    let dir = directory();
    begin(dir.path());
    let log = dir.path().with_extension("log");
    for limit in ["-v 65536", "-v 100000", "-v 300000"] {
        let server = Process::attempt(dir.path(), limited(dir.path(), limit), &log);
        let said = fs::read_to_string(&log).expect("a log");
        assert!(!said.contains("panicked"), "{limit}: {said}");
        match server {
            Some(server) => assert!(server.terminate().success(), "{limit}"),
            None => assert!(said.contains("memory"), "{limit}: {said}"),
        }
    }
    let _ = fs::remove_file(log);
    // The same without a limit.
    assert!(Process::start(dir.path()).terminate().success());
}

#[test]
fn a_file_that_may_not_grow_fails_the_write_alone() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let log = dir.path().with_extension("log");
    // In units of 512 bytes: 3 MB.
    let server = Process::attempt(dir.path(), limited(dir.path(), "-f 6000"), &log).expect("a server");
    let text = "x".repeat(20_000);
    let refused = (0..400).find_map(|n: usize| {
        let body = json!({ "userId": "ann", "event": "Came By", "messageId": n.to_string(),
                           "properties": { "text": text } });
        let (status, said) = post(&agent(), &server.url("/v1/track"), &key, &body).expect("an answer");
        (status != 200).then_some((status, said))
    });
    let (status, said) = refused.expect("a refusal");
    assert_eq!(status, 503, "{said}");
    let said = fs::read_to_string(&log).expect("a log");
    assert!(said.contains("files cannot grow beyond 3072000 bytes"), "{said}");
    // It lives, and ends when it is told to.
    assert!(server.terminate().success());
    let _ = fs::remove_file(log);
    check_file(dir.path());
}

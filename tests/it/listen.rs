//! Where a server listens, in all the ways that people write it.

use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::Output;

use crate::process::{Process, agent, begin, directory, free_address, refused, usher};

fn serve(dir: &Path, listen: &str) -> Process {
    Process::run(dir, usher(dir, &["serve", "--listen", listen]))
}

fn answers(base: &str) -> bool {
    agent().get(format!("{base}/healthz")).call().is_ok_and(|answer| answer.status() == 200)
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn a_port_alone_is_one_of_this_machine() {
    let dir = directory();
    for colon in ["", ":"] {
        let port = free_address().port();
        let server = serve(dir.path(), &format!("{colon}{port}"));
        assert_eq!(server.base, format!("http://127.0.0.1:{port}"));
        assert!(answers(&server.base));
        let health = usher(dir.path(), &["health", "--listen", &port.to_string()]).output();
        assert!(health.expect("it runs").status.success());
        assert!(server.terminate().success());
    }
}

#[test]
fn a_name_is_every_address_that_it_has() {
    let dir = directory();
    let port = free_address().port();
    let server = serve(dir.path(), &format!("LocalHost:{port}"));
    assert!(answers(&format!("http://127.0.0.1:{port}")), "{}", server.greeting);
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let names =
        |line: &str| line.starts_with("::1") && line.split_whitespace().any(|word| word == "localhost");
    if has_ipv6() && hosts.lines().any(names) {
        assert!(answers(&format!("http://[::1]:{port}")), "{hosts}");
    }
    let health = usher(dir.path(), &["health", "--listen", &format!("localhost:{port}")]).output();
    assert!(health.expect("it runs").status.success());
}

#[test]
fn ipv6_is_listened_on() {
    if !has_ipv6() {
        crate::needs::skipped("this machine has no IPv6");
        return;
    }
    let dir = directory();
    let server = serve(dir.path(), "[::1]:0");
    assert!(server.base.starts_with("http://[::1]:") && answers(&server.base), "{}", server.base);
    drop(server);
    let server = serve(dir.path(), "[::]:0");
    assert!(server.base.starts_with("http://localhost:"), "{}", server.base);
    let port = server.base.rsplit(':').next().expect("a port");
    assert!(answers(&format!("http://[::1]:{port}")));
}

#[test]
fn metrics_take_a_port_as_well() {
    let dir = directory();
    let port = free_address().port();
    let server = Process::start_with(dir.path(), &["--metrics-listen", &port.to_string()]);
    let answer = agent().get(format!("http://127.0.0.1:{port}/metrics")).call().expect("an answer");
    assert_eq!(answer.status(), 200);
    drop(server);
}

#[test]
fn what_is_no_place_to_listen_is_refused_in_words() {
    let dir = directory();
    let wrong = [
        "",
        ":",
        "65536",
        "-1",
        "+80",
        "localhost",
        "127.0.0.1",
        "::1:8080",
        "[::1]",
        "127.0.0.1:",
        "127.1:80",
        "8080:8080",
        "0x7f.1:80",
        "a b:80",
        "http://localhost:80",
        "localhost:80/",
        "localhost:http",
        "*:80",
        ".:80",
    ];
    for flag in ["--listen", "--metrics-listen"] {
        for value in wrong {
            let given = format!("{flag}={value}");
            let output = usher(dir.path(), &["serve", &given]).output().expect("it runs");
            let Output { status, stderr, .. } = output;
            assert_eq!(status.code(), Some(2), "{given}");
            let said = String::from_utf8(stderr).expect("UTF-8");
            for words in [flag, "8080", "127.0.0.1:8080", "[::1]:8080", "localhost:8080"] {
                assert!(said.contains(words), "{given}, {words}: {said}");
            }
        }
    }
    // The reserved top-level name that stands for nothing.
    let why = refused(dir.path(), &["serve", "--listen", "nowhere.invalid:8080"]);
    assert!(why.contains("nowhere.invalid:8080"), "{why}");
}

#[test]
fn a_busy_port_leaves_no_new_directory() {
    let dir = directory();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = taken.local_addr().expect("an address").to_string();
    let new = dir.path().join("new");
    let why = refused(&new, &["serve", "--listen", &busy]);
    assert!(why.contains(&busy) && why.contains("another program"), "{why}");
    let why = refused(&new, &["serve", "--listen", "127.0.0.1:0", "--metrics-listen", &busy]);
    assert!(why.contains(&busy) && why.contains("--metrics-listen"), "{why}");
    let why = refused(&new, &["serve", "--listen", "127.0.0.1:0", "--tls-cert", "nowhere.pem"]);
    assert!(why.contains("--tls-key"), "{why}");
    assert!(!new.exists());
    // The twin: a free one makes it, and with the directory there a busy one is refused as well.
    begin(&new);
    assert!(refused(&new, &["serve", "--listen", &busy]).contains(&busy));
}

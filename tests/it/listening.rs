//! An address that cannot be listened on: each cause has words of its own, and nothing is left behind.

use std::net::TcpListener;

use crate::process::{Process, directory, refused};

#[test]
fn a_busy_port_leaves_no_directory_behind() {
    let (folder, busy) = (directory(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let (dir, addr) = (folder.path().join("data"), busy.local_addr().expect("an address").to_string());
    for args in
        [&["serve", "--listen", &addr][..], &["serve", "--listen", "127.0.0.1:0", "--metrics-listen", &addr]]
    {
        let why = refused(&dir, args);
        let flag = args[args.len() - 2];
        assert!(why.contains("another program is using this address") && why.contains(flag), "{why}");
        assert!(!why.contains("chown") && !dir.exists(), "{why}");
    }
    // The twin: once it is free, the same command serves.
    drop(busy);
    assert!(Process::start(&dir).terminate().success());
    assert!(dir.join("usher.db").exists());
}

#[test]
fn an_address_of_another_machine_is_named() {
    let folder = directory();
    let dir = folder.path().join("data");
    let why = refused(&dir, &["serve", "--listen", "192.0.2.1:8080"]);
    assert!(why.contains("this machine does not have this address") && why.contains("--listen"), "{why}");
    assert!(!dir.exists());
}

#[test]
fn two_servers_of_one_directory_are_told_apart_from_a_busy_port() {
    let dir = directory();
    let first = Process::start(dir.path());
    let addr = first.base.trim_start_matches("http://").to_owned();
    let why = refused(dir.path(), &["serve", "--listen", &addr]);
    assert!(why.contains("an Usher server is"), "{why}");
    assert!(first.terminate().success());
}

//! `deploy/release`: what a release consists of, without building one.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::process::directory;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/release");

fn release(args: &[&str]) -> Output {
    Command::new(SCRIPT).args(args).env("CARGO", env!("CARGO")).output().expect("the script runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A program of no segments: it asks for no loader.
fn stub(at: &Path) {
    let mut elf = vec![0; 64];
    elf[..5].copy_from_slice(b"\x7fELF\x02");
    fs::write(at, elf).expect("a file");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_release_has_a_binary_a_bill_and_checksums() {
    let (dir, out) = (directory(), directory());
    let binary = dir.path().join("usher");
    stub(&binary);
    let folder = out.path().join("dist");
    let made = release(&["--out", &folder.to_string_lossy(), "--binary", &binary.to_string_lossy()]);
    assert!(made.status.success(), "{}", said(&made));
    let version = env!("CARGO_PKG_VERSION");
    let program = format!("usher-{version}-{}-linux", std::env::consts::ARCH);
    assert_eq!(
        names(&folder),
        ["SHA256SUMS".to_owned(), program.clone(), format!("usher-{version}.cdx.json")]
    );
    let check = || {
        let mut check = Command::new("sha256sum");
        check.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(&folder);
        check.output().expect("sha256sum runs").status.success()
    };
    assert!(check());
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("a file");
    assert_eq!(sums.lines().count(), 2, "{sums}");
    // The twin: a byte more is seen.
    fs::write(folder.join(&program), "changed").expect("a file");
    assert!(!check());
}

#[test]
fn a_binary_that_asks_for_a_loader_is_no_release() {
    let (dir, out) = (directory(), directory());
    let text = dir.path().join("text");
    fs::write(&text, "#!/bin/sh").expect("a file");
    let shared = env!("CARGO_BIN_EXE_usher");
    for (binary, why) in [(shared, "is not static"), (&*text.to_string_lossy(), "no program")] {
        let made = release(&["--out", &out.path().to_string_lossy(), "--binary", binary]);
        assert!(!made.status.success() && said(&made).contains(why), "{}", said(&made));
    }
    assert!(names(out.path()).is_empty());
    assert_eq!(release(&["--all"]).status.code(), Some(2));
}

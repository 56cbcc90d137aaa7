//! A receipt in the hands of somebody without Usher: `usher verify`, and OpenSSL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use usher::data_dir::DataDir;
use usher::proof::figures;
use usher::proof::hex::Hex;
use usher::proof::signing::{Missing, Signer};

use crate::common::names_in;
use crate::common::receipts::{ANN, chain_of, path_of, signer, stranger, token};
use crate::needs::skipped;
use crate::process::{directory, usher};

/// A receipt and a public key, as they lie at somebody's who has no Usher running.
struct Desk {
    dir: TempDir,
    receipt: PathBuf,
    key: PathBuf,
}

impl Desk {
    fn new() -> Desk {
        let dir = chain_of(3);
        let receipt = path_of(dir.path(), 3);
        let key = dir.path().join("signing.pub");
        fs::write(&key, signer().public().file_text()).expect("a file");
        Desk { dir, receipt, key }
    }

    fn verify(&self, more: &[&str]) -> Output {
        let (receipt, key) = (self.receipt.to_string_lossy(), self.key.to_string_lossy());
        verify(self.data().as_path(), &[&["--receipt", &receipt, "--key", &key], more].concat())
    }

    /// A data directory that is not there.
    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

fn verify(data: &Path, args: &[&str]) -> Output {
    usher(data, &[&["verify"], args].concat()).output().expect("the program runs")
}

#[track_caller]
fn good(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[track_caller]
fn bad(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(code), true), "{said}");
    said
}

#[test]
fn a_good_receipt_is_told_in_words_from_two_files() {
    let desk = Desk::new();
    let said = good(&desk.verify(&[]));
    let handed_out = |path: &Path| figures::handed_out(fs::read(path).expect("a file"));
    let before = Hex::sha256(&handed_out(&path_of(desk.dir.path(), 2)));
    let own = Hex::sha256(&handed_out(&desk.receipt));
    for words in [
        "The signature is valid",
        "Receipt 3, 03030303030303030303030303030303",
        &signer().public().to_string(),
        "Erased:       an account and its activity",
        "           3  events, interactions and logs",
        "Legal basis:  not stated",
        "Completed:    2026-01-19T12:30:01Z",
        "4812  events, interactions and logs",
        "digest of the identifier: tells late events",
        "5120 values; 0 found",
        "Other users' data mentions this account in 2 places",
        "usher-20260118T030000Z-1a2b3c4d.backup, made 2026-01-18T12:30:00Z, removed 2026-02-17T12:30:00Z",
        &format!("receipt number 3 in its chain, after {before}"),
        &own.to_string(),
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(!said.contains("belongs to this person"));
    // As it is handed out, it says nothing of the installation as a whole.
    fs::write(&desk.receipt, handed_out(&desk.receipt)).expect("a file");
    let said = good(&desk.verify(&[]));
    assert!(
        said.contains(&format!("receipt number 3 in its chain, after {before}"))
            && said.contains(&own.to_string())
    );
    assert!(
        said.contains("Checked by:   sqlite: ") && !said.contains("bytes") && !said.contains("entry"),
        "{said}"
    );
    assert!(!desk.data().exists(), "no data directory is made");
    let first = path_of(desk.dir.path(), 1);
    let args = ["--receipt", &first.to_string_lossy(), "--key", &signer().public().to_string()];
    assert!(good(&verify(&desk.data(), &args)).contains("the first receipt in its chain"));
}

#[test]
fn it_works_while_a_server_holds_the_directory() {
    let desk = Desk::new();
    DataDir::make(&desk.data()).expect("a directory");
    let _held = DataDir::hold(&desk.data()).expect("a directory").expect("nobody else");
    let before = names_in(&desk.data());
    good(&desk.verify(&[]));
    assert_eq!(names_in(&desk.data()), before);
}

#[test]
fn a_changed_receipt_ends_with_1_and_says_what_is_wrong() {
    let desk = Desk::new();
    let whole = fs::read_to_string(&desk.receipt).expect("a text");
    for (from, to, words) in [
        ("\"rows\":97", "\"rows\":79", "the signature is not valid"),
        ("\"found\":0", "\"found\":1", "`figures.scan.found` must be 0"),
        ("\"mentions\":2", "\"mentions\":x", "not JSON, from byte"),
        ("\"mentions\":2", "\"mentions\":x", "in the field `receipt.mentions`"),
        ("\"mentions\":2", "\"mentions\": 2", "not in canonical form"),
        ("\"erasure\":\"everything\"", "\"erasure\":\"evErything\"", "`asked.erasure` must be"),
    ] {
        let changed = whole.replace(from, to);
        assert_ne!(changed, whole, "{from}");
        fs::write(&desk.receipt, changed).expect("a file");
        let said = bad(&desk.verify(&[]), 1);
        assert!(said.contains("is not a valid receipt") && said.contains(words), "{words}: {said}");
    }
    fs::write(&desk.receipt, "").expect("a file");
    assert!(bad(&desk.verify(&[]), 1).contains("cut short"));
    fs::write(&desk.receipt, &whole).expect("a file");
    good(&desk.verify(&[]));
    fs::write(&desk.key, stranger().public().file_text()).expect("a file");
    assert!(bad(&desk.verify(&[]), 1).contains("signed by another key"));
}

#[test]
fn a_token_shows_whose_receipt_it_is() {
    let desk = Desk::new();
    let own = token(3).to_string();
    let said = good(&desk.verify(&["--token", &own, "--identifier", ANN]));
    assert!(said.contains("This receipt belongs to this person"));
    let said = bad(&desk.verify(&["--token", &own, "--identifier", "bob"]), 1);
    assert!(
        said.contains("the receipt is valid, but it does not belong to this identifier and token"),
        "{said}"
    );
    // Whoever asked twice has two, of one salt.
    good(&desk.verify(&["--token", &token(2).to_string(), "--identifier", ANN]));
    let said = bad(&desk.verify(&["--token", &token(2).to_string(), "--identifier", "bob"]), 1);
    assert!(said.contains("the token belongs to another receipt"), "{said}");
    let forged = own.replace("a5a5", "a5a6");
    let said = bad(&desk.verify(&["--token", &forged, "--identifier", ANN]), 1);
    assert!(said.contains("does not belong to this identifier"), "{said}");
    // A token makes no bad receipt good.
    let whole = fs::read_to_string(&desk.receipt).expect("a text");
    fs::write(&desk.receipt, whole.replace("\"rows\":97", "\"rows\":79")).expect("a file");
    bad(&desk.verify(&["--token", &own, "--identifier", ANN]), 1);
}

#[test]
fn a_command_that_cannot_be_understood_ends_with_2() {
    let desk = Desk::new();
    let (receipt, key) = (desk.receipt.to_string_lossy(), desk.key.to_string_lossy());
    let neutral = format!("01{}", "00".repeat(31));
    for (args, words) in [
        (&["--receipt", &receipt][..], "--key"),
        (&["--key", &key], "--receipt"),
        (&["--receipt", "/nowhere", "--key", &key], "cannot read it"),
        (&["--receipt", "/", "--key", &key], "cannot read it"),
        (&["--receipt", &receipt, "--key", "/nowhere"], "neither 64 hex digits"),
        (&["--receipt", &receipt, "--key", &receipt], "the text of the file must be 64 hex digits"),
        (&["--receipt", &receipt, "--key", &neutral], "is not a key"),
        (&["--receipt", &receipt, "--key", &key, "--token", "x", "--identifier", "a"], "32 hex digits"),
        (&["--receipt", &receipt, "--key", &key, "--token", &token(3).to_string()], "--identifier"),
        (&["--receipt", &receipt, "--key", &key, "--identifier", "a"], "--token"),
        (&["--receipt", &receipt, "--key", &key, "--more"], "--more"),
    ] {
        let said = bad(&verify(&desk.data(), args), 2);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert!(!desk.data().exists());
}

/// Not waited for.
#[test]
fn a_pipe_that_nobody_writes_to_is_no_receipt_and_no_key() {
    let desk = Desk::new();
    let pipe = desk.dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let (pipe, receipt, key) =
        (pipe.to_string_lossy(), desk.receipt.to_string_lossy(), desk.key.to_string_lossy());
    let no_receipt = verify(&desk.data(), &["--receipt", &pipe, "--key", &key]);
    assert_ne!(no_receipt.status.code(), Some(0));
    assert!(!no_receipt.stderr.is_empty());
    bad(&verify(&desk.data(), &["--receipt", &receipt, "--key", &pipe]), 2);
    let no_backup = usher(&desk.data(), &["restore", &pipe]).output().expect("the program runs");
    assert_eq!(no_backup.status.code(), Some(1), "{}", String::from_utf8_lossy(&no_backup.stderr));
}

/// Another program reads the same file and finds the same signature good.
#[test]
fn openssl_reads_the_public_key_and_accepts_the_signature() {
    if Command::new("openssl").arg("version").output().is_err() {
        return skipped("there is no openssl; tests/run installs it");
    }
    let dir = directory();
    let signer = Signer::open(dir.path(), Missing::Make).expect("a key");
    let text = dir.path().join("text");
    fs::write(&text, "gone for good").expect("a file");
    let accepts = |signature: Hex<64>| {
        let file = dir.path().join("signature");
        fs::write(&file, signature.0).expect("a file");
        let output = Command::new("openssl")
            .args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"])
            .arg(dir.path().join("signing.pub"))
            .arg("-in")
            .arg(&text)
            .arg("-sigfile")
            .arg(&file)
            .output()
            .expect("openssl runs");
        output.status.success()
    };
    assert!(accepts(signer.sign(b"gone for good")));
    assert!(!accepts(signer.sign(b"gone for bad")));
}

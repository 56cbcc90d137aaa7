//! A ledger of erasures that somebody has changed, cut, or put an older one in the place of, with no
//! secret of the installation: it is refused in words, at a start, at a restore and by `verify`.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::process::{begin, directory, key, lines, recovery_key, refused, usher};
use crate::restore::House;

const LEDGER: &str = "erasures.ledger";

/// A directory with a past; backups from before its last part and from after; and a place for copies.
struct Past {
    dir: TempDir,
    place: TempDir,
    old: PathBuf,
    key: String,
    recovery: String,
    /// The ledger and the database when the first backup was made.
    before: Vec<(&'static str, Vec<u8>)>,
}

impl Past {
    fn new() -> Past {
        let (dir, place) = (directory(), directory());
        let recovery = recovery_key(&begin(dir.path()));
        let key = key(dir.path(), "main");
        let house = House::open(dir.path(), &key, &[]);
        for name in ["ann-the-erased", "ben-the-hidden", "cat-the-erased", "dan-the-living"] {
            house.did(name, "Old History");
        }
        house.erase(dir.path(), "cat-the-erased");
        let old = PathBuf::from(lines(dir.path(), &["backup", &place.path().to_string_lossy()]).remove(0));
        assert!(house.server.terminate().success());
        let read = |name| (name, fs::read(dir.path().join(name)).expect("a file"));
        let before = vec![read(LEDGER), read("usher.db")];
        let house = House::open(dir.path(), &key, &[]);
        house.delete("ben-the-hidden", "");
        house.erase(dir.path(), "ann-the-erased");
        assert!(house.server.terminate().success());
        let past = Past { dir, place, old, key, recovery, before };
        past.copy_out();
        past
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Ledger and receipts, as they lie, beside the backup.
    fn copy_out(&self) {
        fs::copy(self.path().join(LEDGER), self.place.path().join(LEDGER)).expect("a copy");
        for receipt in fs::read_dir(self.path().join("receipts")).expect("a folder").flatten() {
            fs::copy(receipt.path(), self.place.path().join(receipt.file_name())).expect("a copy");
        }
    }

    fn forget_receipts(&self) {
        for receipt in fs::read_dir(self.place.path()).expect("a folder").flatten() {
            if receipt.file_name().to_string_lossy().ends_with(".json") {
                fs::remove_file(receipt.path()).expect("a file");
            }
        }
    }

    /// On an empty machine.
    fn restore(&self, more: &[&str]) -> (Option<i32>, String, TempDir) {
        let new = directory();
        let old = self.old.to_string_lossy();
        let output = usher(new.path(), &[&["restore", &old], more].concat())
            .env("USHER_RECOVERY_KEY", &self.recovery)
            .output()
            .expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), new)
    }

    /// With these bytes as its ledger, here and beside the backup: what a start, a restore here, a
    /// restore elsewhere and `verify` say. Each must refuse it.
    #[track_caller]
    fn all_refuse(&self, bytes: &[u8], what: &str) -> Vec<String> {
        let good = fs::read(self.path().join(LEDGER)).expect("a ledger");
        for folder in [self.path(), self.place.path()] {
            fs::write(folder.join(LEDGER), bytes).expect("a file");
        }
        let mut said = vec![
            refused(self.path(), &["key", "list"]),
            refused(self.path(), &["restore", &self.old.to_string_lossy()]),
        ];
        let (code, elsewhere, _) = self.restore(&[]);
        assert_eq!(code, Some(1), "{what}: {elsewhere}");
        said.push(elsewhere);
        let output = usher(self.path(), &["verify"]).output().expect("the program runs");
        let verified = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{what}: {verified}");
        assert!(verified.contains("WRONG  ledger of erasures"), "{what}: {verified}");
        said.push(verified);
        for words in &said[..3] {
            assert!(words.contains("ledger of erasures") && words.contains("newest copy"), "{what}: {words}");
        }
        for folder in [self.path(), self.place.path()] {
            fs::write(folder.join(LEDGER), &good).expect("a file");
        }
        said
    }

    /// The twin: as it is, all of them take it.
    fn all_take(&self) {
        lines(self.path(), &["key", "list"]);
        lines(self.path(), &["verify"]);
        let (code, said, new) = self.restore(&[]);
        assert_eq!(code, Some(0), "{said}");
        self.check(new.path());
    }

    fn check(&self, dir: &Path) {
        let house = House::open(dir, &self.key, &[]);
        assert_eq!(house.status("ann-the-erased"), 404);
        assert_eq!(house.status("cat-the-erased"), 404);
        assert_eq!(house.status("ben-the-hidden"), 404);
        assert_eq!(house.status("dan-the-living"), 200);
        assert!(house.server.terminate().success());
    }
}

fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// A line that follows well from the one before it, made without any secret.
fn forged(last: &[u8], body: &str) -> Vec<u8> {
    let text = String::from_utf8(last.to_vec()).expect("text");
    let number = |name: &str| -> u64 {
        let rest = text.split_once(name).expect("a field").1;
        rest.split([',', '}']).next().expect("a number").parse().expect("a number")
    };
    let (seq, at) = (number("\"seq\":"), number("\"at\":"));
    let chain = text.split_once("\"chain\":\"").expect("a chain value").1;
    let before = data_encoding::HEXLOWER.decode(&chain.as_bytes()[..64]).expect("hex");
    let body = format!("{{\"seq\":{},\"at\":{at},{body}", seq + 1);
    let digest = Sha256::new().chain_update(before).chain_update(&body).chain_update("}").finalize();
    let chain = data_encoding::HEXLOWER.encode(&digest);
    let mac = text.split_once("\"mac\":\"").expect("a MAC").1;
    format!("{body},\"chain\":\"{chain}\",\"mac\":\"{}\"}}\n", &mac[..64]).into_bytes()
}

#[test]
fn each_field_of_each_line_that_is_changed_is_refused() {
    let past = Past::new();
    let good = fs::read(past.path().join(LEDGER)).expect("a ledger");
    let all = lines_of(&good);
    assert!(all.len() > 3, "{}", all.len());
    let (mut tried, mut fields) = (0, 0);
    for (number, line) in all.iter().enumerate() {
        let text = String::from_utf8(line.clone()).expect("text");
        for (at, _) in text.match_indices("\":") {
            // One letter or digit of each value. All of them are tried of the library alone.
            let value = at + text[at..].find(|c: char| c.is_ascii_alphanumeric()).expect("a value");
            fields += 1;
            if fields % 3 != 0 {
                continue;
            }
            let mut bad = all.clone();
            bad[number][value] ^= 1;
            past.all_refuse(&bad.concat(), &format!("line {}, byte {value}", number + 1));
            tried += 1;
        }
    }
    assert!(tried > 5, "{tried}");
    past.all_take();
}

#[test]
fn lines_that_are_cut_swapped_or_put_in_are_refused() {
    let past = Past::new();
    let good = fs::read(past.path().join(LEDGER)).expect("a ledger");
    let all = lines_of(&good);
    for end in 1..all.len() {
        past.all_refuse(&all[..end].concat(), &format!("cut after line {end}"));
        let mut swapped = all.clone();
        swapped.swap(end - 1, end);
        past.all_refuse(&swapped.concat(), &format!("lines {end} and the next swapped"));
    }
    let last = all.last().expect("a line");
    let person = "0123456789abcdef0123456789abcdef";
    for body in [
        "\"act\":\"void\",\"from\":1".to_owned(),
        format!("\"act\":\"erased\",\"person\":\"{person}\",\"erasure\":\"everything\""),
    ] {
        let bad = [good.clone(), forged(last, &body)].concat();
        let said = past.all_refuse(&bad, &body);
        assert!(said[0].contains("damaged or forged"), "{}", said[0]);
        assert!(said[3].contains("was not written by this installation"), "{}", said[3]);
    }
    let other = directory();
    begin(other.path());
    let foreign = fs::read(other.path().join(LEDGER)).expect("a ledger");
    past.all_refuse(&foreign, "of another installation");
    past.all_take();
}

/// The MACs taken away, as version 1 had it: then anybody could write on.
#[test]
fn version_1_is_refused_where_something_signed_names_version_2() {
    let past = Past::new();
    let good = String::from_utf8(fs::read(past.path().join(LEDGER)).expect("a ledger")).expect("text");
    let bare: String = good
        .lines()
        .map(|line| {
            let line = line.split_once(",\"mac\"").expect("a MAC").0;
            format!("{}}}\n", line.replacen("\"version\":2", "\"version\":1", 1))
        })
        .collect();
    let place = past.place.path().join(LEDGER);
    fs::write(&place, &bare).expect("a file");
    let (code, said, _) = past.restore(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("without a `mac`, but backup usher-") && said.contains("names version 2"),
        "{said}"
    );
    fs::write(past.path().join(LEDGER), &bare).expect("a file");
    for args in [&["key", "list"][..], &["restore", &past.old.to_string_lossy()]] {
        let why = refused(past.path(), args);
        assert!(why.contains("the signed head in secrets/ledger.head names version 2"), "{why}");
    }
    for path in [place, past.path().join(LEDGER)] {
        fs::write(path, &good).expect("a file");
    }
    past.all_take();
}

/// Both files, so that they fit together; and the receipts that came since are taken away.
#[test]
fn an_older_ledger_and_database_are_refused_by_the_signed_head() {
    let past = Past::new();
    let dir = past.path();
    let newest: Vec<_> =
        [LEDGER, "usher.db"].iter().map(|name| (*name, fs::read(dir.join(name)).expect("a file"))).collect();
    let put = |files: &[(&str, Vec<u8>)]| {
        for (name, bytes) in files {
            fs::write(dir.join(name), bytes).expect("a file");
        }
    };
    put(&past.before);
    for receipt in fs::read_dir(dir.join("receipts")).expect("a folder").flatten() {
        if receipt.file_name().to_string_lossy().starts_with("000002") {
            fs::rename(receipt.path(), dir.join("aside.json")).expect("a move");
        }
    }
    let end = lines_of(&past.before[0].1).len() - 1;
    for args in [&["key", "list"][..], &["restore", &past.old.to_string_lossy()]] {
        let why = refused(dir, args);
        assert!(why.contains("older than the signed head in secrets/ledger.head"), "{why}");
        assert!(why.contains(&format!("ends with entry {end}, ")), "{why}");
        assert!(why.contains(&format!("`--ledger-head {end}`")), "{why}");
    }
    // Somebody decides; but not for more than there is.
    let asked = (end + 1).to_string();
    let why = refused(dir, &["serve", "--listen", "127.0.0.1:0", "--ledger-head", &asked]);
    assert!(why.contains(&format!("`--ledger-head` names entry {asked}")), "{why}");
    let asked = end.to_string();
    let house = House::open(dir, &past.key, &["--ledger-head", &asked]);
    assert_eq!(house.status("ann-the-erased"), 200);
    assert!(house.server.terminate().success());
    // From then on it counts, and the newest is another, which has to be asked for as well.
    lines(dir, &["key", "list"]);
    put(&newest);
    assert!(refused(dir, &["serve", "--listen", "127.0.0.1:0"]).contains("--accept-loss"));
    assert!(House::open(dir, &past.key, &["--accept-loss"]).server.terminate().success());
    lines(dir, &["key", "list"]);
}

#[test]
fn on_an_empty_machine_signed_files_refuse_an_older_ledger() {
    let past = Past::new();
    let (ledger, place) = (past.place.path().join(LEDGER), past.place.path());
    fs::write(&ledger, &past.before[0].1).expect("a file");
    let end = lines_of(&past.before[0].1).len() - 1;
    // By a receipt.
    let (code, said, _) = past.restore(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is older than receipt 2") && said.contains("--ledger-head"), "{said}");
    past.forget_receipts();
    // Nothing is left that says so: a rollback of all copies together is not noticed.
    let (code, said, new) = past.restore(&[]);
    assert_eq!(code, Some(0), "{said}");
    drop(new);
    // By the first line of another backup, which opens with no key here.
    let young = lines(past.path(), &["backup", &place.to_string_lossy()]).remove(0);
    let (code, said, _) = past.restore(&[]);
    let name = Path::new(&young).file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("is older than backup {name}")), "{said}");
    assert!(said.contains(&format!("ends with entry {end}, ")), "{said}");
    let asked = end.to_string();
    let (code, said, new) = past.restore(&["--ledger-head", &asked]);
    assert_eq!(code, Some(0), "{said}");
    drop(new);
    let beyond = (end + 1).to_string();
    let (code, said, _) = past.restore(&["--ledger-head", &beyond]);
    assert_eq!(code, Some(1), "{said}");
    // Unsigned words count for nothing.
    let bytes = fs::read(&young).expect("a backup");
    let field = b"\"signature\":\"";
    let at =
        bytes.windows(field.len()).position(|window| window == field).expect("a signature") + field.len();
    let mut other = bytes.clone();
    other[at] = if other[at] == b'0' { b'1' } else { b'0' };
    fs::write(&young, other).expect("a file");
    let (code, said, _) = past.restore(&[]);
    assert_eq!(code, Some(0), "{said}");
    // The twin: the newest is taken beside all of it.
    fs::write(&young, bytes).expect("a file");
    past.copy_out();
    past.all_take();
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1").join(name)
}

/// In version 1 whoever could write the ledger could declare an erasure void; the receipts tell.
#[test]
fn receipts_refuse_a_forged_ledger_of_version_1() {
    let place = directory();
    let backup = place.path().join("usher-20261129T230421Z-0b05c929.backup");
    fs::copy(fixture("usher.backup"), &backup).expect("a copy");
    for receipt in fs::read_dir(fixture("data/receipts")).expect("a folder").flatten() {
        fs::copy(receipt.path(), place.path().join(receipt.file_name())).expect("a copy");
    }
    let good = fs::read(fixture("data/erasures.ledger")).expect("a ledger");
    let last = lines_of(&good).pop().expect("a line");
    let text = String::from_utf8(last).expect("text");
    let with_mac = text.replacen("\"}", &format!("\",\"mac\":\"{}\"}}", "0".repeat(64)), 1);
    let line = String::from_utf8(forged(with_mac.as_bytes(), "\"act\":\"void\",\"from\":1")).expect("text");
    let bare = format!("{}}}\n", line.split_once(",\"mac\"").expect("a MAC").0);
    let cut = lines_of(&good).into_iter().take(2).collect::<Vec<_>>().concat();
    let key = fixture("recovery-key.txt");
    let restore = |bytes: &[u8]| {
        let new = directory();
        fs::write(place.path().join(LEDGER), bytes).expect("a file");
        let args = ["restore", &backup.to_string_lossy(), "--recovery-key", &key.to_string_lossy()]
            .map(str::to_owned);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = usher(new.path(), &args).output().expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = restore(&[good.clone(), bare.into_bytes()].concat());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("contradicts the signed receipt") && said.contains("declares void"), "{said}");
    let (code, said) = restore(&cut);
    assert_eq!(code, Some(1), "{said}");
    // The twin.
    let (code, said) = restore(&good);
    assert_eq!(code, Some(0), "{said}");
}

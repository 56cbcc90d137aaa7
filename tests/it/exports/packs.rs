//! The ZIP that a person is given.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{export, fill, lines, of};
use crate::harness::Server;
use crate::needs::skipped;

/// The files of a ZIP, without the folder that they are all in.
pub fn files(zip: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("a ZIP");
    let mut files = BTreeMap::new();
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).expect("a file");
        let name = file.name().expect("a name").into_owned();
        let (folder, path) = name.split_once('/').expect("a folder");
        assert!(folder.starts_with("usher-access-"), "{folder}");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("a file");
        files.insert(path.to_owned(), bytes);
    }
    files
}

fn text(files: &BTreeMap<String, Vec<u8>>, path: &str) -> String {
    let names: Vec<&String> = files.keys().collect();
    let bytes = files.get(path).unwrap_or_else(|| panic!("{path} is missing among {names:?}"));
    String::from_utf8(bytes.clone()).expect("UTF-8")
}

fn packed(server: &Server, id: &str) -> Vec<u8> {
    let reply = export(server, id, "application/zip").expect(200);
    assert_eq!(reply.header("content-type"), Some("application/zip"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.bytes
}

#[test]
fn a_pack_has_all_its_files() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let files = files(&packed(&server, &id));
    let names: Vec<&str> = files.keys().map(String::as_str).filter(|name| !name.starts_with("rec")).collect();
    let wanted = [
        "SHA256SUMS",
        "csv/anonymous_ids.csv",
        "csv/events.csv",
        "csv/messages.csv",
        "csv/profile.csv",
        "csv/sessions.csv",
        "data.ndjson",
        "index.html",
        "information.html",
        "manifest.json",
        "requests.json",
    ];
    for name in wanted {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    assert!(names.contains(&"timeline/2023-11.html"), "{names:?}");
    let recording = files.iter().find(|(name, _)| name.starts_with("recordings/")).expect("a recording");
    assert!(recording.0.ends_with(".webm"), "{}", recording.0);
    assert_eq!(recording.1, &vec![7_u8; 100_000]);
    assert!(!files.keys().any(|name| name.contains("ann")), "no name in a file's name: {names:?}");
    let events = text(&files, "csv/events.csv");
    assert_eq!(events.lines().count(), 1 + 19, "{events}");
    assert!(text(&files, "index.html").contains("ann@example.com"));
    let requests: Value = serde_json::from_str(&text(&files, "requests.json")).expect("JSON");
    let acts = requests["acts"].as_array().expect("acts");
    assert!(
        acts.iter().any(|act| act["action"] == "export user" && act["by"] == "a program with an API key")
    );
    assert_eq!(lines(&text(&files, "data.ndjson")).len(), 2 + 1 + 1 + 2 + 2 + 19);
}

/// The counts of the manifest are those of the lines, and of what the page of the user says is held.
#[test]
fn the_manifest_counts_what_is_there() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let files = files(&packed(&server, &id));
    let manifest: Value = serde_json::from_str(&text(&files, "manifest.json")).expect("JSON");
    assert_eq!(manifest["complete"], true);
    let lines = lines(&text(&files, "data.ndjson"));
    let counts = &manifest["counts"];
    for (count, kind) in
        [("users", "user"), ("aliases", "alias"), ("sessions", "session"), ("recordings", "recording")]
    {
        assert_eq!(counts[count], json!(of(&lines, kind).len()), "{count}");
    }
    let user = usher::model::UserId(id.parse().expect("a number"));
    let held = server.read(|db| {
        let user = usher::people::find::held(db, user, usher::clock::Millis::MAX)?;
        usher::people::find::inventory(db, &user)
    });
    for (table, count) in
        [("events", "events"), ("sessions", "sessions"), ("recordings", "recordings"), ("aliases", "aliases")]
    {
        let rows = held.iter().find(|held| held.table == table).expect("a table").rows;
        assert_eq!(counts[count], json!(rows), "{table}");
    }
    for file in manifest["files"].as_array().expect("files") {
        let bytes = &files[file["path"].as_str().expect("a path")];
        assert_eq!(file["bytes"], json!(bytes.len()), "{file}");
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
        assert_eq!(file["sha256"], json!(digest), "{file}");
    }
}

/// What a person or an app has written is text, wherever it stands.
#[test]
fn hostile_texts_are_shown_as_text() {
    let server = Server::start();
    let all = &server.project().all;
    let long = "x".repeat(10_000);
    let texts = [
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        "\u{202e}olleh",
        "=1+1",
        "\"><img src=x>",
        "@cmd",
    ];
    let entries: Vec<Value> = texts
        .iter()
        .map(|text| json!({ "type": "event", "userId": "mallory", "name": text, "url": text, "data": { *text: text, "long": long } }))
        .collect();
    let body = json!({ "activity": entries });
    let sent = server.post("/api/activity").bearer(all).json(body).send().expect(200);
    // A direction mark is a control character of the name to nobody but us.
    let refused = sent.json()["errors"].as_array().expect("a list").len();
    let traits = json!({ "userId": "mallory", "traits": { "email": "<b>@example.com", "=cmd": "=cmd|' /C calc'!A0", "firstName": "<i>Mal</i>" } });
    server.post("/v1/identify").bearer(all).json(traits).send().expect(200);
    let files = files(&packed(&server, &super::id_of(&server, "mallory")));
    let pages: Vec<(&String, String)> = files
        .iter()
        .filter(|(name, _)| name.ends_with(".html"))
        .map(|(name, bytes)| (name, String::from_utf8(bytes.clone()).expect("UTF-8")))
        .collect();
    assert!(pages.iter().any(|(name, _)| name.starts_with("timeline/")));
    for (name, page) in &pages {
        for markup in ["<script", "<img", "<i>", "<b>", "\u{202e}", "href=\"javascript"] {
            assert!(!page.contains(markup), "{name} has {markup}");
        }
        assert!(page.contains("default-src 'none'"), "{name} has no policy");
        for (start, _) in page.match_indices("href=\"") {
            let target = page[start + 6..].split('"').next().expect("a target");
            assert!(!target.contains(':') && !target.starts_with('/'), "{name} leads to {target}");
        }
    }
    let timeline = &pages.iter().find(|(name, _)| name.starts_with("timeline/")).expect("a page").1;
    assert!(timeline.contains("alert(1)") && timeline.contains(&long), "nothing is left out");
    let events = text(&files, "csv/events.csv");
    assert_eq!(lines(&text(&files, "data.ndjson")).len(), 2 + 1 + 1 + texts.len() - refused);
    for formula in [",=", ",@", "\n=", "\n@"] {
        assert!(!events.contains(formula), "{formula}");
    }
    assert!(events.contains("'=1+1") && events.contains("'@cmd"), "{}", &events[..500]);
    assert!(text(&files, "csv/profile.csv").contains("'=cmd"));
}

/// A month with much in it has several pages, and each entry is on one.
#[test]
fn a_long_timeline_has_several_pages() {
    let server = Server::start();
    let all = &server.project().all;
    let filler = "y".repeat(20_000);
    for part in 0..4 {
        let entries: Vec<Value> = (0..40)
            .map(|n| json!({ "type": "event", "userId": "busy", "name": format!("e-{part}-{n}-"), "data": { "f": filler } }))
            .collect();
        let body = json!({ "activity": entries });
        server.post("/api/activity").bearer(all).json(body).send().expect(200);
    }
    let files = files(&packed(&server, &super::id_of(&server, "busy")));
    let pages: Vec<&Vec<u8>> =
        files.iter().filter(|(name, _)| name.starts_with("timeline/")).map(|(_, page)| page).collect();
    assert!(pages.len() > 2, "{}", pages.len());
    assert!(pages.iter().all(|page| page.len() < 2 * 1024 * 1024));
    let all: String = pages.iter().map(|page| String::from_utf8_lossy(page).into_owned()).collect();
    for part in 0..4 {
        for n in 0..40 {
            assert_eq!(all.matches(&format!("e-{part}-{n}-")).count(), 1, "e-{part}-{n}");
        }
    }
    let index = text(&files, "index.html");
    assert_eq!(index.matches("href=\"timeline/").count(), pages.len());
}

/// Runs a program on the unpacked or packed export. None: it is not installed.
fn run(program: &str, args: &[&str], dir: &Path) -> Option<String> {
    match Command::new(program).args(args).current_dir(dir).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{program}: {said} {}", String::from_utf8_lossy(&output.stderr));
            Some(said)
        }
        Err(_) => {
            skipped(&format!("{program} is missing; tests/run installs it"));
            None
        }
    }
}

fn kept(zip: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.zip"), zip).expect("a file");
    dir
}

#[test]
fn other_programs_read_the_pack_and_agree() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let dir = kept(&packed(&server, &id));
    if let Some(said) = run("unzip", &["-tq", "a.zip"], dir.path()) {
        assert!(said.contains("No errors"), "{said}");
    }
    let python = "import zipfile; z = zipfile.ZipFile('a.zip'); assert z.testzip() is None; z.extractall('out'); \
                  print(z.namelist()[0].split('/')[0])";
    let Some(folder) = run("python3", &["-c", python], dir.path()) else { return };
    let inside = dir.path().join("out").join(folder.trim());
    run("sha256sum", &["--check", "--strict", "--quiet", "SHA256SUMS"], &inside);
    // The twin: a byte of difference is seen.
    fs::write(inside.join("index.html"), "another page").expect("a file");
    let changed = Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&inside).output();
    assert!(changed.is_ok_and(|output| !output.status.success()));
}

/// A pack that broke off opens with no program as if it were whole.
#[test]
fn a_person_erased_meanwhile_ends_the_pack() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let user = usher::model::UserId(id.parse().expect("a number"));
    let person = |form| {
        let project = server.project().id;
        server.write(move |tx| usher::export::Person::take(tx, project, user, form))
    };
    use usher::export::Form;
    for form in [Form::Zip, Form::Ndjson] {
        let mut whole = Vec::new();
        let now = server.app.clock().now();
        person(form).write(server.app.store(), now, form, &mut whole).expect("it is whole");
        let (mut part, taken) = (Vec::new(), person(form));
        let mut out = Erasing { server: &server, user, bytes: &mut part, at: whole.len() / 2, done: false };
        if form == Form::Zip {
            // Rows leave once: the other form has its own person.
            out.done = true;
            out.hide();
        }
        let error = taken.write(server.app.store(), now, form, &mut out).expect_err("it breaks off");
        assert!(matches!(error, usher::error::Error::UserNotFound { .. }), "{error}");
        match form {
            Form::Zip => {
                assert!(zip::ZipArchive::new(Cursor::new(&part)).is_err(), "it has an end");
                zip::ZipArchive::new(Cursor::new(&whole)).expect("the twin");
                let id = user;
                server.write(move |tx| usher::erasure::trash::restore(tx, id).map(drop));
            }
            Form::Ndjson => {
                let text = String::from_utf8_lossy(&part);
                assert!(!text.contains("\"type\":\"end\""), "{text}");
                assert!(String::from_utf8_lossy(&whole).contains("\"type\":\"end\""), "the twin");
            }
        }
    }
}

/// Moves the person to the trash once so many bytes were written.
struct Erasing<'a> {
    server: &'a Server,
    user: usher::model::UserId,
    bytes: &'a mut Vec<u8>,
    at: usize,
    done: bool,
}

impl Erasing<'_> {
    fn hide(&self) {
        let id = self.user;
        self.server.write(move |tx| {
            let user = usher::people::find::held(tx, id, tx.now())?;
            usher::erasure::trash::hide(tx, &user).map(drop)
        });
    }
}

impl std::io::Write for Erasing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if !self.done && self.bytes.len() >= self.at {
            self.done = true;
            self.hide();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

//! Erasure down to the bytes: of what was theirs, nothing is left in any file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use fastrand::Rng;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use usher::clock::DAY;
use usher::model::TRASH_PERIOD;
use usher::store::ScrubMode;
use usher::store::data_inventory::{Subject, TABLES};
use usher::store::layout::{self, PAGE};

use crate::harness::{Server, encode};

/// Shorter windows are hit by chance.
const WINDOW: usize = 12;

/// A user with all that it was given.
pub struct Person {
    pub name: String,
    email: String,
    secrets: Vec<String>,
}

fn random(rng: &mut Rng, length: std::ops::Range<usize>) -> String {
    let length = rng.usize(length);
    (0..length).map(|_| rng.alphanumeric()).collect()
}

impl Person {
    fn new(rng: &mut Rng) -> Person {
        let (name, email) =
            (random(rng, 16..28), format!("{}@{}.io", random(rng, 12..20), random(rng, 12..14)));
        Person { secrets: vec![name.clone(), email.clone()], name, email }
    }

    /// Somebody of whom this alone is searched for.
    pub fn of(secrets: Vec<String>) -> Person {
        Person { name: String::new(), email: String::new(), secrets }
    }

    fn secret(&mut self, rng: &mut Rng, length: std::ops::Range<usize>) -> String {
        let secret = random(rng, length);
        self.secrets.push(secret.clone());
        secret
    }

    fn identify(&mut self, rng: &mut Rng) -> Value {
        let traits = json!({
            "email": self.email,
            "firstName": self.secret(rng, 12..20),
            "lastName": self.secret(rng, 12..30),
            "plan": "enterprise-annual",
            "note": self.secret(rng, 20..60),
            "nested": { "list": [self.secret(rng, 12..40), 7], "deep": { "er": self.secret(rng, 12..24) } },
        });
        json!({ "type": "identify", "userId": self.name, "traits": traits })
    }

    fn anonymous(&mut self, rng: &mut Rng) -> Value {
        let id = self.secret(rng, 20..36);
        json!({ "type": "track", "anonymousId": id, "event": "Came By",
                "messageId": self.secret(rng, 16..24), "properties": { "from": self.secret(rng, 16..40) } })
    }

    fn event(&mut self, rng: &mut Rng) -> Value {
        // Some rows spill into overflow pages.
        let long = if rng.u8(..20) == 0 { 3_000..9_000 } else { 20..200 };
        json!({ "type": "track", "userId": self.name, "event": "Report Exported",
                "messageId": self.secret(rng, 16..30),
                "context": { "sessionId": self.secret(rng, 16..20) },
                "properties": { "text": self.secret(rng, long), "kind": "quarterly report" } })
    }
}

/// What of a test's people is left in a directory's files, by where it is.
pub fn left(dir: &Path, people: &[&Person]) -> HashMap<String, usize> {
    let mut windows: HashMap<[u8; WINDOW], ()> = HashMap::new();
    let mut filter = vec![0u64; 1 << 20];
    let slot = |window: &[u8; WINDOW]| {
        let word = u64::from_le_bytes(window[..8].try_into().expect("8 bytes"));
        usize::try_from(word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 38).expect("26 bits")
    };
    for secret in people.iter().flat_map(|person| &person.secrets) {
        for window in secret.as_bytes().windows(WINDOW) {
            let window: [u8; WINDOW] = window.try_into().expect("a window");
            filter[slot(&window) / 64] |= 1 << (slot(&window) % 64);
            windows.insert(window, ());
        }
    }
    let mut found = HashMap::new();
    for path in files(dir) {
        let bytes = std::fs::read(&path).expect("a file");
        for (offset, window) in bytes.windows(WINDOW).enumerate() {
            let window: &[u8; WINDOW] = window.try_into().expect("a window");
            if filter[slot(window) / 64] & (1 << (slot(window) % 64)) != 0 && windows.contains_key(window) {
                *found.entry(place(&path, &bytes, offset)).or_default() += 1;
            }
        }
    }
    found
}

/// The file, and in the database the page's kind and what of it the byte is.
fn place(path: &Path, bytes: &[u8], offset: usize) -> String {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    if name != "usher.db" {
        return name;
    }
    let page = &bytes[offset / PAGE * PAGE..][..PAGE];
    let number = u32::try_from(offset / PAGE + 1).expect("a number");
    let kind = page[if number == 1 { 100 } else { 0 }];
    let spot = layout::spot(page, number, offset % PAGE).map_or("odd page", |spot| spot.name());
    format!("{name}, {spot} of a page of kind {kind}")
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn send(server: &Server, messages: &[Value]) {
    for batch in messages.chunks(200) {
        let mut batches = vec![batch];
        while let Some(batch) = batches.pop() {
            let body = json!({ "batch": batch }).to_string();
            if body.len() > 450_000 {
                let (one, other) = batch.split_at(batch.len() / 2);
                batches.extend([one, other]);
                continue;
            }
            let reply =
                server.post("/v1/batch").bearer(&server.project().all).body(body, "application/json").send();
            assert_eq!(reply.expect(200).json(), json!({ "success": true }));
        }
    }
}

/// Users written in several orders, updated, with anonymous pasts and recordings.
pub fn populate(server: &Server, rng: &mut Rng, count: usize) -> Vec<Person> {
    let mut people: Vec<Person> = (0..count).map(|_| Person::new(rng)).collect();
    let mut messages = Vec::new();
    for person in &mut people {
        if rng.u8(..4) == 0 {
            let visit = person.anonymous(rng);
            messages.push(visit.clone());
            messages.push(
                json!({ "type": "identify", "userId": person.name, "anonymousId": visit["anonymousId"] }),
            );
        }
        messages.push(person.identify(rng));
        messages.push(person.event(rng));
    }
    send(server, &messages);
    // Updates that grow and shrink rows, and more events, all over the file.
    for _ in 0..2 {
        let mut messages = Vec::new();
        for person in &mut people {
            if rng.bool() {
                messages.push(person.identify(rng));
            }
            messages.push(person.event(rng));
        }
        rng.shuffle(&mut messages);
        send(server, &messages);
    }
    for person in people.iter_mut().step_by(25) {
        let visit = person.event(rng);
        let session = visit["context"]["sessionId"].as_str().expect("a session").to_owned();
        send(server, &[visit]);
        let piece = person.secret(rng, 5_000..9_000);
        let path = format!("/api/sessions/{session}/recording");
        server.put(&path).bearer(&server.project().all).body(piece, "text/plain").send().expect(200);
        converse(server, rng, person);
    }
    server.tick();
    people
}

/// A conversation with an agent.
fn converse(server: &Server, rng: &mut Rng, person: &mut Person) {
    let post = |path: &str, body: Value| {
        let request = server.post(path).header("X-PROFICIENT-API-KEY", &server.project().token);
        let request = request.header("X-PROFICIENT-USER-EXTERNAL-ID", &person.name).json(body);
        request.send().expect(200).json()
    };
    let begun = post("/interactions", json!({ "agent_id": "helper" }));
    let said = random(rng, 20..4_000);
    post("/messages", json!({ "interaction_id": begun["interaction"]["id"], "content": said }));
    person.secrets.push(said);
}

/// Each way to erase.
#[derive(Debug, Clone, Copy)]
enum Way {
    Hard,
    Proficient,
    Scheduled,
    Reaped,
    AccountThenLogs,
}

const WAYS: [Way; 5] = [Way::Hard, Way::Proficient, Way::Scheduled, Way::Reaped, Way::AccountThenLogs];

fn ask(server: &Server, way: Way, person: &Person) {
    let key = &server.project().all;
    let name = encode(&person.name);
    match way {
        Way::Hard => {
            let path = format!("/v1/users/{name}?hardDelete=true");
            server.delete(&path).header("X-APTRINSIC-API-KEY", key).send().expect(200);
        }
        Way::Reaped => {
            let path = format!("/v1/users/{name}");
            server.delete(&path).header("X-APTRINSIC-API-KEY", key).send().expect(200);
        }
        Way::Proficient => {
            let id = user_id(server, &name);
            server.delete(&format!("/users/u_{id}")).bearer(key).send().expect(200);
        }
        Way::Scheduled => {
            let path = format!("/api/v1/{}/users/{name}", server.project().key);
            server.delete(&path).bearer(key).send().expect(200);
        }
        Way::AccountThenLogs => {
            let alloy = |path: String| {
                server.delete(&path).bearer(key).header("x-api-version", "2025-09").send().expect(200)
            };
            let id: i64 = user_id(server, &name).parse().expect("a number");
            alloy(format!("/users/{name}"));
            alloy(format!("/users/{id:024x}/logs"));
        }
    }
}

fn user_id(server: &Server, name: &str) -> String {
    let request = server.get(&format!("/users/{name}")).bearer(&server.project().all);
    let reply = request.header("x-api-version", "2025-09").send().expect(200).json();
    let id = reply["userId"].as_str().expect("an id");
    i64::from_str_radix(id, 16).expect("a number").to_string()
}

fn conn_of(server: &Server, sql: &str) -> i64 {
    server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// All that is in the rows of some users, table by table.
fn rows_of(server: &Server, people: &[&Person]) -> BTreeMap<&'static str, Vec<u64>> {
    let conn = server.sqlite();
    let names: HashSet<&str> = people.iter().map(|person| person.name.as_str()).collect();
    let mut ids = HashSet::new();
    let mut select =
        conn.prepare("SELECT id, identifier FROM users WHERE identifier IS NOT NULL").expect("a query");
    let mut users = select.query([]).expect("users");
    while let Some(row) = users.next().expect("a user") {
        if names.contains(row.get_ref(1).expect("a name").as_str().expect("a text")) {
            ids.insert(row.get::<_, i64>(0).expect("an id"));
        }
    }
    assert_eq!(ids.len(), people.len());
    let mut found = BTreeMap::new();
    for table in TABLES {
        let owner = match table.subject {
            Subject::Itself => "id",
            Subject::User => "user_id",
            Subject::Reference => "reference",
            Subject::Nobody | Subject::Digest => continue,
        };
        let mut select = conn.prepare(&format!("SELECT * FROM {}", table.name)).expect("a query");
        let (owner, width) = (select.column_index(owner).expect("a column"), select.column_count());
        let mut rows = select.query([]).expect("rows");
        let mut digests = Vec::new();
        while let Some(row) = rows.next().expect("a row") {
            let theirs = match row.get_ref(owner).expect("an owner") {
                ValueRef::Integer(id) => ids.contains(&id),
                other => names.contains(other.as_str().expect("a text")),
            };
            if theirs {
                let mut digest = DefaultHasher::new();
                (0..width).for_each(|n| format!("{:?}", row.get_ref(n)).hash(&mut digest));
                digests.push(digest.finish());
            }
        }
        digests.sort_unstable();
        found.insert(table.name, digests);
    }
    found
}

/// Erases a share of some thousand users in each way; what is left of them anywhere.
fn run(scrub_mode: ScrubMode, count: usize, seed: u64) -> HashMap<String, usize> {
    let server = Server::with(|options| options.scrub_mode = scrub_mode);
    let mut rng = Rng::with_seed(seed);
    let people = populate(&server, &mut rng, count);
    let share = count / 8;
    let mut order: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut order);
    let kept: Vec<&Person> = order[share * WAYS.len()..].iter().map(|n| &people[*n]).collect();
    let before = rows_of(&server, &kept);
    let mut erased = Vec::new();
    for (way, some) in WAYS.into_iter().zip(order.chunks(share)) {
        // Several clients at once, as the requests of many people come.
        std::thread::scope(|scope| {
            for some in some.chunks(some.len().div_ceil(8)) {
                let (server, people) = (&server, &people);
                scope.spawn(move || some.iter().for_each(|person| ask(server, way, &people[*person])));
            }
        });
        erased.extend(some.iter().map(|person| &people[*person]));
        server.tick();
    }
    server.clock.advance(DAY);
    server.tick();
    server.clock.advance(TRASH_PERIOD);
    server.tick();
    // The others have everything still, to the byte.
    assert!(rows_of(&server, &kept) == before, "others' rows have changed");
    let open = conn_of(&server, "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'");
    let dir = server.path().parent().expect("a directory").to_owned();
    if scrub_mode != ScrubMode::Whole {
        // The program sees it as well, and does not say that it is done.
        assert!(open > 0, "jobs are completed over stale bytes");
        return left(&dir, &erased);
    }
    assert_eq!(open, 0, "jobs are not completed");
    let receipts = std::fs::read_dir(server.path().with_file_name("receipts")).expect("receipts").count();
    // One for each erasure, two for an account and then its logs.
    assert_eq!(receipts, share * (WAYS.len() + 1));
    let found = left(&dir, &erased);
    let rows: i64 = conn_of(&server, "SELECT COUNT(*) FROM users WHERE state = 'live'");
    // Of the reaped and the hidden nobody is left; an account-only erasure left no row either.
    assert_eq!(rows, i64::try_from(kept.len()).expect("a number"));
    let untouched: Vec<&Person> = kept.into_iter().step_by(10).collect();
    assert!(left(&dir, &untouched).values().sum::<usize>() > 100 * untouched.len(), "others lost something");
    found
}

/// `ERASED=6250` erases that many of 10,000; a quick round is of 4,000.
#[test]
fn of_thousands_of_erased_users_no_byte_is_left_in_any_file() {
    let erased = crate::common::number("ERASED").unwrap_or(2_500);
    assert_eq!(run(ScrubMode::Whole, erased / WAYS.len() * 8, 1), HashMap::new());
}

/// The twins.
#[test]
fn without_scrub_and_secure_delete_bytes_are_found() {
    let unscrubbed: usize = run(ScrubMode::NoScrub, 5_000, 2).values().sum();
    assert!(unscrubbed > 0, "the search finds nothing, scrubbed or not");
    let careless: usize = run(ScrubMode::NoScrubNorSecureDelete, 2_000, 3).values().sum();
    assert!(careless > 1_000, "only {careless} windows are left without secure_delete");
    eprintln!("windows left: {unscrubbed} without the scrub, {careless} without secure_delete either");
}

/// The twin of the comparison: whatever changes in a row of theirs is seen.
#[test]
fn a_row_of_others_that_is_changed_is_noticed() {
    let server = Server::start();
    let people = populate(&server, &mut Rng::with_seed(4), 50);
    let kept: Vec<&Person> = people.iter().take(40).collect();
    // Somebody known came by unknown.
    send(
        &server,
        &[
            json!({ "type": "track", "anonymousId": "a visitor", "event": "Came By" }),
            json!({ "type": "identify", "userId": kept[0].name, "anonymousId": "a visitor" }),
        ],
    );
    // Somebody has a link to their data.
    let link = json!({ "subject": { "identifier": kept[0].name } });
    let reply = server.post("/api/exports").bearer(&server.project().all).json(link).send();
    assert!((200..300).contains(&reply.status), "{}", reply.text);
    server.tick();
    let mut before = rows_of(&server, &kept);
    let empty: Vec<&str> =
        before.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| *table).collect();
    assert_eq!(empty, ["freed_aliases", "holds", "jobs"]);
    let one = format!("(SELECT id FROM users WHERE identifier = '{}')", kept[0].name);
    for change in [
        format!("UPDATE users SET updated_at = updated_at + 1 WHERE id = {one}"),
        format!("UPDATE users SET extra = '{{ }}' WHERE id = {one}"),
        format!(
            "UPDATE events SET data = data || ' ' WHERE id = (SELECT max(id) FROM events WHERE user_id = {one})"
        ),
        format!("UPDATE sessions SET event_count = event_count + 1 WHERE user_id = {one}"),
        format!("UPDATE recordings SET data = x'00' WHERE user_id = {one}"),
        format!("DELETE FROM recordings WHERE user_id = {one}"),
        format!("UPDATE messages SET content = 'x' WHERE user_id = {one}"),
        format!("UPDATE interactions SET name = 'x' WHERE user_id = {one}"),
        "DELETE FROM aliases WHERE user_id = (SELECT min(user_id) FROM aliases)".to_owned(),
        "DELETE FROM merged_visitors WHERE user_id = (SELECT min(user_id) FROM merged_visitors)".to_owned(),
    ] {
        assert!(server.sqlite().execute(&change, []).expect("a change") > 0, "{change}");
        let after = rows_of(&server, &kept);
        assert!(after != before, "{change}");
        before = after;
    }
    // Those of somebody who is not among them are nobody's business here.
    let other = format!("(SELECT id FROM users WHERE identifier = '{}')", people[45].name);
    server.sqlite().execute(&format!("DELETE FROM events WHERE user_id = {other}"), []).expect("a change");
    assert!(rows_of(&server, &kept) == before);
}

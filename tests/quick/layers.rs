//! Who may know whom, read from the sources themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, the rooms it may use, and the crates it may not.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

const HTTP: &[&str] = &["actix_web", "askama", "askama_web"];
const SQL: &[&str] = &["rusqlite", "r2d2", "r2d2_sqlite"];
const HTTP_AND_SQL: &[&str] = &["actix_web", "askama", "askama_web", "rusqlite", "r2d2", "r2d2_sqlite"];

const ROOMS: &[Room] = &[
    Room { name: "clock", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "atomic_file", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "worker_signal", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "trace", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "error", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "edge", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "files", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "owner", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "disk", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "metrics", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "tls", may_use: &["clock", "files"], never: HTTP_AND_SQL },
    Room { name: "model", may_use: &["clock", "error", "trace"], never: HTTP_AND_SQL },
    Room { name: "forms", may_use: &["clock", "model"], never: HTTP_AND_SQL },
    Room { name: "ledger", may_use: &["atomic_file", "clock", "error", "model"], never: HTTP_AND_SQL },
    Room {
        name: "proof",
        may_use: &["atomic_file", "clock", "error", "model", "trace"],
        never: HTTP_AND_SQL,
    },
    Room { name: "secrets", may_use: &["error", "model"], never: HTTP_AND_SQL },
    Room {
        name: "archive",
        may_use: &["atomic_file", "clock", "error", "files", "model", "worker_signal", "proof"],
        never: HTTP_AND_SQL,
    },
    Room { name: "find", may_use: &["model"], never: HTTP_AND_SQL },
    Room {
        name: "store",
        may_use: &[
            "atomic_file",
            "clock",
            "error",
            "model",
            "worker_signal",
            "trace",
            "ledger",
            "proof",
            "archive",
            "find",
        ],
        never: HTTP,
    },
    Room {
        name: "projects",
        may_use: &["clock", "edge", "error", "model", "secrets", "store", "ledger"],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "access",
        may_use: &[
            "clock", "edge", "error", "model", "secrets", "store", "trace", "ledger", "proof", "projects",
        ],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "people",
        may_use: &[
            "clock", "error", "model", "secrets", "find", "store", "trace", "ledger", "projects", "access",
        ],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "erasure",
        may_use: &[
            "clock", "error", "model", "secrets", "store", "trace", "ledger", "proof", "projects", "access",
            "people",
        ],
        never: HTTP_AND_SQL,
    },
    Room { name: "imports", may_use: &["clock", "error", "forms", "model", "people"], never: HTTP_AND_SQL },
    Room {
        name: "export",
        may_use: &[
            "clock", "error", "model", "secrets", "store", "trace", "proof", "projects", "access", "people",
            "erasure",
        ],
        // Its pages are files: they have templates, and nothing of HTTP.
        never: &["actix_web", "rusqlite", "r2d2", "r2d2_sqlite"],
    },
    Room {
        name: "app",
        may_use: &[
            "clock",
            "error",
            "edge",
            "worker_signal",
            "disk",
            "metrics",
            "model",
            "trace",
            "ledger",
            "proof",
            "archive",
            "secrets",
            "find",
            "store",
            "projects",
            "access",
            "people",
            "erasure",
            "imports",
            "tls",
        ],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "prove",
        may_use: &["archive", "error", "model", "proof", "store", "projects", "erasure", "app"],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "backup",
        may_use: &["archive", "clock", "disk", "error", "proof", "store", "app"],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "web",
        may_use: &["error", "edge"],
        never: &["rusqlite", "r2d2", "r2d2_sqlite", "askama", "askama_web"],
    },
    Room {
        name: "api",
        may_use: &[
            "clock", "error", "edge", "model", "metrics", "proof", "store", "projects", "access", "people",
            "erasure", "export", "app", "trace", "web", "forms", "imports",
        ],
        never: &["rusqlite", "r2d2", "r2d2_sqlite", "askama", "askama_web"],
    },
    Room {
        name: "admin",
        may_use: &[
            "clock", "error", "edge", "model", "proof", "secrets", "store", "projects", "access", "people",
            "erasure", "export", "app", "trace", "web",
        ],
        never: SQL,
    },
    Room { name: "docs", may_use: &["admin", "api", "app", "error", "model", "trace"], never: SQL },
    Room {
        name: "worker",
        may_use: &[
            "archive",
            "backup",
            "clock",
            "error",
            "worker_signal",
            "store",
            "projects",
            "access",
            "people",
            "erasure",
            "app",
            "prove",
        ],
        never: HTTP_AND_SQL,
    },
    Room { name: "data_dir", may_use: &["atomic_file"], never: HTTP_AND_SQL },
    Room {
        name: "start",
        may_use: &[
            "access",
            "app",
            "archive",
            "backup",
            "clock",
            "data_dir",
            "erasure",
            "error",
            "ledger",
            "proof",
            "store",
            "worker_signal",
        ],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "restore",
        may_use: &[
            "app",
            "archive",
            "atomic_file",
            "clock",
            "data_dir",
            "erasure",
            "files",
            "ledger",
            "proof",
            "start",
            "store",
            "worker",
        ],
        never: HTTP_AND_SQL,
    },
    Room { name: "config", may_use: &["access", "edge", "tls"], never: HTTP_AND_SQL },
    Room {
        name: "inspect",
        may_use: &[
            "app", "archive", "clock", "erasure", "error", "files", "ledger", "model", "proof", "start",
            "store",
        ],
        never: HTTP_AND_SQL,
    },
    Room {
        name: "server",
        may_use: &[
            "admin", "api", "app", "clock", "docs", "edge", "error", "metrics", "model", "trace", "web",
        ],
        never: SQL,
    },
    Room {
        name: "cli",
        may_use: &[
            "access",
            "admin",
            "app",
            "archive",
            "atomic_file",
            "backup",
            "clock",
            "config",
            "data_dir",
            "disk",
            "erasure",
            "error",
            "export",
            "files",
            "inspect",
            "imports",
            "ledger",
            "model",
            "owner",
            "people",
            "projects",
            "proof",
            "restore",
            "server",
            "start",
            "store",
            "tls",
            "trace",
            "worker",
        ],
        never: SQL,
    },
    Room { name: "main", may_use: &[], never: HTTP_AND_SQL },
    Room { name: "lib", may_use: &[], never: HTTP_AND_SQL },
];

/// Each room, and those that it may use.
pub fn rooms() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    ROOMS.iter().map(|room| (room.name, room.may_use))
}

#[test]
fn no_room_uses_one_above_it() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let Some(room) = ROOMS.iter().find(|room| room.name == room_of(&path)) else {
            faults.push(format!("{path} is in no room: name it in the table"));
            continue;
        };
        for used in used_rooms(&text).iter().filter(|used| **used != room.name) {
            if !room.may_use.contains(&used.as_str()) {
                faults.push(format!("{path} uses {used}"));
            }
        }
        for krate in room.never.iter().filter(|krate| names(&text, krate)) {
            faults.push(format!("{path} uses {krate}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_dialect_knows_another_and_only_store_has_sql() {
    let dialects =
        ["openreplay", "vemetric", "gainsight", "alloy", "proficient", "segment", "regulations", "native"];
    for (path, text) in sources() {
        let is_of =
            |name: &&&str| path == format!("api/{name}.rs") || path.starts_with(&format!("api/{name}/"));
        if let Some(own) = dialects.iter().find(is_of) {
            for other in dialects.iter().filter(|other| *other != own) {
                for reaches in [format!("super::{other}"), format!("api::{other}")] {
                    assert!(!text.contains(&reaches), "{path} knows {other}");
                }
            }
        }
        if !path.starts_with("store/") {
            for word in ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE "] {
                assert!(!text.contains(word), "{path} has SQL in it: {word}");
            }
        }
    }
}

/// Tables are one SQL text and four kinds of values: another engine can keep them.
#[test]
fn tables_do_not_know_sqlite() {
    const ENGINE: [&str; 16] = [
        "backup",
        "freelist",
        "ids",
        "ledger_writer",
        "marks",
        "migrations/mod",
        "name_changes",
        "mod",
        "pragmas",
        "read_only",
        "row",
        "rows",
        "savepoints",
        "scrub",
        "wal_pairing",
        "writer",
    ];
    let named: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| path.starts_with("store/") && names(text, "rusqlite"))
        .map(|(path, _)| path.trim_start_matches("store/").trim_end_matches(".rs").to_owned())
        .collect();
    let faults: Vec<&String> = named.iter().filter(|name| !ENGINE.contains(&name.as_str())).collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert!(named.len() == ENGINE.len(), "the list has files that do not: {named:?}");
}

#[test]
fn only_the_clock_reads_the_time() {
    for (path, text) in sources().into_iter().filter(|(path, _)| path != "clock.rs") {
        for call in ["SystemTime::now", "Timestamp::now", "Zoned::now", "datetime('now", "strftime("] {
            assert!(!text.contains(call), "{path} calls {call}");
        }
    }
}

#[test]
fn what_may_panic_says_why_it_cannot() {
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let panics = [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];
            let code = line.split("//").next().unwrap_or_default();
            if panics.iter().any(|panic| code.contains(panic)) {
                assert!(line.contains("// ok: "), "{path}:{} may panic", number + 1);
            }
        }
    }
}

/// The reader itself must see what it is meant to see.
#[test]
fn the_reader_of_sources_sees_each_way_to_name_a_room() {
    let text = "use crate::store::Db;\nuse crate::{api, people::users};\nfn f() { crate::admin::g(); }\n\
                // crate::server in a comment is nothing\n";
    let seen: Vec<String> = used_rooms(text).into_iter().collect();
    assert_eq!(seen, ["admin", "api", "people", "store"]);
    assert!(names("use rusqlite::Connection;", "rusqlite"));
    assert!(!names("//! knows nothing of rusqlite::Connection", "rusqlite"));
}

/// Every file under `src/`: its path there and its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let name = path.strip_prefix(&root).expect("under src").to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path).expect("a text")));
            }
        }
    }
    assert!(files.len() > 40, "only {} sources were found", files.len());
    files
}

fn room_of(path: &str) -> &str {
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default())
}

fn names(text: &str, krate: &str) -> bool {
    code(text).any(|line| line.contains(&format!("{krate}::")) || line.contains(&format!("use {krate};")))
}

/// The rooms named after `crate::`, one by one or in braces.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let text: String = code(text).collect::<Vec<_>>().join("\n");
    let mut rooms = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => rooms.extend(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (n, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && c.is_alphabetic() => {
                            rooms.extend(word(&group[n..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    rooms
}

fn word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

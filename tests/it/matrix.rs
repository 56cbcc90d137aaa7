//! Every route and every kind of caller: who is let in, who is not, and that who is not changes
//! nothing. A route that has no row in the table fails the first test.

mod callers;
mod others;
mod things;

pub use things::{CALLER, activity, interaction, user_id};

use serde_json::json;
use usher::api;

use crate::harness::{Request, Server, TestProject};

const TABLE: &str = include_str!("matrix/who.txt");

/// Whose key a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Project,
    Organisation,
    Both,
    Anybody,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
struct Row {
    face: &'static str,
    method: &'static str,
    pattern: &'static str,
    /// The scope that a key needs; "open" for none.
    needs: &'static str,
    whose: Whose,
}

fn table() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [face, method, pattern, needs, whose] = words[..] else { panic!("{line}") };
            let whose = match whose {
                "project" => Whose::Project,
                "organisation" => Whose::Organisation,
                "both" => Whose::Both,
                "anybody" => Whose::Anybody,
                other => panic!("{other}"),
            };
            Row { face, method, pattern, needs, whose }
        })
        .collect()
}

fn keyed() -> impl Iterator<Item = Row> {
    table().into_iter().filter(|row| row.whose != Whose::Anybody)
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let mut there: Vec<String> = api::routes()
        .iter()
        .map(|(face, route)| format!("{face:?} {} {}", route.method, route.path))
        .collect();
    let mut listed: Vec<String> =
        table().iter().map(|row| format!("{} {} {}", row.face, row.method, row.pattern)).collect();
    there.sort();
    listed.sort();
    assert_eq!(there, listed);
}

impl Row {
    fn at(&self) -> String {
        format!("{} {} {}", self.face, self.method, self.pattern)
    }

    /// A request to a path that fits the route, as this API's clients send it; `key` as it stands
    /// in the header.
    fn request<'a>(&self, server: &'a Server, path: &str, key: Option<&str>) -> Request<'a> {
        let mut request = server.request(self.method, path);
        if self.face == "Alloy" && !self.pattern.contains("{version}") {
            request = request.header("x-api-version", "2025-09");
        }
        if self.face == "ProficientClient" {
            request = request.header("X-PROFICIENT-USER-EXTERNAL-ID", things::CALLER);
        }
        if let Some(key) = key {
            let bearer = format!("Bearer {key}");
            let (name, value) = match (self.face, self.pattern) {
                ("OpenReplay", _) => ("Authorization", key),
                ("Gainsight", _) => ("X-APTRINSIC-API-KEY", key),
                ("ProficientClient", _) => ("X-PROFICIENT-API-KEY", key),
                ("Vemetric", "/e" | "/u" | "/i" | "/r" | "/l") => ("Token", key),
                _ => ("Authorization", bearer.as_str()),
            };
            request = request.header(name, value);
        }
        let is_named = !self.names().is_empty();
        match self.method {
            "GET" => request,
            "DELETE" if is_named => request,
            // What it takes is all that it knows.
            _ if self.pattern.ends_with("/hold") => request.json(json!({ "reason": "a case" })),
            _ => {
                let mut body = things::body();
                if is_named && let Some(fields) = body.as_object_mut() {
                    // The path names whom it means.
                    fields.remove("identifyId");
                }
                request.json(body)
            }
        }
    }

    /// The path, with each name in it filled in.
    fn path(&self, fill: impl Fn(&str) -> String) -> String {
        let segments = self.pattern.split('/').map(|segment| {
            match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => fill(name),
                None => segment.to_owned(),
            }
        });
        segments.collect::<Vec<String>>().join("/")
    }

    /// The names of what is somebody's in the path.
    fn names(&self) -> Vec<&'static str> {
        let names =
            self.pattern.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        names.filter(|name| !["version", "kind", "agent_id", "writeKey"].contains(name)).collect()
    }
}

/// Everything that is stored, as text.
fn state(server: &Server) -> Vec<String> {
    let conn = server.sqlite();
    let mut all = Vec::new();
    for table in usher::store::data_inventory::TABLES {
        let mut statement = conn.prepare(&format!("SELECT * FROM {}", table.name)).expect("a table");
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns).map(|n| Ok(format!("{:?}", row.get_ref(n)?))).collect::<rusqlite::Result<Vec<_>>>()
        });
        all.extend(rows.expect("rows").map(|row| format!("{} {:?}", table.name, row.expect("a row"))));
    }
    all
}

/// Fills names that are not somebody's.
fn plain(name: &str) -> Option<&'static str> {
    match name {
        "version" => Some("2023-01"),
        "kind" => Some("custom"),
        "agent_id" => Some("agent"),
        "writeKey" => Some("nobody"),
        _ => None,
    }
}

/// A path to what is there in a project.
fn path_of_ours(server: &Server, project: &TestProject, row: &Row) -> String {
    row.path(|name| match plain(name) {
        Some(text) => text.to_owned(),
        None => things::made(server, project, row.face, row.pattern, name).there,
    })
}

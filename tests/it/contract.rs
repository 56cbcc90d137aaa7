//! Every answer that any test gets is held against what its route says of itself: the status is one that is
//! named, the type of the body too, and the body fits its schema. So the words stay true of the APIs that put
//! their answers together by hand.

use std::sync::LazyLock;

use serde_json::Value;
use usher::api::check::faults;
use usher::docs::document::{self, SECTIONS};
use usher::error::Place;
use usher::web::path_pattern;

/// What a route may answer: status, type of the body, its schema.
struct Operation {
    is_native: bool,
    method: String,
    path: &'static str,
    answers: Vec<(u16, Option<(String, Value)>)>,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for section in SECTIONS {
        for route in section.routes() {
            let given = route.doc.answers.iter().map(|given| {
                let content = given.content.as_ref();
                (given.status, content.map(|content| (content.kind.to_owned(), content.schema.clone())))
            });
            let mut answers: Vec<_> = given.collect();
            let schema = route.dialect.error_schema();
            answers.extend(
                document::faults(&route)
                    .into_iter()
                    .map(|fault| (fault.status, fault.body.map(|(kind, _)| (kind, schema.clone())))),
            );
            let method = route.method.to_string();
            all.push(Operation { is_native: section.slug == "native", method, path: route.path, answers });
        }
    }
    all
});

/// Where the paths of no API begin.
const PAGES: [&str; 5] = ["admin", "docs", "openapi", "static", "x"];

/// So much is read once more.
const LARGE: usize = 256 * 1024;

/// Panics if no route that fits says that it answers so.
#[track_caller]
pub fn check(method: &str, path: &str, status: u16, headers: &[(String, String)], text: &str) {
    let path = path.split('?').next().unwrap_or_default();
    // Pages: Alloy's versions stand first in its paths, too.
    if path.split('/').nth(1).is_some_and(|first| PAGES.contains(&first)) {
        return;
    }
    let is_head = method == "HEAD";
    let fits = |one: &&Operation| {
        path_pattern::fits(one.path, path) && (one.method == method || (is_head && one.method == "GET"))
    };
    let fitting: Vec<&Operation> = OPERATIONS.iter().filter(fits).collect();
    let kind = headers.iter().find(|(name, _)| name == "content-type").map(|(_, kind)| kind.as_str());
    // A word of a vendor's that stands where a route has a name.
    let is_elsewhere = matches!(status, 404 | 405) && fitting.iter().any(|one| !one.is_native);
    if fitting.is_empty() || is_elsewhere || std::thread::panicking() {
        return;
    }
    let whys: Vec<String> = fitting
        .iter()
        .map(|one| one.judge(status, kind, text, is_head).err())
        .take_while(Option::is_some)
        .flatten()
        .collect();
    let is_documented = whys.len() < fitting.len();
    assert!(is_documented, "{method} {path}: {status} {text}\nis not as documented: {whys:?}");
}

impl Operation {
    fn judge(&self, status: u16, kind: Option<&str>, text: &str, is_head: bool) -> Result<(), String> {
        let of_status: Vec<_> = self.answers.iter().filter(|(known, _)| *known == status).collect();
        if of_status.is_empty() {
            return Err(format!("{} does not name {status}", self.path));
        }
        if is_head || text.len() > LARGE {
            return Ok(());
        }
        let mut whys = Vec::new();
        for (_, content) in of_status {
            match (content, kind) {
                (None, _) if text.is_empty() => return Ok(()),
                (None, _) => whys.push("a body is not named".to_owned()),
                (Some((wanted, _)), kind) if wanted != "*/*" && Some(plain(wanted)) != kind.map(plain) => {
                    whys.push(format!("{wanted} is named, and not {kind:?}"));
                }
                (Some((wanted, schema)), _) if is_json(plain(wanted)) => {
                    let found = match serde_json::from_str(text) {
                        Ok(value) => faults(Place::Body, schema, &value),
                        Err(error) => return Err(error.to_string()),
                    };
                    if found.is_empty() {
                        return Ok(());
                    }
                    whys.extend(found.iter().map(|fault| format!("{} {}", fault.field, fault.message)));
                }
                (Some(_), _) => return Ok(()),
            }
        }
        Err(format!("{}: {}", self.path, whys.join("; ")))
    }
}

/// One value, and not a line of JSON for each of many.
fn is_json(kind: &str) -> bool {
    kind.ends_with("json") && !kind.ends_with("ndjson")
}

fn plain(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

/// The twin: what no route says is found out.
#[test]
fn an_answer_that_no_route_names_is_found_out() {
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    let says = |status: u16, text: &str| {
        let answer = text.to_owned();
        let headers = json.clone();
        std::panic::catch_unwind(move || check("GET", "/api/repairs", status, &headers, &answer)).is_ok()
    };
    assert!(says(200, r#"{"data":[],"recent":[]}"#));
    for (status, text) in [
        (200, r#"{"data":[]}"#),
        (200, r#"{"data":[],"recent":[],"more":1}"#),
        (200, r#"{"data":{},"recent":[]}"#),
        (202, r#"{"data":[],"recent":[]}"#),
        (418, "{}"),
    ] {
        assert!(!says(status, text), "{status} {text}");
    }
}

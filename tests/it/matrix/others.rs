//! What a key is told of another project: of things that are there, and of things that are not, the
//! same, byte for byte but for the request's own ids.

use serde_json::{Value, json};

use super::things::{self, Pair, made};
use super::{keyed, plain};
use crate::harness::{Reply, Request, Server, TestProject};

/// Sends a request of a project with some names in it.
type Send<'a> = dyn Fn(&TestProject, &[String]) -> Reply + 'a;

/// A request by a project, with the name of a thing in it.
struct Asked<'a> {
    at: String,
    send: Box<Send<'a>>,
    things: Vec<Pair>,
}

/// All that is told, with what the request itself named put aside.
fn told(reply: &Reply, project: &TestProject, names: &[String]) -> (u16, Vec<(String, String)>, String) {
    let put_aside = |text: &str| {
        let mut text = text.to_owned();
        for name in names {
            text = text.replace(name.as_str(), "NAME");
        }
        if let Some(id) = reply.header("x-request-id") {
            text = text.replace(id, "REQUEST");
        }
        text.replace(&project.key, "PROJECT").replace(&project.id.to_string(), "PROJECT")
    };
    // Whether the connection goes on hangs on when the request's body came.
    let own = ["x-request-id", "date", "content-length", "connection"];
    let mut headers: Vec<(String, String)> = reply
        .headers()
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), put_aside(value)))
        .collect();
    headers.sort();
    (reply.status, headers, put_aside(&reply.text))
}

/// Routes with a name in their path; `own_project`: the path's project is that of the key, and what
/// else it names is another's.
fn of_paths<'a>(server: &'a Server, ours: &TestProject, own_project: bool) -> Vec<Asked<'a>> {
    let mut all = Vec::new();
    for row in keyed().filter(|row| !row.names().is_empty()) {
        let names = row.names();
        let is_project = |name: &str| ["projectKey", "sourceId"].contains(&name);
        if own_project && (!names.iter().any(|name| is_project(name)) || names.len() < 2) {
            continue;
        }
        let things = names.iter().map(|name| made(server, ours, row.face, row.pattern, name)).collect();
        let send = move |project: &TestProject, filled: &[String]| {
            let path = row.path(|name| match plain(name) {
                Some(text) => text.to_owned(),
                None if own_project && is_project(name) => project.key.clone(),
                None => filled[row.names().iter().position(|known| *known == name).expect("a name")].clone(),
            });
            row.request(server, &path, Some(&project.all)).send()
        };
        let at = format!("{}{}", row.at(), if own_project { " in its own project" } else { "" });
        all.push(Asked { at, send: Box::new(send), things });
    }
    all
}

type Sent<'a> = fn(Request<'a>, &TestProject) -> Request<'a>;

fn bearer<'a>(request: Request<'a>, project: &TestProject) -> Request<'a> {
    request.bearer(&project.all)
}

fn px<'a>(request: Request<'a>, project: &TestProject) -> Request<'a> {
    request.header("X-APTRINSIC-API-KEY", &project.all)
}

fn client<'a>(request: Request<'a>, project: &TestProject) -> Request<'a> {
    let request = request.header("X-PROFICIENT-API-KEY", &project.all);
    request.header("X-PROFICIENT-USER-EXTERNAL-ID", things::CALLER)
}

/// Routes that take the name in their query or body.
fn of_bodies<'a>(server: &'a Server, ours: &TestProject) -> Vec<Asked<'a>> {
    let thing = |face: &str, pattern: &str, name: &str| made(server, ours, face, pattern, name);
    let user = || thing("Gainsight", "", "identifyId");
    let id = || {
        let Pair { there, missing } = thing("Proficient", "", "user_id");
        Pair { there: there.replace("u_", ""), missing: missing.replace("u_", "") }
    };
    let interaction = || thing("ProficientClient", "", "interaction_id");
    let cases: Vec<(&str, &str, Sent<'a>, Value, Pair)> = vec![
        ("GET", "/v1/users/single?identifier=NAME", bearer, Value::Null, user()),
        ("POST", "/v1/users/events?identifier=NAME", bearer, json!({"dateRange": "24hrs"}), user()),
        ("DELETE", "/v1/users/delete", px, json!({"identifyId": "NAME"}), user()),
        ("PUT", "/v1/users/update", px, json!({"identifyId": "NAME", "email": "a@example.com"}), user()),
        ("GET", "/messages?interaction_id=NAME", client, Value::Null, interaction()),
        ("POST", "/messages", client, json!({"interaction_id": "NAME", "content": "x"}), interaction()),
        ("POST", "/api/suppressions/check", bearer, json!({"subject": {"id": "NAME"}}), id()),
        ("POST", "/api/suppressions", bearer, json!({"subject": {"id": "NAME"}, "policy": "forever"}), id()),
        (
            "POST",
            "/v2/regulations",
            bearer,
            json!({"regulationType": "suppress", "sourceIds": ["NAME"], "users": [{"userId": "x"}]}),
            thing("Regulations", "", "sourceId"),
        ),
        (
            "GET",
            "/regulations?pagination%5Bcount%5D=5&pagination%5Bcursor%5D=NAME",
            bearer,
            Value::Null,
            thing("Regulations", "", "regulateId"),
        ),
        (
            "GET",
            "/v2/regulations?after_cursor=NAME",
            bearer,
            Value::Null,
            thing("Regulations", "/v2", "regulateId"),
        ),
    ];
    cases
        .into_iter()
        .map(|(method, path, sent, body, thing)| {
            let send = move |project: &TestProject, filled: &[String]| {
                let put = |text: &str| text.replace("NAME", &filled[0]);
                let request = sent(server.request(method, &put(path)), project);
                match &body {
                    Value::Null => request.send(),
                    body => request.body(put(&body.to_string()), "application/json").send(),
                }
            };
            Asked { at: format!("{method} {path}"), send: Box::new(send), things: vec![thing] }
        })
        .collect()
}

fn split(things: &[Pair]) -> (Vec<String>, Vec<String>) {
    things.iter().map(|pair| (pair.there.clone(), pair.missing.clone())).unzip()
}

/// A project of somebody else's, with a caller of its own.
fn stranger(server: &Server) -> TestProject {
    let project = server.second();
    things::user_id(server, &project, things::CALLER);
    project
}

#[test]
fn what_is_anothers_is_as_what_is_not_there() {
    let server = Server::start();
    let ours = server.project().clone();
    let mut all = of_paths(&server, &ours, false);
    all.extend(of_paths(&server, &ours, true));
    all.extend(of_bodies(&server, &ours));
    let before = state_of(&server, &ours);
    let mut unequal = Vec::new();
    for Asked { at, send, things } in &all {
        let (there, missing) = split(things);
        // Each by a project of its own, so that neither has seen the other.
        let [one, other] = [stranger(&server), stranger(&server)];
        let of_theirs = told(&send(&one, &there), &one, &there);
        let of_nothing = told(&send(&other, &missing), &other, &missing);
        if of_theirs != of_nothing {
            unequal.push(format!("{at}:\n  there   {of_theirs:?}\n  missing {of_nothing:?}"));
        }
    }
    assert!(unequal.is_empty(), "{}", unequal.join("\n"));
    assert_eq!(state_of(&server, &ours), before, "another's requests changed something of ours");
    assert!(all.len() > 60, "{}", all.len());
}

/// Everything that is stored of one project, as text.
fn state_of(server: &Server, project: &TestProject) -> Vec<String> {
    let conn = server.sqlite();
    let mut all = Vec::new();
    for table in usher::store::data_inventory::TABLES {
        let has = |name: &str| table.columns.iter().any(|column| column.name == name);
        let of_it = match table.name {
            "projects" => "id = ?1",
            _ if has("project_id") => "project_id = ?1",
            _ if has("user_id") => "user_id IN (SELECT id FROM users WHERE project_id = ?1)",
            _ => continue,
        };
        let sql = format!("SELECT * FROM {} WHERE {of_it}", table.name);
        let mut statement = conn.prepare(&sql).expect("a table");
        let columns = statement.column_count();
        let rows = statement.query_map([project.id.0], |row| {
            (0..columns).map(|n| Ok(format!("{:?}", row.get_ref(n)?))).collect::<rusqlite::Result<Vec<_>>>()
        });
        all.extend(rows.expect("rows").map(|row| format!("{} {:?}", table.name, row.expect("a row"))));
    }
    all
}

/// The twin: to the project itself they do differ.
#[test]
fn what_is_ones_own_differs_from_what_is_not_there() {
    let server = Server::start();
    server.expect_faults();
    let ours = server.project().clone();
    let mut all = of_paths(&server, &ours, false);
    all.extend(of_bodies(&server, &ours));
    let before = state_of(&server, &ours);
    let mut equal = Vec::new();
    for Asked { at, send, things } in &all {
        let (there, missing) = split(things);
        let of_nothing = told(&send(&ours, &missing), &ours, &missing);
        let of_ours = told(&send(&ours, &there), &ours, &there);
        if of_ours == of_nothing {
            equal.push(at.as_str());
        }
    }
    assert!(equal.is_empty(), "{equal:?}");
    assert_ne!(state_of(&server, &ours), before);
}

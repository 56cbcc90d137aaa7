//! The documents that the program itself gives out, tried out by schemathesis against it: whatever it thinks of,
//! the answer is one that the document has, in the shape that it has there, and no fault of ours. A validator of
//! others' reads them, too.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::folder;
use crate::needs::installed;
use crate::process::{Process, agent, directory, key, lines};

/// A user who is there at first.
const ANN: &str = "ann@example.com";

/// Parameters that name a user.
const USERS: [&str; 4] = ["userId", "userID", "identifyId", "user_id"];

/// And the project.
const PROJECTS: [&str; 2] = ["projectKey", "sourceId"];

/// Paths that change what the others need, or whose answers are 503 as they should be.
const LEFT_OUT: [&str; 3] = ["/messages/{message_id}/ask", "/api/projects/{projectKey}", "/api/imports"];

/// For each route at most this many thought-up requests, besides those at the bounds of what
/// the description says.
const EXAMPLES: &str = "20";

/// A description, and how its requests name the key, which is written `{}`.
struct Dialect {
    name: &'static str,
    headers: &'static [&'static str],
    /// Operations that no key opens which opens the others.
    closed: usize,
}

const ALLOY: Dialect =
    Dialect { name: "alloy", headers: &["Authorization: bearer {}", "x-api-version: 2025-09"], closed: 0 };
const GAINSIGHT: Dialect = Dialect { name: "gainsight", headers: &["X-APTRINSIC-API-KEY: {}"], closed: 0 };
const OPENREPLAY: Dialect = Dialect { name: "openreplay", headers: &["Authorization: Bearer {}"], closed: 0 };
const PROFICIENT: Dialect = Dialect { name: "proficient", headers: &["Authorization: Bearer {}"], closed: 0 };
const NATIVE: Dialect = Dialect { name: "native", headers: &["Authorization: Bearer {}"], closed: 2 };
const SEGMENT: Dialect = Dialect { name: "segment", headers: &["Authorization: Bearer {}"], closed: 0 };
const VEMETRIC: Dialect =
    Dialect { name: "vemetric", headers: &["Authorization: Bearer {}", "Token: {}"], closed: 0 };

/// A server of its own, with somebody in it.
struct Bench {
    server: Process,
    dir: TempDir,
    project: String,
    key: String,
    known: String,
}

impl Bench {
    fn begin(dialect: &Dialect) -> Bench {
        let dir = directory();
        let mut key = key(dir.path(), "schemathesis");
        let project = lines(dir.path(), &["project", "list"]).remove(0);
        let project = project.split('\t').next().expect("a key").to_owned();
        let server = Process::start(dir.path());
        let event = json!({ "name": "Opened", "userIdentifier": ANN, "url": "https://shop.example.com/a" });
        let taken = agent().post(server.url("/e")).header("Token", &key).send_json(&event);
        assert_eq!(taken.expect("an answer").status(), 200);
        let mut known = ANN.to_owned();
        match dialect.name {
            // Its paths take ids alone.
            "proficient" => known = proficient_id(&server, &key),
            // Projects are made with a key of the organisation, which has to be an admin's.
            "openreplay" => key = organisation_key(dir.path()),
            // Backups and figures are the organisation's alone.
            "native" => key = with_every_scope(dir.path(), &project),
            _ => {}
        }
        Bench { server, dir, project, key, known }
    }

    /// Whether schemathesis finds no fault, and what it says.
    fn run(&self, program: PathBuf, dialect: &Dialect, description: &str) -> (bool, String) {
        let copy = self.dir.path().join("description.json");
        std::fs::write(&copy, description).expect("a copy");
        let mut command = Command::new(program);
        command.arg("run").arg(&copy).args(["--url", &self.server.base]);
        for header in dialect.headers {
            command.args(["--header", &header.replace("{}", &self.key)]);
        }
        let output = command
            .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1"])
            .args(["--checks", "not_a_server_error,status_code_conformance"])
            .args(["--checks", "content_type_conformance,response_schema_conformance"])
            .args(["--generation-database", "none", "--no-color", "--continue-on-failure"])
            // It looks for a file of settings where it runs.
            .current_dir(self.dir.path())
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .expect("schemathesis runs");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Test cases:"), "nothing was tried: {said}");
        let closed = said.split_once("Authentication failed: ").map_or("0", |(_, rest)| rest);
        let closed = closed.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
        assert!(closed <= dialect.closed, "the key does not open {closed} operations: {said}");
        (output.status.success(), said.into_owned())
    }
}

fn proficient_id(server: &Process, key: &str) -> String {
    let request = agent().get(server.url("/users")).header("Authorization", &format!("Bearer {key}"));
    let mut answer = request.call().expect("an answer");
    let users: Value = answer.body_mut().read_json().expect("JSON");
    users["data"][0]["id"].as_str().expect("an id").to_owned()
}

fn with_every_scope(dir: &Path, project: &str) -> String {
    let scopes = "ingest,read,write,delete,admin,export";
    let create = ["key", "create", "--project", project, "--name", "every scope", "--scopes", scopes];
    lines(dir, &create).remove(0)
}

fn organisation_key(dir: &Path) -> String {
    let scopes = "ingest,read,write,delete,admin";
    lines(dir, &["key", "create", "--org", "--name", "schemathesis", "--scopes", scopes]).remove(0)
}

impl Bench {
    /// The document that the server gives out. What is there is named in it: else every path would be of nobody.
    fn description(&self, dialect: &Dialect) -> String {
        let path = match dialect.name {
            "native" => "/openapi.json".to_owned(),
            name => format!("/openapi/{name}.json"),
        };
        let mut answer = agent().get(self.server.url(&path)).call().expect("an answer");
        let mut document: Value = answer.body_mut().read_json().expect("JSON");
        let paths = document["paths"].as_object_mut().expect("paths");
        // A version that is none makes a path that is of no API.
        paths.retain(|path, _| !LEFT_OUT.contains(&path.as_str()) && !path.contains("{version}"));
        for operation in
            paths.values_mut().flat_map(|methods| methods.as_object_mut().expect("methods").values_mut())
        {
            let parameters = operation["parameters"].as_array_mut().expect("parameters");
            // A header that tells the API is sent with each request: without it it would be another's.
            parameters.retain(|one| {
                let name = one["name"].as_str().expect("a name");
                one["in"] != "header" || dialect.headers.iter().all(|header| !header.starts_with(name))
            });
            for parameter in parameters {
                let name = parameter["name"].as_str().expect("a name");
                let known = match name {
                    name if parameter["in"] == "path" && USERS.contains(&name) => &self.known,
                    name if PROJECTS.contains(&name) => &self.project,
                    _ => continue,
                };
                parameter["schema"] = json!({ "type": "string", "enum": [known] });
            }
        }
        document.to_string()
    }
}

fn check(dialect: &Dialect) {
    let Some(program) = installed(folder().join("venv/bin/schemathesis")) else { return };
    let bench = Bench::begin(dialect);
    let (good, said) = bench.run(program, dialect, &bench.description(dialect));
    assert!(good, "{said}");
    assert!(bench.server.terminate().success());
    crate::process::check_file(bench.dir.path());
}

#[test]
fn alloy_answers_as_described() {
    check(&ALLOY);
}

#[test]
fn gainsight_answers_as_described() {
    check(&GAINSIGHT);
}

#[test]
fn native_answers_as_described() {
    check(&NATIVE);
}

#[test]
fn segment_answers_as_described() {
    check(&SEGMENT);
}

#[test]
fn openreplay_answers_as_described() {
    check(&OPENREPLAY);
}

#[test]
fn proficient_answers_as_described() {
    check(&PROFICIENT);
}

#[test]
fn vemetric_answers_as_described() {
    check(&VEMETRIC);
}

#[test]
fn a_validator_of_others_finds_no_fault_in_any_document() {
    let Some(program) = installed(folder().join("venv/bin/openapi-spec-validator")) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    for section in usher::docs::document::SECTIONS {
        let copy = dir.path().join(section.slug).with_extension("json");
        std::fs::write(&copy, section.document().to_string()).expect("a copy");
        let output = Command::new(&program).arg(&copy).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", section.slug);
    }
}

/// The twin: a description that is wrong in one answer, or lacks one, is found out.
#[test]
fn a_wrong_description_is_found_out() {
    let Some(program) = installed(folder().join("venv/bin/schemathesis")) else { return };
    let bench = Bench::begin(&PROFICIENT);
    let right = bench.description(&PROFICIENT);
    for (wrong, fault) in [
        (right.replace("\"object\":{\"enum\":[\"user\"]", "\"object\":{\"enum\":[\"person\"]"), "schema"),
        (right.replace("\"404\":", "\"418\":"), "Undocumented status code"),
    ] {
        assert_ne!(wrong, right);
        let (good, said) = bench.run(program.clone(), &PROFICIENT, &wrong);
        assert!(!good && said.contains(fault), "{said}");
    }
}

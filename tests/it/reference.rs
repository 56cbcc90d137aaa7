//! The reference of the APIs: the documents, the pages, and that our own API keeps to them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use usher::api;
use usher::api::check::faults;
use usher::docs::codes;
use usher::docs::document::{self, SECTIONS, Section, anchor};
use usher::error::Place;

use crate::harness::{Reply, Server};

fn documents(server: &Server) -> Vec<(&'static Section, Value)> {
    SECTIONS
        .iter()
        .map(|section| (section, server.get(&section.address()).send().expect(200).json()))
        .collect()
}

#[test]
fn every_route_is_documented_and_no_other() {
    let server = Server::start();
    let mut written = BTreeSet::new();
    for (section, document) in documents(&server) {
        assert_eq!(document["openapi"], "3.1.0");
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let scope = operation["x-usher-scope"].as_str().unwrap_or("open").to_owned();
                let is_new = written.insert((section.slug, method.to_uppercase(), path.clone(), scope));
                assert!(is_new, "{method} {path} twice");
            }
        }
    }
    let routes: BTreeSet<_> = SECTIONS
        .iter()
        .flat_map(|section| section.routes().into_iter().map(move |route| (section.slug, route)))
        .map(|(slug, route)| {
            let scope = route.scope.map_or("open", |scope| scope.as_str()).to_owned();
            (slug, route.method.to_string(), route.path.to_owned(), scope)
        })
        .collect();
    assert_eq!(written, routes);
    assert_eq!(routes.len(), api::routes().len());
}

#[test]
fn every_document_is_whole() {
    let server = Server::start();
    for (section, document) in documents(&server) {
        let mut ids = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let id = operation["operationId"].as_str().expect("an id");
                assert!(ids.insert(id.to_owned()), "{} has {id} twice", section.slug);
                let at = format!("{} {method} {path}", section.slug);
                assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{at}");
                let responses = operation["responses"].as_object().expect("responses");
                assert!(responses.contains_key("500") && responses.contains_key("503"), "{at}");
                assert_eq!(
                    responses.contains_key("401"),
                    operation["security"] != json!([]) || (opens(path) && method == "get"),
                    "{at}"
                );
            }
        }
        for reference in references(&document) {
            let pointer = reference.strip_prefix('#').expect("a part of the document");
            assert!(document.pointer(pointer).is_some(), "{} lacks {reference}", section.slug);
        }
    }
}

/// The settings, whose key stands in the path.
fn opens(path: &str) -> bool {
    path == "/sourceConfig"
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_example_fits_its_schema() {
    for route in SECTIONS.iter().flat_map(Section::routes) {
        let at = format!("{} {}", route.method, route.path);
        let bodies = route.doc.body.iter().chain(route.doc.answers.iter().flat_map(|given| &given.content));
        for content in bodies.filter(|content| content.kind == "application/json") {
            let found = faults(Place::Body, &content.schema, &content.example);
            assert!(found.is_empty(), "{at}: {} {found:?}", content.example);
        }
        let schema = route.dialect.error_schema();
        for fault in document::faults(&route) {
            let Some((kind, body)) = fault.body else { continue };
            assert!(kind.contains("json"), "{at}: {kind}");
            assert!(faults(Place::Body, &schema, &body).is_empty(), "{at}: {body}");
        }
        for parameter in &route.doc.parameters {
            let example = usher::api::schema::example(&parameter.schema);
            assert!(faults(Place::Query, &parameter.schema, &example).is_empty(), "{at}: {}", parameter.name);
        }
    }
}

#[test]
fn every_code_of_a_problem_has_its_place() {
    let page = Server::start().get("/docs").send().expect(200).text;
    for code in codes() {
        assert!(page.contains(&format!("id=\"problem-{}\"", code.code)), "{}", code.code);
    }
    let native = SECTIONS[0].routes();
    for fault in native.iter().flat_map(document::faults) {
        let (_, body) = fault.body.expect("a problem");
        let known = codes().into_iter().find(|code| body["code"] == code.code);
        assert_eq!(known.expect("a code").status, fault.status, "{body}");
        assert_eq!(body["type"], format!("/docs#problem-{}", body["code"].as_str().expect("a code")));
    }
}

#[test]
fn a_page_has_every_route_and_nothing_that_runs() {
    let server = Server::start();
    for section in SECTIONS {
        let page = server.get(&format!("/docs/{}", section.slug)).send().expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
        for route in section.routes() {
            assert!(page.text.contains(&format!("<details id=\"{}\"", anchor(&route))), "{}", route.path);
        }
        for never in ["<script", "<style", " style=", "http://", " onclick"] {
            assert!(!page.text.contains(never), "{} has {never}", section.slug);
        }
        assert!(page.text.contains("$USHER_KEY"));
    }
}

#[test]
fn a_page_is_filtered_by_words() {
    let server = Server::start();
    let page = server.get("/docs/native?q=suppressions%20DELETE").send().expect(200).text;
    assert!(page.contains("id=\"delete-api-suppressions-id-by-1\""), "{page}");
    assert!(!page.contains("id=\"post-api-activity\""));
    let all = server.get("/docs?q=regulations").send().expect(200).text;
    assert!(all.contains("/docs/segment#post-regulations"), "{all}");
    // What is asked for is said back as text.
    let page = server.get("/docs?q=%3Cscript%3E").send().expect(200).text;
    assert!(!page.contains("<script>") && page.contains("No route"));
}

#[test]
fn what_a_browser_has_already_is_not_sent_again() {
    let server = Server::start();
    for path in ["/openapi.json", "/openapi/segment.json", "/docs", "/docs/native"] {
        let first = server.get(path).send().expect(200);
        let tag = first.header("etag").expect("a tag").to_owned();
        let again = server.get(path).header("If-None-Match", &tag).send().expect(304);
        assert_eq!(again.text, "");
        server.get(path).header("If-None-Match", "\"other\"").send().expect(200);
        let plain = server.get(path).header("Accept-Encoding", "identity").send().expect(200);
        assert_eq!((&plain.text, plain.header("content-encoding")), (&first.text, None));
        let wrong = server.post(path).send().expect(405);
        assert_eq!(wrong.header("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn docs_off_closes_documents_and_pages() {
    let server = Server::with(|options| options.docs_off = true);
    for path in ["/openapi.json", "/openapi/alloy.json", "/docs", "/docs/native"] {
        server.get(path).send().expect(404);
    }
    let open = Server::start();
    for path in ["/openapi/nobody.json", "/docs/nobody", "/docs/native/more"] {
        open.get(path).send().expect(404);
    }
}

fn problem(reply: Reply) -> Vec<(String, String)> {
    let errors = reply.expect(400).json()["errors"].as_array().expect("errors").clone();
    let place = |error: &Value| {
        let place = ["pointer", "parameter", "header"].into_iter().find_map(|place| error[place].as_str());
        (place.expect("a place").to_owned(), error["message"].as_str().expect("words").to_owned())
    };
    errors.iter().map(place).collect()
}

#[test]
fn all_faults_of_a_request_are_named_at_once() {
    let server = Server::start();
    let key = &server.project().all;
    let secret = "ann.secret@example.com";
    let body = json!({
        "subject": { "identifier": [secret], "name": secret },
        "policy": 7, "dryRn": true, "days": secret,
    });
    let reply = server.post("/api/suppressions").bearer(key).json(body).send();
    assert!(!reply.text.contains(secret), "{}", reply.text);
    let pointers: Vec<String> = problem(reply).into_iter().map(|(place, _)| place).collect();
    assert_eq!(pointers, ["/days", "/dryRn", "/policy", "/subject/identifier", "/subject/name"]);
    // Nothing was done.
    let listed = server.get("/api/suppressions").bearer(key).send().expect(200).json();
    assert_eq!(listed["data"], json!([]));
}

#[test]
fn an_unknown_parameter_is_refused_by_our_own_api_alone() {
    let server = Server::start();
    let key = &server.project().all;
    let found = problem(server.get("/api/suppressions?limit=x&lmit=5&more=1").bearer(key).send());
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["limit", "lmit", "more"]);
    assert_eq!(found[0].1, "must be an integer");
    assert!(found[1].1.starts_with("is not known here: there are "), "{found:?}");
    // A vendor's clients send what they like.
    server.get("/v1/project?more=1").bearer(key).send().expect(200);
}

#[test]
fn an_entry_with_an_unknown_field_is_named_and_left_out() {
    let server = Server::start();
    let entries = json!([
        { "type": "page", "userId": "ann" },
        { "type": "page", "userId": "ann", "usrId": "bob" },
        { "type": "page", "userId": "ann", "data": { "anything": [1] } },
    ]);
    let body = json!({ "activity": entries });
    let reply =
        server.post("/api/activity").bearer(&server.project().all).json(body).send().expect(200).json();
    assert_eq!(reply["data"]["stored"], 2);
    assert_eq!((&reply["errors"][0]["index"], &reply["errors"][0]["field"]), (&json!(1), &json!("usrId")));
}

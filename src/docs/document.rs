//! OpenAPI 3.1 documents, put together from the table of routes: one for each API, as OpenAPI takes two routes of
//! one path and method for the same.

use std::collections::BTreeMap;

use actix_web::body::MessageBody;
use actix_web::http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::api::dialect::{Dialect, Route};
use crate::api::doc::{Content, In, JSON, Parameter};
use crate::api::{self, Face};
use crate::error::{Error, Place};
use crate::model::Scope;

/// An API with a document of its own.
pub struct Section {
    /// As in the addresses.
    pub slug: &'static str,
    pub title: &'static str,
    pub says: &'static str,
    faces: &'static [Face],
}

pub static SECTIONS: &[Section] = &[
    Section {
        slug: "native",
        title: "Usher",
        says: "Our own API. Requests with fields or parameters that it does not know are refused; all faults of a \
               request are named at once.",
        faces: &[Face::Native],
    },
    Section {
        slug: "openreplay",
        title: "OpenReplay",
        says: "OpenReplay's two public APIs: users, their sessions, and jobs that delete them.",
        faces: &[Face::OpenReplay, Face::OpenReplayV2],
    },
    Section {
        slug: "vemetric",
        title: "Vemetric",
        says: "Vemetric's API for what is read, and its hub for what is sent.",
        faces: &[Face::Vemetric],
    },
    Section {
        slug: "gainsight",
        title: "Gainsight PX",
        says: "Gainsight PX's REST API: users, events, preferences and the denylist.",
        faces: &[Face::Gainsight],
    },
    Section {
        slug: "alloy",
        title: "Alloy Embedded",
        says: "Alloy Embedded's API for users, by the version in a header or in the path.",
        faces: &[Face::Alloy],
    },
    Section {
        slug: "proficient",
        title: "Proficient AI",
        says: "Proficient AI's API for servers.",
        faces: &[Face::Proficient],
    },
    // It has paths and methods of the one above.
    Section {
        slug: "proficient-client",
        title: "Proficient AI, in browsers",
        says: "Proficient AI's API for browsers: an end user's conversations. The header X-PROFICIENT-API-KEY tells it \
               from the API for servers.",
        faces: &[Face::ProficientClient],
    },
    Section {
        slug: "segment",
        title: "Segment and RudderStack",
        says: "Segment's tracking API, what its clients and RudderStack's ask for, and regulations.",
        faces: &[Face::Segment, Face::Regulations],
    },
];

impl Section {
    pub fn of(slug: &str) -> Option<&'static Section> {
        SECTIONS.iter().find(|section| section.slug == slug)
    }

    /// The address of its document.
    pub fn address(&self) -> String {
        match self.slug {
            "native" => "/openapi.json".to_owned(),
            slug => format!("/openapi/{slug}.json"),
        }
    }

    pub fn routes(&self) -> Vec<Route> {
        let ours = api::routes().into_iter().filter(|(face, _)| self.faces.contains(face));
        ours.map(|(_, route)| route).collect()
    }

    pub fn document(&self) -> Value {
        let mut parts = Parts::default();
        let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for route in self.routes() {
            let method = route.method.as_str().to_ascii_lowercase();
            paths.entry(route.path).or_default().insert(method, parts.operation(&route));
        }
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": format!("Usher: {}", self.title),
                "version": env!("CARGO_PKG_VERSION"),
                "description": self.says,
                "license": { "name": "MIT", "identifier": "MIT" },
            },
            "servers": [{ "url": "/" }],
            "paths": paths,
            "components": {
                "schemas": parts.schemas,
                "securitySchemes": parts.schemes,
                "headers": headers(),
            },
            "externalDocs": { "url": format!("/docs/{}", self.slug), "description": "The same as a page" },
        });
        if self.slug == "native" {
            let others = SECTIONS.iter().filter(|section| section.slug != self.slug);
            document["externalDocs"] =
                json!({ "url": "/docs", "description": "The pages, and all other APIs" });
            document["x-usher-faces"] =
                others.map(|other| json!({ "title": other.title, "url": other.address() })).collect();
        }
        document
    }
}

fn headers() -> Value {
    let number = json!({ "type": "integer" });
    json!({
        "RetryAfter": { "description": "Seconds until it may succeed.", "schema": number },
        "RequestId": { "description": "The request's id, as in the log.", "schema": { "type": "string" } },
    })
}

/// What several operations share.
#[derive(Default)]
struct Parts {
    schemas: BTreeMap<String, Value>,
    schemes: BTreeMap<String, Value>,
}

impl Parts {
    fn operation(&mut self, route: &Route) -> Value {
        let doc = &route.doc;
        let mut parameters: Vec<Value> = path_names(route.path)
            .map(|name| {
                let said = doc.of(In::Path).find(|parameter| parameter.name == name);
                said.map_or_else(
                    || json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
                    |said| self.parameter(said),
                )
            })
            .collect();
        parameters.extend(doc.of(In::Query).map(|parameter| self.parameter(parameter)));
        parameters.extend(doc.of(In::Header).map(|parameter| self.parameter(parameter)));
        if states_basis(route) {
            let basis = "The legal basis of the erasure, which the receipt keeps.";
            let schema = json!({ "type": "string" });
            parameters.push(json!({ "name": "Usher-Legal-Basis", "in": "header", "description": basis, "schema": schema }));
        }
        let mut operation = json!({
            "operationId": anchor(route),
            "summary": doc.says,
            "parameters": parameters,
            "responses": self.responses(route),
            "security": [],
        });
        if !doc.more.is_empty() {
            operation["description"] = doc.more.into();
        }
        if let Some(content) = &doc.body {
            let content = self.content(content);
            // A body that may be left out is sent empty.
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
        if let Some(scope) = route.scope {
            let name = self.scheme(route.dialect.key_scheme());
            operation["security"] = json!([{ (name): [scope.as_str()] }]);
            operation["x-usher-scope"] = scope.as_str().into();
        }
        operation
    }

    fn scheme(&mut self, scheme: Value) -> String {
        let same = self.schemes.iter().find(|(_, known)| **known == scheme).map(|(name, _)| name.clone());
        same.unwrap_or_else(|| {
            let name = match self.schemes.len() {
                0 => "key".to_owned(),
                n => format!("key{}", n + 1),
            };
            self.schemes.insert(name.clone(), scheme);
            name
        })
    }

    fn parameter(&mut self, parameter: &Parameter) -> Value {
        let place = match parameter.place {
            In::Path => "path",
            In::Query => "query",
            In::Header => "header",
        };
        let schema = self.hoisted(parameter.schema.clone());
        json!({
            "name": parameter.name,
            "in": place,
            "required": parameter.is_required,
            "description": parameter.says,
            "schema": schema,
        })
    }

    fn content(&mut self, content: &Content) -> Value {
        let schema = self.hoisted(content.schema.clone());
        json!({ (content.kind): { "schema": schema, "example": content.example } })
    }

    fn responses(&mut self, route: &Route) -> Value {
        let mut responses = Map::new();
        for given in &route.doc.answers {
            let response =
                responses.entry(given.status.to_string()).or_insert_with(|| response(given.status));
            if let Some(content) = &given.content
                && let Value::Object(content) = self.content(content)
            {
                for (kind, content) in content {
                    response["content"][kind] = content;
                }
            }
        }
        for fault in faults(route) {
            let schema = self.hoisted(route.dialect.error_schema());
            let response =
                responses.entry(fault.status.to_string()).or_insert_with(|| response(fault.status));
            let Some((kind, body)) = fault.body else { continue };
            let content = &mut response["content"][kind];
            if content.is_null() {
                *content = json!({ "schema": schema, "examples": {} });
            } else if content["schema"] != schema {
                // A status that the handler gives, too, in words of its own.
                let before = content["schema"].take();
                content["schema"] = json!({ "anyOf": [before, schema] });
                continue;
            }
            if let Some(examples) = content.get_mut("examples").and_then(Value::as_object_mut) {
                let name = format!("example{}", examples.len() + 1);
                examples.insert(name, json!({ "value": body }));
            }
        }
        responses.into()
    }

    /// The schema with what has a name put aside under it.
    fn hoisted(&mut self, schema: Value) -> Value {
        let schema = match schema {
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (name, self.hoisted(value)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(list) => {
                list.into_iter().map(|value| self.hoisted(value)).collect::<Vec<Value>>().into()
            }
            plain => plain,
        };
        let is_schema = schema.get("type").is_some() || schema.get("anyOf").is_some();
        let title = schema.get("title").and_then(Value::as_str).filter(|_| is_schema).map(str::to_owned);
        let Some(mut name) = title else { return schema };
        while self.schemas.get(&name).is_some_and(|known| *known != schema) {
            name.push('_');
        }
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.schemas.insert(name, schema);
        reference
    }
}

fn response(status: u16) -> Value {
    let mut response = json!({
        "description": reason(status),
        "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestId" } },
    });
    if matches!(status, 429 | 503) {
        response["headers"]["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
    }
    response
}

pub fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Answer")
}

/// The names in a path's braces.
pub fn path_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// Where a route stands on its page, which is the operation's id as well.
pub fn anchor(route: &Route) -> String {
    let path = route.path.replace(['{', '}'], "");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let end = if path.len() > 1 && path.ends_with('/') { "-slash" } else { "" };
    // A name and a word in one place are two routes.
    let names = path_names(route.path).count();
    let by = if names > 0 { format!("-by-{names}") } else { String::new() };
    let words: Vec<&str> = words.collect();
    format!("{}-{}{by}{end}", route.method.as_str().to_ascii_lowercase(), words.join("-"))
}

fn states_basis(route: &Route) -> bool {
    route.scope.is_some() && (route.scope == Some(Scope::Delete) || route.method == Method::DELETE)
}

/// An error as the code that answers words it.
pub struct Fault {
    pub status: u16,
    /// Its type and what it says.
    pub body: Option<(String, Value)>,
}

/// The errors that a route may answer with: those of its nature, and those that its words name.
pub fn faults(route: &Route) -> Vec<Fault> {
    let doc = &route.doc;
    let mut all = vec![
        Error::Forbidden("the key does not open this"),
        Error::internal("a fault of the server"),
        Error::Unavailable("the server is busy: try again"),
        Error::ReadOnly,
    ];
    let given_once = |place, name: &str| Error::invalid(place, name, "must be given once");
    if route.scope.is_some() {
        all.extend([Error::NoKey, Error::UnknownKey, Error::RateLimited { retry_after: 60 }]);
        all.push(given_once(Place::Header, "Authorization"));
    }
    if let Some(name) = path_names(route.path).next() {
        all.push(Error::invalid(Place::Path, name, "must be UTF-8, percent-encoded"));
    }
    if let Some(parameter) = doc.of(In::Query).next() {
        all.push(given_once(Place::Query, parameter.name));
    }
    if route.dialect.is_strict() {
        all.push(Error::invalid(Place::Query, "colour", "is not known here: there are none"));
    }
    if let Some(parameter) = doc.of(In::Header).next() {
        all.push(Error::invalid(Place::Header, parameter.name, "must be printable ASCII"));
    }
    if states_basis(route) {
        all.push(Error::invalid(Place::Header, "Usher-Legal-Basis", "must be one of a few words"));
    }
    if let Some(body) = &doc.body {
        if body.kind == JSON {
            all.push(Error::BadJson("expected value at line 1 column 1".into()));
        }
        let field = body.schema["required"][0].as_str().unwrap_or("body");
        all.push(Error::invalid(Place::Body, field, "is required"));
        all.extend([Error::TooLarge { limit: route.body_max }, Error::TooSlow]);
    }
    all.extend(doc.fails.iter().map(|fails| fails()));
    all.iter().map(|error| worded(route.dialect, error)).collect()
}

fn worded(dialect: &dyn Dialect, error: &Error) -> Fault {
    let response = dialect.error(error);
    let status = response.status().as_u16();
    let kind =
        response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let body =
        response.into_body().try_into_bytes().ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let body = body.map(|mut body: Value| {
        if body.get("requestId").is_some() {
            body["requestId"] = "9f1c22d07ab34e55".into();
        }
        body
    });
    Fault { status, body: kind.zip(body) }
}

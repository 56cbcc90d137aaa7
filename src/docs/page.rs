//! The pages of the reference, as people read them.

use std::sync::LazyLock;

use askama::Template;
use serde_json::Value;

use super::document::{self, SECTIONS, Section, anchor, faults, reason};
use crate::admin;
use crate::api::dialect::Route;
use crate::api::doc::{Content, In, JSON, Parameter};

/// An API in the list of all.
struct Entry {
    href: String,
    title: &'static str,
    says: &'static str,
    document: String,
    is_here: bool,
}

/// A parameter, or a field of a body.
struct Row {
    name: String,
    place: &'static str,
    kind: String,
    is_required: bool,
    /// As HTML.
    says: String,
}

/// What may be answered.
struct Reply {
    status: u16,
    reason: &'static str,
    kind: String,
    example: String,
}

struct Shown {
    anchor: String,
    method: String,
    path: &'static str,
    says: &'static str,
    /// As HTML.
    more: String,
    scope: Option<&'static str>,
    rows: Vec<Row>,
    curl: String,
    answers: Vec<Reply>,
    errors: Vec<Reply>,
}

/// A code of our own API's problems.
pub struct Code {
    pub code: &'static str,
    pub status: u16,
    pub says: &'static str,
}

impl Code {
    fn prose(&self) -> String {
        prose(self.says)
    }
}

/// All codes. A test holds that there are no others.
pub fn codes() -> Vec<Code> {
    let all = [
        (
            "unauthorized",
            401,
            "No key came with the request, or none that opens anything. Send `Authorization: Bearer KEY`.",
        ),
        (
            "forbidden",
            403,
            "The key is good, but does not open this: another scope or another project is needed, or this host is not served.",
        ),
        ("not_found", 404, "There is nothing at this path, or nothing with this id."),
        ("project_not_found", 404, "There is no such project, or the key is another one's."),
        (
            "user_not_found",
            404,
            "There is no such user. Erased users are not there any more, and users in the trash are not live.",
        ),
        ("job_not_found", 404, "There is no such job in the project."),
        (
            "receipt_not_found",
            404,
            "There is no such receipt, or it is not written yet: a receipt is written when the job is completed.",
        ),
        ("session_not_found", 404, "There is no such session, or it is out of sight with its user."),
        ("key_not_found", 404, "There is no such key, or it is revoked."),
        ("method_not_allowed", 405, "The path takes other methods: the header Allow lists them."),
        (
            "invalid",
            400,
            "Something in the request is not as it has to be. `errors` names each fault, and where it stands. Nothing was changed.",
        ),
        ("bad_json", 400, "The body is no JSON object. `detail` says at which line and column."),
        ("too_slow", 408, "The body arrived too slowly. Nothing was changed."),
        ("identifier_taken", 409, "Another user has this identifier."),
        ("name_taken", 409, "Something else has this name already."),
        ("suppressed", 409, "The user is kept out: nothing is stored of them."),
        ("ambiguous", 409, "The name fits several. Nothing was done: name one by its id."),
        (
            "held",
            409,
            "The user is under a legal hold: nothing of them is erased before it is released or ends.",
        ),
        ("conflict", 409, "What is named is in a state that does not allow this."),
        ("job_ended", 400, "The job has ended, and can no longer be cancelled."),
        ("too_large", 413, "The body is larger than this route takes."),
        ("rate_limited", 429, "Too many requests. Wait for as many seconds as Retry-After says."),
        ("internal", 500, "A fault of the server. The log has it under the requestId."),
        (
            "unavailable",
            503,
            "The server is busy, its disk is full or fails, or it is read-only. The same request may succeed later.",
        ),
    ];
    all.map(|(code, status, says)| Code { code, status, says }).into()
}

#[derive(Template)]
#[template(path = "docs.html")]
struct IndexPage {
    sheet: String,
    asked: String,
    entries: Vec<Entry>,
    codes: Vec<Code>,
    /// Routes of all APIs that fit what is asked.
    found: Vec<(String, &'static Shown)>,
}

#[derive(Template)]
#[template(path = "docs_section.html")]
struct SectionPage {
    sheet: String,
    title: &'static str,
    says: &'static str,
    slug: &'static str,
    document: String,
    asked: String,
    entries: Vec<Entry>,
    routes: Vec<&'static Shown>,
    all: usize,
}

fn entries(here: &str) -> Vec<Entry> {
    let entry = |section: &Section| Entry {
        href: format!("/docs/{}", section.slug),
        title: section.title,
        says: section.says,
        document: section.address(),
        is_here: section.slug == here,
    };
    SECTIONS.iter().map(entry).collect()
}

/// The first page; with the routes that fit, where something is asked.
pub fn index(asked: &str) -> String {
    let found = READY.iter().filter(|_| !asked.is_empty()).flat_map(|(slug, routes)| {
        let routes = routes.iter().filter(|route| route.fits(asked));
        routes.map(move |route| (format!("/docs/{slug}#{}", route.shown.anchor), &route.shown))
    });
    let page = IndexPage {
        sheet: admin::sheet(),
        asked: asked.to_owned(),
        entries: entries(""),
        codes: codes(),
        found: found.collect(),
    };
    rendered(&page)
}

/// The page of an API; of the routes that fit, where something is asked.
pub fn section(section: &Section, asked: &str) -> String {
    let of_section = READY.iter().find(|(slug, _)| *slug == section.slug);
    let routes = of_section.map(|(_, routes)| routes.as_slice()).unwrap_or_default();
    let page = SectionPage {
        sheet: admin::sheet(),
        title: section.title,
        says: section.says,
        slug: section.slug,
        document: section.address(),
        asked: asked.to_owned(),
        entries: entries(section.slug),
        all: routes.len(),
        routes: routes.iter().filter(|route| route.fits(asked)).map(|route| &route.shown).collect(),
    };
    rendered(&page)
}

fn rendered(page: &impl Template) -> String {
    page.render().unwrap_or_else(|error| {
        log::error!("a page of the reference could not be written: {error}");
        String::new()
    })
}

/// A route as the pages show it.
struct Ready {
    /// In lower case: its method, path and sentences.
    text: String,
    shown: Shown,
}

/// All routes of each section, by its slug. Anybody may ask, so that a filter costs a look through texts and no
/// more.
static READY: LazyLock<Vec<(&'static str, Vec<Ready>)>> = LazyLock::new(|| {
    let ready = |route: &Route| {
        let (doc, method) = (&route.doc, &route.method);
        let text = format!("{method} {} {} {}", route.path, doc.says, doc.more).to_lowercase();
        Ready { text, shown: shown(route) }
    };
    let of = |section: &Section| (section.slug, section.routes().iter().map(ready).collect());
    SECTIONS.iter().map(of).collect()
});

impl Ready {
    /// Whether each word that is asked for stands in it.
    fn fits(&self, asked: &str) -> bool {
        asked.to_lowercase().split_whitespace().all(|word| self.text.contains(word))
    }
}

fn shown(route: &Route) -> Shown {
    let doc = &route.doc;
    let mut rows: Vec<Row> = doc.parameters.iter().map(of_parameter).collect();
    for name in document::path_names(route.path) {
        if !doc.of(In::Path).any(|parameter| parameter.name == name) {
            let kind = "string".to_owned();
            rows.push(Row {
                name: name.to_owned(),
                place: "path",
                kind,
                is_required: true,
                says: String::new(),
            });
        }
    }
    match &doc.body {
        Some(body) if body.kind == JSON => fields("", &body.schema, &mut rows),
        Some(body) => rows.push(Row {
            name: "body".to_owned(),
            place: "body",
            kind: body.kind.to_owned(),
            is_required: true,
            says: String::new(),
        }),
        None => {}
    }
    let mut errors: Vec<Reply> = faults(route)
        .into_iter()
        .map(|fault| reply(fault.status, fault.body.map(|(kind, body)| (kind, format!("{body:#}")))))
        .collect();
    errors.sort_by_key(|error| error.status);
    errors.dedup_by(|one, other| one.status == other.status && one.example == other.example);
    let answers = doc.answers.iter().map(|given| {
        reply(given.status, given.content.as_ref().map(|content| (content.kind.to_owned(), text(content))))
    });
    Shown {
        anchor: anchor(route),
        method: route.method.to_string(),
        path: route.path,
        says: doc.says,
        more: prose(doc.more),
        scope: route.scope.map(|scope| scope.as_str()),
        rows,
        curl: curl(route),
        answers: answers.collect(),
        errors,
    }
}

fn reply(status: u16, body: Option<(String, String)>) -> Reply {
    let (kind, example) = body.unwrap_or_default();
    Reply { status, reason: reason(status), kind, example }
}

fn text(content: &Content) -> String {
    match &content.example {
        Value::String(text) if content.kind != JSON => text.clone(),
        value => format!("{value:#}"),
    }
}

fn of_parameter(parameter: &Parameter) -> Row {
    let place = match parameter.place {
        In::Path => "path",
        In::Query => "query",
        In::Header => "header",
    };
    Row {
        name: parameter.name.to_owned(),
        place,
        kind: kind(&parameter.schema),
        is_required: parameter.is_required,
        says: prose(parameter.says),
    }
}

/// The fields of a body, those within objects by their dotted names.
fn fields(before: &str, schema: &Value, rows: &mut Vec<Row>) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let full = format!("{before}{name}");
        rows.push(Row {
            name: full.clone(),
            place: "body",
            kind: kind(field),
            is_required: required.contains(&name.as_str()),
            says: prose(field["description"].as_str().unwrap_or_default()),
        });
        fields(&format!("{full}."), field, rows);
        fields(&format!("{full}[]."), &field["items"], rows);
    }
}

/// The type of a value, in words.
fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| word.as_str().unwrap_or("null"));
        return words.collect::<Vec<&str>>().join(" | ");
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        return kinds.iter().map(kind).collect::<Vec<String>>().join(" | ");
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<&str>>().join(" | "),
        _ => "any".to_owned(),
    };
    let bounds = match (schema["minimum"].as_i64(), schema["maximum"].as_i64(), schema["maxLength"].as_u64())
    {
        (Some(least), Some(most), _) => format!(", {least} to {most}"),
        (Some(least), None, _) => format!(", from {least}"),
        (_, _, Some(most)) if most > 0 => format!(", at most {most} characters"),
        _ => String::new(),
    };
    format!("{kinds}{bounds}")
}

/// The request as a command, the key in `$USHER_KEY`.
fn curl(route: &Route) -> String {
    let mut path = route.path.to_owned();
    for parameter in route.doc.of(In::Path) {
        let braces = format!("{{{}}}", parameter.name);
        path = path.replace(&braces, &plain(&parameter.schema));
    }
    let needed: Vec<String> = route
        .doc
        .of(In::Query)
        .filter(|parameter| parameter.is_required)
        .map(|parameter| format!("{}={}", encoded(parameter.name), encoded(&plain(&parameter.schema))))
        .collect();
    let query = if needed.is_empty() { String::new() } else { format!("?{}", needed.join("&")) };
    let mut lines = vec![match route.method.as_str() {
        "GET" => format!("curl \"$USHER_URL{path}{query}\""),
        "HEAD" => format!("curl --head \"$USHER_URL{path}{query}\""),
        method => format!("curl -X {method} \"$USHER_URL{path}{query}\""),
    }];
    if route.scope.is_some() {
        let scheme = route.dialect.key_scheme();
        lines.push(match (scheme["scheme"].as_str(), scheme["name"].as_str()) {
            (Some("basic"), _) => "-u \"$USHER_KEY:\"".to_owned(),
            (_, Some(name)) => format!("-H \"{name}: $USHER_KEY\""),
            _ => "-H \"Authorization: Bearer $USHER_KEY\"".to_owned(),
        });
    }
    for parameter in route.doc.of(In::Header).filter(|parameter| parameter.is_required) {
        lines.push(format!("-H '{}: {}'", parameter.name, plain(&parameter.schema)));
    }
    if let Some(body) = &route.doc.body {
        lines.push(format!("-H 'Content-Type: {}'", body.kind));
        match body.kind {
            JSON => lines.push(format!("-d '{}'", body.example.to_string().replace('\'', "'\\''"))),
            _ => lines.push("--data-binary @FILE".to_owned()),
        }
    }
    lines.join(" \\\n  ")
}

/// Sentences of ours as HTML: what stands between backticks is code.
fn prose(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let pieces = escaped.split('`').enumerate();
    let marked = pieces.map(|(n, piece)| match n % 2 {
        0 => piece.to_owned(),
        _ => format!("<code>{piece}</code>"),
    });
    marked.collect()
}

fn plain(schema: &Value) -> String {
    match crate::api::schema::example(schema) {
        Value::String(text) => text,
        value => value.to_string(),
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

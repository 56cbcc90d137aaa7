//! What clients in browsers and phones ask besides sending: their settings, and a place for
//! figures about themselves, which is not kept.
//!
//! The settings are told to a project's public credentials alone. Any other key is answered
//! as unknown: the address has the key in it, which must not be one that opens more.

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::{DIALECT, SINGLE_MAX, key, words};
use crate::api::dialect::{self, Answer, Call, Dialect, Route};
use crate::clock::rfc3339;
use crate::edge::PublicUrl;
use crate::error::{Error, Result};
use crate::model::{Project, Scope};
use crate::projects;

/// Errors as those who ask for settings know them.
struct OfSettings {
    /// The status for a key that is unknown.
    unknown: StatusCode,
}

/// [ours] 404: Segment's clients log it and send nothing.
static SETTINGS: &dyn Dialect = &OfSettings { unknown: StatusCode::NOT_FOUND };
/// RudderStack's server: 400 `Invalid write key`.
static SOURCE_CONFIG: &dyn Dialect = &OfSettings { unknown: StatusCode::BAD_REQUEST };

impl Dialect for OfSettings {
    fn key_scheme(&self) -> Value {
        json!({ "type": "http", "scheme": "basic", "description": "The key is the user, without a password." })
    }

    fn error_schema(&self) -> Value {
        words::settings_error()
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        key::of(request)
    }

    fn error(&self, error: &Error) -> HttpResponse {
        let (status, message) = match error {
            Error::NoKey => (StatusCode::UNAUTHORIZED, "Writekey not found in basic auth".to_owned()),
            Error::MalformedKey | Error::UnknownKey => (self.unknown, "Invalid write key".to_owned()),
            error => (dialect::status(error), dialect::message(error)),
        };
        HttpResponse::build(status).json(json!({ "message": message }))
    }
}

pub fn routes() -> Vec<Route> {
    let settings = "/v1/projects/{writeKey}/settings";
    vec![
        Route::new(SETTINGS, Method::GET, settings, None, get_settings, words::get_settings).from_browsers(),
        Route::new(
            SOURCE_CONFIG,
            Method::GET,
            "/sourceConfig",
            None,
            get_source_config,
            words::get_source_config,
        )
        .from_browsers(),
        Route::new(SOURCE_CONFIG, Method::HEAD, "/sourceConfig", None, probe, words::probe).from_browsers(),
        Route::new(DIALECT, Method::POST, "/v1/m", None, forget, words::forget).from_browsers(),
        Route::new(DIALECT, Method::POST, "/rsaMetrics", None, forget_rudders, words::forget_rudders)
            .from_browsers(),
        Route::new(DIALECT, Method::POST, "/v1/merge", Some(Scope::Ingest), merge, words::merge)
            .from_browsers()
            .body_max(SINGLE_MAX),
    ]
}

/// Segment's and Customer.io's settings.
async fn get_settings(call: Call) -> Answer {
    let key = call.path("writeKey")?;
    call.open_public(&key)?;
    Ok(kept_a_minute(settings_json(&key, &call.app.edge().base())))
}

/// RudderStack's.
async fn get_source_config(call: Call) -> Answer {
    let key = call.key_for(SOURCE_CONFIG)?.ok_or(Error::NoKey)?;
    let project = call.open_public(&key)?;
    let project = call.app.read(|db| projects::get(db, project))?;
    Ok(kept_a_minute(source_json(&key, &project)))
}

/// `HEAD /sourceConfig/?view=ad` is how RudderStack's browser client looks for an ad
/// blocker: 204, and any other HEAD 200. Neither has a key, and neither tells anything.
async fn probe(call: Call) -> Answer {
    let is_for_blockers = call.query()?.get("view") == Some("ad");
    Ok(if is_for_blockers { HttpResponse::NoContent() } else { HttpResponse::Ok() }.finish())
}

/// `POST /v1/m`: a client's figures about itself. Nobody here wants them, and a client that
/// got an error would send them again.
async fn forget(_: Call) -> Answer {
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// `POST /rsaMetrics`: the same of RudderStack's clients, whose server answers `{}`.
async fn forget_rudders(_: Call) -> Answer {
    Ok(HttpResponse::Ok().json(json!({})))
}

/// `POST /v1/merge`: RudderStack's word to the services behind it that an e-mail address or
/// a number is of one person. [ours] Nobody is merged by what is not an id: two people may
/// share an address. It is answered like a bad message in a batch, as its clients drop a
/// message on a 400 without a word, and what is not done is named.
async fn merge(mut call: Call) -> Answer {
    call.project()?;
    call.object().await?;
    let message = "merge is not done here: send alias, or identify with both ids";
    let error = json!({ "index": 0, "field": "type", "message": message });
    Ok(HttpResponse::Ok().json(json!({ "success": true, "errors": [error] })))
}

fn kept_a_minute(body: Value) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "max-age=60")).json(body)
}

/// `integrations` must be an object, and `Segment.io.apiKey` a text: the browser's client
/// sends it as its write key. Without `apiHost` clients send to the vendor, and without a
/// `sampleRate` of 0 they send figures about themselves there. No member is null: Kotlin's
/// client reads each as an object.
fn settings_json(key: &str, base: &PublicUrl) -> Value {
    let here = json!({
        "apiKey": key,
        "apiHost": format!("{}/v1", base.host()),
        "protocol": base.scheme(),
    });
    json!({
        "integrations": { "Segment.io": here, "Customer.io Data Pipelines": here },
        "plan": {},
        "middlewareSettings": {},
        "edgeFunction": {},
        "consentSettings": {},
        "metrics": { "sampleRate": 0 },
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    })
}

/// The clients insist on `source.id`, the objects `source.config` and `statsCollection`, and
/// the list `source.destinations`; the data plane is the address that the app gave them. The
/// project goes by its key: its name is the operator's, and the answer is public.
fn source_json(key: &str, project: &Project) -> Value {
    let updated_at = rfc3339(project.created_at);
    let off = json!({ "enabled": false });
    json!({
        "source": {
            "id": format!("src_{}", project.key),
            "name": project.key,
            "writeKey": key,
            "workspaceId": format!("ws_{}", project.key),
            "enabled": true,
            "config": { "statsCollection": { "errors": off, "metrics": off } },
            "destinations": [],
            "connections": [],
            "dataplanes": {},
            "updatedAt": updated_at,
        },
        "updatedAt": updated_at,
    })
}

//! Whether it runs, and whether it is ready.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::api::dialect::authorization;
use crate::app::App;
use crate::app::readiness::Check;
use crate::model::Scope;
use crate::web::sender;

/// It runs: that is all that is asked.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().body("ok\n")
}

/// One word for everybody; the reasons for those who may know the machine.
pub async fn ready(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let readiness = app.readiness().await;
    let is_ready = readiness.is_ready();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if !may_know(&app, &request) {
        let word = match (is_ready, app.is_read_only()) {
            (true, false) => "ready\n",
            (true, true) => "ready, read-only\n",
            (false, _) => "not ready\n",
        };
        return HttpResponse::build(status).body(word);
    }
    let checks: Vec<Value> = readiness.0.iter().map(check_json).collect();
    HttpResponse::build(status)
        .insert_header(("cache-control", "no-store"))
        .json(json!({ "ready": is_ready, "readOnly": app.is_read_only(), "checks": checks }))
}

fn check_json(check: &Check) -> Value {
    json!({ "name": check.name, "ok": check.ok, "words": check.words })
}

/// A key of the organisation with the scope admin, within its limit. Any other is as none.
fn may_know(app: &App, request: &HttpRequest) -> bool {
    let Ok(Some(key)) = authorization(request) else { return false };
    let Ok(access) = app.keyring().open(&key, || sender::address(request, app.edge())) else { return false };
    access.project.is_none()
        && access.require(Scope::Admin).is_ok()
        && access.spend().is_none_or(|left| left.retry_after.is_none())
}

//! The figures of the installation, for Prometheus.

use actix_web::HttpResponse;
use actix_web::http::Method;

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Route};
use crate::app::figures;
use crate::error::Error;
use crate::metrics;
use crate::model::Scope;

pub fn routes() -> Vec<Route> {
    vec![Route::new(DIALECT, Method::GET, "/metrics", Some(Scope::Read), get_metrics, words::get_metrics)]
}

async fn get_metrics(call: Call) -> Answer {
    // They are of every project.
    if call.access()?.project.is_some() {
        return Err(Error::Forbidden("a project's key cannot read metrics: use a key of the organisation"));
    }
    let text = figures::text(&call.app).await?;
    Ok(HttpResponse::Ok().content_type(metrics::CONTENT_TYPE).body(text))
}

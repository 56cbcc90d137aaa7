//! to come
use super::dialect::{self, Dialect, Route};
use crate::error::{Error, Result};
use actix_web::{HttpRequest, HttpResponse};
pub static DIALECT: &dyn Dialect = &D;
struct D;
impl Dialect for D {
    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        dialect::authorization(request)
    }
    fn error(&self, error: &Error) -> HttpResponse {
        HttpResponse::build(dialect::status(error))
            .json(serde_json::json!({"message": dialect::message(error)}))
    }
}
pub fn routes() -> Vec<Route> {
    Vec::new()
}

//! Which fields of a message could not be read, and were left out so that the rest could be
//! kept. A value is never named: only fields and reasons.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};

use crate::model::Repair;

/// The answer's header that names the fields: clients that are refused for one bad cell
/// drop the whole message, and so are told in this way instead.
const HEADER: &str = "usher-left-out";

/// Fields, each once, with the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repairs(Vec<(&'static str, &'static str)>);

impl Repairs {
    /// The first reason for a field counts.
    pub fn note(&mut self, field: &'static str, reason: &'static str) {
        if self.0.iter().all(|(known, _)| *known != field) {
            self.0.push((field, reason));
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().copied()
    }

    /// The same, to be counted.
    pub fn counted(&self) -> Vec<Repair> {
        self.iter().map(|(field, reason)| Repair::of(field, reason)).collect()
    }

    /// The answer, with what was left out in its header: `score: must be an integer; …`.
    pub fn named_in(&self, mut response: HttpResponse) -> HttpResponse {
        let parts: Vec<String> = self.iter().map(|(field, reason)| format!("{field}: {reason}")).collect();
        if let Ok(value) = HeaderValue::from_str(&parts.join("; "))
            && !parts.is_empty()
        {
            response.headers_mut().insert(HeaderName::from_static(HEADER), value);
        }
        response
    }
}

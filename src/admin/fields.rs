//! Named values of a query, or of a form that was sent.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{HttpRequest, web};

use crate::error::{Error, Place, Result};
use crate::web::Bodies;
use crate::web::body::{self, Whole};
use crate::web::buffers::Owner;

/// The largest form, unless a route says otherwise: nearly all of them are small.
pub const FORM_MAX: usize = 64 * 1024;

#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn of_query(request: &HttpRequest) -> Result<Fields> {
        parse(request.query_string(), Place::Query)
    }

    /// [`Error::TooLarge`] beyond `limit`, or [`Error::Invalid`] if it is no form.
    pub async fn of_form(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Fields> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let message = "must be application/x-www-form-urlencoded";
            return Err(Error::invalid(Place::Header, "Content-Type", message));
        }
        let bodies = Bodies::of(request)?;
        let owner = Owner::Address(request.peer_addr().map(|peer| peer.ip()));
        let (body, _room) = body::read(payload, &bodies, owner, (limit, limit), Whole::InTime).await?;
        let text = std::str::from_utf8(&body);
        parse(text.map_err(|_| Error::invalid(Place::Body, "form", "must be UTF-8"))?, Place::Body)
    }

    /// A value, empty if there is none; the first if there are several.
    pub fn text(&self, name: &str) -> &str {
        self.given(name).unwrap_or_default()
    }

    /// A value, if it was sent, be it empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A value that is not empty.
    pub fn some(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|text| !text.is_empty())
    }

    /// All values of a name, as ticked boxes send them.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn parse(text: &str, place: Place) -> Result<Fields> {
    web::Query::<Vec<(String, String)>>::from_query(text)
        .map(|pairs| Fields(pairs.into_inner()))
        .map_err(|_| Error::invalid(place, "form", "must be name=value pairs"))
}

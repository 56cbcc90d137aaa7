//! What all lists have in common: how many are on a page, and what a scrollId is.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::dialect::Query;
use crate::error::{Error, Place, Result};
use crate::web::page_sizes::PageSize;

/// `pageSize`, if it is given and not empty.
pub fn size(query: &Query, of: PageSize) -> Result<Option<u32>> {
    let Some(text) = query.get("pageSize").filter(|text| !text.is_empty()) else { return Ok(None) };
    let size = text.parse().ok().and_then(|size| of.asked(Some(size)));
    size.ok_or_else(|| Error::invalid(Place::Query, "pageSize", of.bounds())).map(Some)
}

/// A scrollId says what was asked for and how far it has come: nothing is kept for it here.
pub fn encode(scroll: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(scroll).map_err(Error::internal)?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&json))
}

pub fn decode<T: DeserializeOwned>(text: &str) -> Option<T> {
    let json = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The error for a scrollId that no answer had.
pub fn unknown_scroll() -> Error {
    Error::invalid(Place::Query, "scrollId", "was not issued by this server")
}

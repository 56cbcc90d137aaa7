//! Where a request carries its write key, but for the body: `Authorization: Basic`, then
//! `X-Write-Key`, then `?writeKey=`, in this order. A beacon can send no header, and some
//! clients send an empty user in Basic: the next place is asked then.

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::api::dialect;
use crate::error::{Error, Result};

/// The key, if one of the three has one. [`Error::MalformedKey`] if the header that should
/// carry it cannot be read.
pub fn of(request: &HttpRequest) -> Result<Option<String>> {
    if let Some(key) = basic(request)? {
        return Ok(Some(key));
    }
    if let Some(value) = dialect::key_header(request, "X-Write-Key")? {
        let key = value.to_str().map_err(|_| Error::MalformedKey)?.trim();
        if !key.is_empty() {
            return Ok(Some(key.to_owned()));
        }
    }
    Ok(in_query(request))
}

/// `Basic base64("<key>:")`; Bearer and a bare key are taken, too.
fn basic(request: &HttpRequest) -> Result<Option<String>> {
    let Some(value) = dialect::key_header(request, dialect::AUTHORIZATION)? else { return Ok(None) };
    let value = value.to_str().map_err(|_| Error::MalformedKey)?.trim();
    let Some((scheme, encoded)) = value.split_once(' ') else {
        return dialect::authorization(request);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return dialect::authorization(request);
    }
    let decoded = data_encoding::BASE64
        .decode(encoded.trim().as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(Error::MalformedKey)?;
    let key = decoded.split(':').next().unwrap_or_default();
    // A client without a write key of its own sends ":"; another place may have it.
    Ok((!key.is_empty()).then(|| key.to_owned()))
}

fn in_query(request: &HttpRequest) -> Option<String> {
    let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?.into_inner();
    pairs.into_iter().find(|(name, value)| name == "writeKey" && !value.is_empty()).map(|(_, key)| key)
}

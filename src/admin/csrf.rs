//! Forms of other sites: none of them does anything here. A POST must come from one of
//! our own pages, as the browser tells, and carry the token that this browser's page had.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::outside;
use crate::error::{Error, Result};

/// The form's field that has the token.
pub const FIELD: &str = "form_token";

const ELSEWHERE: &str = "This form was sent from another site, so nothing was changed.";
/// The same where a proxy may have changed the host on the way.
const BEHIND_A_PROXY: &str = "This form was sent from another site, so nothing was changed. If there is a \
                              proxy in front of this server, start the server with --public-url and \
                              --trusted-proxy, and make the proxy pass on the browser's Host header.";
const STALE: &str = "This form is out of date, or the browser does not keep cookies, so nothing was \
                     changed. Open the page again and send the form once more.";

/// [`Error::Forbidden`] unless the browser says that the form was on a page of ours.
pub fn check_origin(request: &HttpRequest) -> Result<()> {
    let site = text(request, HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin") {
        return Err(Error::Forbidden(ELSEWHERE));
    }
    let ours = match (text(request, header::ORIGIN), site, text(request, header::REFERER)) {
        (Some(origin), _, _) => outside::is_ours(request, origin),
        (None, Some(_), _) => true,
        (None, None, Some(referer)) => outside::is_ours(request, referer),
        (None, None, None) => false,
    };
    match ours {
        true => Ok(()),
        false if outside::has_unproven(request) => Err(Error::Forbidden(BEHIND_A_PROXY)),
        false => Err(Error::Forbidden(ELSEWHERE)),
    }
}

pub fn text(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// The page of ours that led here.
pub fn came_from(request: &HttpRequest) -> Option<String> {
    let referer = text(request, header::REFERER).filter(|referer| outside::is_ours(request, referer))?;
    let (_, rest) = referer.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    local(path).map(str::to_owned)
}

/// An address to go to that somebody else may have written: only pages of ours will do,
/// other than those of signing in.
pub fn local(path: &str) -> Option<&str> {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let (pages, _) = path.split_once('?').unwrap_or((path, ""));
    let climbs = pages.split('/').any(|segment| matches!(segment, "." | "..") || segment.contains('%'));
    let inside = pages.strip_prefix("/admin/").is_some_and(|page| {
        !page.is_empty()
            && !["login", "logout", "setup", "password"].contains(&page.split('/').next().unwrap_or_default())
    });
    (plain && inside && !climbs).then_some(path)
}

/// Makes and checks the tokens of one browser's forms, from a secret in its cookie.
pub struct CsrfTokens(String);

impl CsrfTokens {
    pub fn new(secret: &str) -> CsrfTokens {
        CsrfTokens(secret.to_owned())
    }

    /// A fresh token. Each is another text, so that no length of a compressed page tells
    /// anything of them.
    pub fn token(&self) -> Result<String> {
        let mut token = [0; NONCE + MAC];
        let (nonce, mac) = token.split_at_mut(NONCE);
        getrandom::fill(nonce).map_err(Error::internal)?;
        mac.copy_from_slice(&self.mac(nonce)?);
        Ok(BASE64URL_NOPAD.encode(&token))
    }

    /// [`Error::Forbidden`] unless this is one of this csrf's.
    pub fn check(&self, token: &str) -> Result<()> {
        let token = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap_or_default();
        let good = token.len() == NONCE + MAC && {
            let (nonce, mac) = token.split_at(NONCE);
            bool::from(self.mac(nonce)?.ct_eq(mac))
        };
        if good { Ok(()) } else { Err(Error::Forbidden(STALE)) }
    }

    fn mac(&self, nonce: &[u8]) -> Result<[u8; MAC]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).map_err(Error::internal)?;
        mac.update(b"a form of the admin pages");
        mac.update(nonce);
        Ok(mac.finalize().into_bytes().into())
    }
}

const NONCE: usize = 16;
const MAC: usize = 32;

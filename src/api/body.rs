//! Reading a request's body: unpacked in small steps, so that no more than the limit is ever
//! held, however far it would unpack.

use std::io::{self, Cursor, Read};

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use crate::error::{Error, Place, Result};
use crate::web::Bodies;
use crate::web::body::{self, Whole};
use crate::web::buffers::{Kept, Owner, Room};

/// How much is unpacked at a time.
const STEP: usize = 16 * 1024;
/// What unpacks to more than this is unpacked on a thread that may be busy.
const SMALL: usize = 64 * 1024;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    /// RFC 1952: one or more members, one after the other.
    Gzip,
    /// RFC 9110: "deflate" is the zlib format.
    Deflate,
}

/// A body, with the room that it takes in memory.
pub struct Body {
    pub bytes: Bytes,
    _room: Room,
}

impl Body {
    fn of((bytes, room): (Vec<u8>, Room)) -> Body {
        Body { bytes: bytes.into(), _room: room }
    }
}

/// The body, unpacked. [`Error::TooLarge`] beyond `limit`, packed or not; [`Error::Invalid`]
/// if it is packed in another way than is taken, or broken; [`Error::TooSlow`];
/// [`Error::Unavailable`] where there is no room for it.
pub async fn read(
    payload: Payload,
    request: &HttpRequest,
    owner: Owner,
    limit: usize,
    whole: Whole,
) -> Result<Body> {
    let (headers, bodies) = (request.headers(), Bodies::of(request)?);
    let coding = coding(headers)?;
    // What does not shrink grows a little by packing.
    let packed_limit = if coding == Coding::Plain { limit } else { limit + limit / 64 + 1024 };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > packed_limit) {
        return Err(Error::TooLarge { limit });
    }
    let (packed, room) = body::read(payload, &bodies, owner, (packed_limit, limit), whole).await?;
    // A client may name the coding of a body that it does not send.
    if coding == Coding::Plain || packed.is_empty() {
        return Ok(Body::of((packed, room)));
    }
    let mut into = Kept::new(bodies.buffers.room(owner));
    let mut stream = unpacking(packed, coding);
    // How much there is to do is known by doing it: a few bytes may unpack to very many.
    if unpack(&mut stream, &mut into, limit, SMALL)? {
        return Ok(Body::of(into.into_parts()));
    }
    let rest = move || {
        let outcome = unpack(&mut stream, &mut into, limit, usize::MAX);
        drop((stream, room));
        outcome.map(|_| Body::of(into.into_parts()))
    };
    bodies.unpack(rest).await
}

/// Whether a body is packed in a way that is taken.
pub fn is_packed(headers: &HeaderMap) -> bool {
    coding(headers).is_ok_and(|coding| coding != Coding::Plain)
}

fn coding(headers: &HeaderMap) -> Result<Coding> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Coding::Plain) };
    let value = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    match value.as_str() {
        "" | "identity" => Ok(Coding::Plain),
        // RFC 9110: "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"."
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "deflate" => Ok(Coding::Deflate),
        // Brotli too: no client sends it, and a few hundred bytes of it unpack to gigabytes.
        _ => Err(Error::invalid(Place::Header, "Content-Encoding", "must be gzip, deflate or identity")),
    }
}

fn unpacking(packed: Vec<u8>, coding: Coding) -> Box<dyn Read + Send> {
    let packed = Cursor::new(packed);
    match coding {
        Coding::Deflate => Box::new(ZlibDecoder::new(packed)),
        Coding::Gzip | Coding::Plain => Box::new(MultiGzDecoder::new(packed)),
    }
}

/// Unpacks until there are more than `enough` bytes. True: it is the whole.
fn unpack(stream: &mut impl Read, into: &mut Kept, limit: usize, enough: usize) -> Result<bool> {
    let mut step = [0; STEP];
    while into.length() <= enough {
        match stream.read(&mut step) {
            Ok(0) => return Ok(true),
            Ok(read) if into.length() + read > limit => return Err(Error::TooLarge { limit }),
            Ok(read) => into.extend(&step[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(unreadable()),
        }
    }
    Ok(false)
}

fn unreadable() -> Error {
    Error::invalid(Place::Body, "body", "could not be read or unpacked")
}

/// A text without the byte order mark that some clients put first (RFC 8259: parsers "MAY
/// ignore the presence of a byte order mark").
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

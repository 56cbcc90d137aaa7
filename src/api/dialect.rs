//! What every API has in common: how a request is let in, read, and answered.
//!
//! A dialect says how it reads the key and how it words an error; everything else
//! stands here once. The order of checks: path and method, key, rate, scope, then the
//! handler's own: parameters, body, user.

pub mod repairs;

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::body::{self, Body};
use super::doc::{Doc, In};
use super::{body_key, broken, check, cors, lenient};
use crate::access::keyring::Access;
use crate::access::rate_limit::Allowance;
use crate::app::App;
use crate::edge;
use crate::error::{Error, FieldError, Place, Result};
use crate::forms;
use crate::model::{Identifier, ProjectId, Received, Scope};
use crate::proof::receipt::Token;
use crate::trace::{LegalBasis, Source};
use crate::web::Bodies;
use crate::web::body::{Reader, Whole};
use crate::web::buffers::Owner;
use crate::web::{path_pattern, sender};

/// The header in which a caller may state the legal basis of an erasure, and its name up to 0.1.
const LEGAL_BASIS: &str = "Usher-Legal-Basis";
const LEGAL_BASIS_BEFORE: &str = "Usher-Ground";

/// The header in which most of them have the key.
pub const AUTHORIZATION: &str = "Authorization";

/// The largest body, unless a route says otherwise.
pub const BODY_MAX: usize = 1024 * 1024;
/// The largest packed body, unpacked, whose key stands in it: until that is found anybody may have
/// sent it, and a few bytes unpack to very many. The largest batch that Segment itself takes fits.
const KEY_INSIDE_MAX: usize = 532 * 1024;

/// How one API reads keys and words errors.
pub trait Dialect: Sync {
    /// The key of a request, if it carries one. [`Error::MalformedKey`] if what is there
    /// cannot be one.
    fn key(&self, request: &HttpRequest) -> Result<Option<String>>;

    /// Where a body may carry the key instead.
    fn key_in_body(&self) -> Option<&'static str> {
        None
    }

    /// The error as this API's clients know it. Status and body; the headers that go
    /// with some errors are added by [`answer`].
    fn error(&self, error: &Error) -> HttpResponse;

    /// How OpenAPI says where the key stands.
    fn key_scheme(&self) -> Value;

    /// The schema of an error's body.
    fn error_schema(&self) -> Value;

    /// Whether a request is refused that has fields or parameters which its route's words do not name.
    /// Vendors' servers ignore them, and their clients send them.
    fn is_strict(&self) -> bool {
        false
    }
}

/// A handler's answer.
pub type Answer = Result<HttpResponse>;

type Handler = Rc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Answer>>>>;

/// What a route says of itself.
pub type Words = Rc<LazyCell<Doc, Box<dyn FnOnce() -> Doc>>>;

/// One line of the table of routes.
#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// `/v1/users/{identifyId}`: each name in braces is one segment.
    pub path: &'static str,
    pub dialect: &'static dyn Dialect,
    /// None: open to everybody.
    pub scope: Option<Scope>,
    /// Pages of other sites may send to it: see `cors.rs`.
    pub browsers: bool,
    /// Made when it is first asked for: a thread that answers no reference needs few of them.
    pub doc: Words,
    pub body_max: usize,
    handler: Handler,
}

/// A path of the vendor's in which a word stands where a route of ours has a name, and the
/// method it goes with: `("DELETE", "/v1/users/delete")`. For that method the word is never
/// an id, whether we serve the path or not.
pub type Literal = (&'static str, &'static str);

impl Route {
    pub fn new<F, Fut>(
        dialect: &'static dyn Dialect,
        method: Method,
        path: &'static str,
        scope: Option<Scope>,
        handler: F,
        doc: impl FnOnce() -> Doc + 'static,
    ) -> Route
    where
        F: Fn(Call) -> Fut + 'static,
        Fut: Future<Output = Answer> + 'static,
    {
        let handler: Handler = Rc::new(move |call| Box::pin(handler(call)));
        Route {
            method,
            path,
            dialect,
            scope,
            browsers: false,
            doc: Rc::new(LazyCell::new(Box::new(doc))),
            body_max: BODY_MAX,
            handler,
        }
    }

    /// The same for what browsers send from pages of other sites.
    pub fn from_browsers(self) -> Route {
        Route { browsers: true, ..self }
    }

    /// The same with another limit for its body, unpacked.
    pub fn body_max(self, body_max: usize) -> Route {
        Route { body_max, ..self }
    }
}

/// Lets the request in, runs the route's handler, and words what went wrong. `asked` is the
/// path that was asked for, as the route's pattern fits it.
pub async fn serve(
    route: &Route,
    app: App,
    request: HttpRequest,
    asked: String,
    payload: Payload,
) -> HttpResponse {
    let mut call = Call {
        app,
        request: request.clone(),
        path: route.path,
        asked,
        browsers: route.browsers,
        body_max: route.body_max,
        payload: Some(payload),
        body: None,
        strict: route.dialect.is_strict().then(|| Rc::clone(&route.doc)),
        access: None,
    };
    let mut allowance = None;
    let admitted = admit(route, &mut call, &mut allowance).await;
    let outcome = match admitted.and_then(|()| call.check_query()) {
        Ok(()) => (route.handler)(call).await,
        Err(error) => Err(error),
    };
    let mut response = outcome.unwrap_or_else(|error| answer(route.dialect, &error));
    if let Some(allowance) = allowance {
        put_allowance(&mut response, allowance);
    }
    response
}

/// `allowance` is where the key stands afterwards, also when the request is one too many.
async fn admit(route: &Route, call: &mut Call, allowance: &mut Option<Allowance>) -> Result<()> {
    let Some(scope) = route.scope else { return Ok(()) };
    let access = match open(route, call).await {
        Err(error @ (Error::NoKey | Error::MalformedKey | Error::UnknownKey)) => {
            call.app.keyring().refusals().count(call.refused_address())?;
            return Err(error);
        }
        opened => opened?,
    };
    access.actor().is();
    if call.request.headers().contains_key(header::ORIGIN) {
        access.note_browser(call.app.clock());
    }
    let spent = access.spend();
    // What a public credential has left would tell anybody of all its traffic.
    *allowance = spent.filter(|_| !access.is_public());
    if let Some(retry_after) = spent.and_then(|left| left.retry_after) {
        return Err(Error::RateLimited { retry_after });
    }
    access.require(scope)?;
    call.judge_origin(&access)?;
    if let Some(project) = access.project.filter(|_| access.is_public()) {
        let source = Source { project: project.0, address: call.sender().address };
        call.app.keyring().people().check(source, call.app.clock().now())?;
        source.is();
    }
    if scope == Scope::Delete || route.method == Method::DELETE {
        stated_legal_basis(&call.request)?.is();
    }
    if scope == Scope::Read && route.method == Method::GET {
        access.count_read(call.app.clock());
    }
    call.access = Some(access);
    Ok(())
}

/// What the key of a request opens.
async fn open(route: &Route, call: &mut Call) -> Result<Arc<Access>> {
    let key = match (route.dialect.key(&call.request)?, route.dialect.key_in_body()) {
        (Some(key), _) => key,
        (None, Some(field)) => call.key_in_body(field).await?,
        (None, None) => return Err(Error::NoKey),
    };
    call.opens(&key)
}

/// The legal basis that the caller states. [`Error::Invalid`] on the header that was sent: one that is
/// unknown, or a second one that differs. The receipt keeps it, so none is guessed.
fn stated_legal_basis(request: &HttpRequest) -> Result<LegalBasis> {
    let mut stated: Option<LegalBasis> = None;
    for name in [LEGAL_BASIS, LEGAL_BASIS_BEFORE] {
        for value in request.headers().get_all(name) {
            let basis = value.to_str().ok().and_then(LegalBasis::parse).ok_or_else(|| {
                let known = LegalBasis::ALL.map(LegalBasis::as_str).join(", ");
                Error::invalid(Place::Header, name, format!("must be one of {known}"))
            })?;
            if stated.is_some_and(|before| before != basis) {
                return Err(Error::invalid(Place::Header, name, "must not differ from the one given before"));
            }
            stated = Some(basis);
        }
    }
    Ok(stated.unwrap_or_default())
}

fn put_allowance(response: &mut HttpResponse, allowance: Allowance) {
    let pairs = [
        ("x-ratelimit-limit", i64::from(allowance.limit)),
        ("x-ratelimit-remaining", i64::from(allowance.remaining)),
        ("x-ratelimit-reset", allowance.reset),
    ];
    for (name, value) in pairs {
        let name = header::HeaderName::from_static(name);
        response.headers_mut().insert(name, header::HeaderValue::from(value));
    }
}

/// An error in a dialect's words, logged if it is a fault of ours.
pub fn answer(dialect: &dyn Dialect, error: &Error) -> HttpResponse {
    if let Error::Internal(_) | Error::Damaged(_) = error {
        log::error!("{error}");
    }
    let mut response = dialect.error(error);
    let headers = response.headers_mut();
    match error {
        Error::RateLimited { retry_after } => {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(*retry_after));
        }
        Error::Unavailable(_) | Error::DiskFull | Error::DiskFails(_) | Error::Damaged(_) => {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        Error::MethodNotAllowed { allow } => {
            if let Ok(allow) = header::HeaderValue::from_str(allow) {
                headers.insert(header::ALLOW, allow);
            }
        }
        _ => {}
    }
    response
}

/// An answer to an erasure, with what the person is to be handed: the token by which they
/// can show later that the receipt is about them. It is not given again.
pub fn with_token(mut response: HttpResponse, token: Option<Token>) -> HttpResponse {
    let value = token.and_then(|token| header::HeaderValue::from_str(&token.to_string()).ok());
    if let Some(value) = value {
        response.headers_mut().insert(header::HeaderName::from_static("usher-receipt"), value);
    }
    response
}

/// What was made of a user, for an API whose answer shows it. [`Error::Suppressed`] if nothing was,
/// as the user is kept out.
pub fn unless_dropped<T>(received: Received<T>) -> Result<T> {
    received.map_err(|_| Error::Suppressed)
}

/// The same for who may know that somebody is kept out; others are shown what would have been made.
pub fn told<T>(may_know: bool, received: Received<T>, as_if: impl FnOnce() -> Result<T>) -> Result<T> {
    match received {
        Err(_) if !may_know => as_if(),
        received => unless_dropped(received),
    }
}

/// The HTTP status of every error, where an API has no rule of its own.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoKey | Error::MalformedKey | Error::UnknownKey => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::NoSuchRoute
        | Error::ProjectNotFound
        | Error::UserNotFound { .. }
        | Error::JobNotFound
        | Error::ReceiptNotFound
        | Error::SessionNotFound
        | Error::KeyNotFound
        | Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Error::Invalid(_) | Error::BadJson(_) | Error::JobEnded => StatusCode::BAD_REQUEST,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Error::IdentifierTaken
        | Error::NameTaken { .. }
        | Error::Ambiguous(_)
        | Error::Conflict(_)
        | Error::Held(_)
        | Error::Suppressed => StatusCode::CONFLICT,
        Error::Unavailable(_)
        | Error::DiskFull
        | Error::DiskFails(_)
        | Error::ReadOnly
        | Error::Damaged(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What may be said of an error to a client: an internal one's text is not.
pub fn message(error: &Error) -> String {
    match error {
        Error::Internal(_) => "Internal server error".into(),
        Error::DiskFails(_) => "the disk cannot be read or written; try again".into(),
        Error::Damaged(_) => "the server cannot read its database".into(),
        error => error.to_string(),
    }
}

/// A header that a key stands in. [`Error::Invalid`] if it is there twice: a proxy and this server
/// could each take another one of them.
pub fn key_header<'a>(request: &'a HttpRequest, name: &str) -> Result<Option<&'a header::HeaderValue>> {
    let mut values = request.headers().get_all(name);
    let value = values.next();
    match values.next() {
        Some(_) => Err(Error::invalid(Place::Header, name, "must be given once")),
        None => Ok(value),
    }
}

/// The key of an `Authorization` header: bare, or after the word Bearer in any case.
/// Another scheme is malformed.
pub fn authorization(request: &HttpRequest) -> Result<Option<String>> {
    let Some(value) = key_header(request, AUTHORIZATION)? else { return Ok(None) };
    let value = value.to_str().map_err(|_| Error::MalformedKey)?.trim();
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() => {
            Ok(Some(key.trim().to_owned()))
        }
        None if !value.is_empty() && !value.eq_ignore_ascii_case("bearer") => Ok(Some(value.to_owned())),
        _ => Err(Error::MalformedKey),
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The peer's, or the one that a trusted proxy names; of IPv6 the /64. None: not known,
    /// as forwarding headers came from a peer that is not trusted.
    pub address: Option<IpAddr>,
    /// What the program calls itself.
    pub agent: Option<String>,
}

/// A request that was let in.
pub struct Call {
    pub app: App,
    request: HttpRequest,
    path: &'static str,
    asked: String,
    browsers: bool,
    body_max: usize,
    payload: Option<Payload>,
    body: Option<Body>,
    /// The words to which the request has to keep.
    strict: Option<Words>,
    access: Option<Arc<Access>>,
}

impl Call {
    /// A segment of the path, percent-decoded once. [`Error::Invalid`] if it is not UTF-8.
    pub fn path(&self, name: &str) -> Result<String> {
        let segment = path_pattern::segment(self.path, &self.asked, name).unwrap_or_default();
        percent_encoding::percent_decode_str(segment)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| Error::invalid(Place::Path, name, "must be UTF-8, percent-encoded"))
    }

    /// A segment that names a user.
    pub fn identifier(&self, name: &str) -> Result<Identifier> {
        Identifier::parse(Place::Path, name, &self.path(name)?)
    }

    /// The query's parameters. [`Error::Invalid`] for one that is given twice, or is not UTF-8
    /// once decoded: read lossily, two different names would meet in one.
    pub fn query(&self) -> Result<Query> {
        self.parameters(None)
    }

    /// The same, but the parameter `list` may be given any number of times.
    pub fn query_with_list(&self, list: &str) -> Result<Query> {
        self.parameters(Some(list))
    }

    fn parameters(&self, list: Option<&str>) -> Result<Query> {
        for pair in self.request.query_string().split('&') {
            let decoded = percent_encoding::percent_decode_str(pair);
            if decoded.clone().decode_utf8().is_err() {
                let lossy = decoded.decode_utf8_lossy();
                let name = lossy.split('=').next().unwrap_or_default();
                return Err(Error::invalid(Place::Query, name, "must be UTF-8, percent-encoded"));
            }
        }
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(self.request.query_string())
            .map_err(|_| Error::invalid(Place::Query, "query", "must be name=value pairs"))?
            .into_inner();
        let mut seen = HashSet::with_capacity(pairs.len());
        if let Some((name, _)) =
            pairs.iter().find(|(name, _)| Some(name.as_str()) != list && !seen.insert(name.as_str()))
        {
            return Err(Error::invalid(Place::Query, name, "must be given once"));
        }
        Ok(Query(pairs))
    }

    /// [`Error::Invalid`] with all parameters that the route does not name, or that are not as it says.
    fn check_query(&self) -> Result<()> {
        let Some(doc) = &self.strict else { return Ok(()) };
        let query = self.query()?;
        let mut faults = Vec::new();
        for (name, text) in &query.0 {
            match doc.of(In::Query).find(|parameter| parameter.name == name) {
                Some(parameter) => {
                    let value = coerced(&parameter.schema, text);
                    let found = check::faults(Place::Query, &parameter.schema, &value);
                    faults.extend(found.into_iter().map(|fault| FieldError { field: name.clone(), ..fault }));
                }
                None => {
                    let known: Vec<&str> = doc.of(In::Query).map(|parameter| parameter.name).collect();
                    faults.push(FieldError::new(Place::Query, name.as_str(), check::not_known(&known)));
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
    }

    /// [`Error::Invalid`] if it is there, but not in ASCII.
    pub fn header(&self, name: &str) -> Result<Option<&str>> {
        let value = self.request.headers().get(name).map(header::HeaderValue::to_str).transpose();
        value.map_err(|_| Error::invalid(Place::Header, name, "must be printable ASCII"))
    }

    /// Where the request comes from, as well as it can be told. Good for telling visitors
    /// apart, no more: who sends can say what it likes of its program.
    pub fn sender(&self) -> Sender {
        let address = sender::address(&self.request, self.app.edge()).map(edge::network);
        let agent = self.request.headers().get(header::USER_AGENT).map(header::HeaderValue::as_bytes);
        let agent = agent.map(String::from_utf8_lossy).map(|agent| agent.trim().to_owned());
        Sender { address, agent: agent.filter(|agent| !agent.is_empty()) }
    }

    /// Who takes the room for the body.
    fn owner(&self) -> Owner {
        let key = self.access.as_ref().filter(|access| !access.is_public()).and_then(|access| access.key);
        match key {
            Some(key) => Owner::Key(key.0),
            None => Owner::Address(self.sender().address),
        }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.request.cookie(name).map(|cookie| cookie.value().to_owned())
    }

    /// What the key opens. Only routes with a scope have one.
    pub fn access(&self) -> Result<&Access> {
        self.access.as_deref().ok_or(Error::NoKey)
    }

    /// Whether the key may know whom there is, and who was erased or is kept out.
    pub fn may_know(&self) -> Result<bool> {
        Ok(self.access()?.scopes.has(Scope::Read))
    }

    /// The key of a request to a route that is open to everybody.
    pub fn key_for(&self, dialect: &dyn Dialect) -> Result<Option<String>> {
        dialect.key(&self.request)
    }

    /// What a key opens from where the request comes.
    fn opens(&self, key: &str) -> Result<Arc<Access>> {
        self.app.keyring().open(key, || sender::address(&self.request, self.app.edge()))
    }

    /// The project of a public credential. [`Error::UnknownKey`] for any other key, as it
    /// came in the clear; [`Error::Forbidden`] if the page that asks is not on the
    /// project's list.
    pub fn open_public(&self, key: &str) -> Result<ProjectId> {
        let access = self.opens(key)?;
        if !access.is_public() {
            return Err(Error::UnknownKey);
        }
        self.judge_origin(&access)?;
        access.project.ok_or(Error::UnknownKey)
    }

    /// The list of origins is judged on the request itself: a preflight has no key.
    fn judge_origin(&self, access: &Access) -> Result<()> {
        match cors::origin(&self.request).filter(|_| self.browsers) {
            Some(origin) => access.judge_origin(origin),
            None => Ok(()),
        }
    }

    /// The one project the key opens. [`Error::Forbidden`] for an organisation's key.
    pub fn project(&self) -> Result<ProjectId> {
        let whole = "this API needs the key of a project, not one of the organisation";
        self.access()?.project.ok_or(Error::Forbidden(whole))
    }

    /// The body, unpacked. [`Error::TooLarge`] beyond `limit`, [`Error::TooSlow`] or
    /// [`Error::Unavailable`] as in `body::read`.
    pub async fn body(&mut self, limit: usize) -> Result<Bytes> {
        self.body_within(limit, Whole::InTime).await
    }

    /// The same for a body that may take long as a whole.
    pub async fn long_body(&mut self, limit: usize) -> Result<Bytes> {
        self.body_within(limit, Whole::AtRate).await
    }

    /// The body as it comes, for who keeps none of it: as packed as it is sent.
    pub fn pieces(&mut self) -> Result<Reader> {
        let limits = Bodies::of(&self.request)?.limits;
        if let Some(coding) = self.header("content-encoding")?
            && !matches!(coding.trim().to_ascii_lowercase().as_str(), "" | "identity" | "gzip" | "x-gzip")
        {
            return Err(Error::invalid(Place::Header, "Content-Encoding", "must be gzip or identity"));
        }
        let payload = self.payload.take().ok_or_else(|| Error::internal("a body is read twice"))?;
        Ok(Reader::new(payload, limits, Whole::AtRate))
    }

    /// How long the body is, as packed as it is sent, if the client says so.
    pub fn length(&self) -> Option<u64> {
        self.request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    async fn body_within(&mut self, limit: usize, whole: Whole) -> Result<Bytes> {
        if self.body.is_none()
            && let Some(payload) = self.payload.take()
        {
            self.body = Some(body::read(payload, &self.request, self.owner(), limit, whole).await?);
        }
        let body = self.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
        if body.len() > limit { Err(Error::TooLarge { limit }) } else { Ok(body) }
    }

    /// The body as a JSON object. [`Error::BadJson`] if it is none. [`Error::Invalid`] with all that does not
    /// fit the route's words, where the API is strict.
    pub async fn object(&mut self) -> Result<Object> {
        let doc = self.strict.as_ref().and_then(|doc| doc.body.as_ref());
        let schema = doc.map(|body| body.schema.clone());
        self.read_object(move |object| {
            let Object(fields) = object?;
            let Some(schema) = schema else { return Ok(Object(fields)) };
            let value = Value::Object(fields);
            let faults = check::faults(Place::Body, &schema, &value);
            match value {
                Value::Object(fields) if faults.is_empty() => Ok(Object(fields)),
                _ => Err(Error::Invalid(faults)),
            }
        })
        .await
    }

    /// What a reader makes of the body as a JSON object: aside, if it is large.
    pub async fn read_object<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(Result<Object>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match self.body(self.body_max).await {
            Ok(body) => self.read_aside(body.len(), move || read(Object::parse(&body))).await,
            Err(error) => read(Err(error)),
        }
    }

    /// Reads something of this length, which a large body has in it, on a thread that may be busy.
    pub async fn read_aside<T: Send + 'static>(
        &self,
        length: usize,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        Bodies::of(&self.request)?.read(length, read).await
    }

    /// The key that stands in the body. [`Error::NoKey`] if none does, [`Error::UnknownKey`] if
    /// nothing in it opens anything: a body is understood only after that, as anybody may send one.
    async fn key_in_body(&mut self, field: &'static str) -> Result<String> {
        let mut limit = self.body_max;
        if body::is_packed(self.request.headers()) {
            self.app.keyring().refusals().check(self.refused_address())?;
            limit = limit.min(KEY_INSIDE_MAX);
        }
        let body = self.body(limit).await?;
        let candidates = body_key::candidates(&body, field);
        if candidates.is_empty() {
            return Err(Error::NoKey);
        }
        if !candidates.iter().any(|key| self.app.keyring().knows(key)) {
            return Err(Error::UnknownKey);
        }
        let app = self.app.clone();
        self.read_aside(body.len(), move || key_of(&body, field, &app)).await
    }

    /// By which requests without a good key are counted.
    fn refused_address(&self) -> Option<IpAddr> {
        self.sender().address.or_else(|| self.request.peer_addr().map(|peer| peer.ip()))
    }
}

/// The text of a body's field. [`Error::NoKey`] if it has none.
fn key_of(body: &[u8], field: &str, app: &App) -> Result<String> {
    let mended;
    let value = match unread(body) {
        Ok(fields) => fields.get(field).copied(),
        // It is put right for its messages later, and so it is for the key beside them.
        Err(_) => {
            app.requests().note_lenient();
            mended = lenient::mend(body).0;
            match unread(mended.as_bytes()) {
                Ok(fields) => fields.get(field).copied(),
                Err(_) => broken::envelopes(&mended).and_then(|(found, _)| broken::agreed(&found, field)),
            }
        }
    };
    let key = value.and_then(|value| serde_json::from_str::<String>(value.get()).ok());
    key.filter(|key| !key.is_empty()).ok_or(Error::NoKey)
}

/// A parameter's text as what its schema wants, if it can be read as that.
fn coerced(schema: &Value, text: &str) -> Value {
    let read = match schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().ok().map(Value::from),
        Some("boolean") => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}

/// A query's parameters, each at most once, unless its route takes several.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Each value of a parameter that may be given several times.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// [`Error::Invalid`] if there is another parameter than these.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => {
                let known = known.join(", ");
                Err(Error::invalid(Place::Query, name, format!("is not known: use {known}")))
            }
            None => Ok(()),
        }
    }

    /// A number, if it is given. [`Error::Invalid`] if it is none.
    pub fn number(&self, name: &str) -> Result<Option<i64>> {
        let number = self.get(name).map(str::parse).transpose();
        number.map_err(|_| Error::invalid(Place::Query, name, "must be an integer"))
    }

    /// `true` or `false`, if it is given. [`Error::Invalid`] if it is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(Place::Query, name, "must be true or false")),
        }
    }
}

/// A JSON object whose fields are read one by one; fields nobody reads are ignored.
/// Null counts as absent, unless the reader asks.
#[derive(Debug, Clone)]
pub struct Object(pub Map<String, Value>);

impl Object {
    pub fn parse(body: &[u8]) -> Result<Object> {
        match serde_json::from_slice(body::without_mark(body)) {
            Ok(Value::Object(map)) => Ok(Object(map)),
            Ok(_) => Err(Error::BadJson("it must be an object".into())),
            // serde_json's texts quote no values, only what it expected and where.
            Err(error) => Err(Error::BadJson(error.to_string())),
        }
    }

    /// A text, if it is there. [`Error::Invalid`] if it is something else.
    pub fn text(&self, field: &str) -> Result<Option<String>> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Error::invalid(Place::Body, field, "must be a string")),
        }
    }

    /// A change to a text: absent leaves it, null empties it.
    pub fn text_change(&self, field: &str) -> Result<Option<Option<String>>> {
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(_) => Ok(Some(self.text(field)?)),
        }
    }

    /// An identifier that must be there.
    pub fn identifier(&self, field: &str) -> Result<Identifier> {
        self.optional_identifier(field)?.ok_or_else(|| Error::invalid(Place::Body, field, "is required"))
    }

    pub fn optional_identifier(&self, field: &str) -> Result<Option<Identifier>> {
        // A number is an id by its digits; an empty text is none that can be used.
        match self.0.get(field) {
            number @ Some(Value::Number(_)) => {
                let id = forms::identifier(number).transpose();
                id.map_err(|why| Error::invalid(Place::Body, field, why))
            }
            _ => self.text(field)?.map(|text| Identifier::parse(Place::Body, field, &text)).transpose(),
        }
    }

    pub fn flag(&self, field: &str) -> Result<Option<bool>> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Error::invalid(Place::Body, field, "must be true or false")),
        }
    }

    pub fn number(&self, field: &str) -> Result<Option<i64>> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| Error::invalid(Place::Body, field, "must be an integer")),
        }
    }

    /// An object in it, empty if absent.
    pub fn object(&self, field: &str) -> Result<Object> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(Object(Map::new())),
            Some(Value::Object(map)) => Ok(Object(map.clone())),
            Some(_) => Err(Error::invalid(Place::Body, field, "must be an object")),
        }
    }

    /// A list of texts, empty if absent.
    pub fn texts(&self, field: &str) -> Result<Vec<String>> {
        let fault = || Error::invalid(Place::Body, field, "must be a list of strings");
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                list.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(fault)).collect()
            }
            Some(_) => Err(fault()),
        }
    }
}

/// The fields of a JSON object, whose values are only known to be JSON: one that cannot be
/// taken, for its depth or a broken character, spoils no other. [`Error::BadJson`] if it is
/// no object.
pub fn unread(body: &[u8]) -> Result<BTreeMap<String, &RawValue>> {
    serde_json::from_slice(body::without_mark(body)).map_err(|error| {
        Error::BadJson(match error.classify() {
            // It would say what was there instead.
            serde_json::error::Category::Data => "it must be an object".into(),
            _ => error.to_string(),
        })
    })
}

/// The faults of an error, in whatever form it has them.
pub fn faults(error: &Error) -> Vec<FieldError> {
    match error {
        Error::Invalid(faults) => faults.clone(),
        Error::BadJson(_) => vec![FieldError::new(Place::Body, "body", error.to_string())],
        _ => Vec::new(),
    }
}

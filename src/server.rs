//! The server: both faces on one listener, from the first request to a clean stop.

mod health;

use std::borrow::Cow;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{AppConfig, Extensions, Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App as Routes, HttpMessage, HttpResponse, HttpServer, Route, guard, web};
use bytes::Bytes;
use tokio_rustls::TlsAcceptor;

use crate::admin::{self, Halfway, LoginThrottle, SetupLink, Tokens};
use crate::api;
use crate::app::{App, figures};
use crate::clock::{DAY, rfc3339};
use crate::docs;
use crate::edge::{Edge, FORWARDING};
use crate::error::{Error, Result};
use crate::metrics::CONTENT_TYPE;
use crate::trace::{Pattern, RequestId};
use crate::web::Bodies;
use crate::web::connection::{InFlight, Request as InFlightRequest, Watched};
use crate::web::limits::Limits;
use crate::web::transport::{self, Transport};

/// How long the head of a connection's first request may take; it is answered 408 after that.
const FIRST_HEAD: Duration = Duration::from_secs(10);

/// A server that listens; it answers while its future is polled.
pub struct Http {
    pub server: Server,
    pub addr: SocketAddr,
    stopping: Arc<AtomicBool>,
}

/// Ends the server: the listener closes, requests in flight are answered.
#[derive(Clone)]
pub struct Stop {
    handle: ServerHandle,
    stopping: Arc<AtomicBool>,
}

impl Http {
    /// Serves `app` on listeners that are open already; the first one's address is shown.
    pub fn on(
        listeners: Vec<TcpListener>,
        app: &App,
        setup: Option<SetupLink>,
        workers: usize,
    ) -> Result<Http> {
        Http::within(Limits::default(), listeners, app, setup, workers)
    }

    /// The same with a patience of its own.
    pub fn within(
        limits: Limits,
        listeners: Vec<TcpListener>,
        app: &App,
        setup: Option<SetupLink>,
        workers: usize,
    ) -> Result<Http> {
        let addrs: std::io::Result<Vec<SocketAddr>> = listeners.iter().map(TcpListener::local_addr).collect();
        let addrs = addrs.map_err(Error::internal)?;
        let addr = *addrs.first().ok_or_else(|| Error::internal("a server without a listener"))?;
        app.edge().listens_on(addrs);
        let stopping = Arc::new(AtomicBool::new(false));
        // Made once, so that all threads count the same attempts and bytes.
        let door = web::Data::new(LoginThrottle::new(app.clock().clone()));
        let tokens = web::Data::new(Tokens::new(app.clock().clone()));
        let halfway = web::Data::new(Halfway::new(app.clock().clone()));
        let bodies = web::Data::new(Bodies::new(limits));
        let config = app.tls().map(|tls| tls.server()).transpose().map_err(Error::internal)?;
        let tls = config.map(TlsAcceptor::from);
        let (app, setup) = (web::Data::new(app.clone()), web::Data::new(setup));
        let told = Arc::clone(&stopping);
        let mut builder = Server::build().workers(workers).disable_signals().shutdown_timeout(limits.stop);
        let stop = builder.graceful_shutdown_signal();
        let factory = move || {
            let (told, stop) = (Arc::clone(&told), stop.clone());
            let routes = Routes::new()
                .app_data(app.clone())
                .app_data(setup.clone())
                .app_data(door.clone())
                .app_data(tokens.clone())
                .app_data(halfway.clone())
                .app_data(bodies.clone())
                .wrap(Compress::default())
                .wrap(from_fn(move |request, next| trace(Arc::clone(&told), request, next)))
                .configure(mount);
            let routes = routes.into_factory().map_err(|error: actix_web::Error| error.error_response());
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stop = stop.clone();
                    async move { stop.notified().await }
                })
                .client_request_timeout(FIRST_HEAD)
                .client_disconnect_timeout(Duration::from_secs(1))
                .local_addr(addr)
                .on_connect_ext(|stream: &Watched<Transport>, data: &mut Extensions| {
                    data.insert(stream.in_flight());
                })
                .finish(map_config(routes, |()| AppConfig::default()));
            // As the library does it, but for the stream, which is watched.
            let tls = tls.clone();
            fn_service(move |stream: TcpStream| {
                let tls = tls.clone();
                async move {
                    let peer = stream.peer_addr().ok();
                    let stream = transport::accept(stream, tls.as_ref(), limits.handshake).await;
                    let stream = stream.map_err(DispatchError::Io)?;
                    Ok((Watched::new(stream, &limits), Protocol::Http1, peer))
                }
            })
            .and_then(http)
        };
        for listener in listeners {
            builder = builder.listen("usher", listener, factory.clone()).map_err(Error::internal)?;
        }
        let server = builder.run();
        Ok(Http { server, addr, stopping })
    }

    /// A server of the figures alone, which asks for no key: where it listens decides who sees them.
    pub fn metrics_on(listeners: Vec<TcpListener>, app: &App) -> Result<Server> {
        let app = web::Data::new(app.clone());
        let server = HttpServer::new(move || {
            Routes::new().app_data(app.clone()).route("/metrics", get_or_head().to(metrics))
        });
        let mut server = server.workers(1).disable_signals().client_request_timeout(Duration::from_secs(10));
        for listener in listeners {
            server = server.listen(listener).map_err(Error::internal)?;
        }
        Ok(server.run())
    }

    pub fn stop(&self) -> Stop {
        Stop { handle: self.server.handle(), stopping: Arc::clone(&self.stopping) }
    }
}

impl Stop {
    pub async fn gracefully(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.handle.stop(true).await;
    }
}

/// Every path that the server has.
fn mount(config: &mut web::ServiceConfig) {
    config
        .route("/healthz", get_or_head().to(health::alive))
        .route("/readyz", get_or_head().to(health::ready))
        .route("/.well-known/security.txt", get_or_head().to(security_txt))
        .route("/", get_or_head().to(home))
        .configure(admin::mount)
        .configure(docs::mount)
        .configure(api::mount);
}

/// Uptime monitors ask with HEAD; the answer is GET's, whose body is not sent.
fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn home() -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", "/admin/")).finish()
}

/// Whom to tell of a hole, as RFC 9116 has it, where the operator has said so. It expires in half a
/// year, so that a copy that somebody keeps is asked for again; each answer dates it anew.
async fn security_txt(app: web::Data<App>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/plain; charset=utf-8");
    let Some(contact) = app.edge().contact() else {
        return answer.status(StatusCode::NOT_FOUND).body("no contact is set\n");
    };
    let expires = rfc3339(app.clock().now().div_euclid(DAY).saturating_add(180).saturating_mul(DAY));
    let canonical = app.edge().public().map(|url| format!("Canonical: {url}/.well-known/security.txt\n"));
    answer.body(format!("Contact: {contact}\nExpires: {expires}\n{}", canonical.unwrap_or_default()))
}

async fn metrics(app: web::Data<App>) -> HttpResponse {
    match figures::text(&app).await {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(error) => {
            log::error!("the figures could not be read: {error}");
            HttpResponse::ServiceUnavailable().body("the figures could not be read\n")
        }
    }
}

/// Gives the request its id, and logs it: the method, the route's pattern, the status.
/// Never the path, which has identifiers in it.
async fn trace(
    stopping: Arc<AtomicBool>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let began = Instant::now();
    let id = RequestId::new();
    let header = HeaderValue::from_str(&id.to_string());
    let in_flight = request.conn_data::<InFlight>().map(InFlight::begin);
    note_forwarding(&request);
    let edge = request.app_data::<web::Data<App>>().map(|app| app.edge());
    let is_secure = edge.is_some_and(Edge::is_secure);
    id.scope(async move {
        let method = known(request.method());
        let mut response = next.call(request).await?;
        if let Ok(header) = header {
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), header);
        }
        guard_answer(response.headers_mut(), is_secure);
        if stopping.load(Ordering::SeqCst) {
            // Else a client that keeps its connection busy would hold up the stop.
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        let status = response.status();
        let pattern = pattern(&response);
        log::log!(level(status), "{method} {pattern} {}", status.as_u16());
        if let Some(app) = response.request().app_data::<web::Data<App>>() {
            app.requests().note(method, pattern, status.as_u16(), began.elapsed());
        }
        Ok(response.map_body(|_, body| match body.size() {
            // It is in flight until it is written.
            BodySize::Stream => {
                EitherBody::right(BoxBody::new(Streamed { body: Box::pin(body), _in_flight: in_flight }))
            }
            _ => EitherBody::left(body),
        }))
    })
    .await
}

/// The body of an answer that is made while it is sent.
struct Streamed<B> {
    body: Pin<Box<B>>,
    _in_flight: Option<InFlightRequest>,
}

impl<B: MessageBody> MessageBody for Streamed<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Bytes, Self::Error>>> {
        self.body.as_mut().poll_next(cx)
    }
}

/// What every answer has that does not say otherwise: it is kept by no cache and taken for
/// nothing but what it says it is. Under a public URL with HTTPS a browser asks by HTTPS alone
/// from then on.
fn guard_answer(headers: &mut HeaderMap, is_secure: bool) {
    let usual = [(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    for (name, value) in usual {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if is_secure {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// Notes forwarding headers of a peer that is not trusted: nobody who is believed says then
/// where requests come from, and the pages say so.
fn note_forwarding(request: &ServiceRequest) {
    let Some(app) = request.app_data::<web::Data<App>>() else { return };
    let claims = FORWARDING.iter().any(|name| request.headers().contains_key(*name));
    let peer = request.peer_addr().map(|peer| peer.ip());
    if claims && !peer.is_some_and(|peer| app.edge().trusts(peer)) {
        app.edge().note_unproven();
    }
}

/// A method that was made up may say anything.
fn known(method: &Method) -> &'static str {
    let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    all.into_iter().find(|known| method == known).unwrap_or("(another method)")
}

fn pattern(response: &ServiceResponse<impl MessageBody>) -> Cow<'static, str> {
    let request = response.request();
    let taken = request.extensions().get::<Pattern>().map(|pattern| Cow::Borrowed(pattern.0));
    let matched = || request.match_pattern().map(Cow::Owned);
    taken.or_else(matched).unwrap_or(Cow::Borrowed("(no route)"))
}

fn level(status: StatusCode) -> log::Level {
    if status.is_server_error() {
        log::Level::Warn
    } else if status.is_client_error() {
        log::Level::Info
    } else {
        log::Level::Debug
    }
}

//! The server: both faces on one listener, from the first request to a clean stop.

mod health;

use std::borrow::Cow;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::{App as Routes, HttpMessage, HttpResponse, HttpServer, Route, guard, web};

use crate::admin::{self, Doorkeeper, SetupLink, Tokens};
use crate::api;
use crate::app::{App, figures};
use crate::clock::{DAY, rfc3339};
use crate::edge::FORWARDING;
use crate::error::{Error, Result};
use crate::metrics::CONTENT_TYPE;
use crate::trace::{Pattern, RequestId};

/// How long requests in flight may take to end after a stop, in seconds.
const STOP_TIME: u64 = 30;

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
    /// Serves `app` on a listener that is open already.
    pub fn on(listener: TcpListener, app: &App, setup: Option<SetupLink>, workers: usize) -> Result<Http> {
        let addr = listener.local_addr().map_err(Error::internal)?;
        app.edge().listens_on(addr);
        let stopping = Arc::new(AtomicBool::new(false));
        // Made once, so that all threads count the same attempts.
        let door = web::Data::new(Doorkeeper::new(app.clock().clone()));
        let tokens = web::Data::new(Tokens::new(app.clock().clone()));
        let (app, setup) = (web::Data::new(app.clone()), web::Data::new(setup));
        let told = Arc::clone(&stopping);
        let server = HttpServer::new(move || {
            let told = Arc::clone(&told);
            Routes::new()
                .app_data(app.clone())
                .app_data(setup.clone())
                .app_data(door.clone())
                .app_data(tokens.clone())
                .wrap(Compress::default())
                .wrap(from_fn(move |request, next| trace(Arc::clone(&told), request, next)))
                .configure(mount)
        })
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(STOP_TIME)
        .client_request_timeout(Duration::from_secs(10))
        .listen(listener)
        .map_err(Error::internal)?
        .run();
        Ok(Http { server, addr, stopping })
    }

    /// A server of the figures alone, which asks for no key: where it listens decides who sees them.
    pub fn metrics_on(listener: TcpListener, app: &App) -> Result<Server> {
        let app = web::Data::new(app.clone());
        let server = HttpServer::new(move || {
            Routes::new().app_data(app.clone()).route("/metrics", get_or_head().to(metrics))
        });
        let server = server.workers(1).disable_signals().client_request_timeout(Duration::from_secs(10));
        Ok(server.listen(listener).map_err(Error::internal)?.run())
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
    next: Next<impl MessageBody>,
) -> std::result::Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let began = Instant::now();
    let id = RequestId::new();
    let header = HeaderValue::from_str(&id.to_string());
    note_forwarding(&request);
    id.scope(async move {
        let method = known(request.method());
        let mut response = next.call(request).await?;
        if let Ok(header) = header {
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), header);
        }
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
        Ok(response)
    })
    .await
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

//! A request to the pages: how it is let in, what a handler reads of it, and how it is
//! answered.
//!
//! The order of checks: address and method, where a form comes from, who is signed in,
//! the form's token; then the handler's own.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use askama::Template;

use super::badges::Badges;
use super::cookies::{self, Jar};
use super::csrf::{self, CsrfTokens};
use super::fields::{FORM_MAX, Fields};
use super::flash::Flash;
use super::page::{self, Can, Page};
use super::{outside, paths};
use crate::access::roles::Permission;
use crate::access::{roles, second_factor, sign_ins};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Admin, JobId, Reach, SignIn, UserId};
use crate::trace::{Actor, Pattern};
use crate::web::{agent, path_pattern};

/// A handler's answer; an error becomes a page of its own.
pub type Answer = Result<HttpResponse>;

type Handler = Rc<dyn Fn(PageRequest) -> Pin<Box<dyn Future<Output = Answer>>>>;

/// Who may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Everybody,
    /// Every admin, whatever the role: what concerns nobody but themselves.
    SignedIn,
    /// Admins with this permission.
    May(Permission),
}

/// One address of the pages.
#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// `/admin/users/{user}`: each name in braces is one segment.
    pub path: &'static str,
    pub gate: Access,
    /// The largest form that it takes, in bytes.
    form_max: usize,
    handler: Handler,
}

impl Route {
    pub fn new<F, Fut>(method: Method, path: &'static str, gate: Access, handler: F) -> Route
    where
        F: Fn(PageRequest) -> Fut + 'static,
        Fut: Future<Output = Answer> + 'static,
    {
        let handler: Handler = Rc::new(move |page_request| Box::pin(handler(page_request)));
        Route { method, path, gate, form_max: FORM_MAX, handler }
    }

    /// The same for a form that may be larger than most.
    pub fn form_max(self, form_max: usize) -> Route {
        Route { form_max, ..self }
    }

    fn fits(&self, path: &str) -> bool {
        path_pattern::fits(self.path, path)
    }
}

/// Answers any request under `/admin`.
pub async fn answer(routes: Rc<[Route]>, app: App, request: HttpRequest, payload: Payload) -> HttpResponse {
    let outcome = admit(&routes, app, &request, payload).await;
    let mut response = outcome.unwrap_or_else(|error| page::of_error(&request, &error));
    page::set_security_headers(response.headers_mut());
    response
}

async fn admit(routes: &[Route], app: App, request: &HttpRequest, payload: Payload) -> Answer {
    outside::check_host(request)?;
    let route = find(routes, request)?;
    request.extensions_mut().insert(Pattern(route.path));
    let posted = route.method == Method::POST;
    if posted {
        csrf::check_origin(request)?;
    }
    let Some(mut page_request) = PageRequest::open(app, request, route)? else {
        return Ok(to_sign_in(request));
    };
    page_request.note_seen().await;
    if page_request.owes_factor()
        && route.gate != Access::Everybody
        && !paths::is_open_without_factor(request.path())
    {
        return Ok(page_request.go(paths::ACCOUNT).finish());
    }
    if let Access::May(permission) = route.gate {
        page_request.check(permission)?;
    }
    if posted {
        page_request.form = Fields::of_form(request, payload, route.form_max).await?;
        page_request.csrf.check(page_request.form.text(csrf::FIELD))?;
    }
    (route.handler)(page_request).await
}

/// To the sign-in page, which leads back to where one wanted to go.
fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let wanted = match *request.method() {
        // What a form was to do is not done after the sign-in; its page is shown again.
        Method::POST => csrf::came_from(request),
        _ => request.uri().path_and_query().and_then(|path| csrf::local(path.as_str())).map(str::to_owned),
    };
    let query = wanted.map(|path| {
        let path = percent_encoding::utf8_percent_encode(&path, percent_encoding::NON_ALPHANUMERIC);
        format!("?next={path}")
    });
    let to = format!("{}{}", paths::LOGIN, query.unwrap_or_default());
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

/// The route of a request. [`Error::NoSuchRoute`] or [`Error::MethodNotAllowed`].
fn find<'a>(routes: &'a [Route], request: &HttpRequest) -> Result<&'a Route> {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let here: Vec<&Route> = routes.iter().filter(|route| route.fits(request.path())).collect();
    if let Some(route) = here.iter().find(|route| route.method == *method) {
        return Ok(route);
    }
    if here.is_empty() {
        return Err(Error::NoSuchRoute);
    }
    let mut allow: Vec<&str> = here.iter().map(|route| route.method.as_str()).collect();
    if allow.contains(&"GET") {
        allow.push("HEAD");
    }
    allow.sort_unstable();
    allow.dedup();
    Err(Error::MethodNotAllowed { allow: allow.join(", ") })
}

/// An address of ours with a query; parameters without a value are left out.
pub fn address(path: &str, query: &[(&str, Option<&str>)]) -> String {
    let pairs = query.iter().filter_map(|(name, value)| {
        let value = percent_encoding::utf8_percent_encode((*value)?, percent_encoding::NON_ALPHANUMERIC);
        Some(format!("{name}={value}"))
    });
    let pairs = pairs.collect::<Vec<String>>().join("&");
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{pairs}") }
}

/// A request that was let in.
pub struct PageRequest {
    pub app: App,
    /// One time for the whole page.
    pub now: Millis,
    /// What a POST sent; its token is checked already.
    pub form: Fields,
    pub query: Fields,
    request: HttpRequest,
    pattern: &'static str,
    signed_in: Option<SignedIn>,
    /// What forms on this page are sealed with.
    csrf: CsrfTokens,
    /// The cookie that the csrf is made from, if this visit has to set it.
    new_guest: Option<String>,
}

struct SignedIn {
    admin: Admin,
    token: String,
    sign_in: SignIn,
    /// A second factor must be set up before anything else.
    owes_factor: bool,
}

impl PageRequest {
    /// None: the route is for people who are signed in, and nobody is.
    fn open(app: App, request: &HttpRequest, route: &Route) -> Result<Option<PageRequest>> {
        let now = app.clock().now();
        let jar = Jar::of(request);
        let signed_in = match jar.get(cookies::SIGN_IN) {
            Some(token) => {
                let found = app.read(|db| {
                    let Some((admin, sign_in)) = app.signed_in(db, &token, now)? else {
                        return Ok(None);
                    };
                    let owes_factor = second_factor::is_owed(db, admin.id)?;
                    Ok(Some(SignedIn { admin, token, sign_in, owes_factor }))
                })?;
                if let Some(found) = &found {
                    Actor::Admin(found.admin.id.0).is();
                }
                found
            }
            None => None,
        };
        let mut new_guest = None;
        let csrf = match (&signed_in, route.gate) {
            (Some(signed_in), Access::SignedIn | Access::May(_)) => CsrfTokens::new(&signed_in.token),
            (None, Access::SignedIn | Access::May(_)) => return Ok(None),
            (_, Access::Everybody) => match jar.get(cookies::GUEST) {
                Some(guest) => CsrfTokens::new(&guest),
                None => {
                    let guest = cookies::new_guest()?;
                    let csrf = CsrfTokens::new(&guest);
                    new_guest = Some(guest);
                    csrf
                }
            },
        };
        Ok(Some(PageRequest {
            now,
            form: Fields::default(),
            query: Fields::of_query(request)?,
            request: request.clone(),
            pattern: route.path,
            signed_in,
            csrf,
            new_guest,
            app,
        }))
    }

    /// The projects that the admin works on; none for a guest.
    pub fn reach(&self) -> Reach {
        self.admin().map_or_else(|_| Reach::Only(Vec::new()), |admin| admin.reach.clone())
    }

    /// Whether the admin may do something, where the page shows more to some than to others.
    pub fn may(&self, permission: Permission) -> bool {
        self.admin().is_ok_and(|admin| roles::may(admin, permission))
    }

    /// [`Error::Forbidden`] unless the admin may do something.
    pub fn check(&self, permission: Permission) -> Result<()> {
        roles::check(self.admin()?, permission)
    }

    pub fn is_signed_in(&self) -> bool {
        self.signed_in.is_some()
    }

    /// The secret of the sign-in, if there is one.
    pub fn sign_in_token(&self) -> Option<String> {
        self.signed_in.as_ref().map(|signed_in| signed_in.token.clone())
    }

    /// Who is signed in. [`Error::UnknownKey`] if nobody is.
    pub fn admin(&self) -> Result<&Admin> {
        self.signed_in.as_ref().map(|signed_in| &signed_in.admin).ok_or(Error::UnknownKey)
    }

    /// The sign-in that the request came with. [`Error::UnknownKey`] if there is none.
    pub fn sign_in(&self) -> Result<&SignIn> {
        self.signed_in.as_ref().map(|signed_in| &signed_in.sign_in).ok_or(Error::UnknownKey)
    }

    fn owes_factor(&self) -> bool {
        self.signed_in.as_ref().is_some_and(|signed_in| signed_in.owes_factor)
    }

    /// Writes down now and then that the sign-in is used.
    async fn note_seen(&self) {
        let Some(SignedIn { sign_in, .. }) = &self.signed_in else { return };
        if !sign_ins::is_news(sign_in, self.now) {
            return;
        }
        // A full disk keeps nobody out: the sign-in ends sooner, that is all.
        match self.app.note_seen(sign_in).await {
            Ok(()) | Err(Error::DiskFull | Error::DiskFails(_) | Error::Unavailable(_) | Error::ReadOnly) => {
            }
            Err(error) => log::error!("sign-in activity could not be recorded: {error}"),
        }
    }

    /// Where somebody signs in, for the list of sign-ins.
    pub fn from(&self) -> sign_ins::From {
        let agent = csrf::text(&self.request, header::USER_AGENT).map(agent::read).unwrap_or_default();
        let browser = match (agent.browser, agent.os) {
            (Some(browser), Some(os)) => Some(format!("{browser}, {os}")),
            (browser, os) => browser.or(os),
        };
        sign_ins::From { address: self.sender(), browser }
    }

    /// Where the request comes from.
    pub fn sender(&self) -> Option<IpAddr> {
        outside::sender(&self.request)
    }

    /// Whether a peer that is not trusted sent forwarding headers.
    pub fn has_unproven_headers(&self) -> bool {
        outside::has_unproven(&self.request)
    }

    /// Only the headers of the page are asked for: nobody will see it.
    pub fn is_head(&self) -> bool {
        self.request.method() == Method::HEAD
    }

    /// Something that the server made once for all requests.
    pub fn shared<T: 'static>(&self) -> Result<web::Data<T>> {
        self.request
            .app_data::<web::Data<T>>()
            .cloned()
            .ok_or_else(|| Error::internal("the server lacks what its pages share"))
    }

    /// A segment of the path, as it came.
    pub fn segment(&self, name: &str) -> &str {
        path_pattern::segment(self.pattern, self.request.path(), name).unwrap_or_default()
    }

    /// The path's user. [`Error::UserNotFound`] if it is no number.
    pub fn user(&self) -> Result<UserId> {
        let text = self.segment("user");
        text.parse().map(UserId).map_err(|_| Error::user_not_found(text))
    }

    /// The path's job. [`Error::JobNotFound`] if it is no number.
    pub fn job(&self) -> Result<JobId> {
        self.segment("job").parse().map(JobId).map_err(|_| Error::JobNotFound)
    }

    /// The address of the page whose form or link led here, if it is one of ours.
    pub fn came_from(&self) -> Option<String> {
        csrf::came_from(&self.request)
    }

    /// What every page has, for one of a section of the menu.
    pub fn page(&self, section: &'static str, title: impl Into<String>) -> Result<Page> {
        let jar = Jar::of(&self.request);
        let path = self.request.uri().path_and_query().map_or(paths::HOME, |path| path.as_str());
        Ok(Page {
            title: title.into(),
            section,
            theme: cookies::theme(&jar),
            sheet: super::assets::sheet(),
            script: super::assets::script(),
            flash: jar.get(cookies::FLASH).and_then(|text| Flash::read(&text)).map(Flash::view),
            form_token: self.csrf.token()?,
            admin_name: self.signed_in.as_ref().map(|who| who.admin.name.clone()).unwrap_or_default(),
            path: path.to_owned(),
            can: self.admin().map(Can::of).unwrap_or_default(),
            clock: self.signed_in.as_ref().and_then(|_| self.clock()),
            is_read_only: self.app.is_read_only(),
            badges: self.badges(),
        })
    }

    /// A page that can be shown is shown without them.
    fn badges(&self) -> Badges {
        let Ok(admin) = self.admin() else { return Badges::default() };
        self.app.read(|db| Badges::of(db, admin, self.now)).unwrap_or_default()
    }

    fn clock(&self) -> Option<String> {
        let standing = self.app.time_standing();
        (!standing.is_trusted()).then(|| page::capital(&standing.to_string()))
    }

    /// The answer with a page.
    pub fn html(&self, status: StatusCode, template: &impl Template) -> Answer {
        let jar = Jar::of(&self.request);
        let mut builder = HttpResponse::build(status);
        if let Some(guest) = &self.new_guest {
            builder.cookie(jar.guest(guest));
        }
        // Whoever has seen it needs it no more.
        if jar.get(cookies::FLASH).is_some() {
            builder.cookie(jar.removal(cookies::FLASH));
        }
        let text = template.render().map_err(Error::internal)?;
        Ok(builder.content_type("text/html; charset=utf-8").body(text))
    }

    /// On to another page, after something was done or for want of anything to do here.
    pub fn go(&self, path: &str) -> HttpResponseBuilder {
        let mut builder = HttpResponse::SeeOther();
        builder.insert_header((header::LOCATION, path));
        builder
    }

    /// On to another page, which says what was done.
    pub fn go_and_say(&self, path: &str, flash: Flash) -> HttpResponse {
        let cookie = Jar::of(&self.request).flash(&flash);
        self.go(path).cookie(cookie).finish()
    }

    /// The answer with a page that says one thing and leads to the sign-in.
    pub fn message(&self, status: StatusCode, title: &str, text: &str) -> HttpResponse {
        let link = (paths::LOGIN.to_owned(), "Sign in");
        page::message(&self.request, status, (title, text.to_owned()), link)
    }

    /// The answer with a page that says one thing about something that was asked for.
    pub fn say(
        &self,
        status: StatusCode,
        title: &str,
        text: String,
        back: (&str, &'static str),
    ) -> HttpResponse {
        page::message(&self.request, status, (title, text), (back.0.to_owned(), back.1))
    }

    pub fn jar(&self) -> Jar<'_> {
        Jar::of(&self.request)
    }
}

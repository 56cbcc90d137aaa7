//! The clock: which one is in force and why, and the button that says that the machine's is right.

use actix_web::http::{Method, StatusCode};
use actix_web::web;
use askama::Template;

use super::flash::Flash;
use super::page::{Page, capital};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::show::{Time, many};
use crate::access::roles::Permission;
use crate::erasure::step;
use crate::error::Error;
use crate::trace::Actor;

pub const PATH: &str = "/admin/clock";

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Access::May(Permission::SeeClock), show),
        Route::new(Method::POST, PATH, Access::May(Permission::ConfirmClock), confirm),
    ]
}

#[derive(Template)]
#[template(path = "clock.html")]
struct ClockPage {
    page: Page,
    why: String,
    is_trusted: bool,
    /// What the machine's clock shows.
    wall: Time,
    /// What dates rows.
    now: Time,
    /// What would begin: users whose 7 days are over, and scheduled deletions that are due.
    trash: String,
    due: String,
}

async fn show(request: PageRequest) -> Answer {
    let time = request.app.clock().read();
    let wall = request.app.clock().wall();
    let (trash, due) = request.app.scan(move |db| step::held_up(db, wall)).await?;
    let page = ClockPage {
        page: request.page("clock", "Clock")?,
        why: capital(&time.standing.to_string()),
        is_trusted: time.standing.is_trusted(),
        wall: Time::new(wall, time.now),
        now: Time::new(time.now, time.now),
        trash: many(trash, "user"),
        due: many(due, "scheduled deletion"),
    };
    request.html(StatusCode::OK, &page)
}

async fn confirm(request: PageRequest) -> Answer {
    let app = request.app.by(Actor::current());
    web::block(move || app.confirm_clock()).await.map_err(Error::internal)??;
    Ok(request.go_and_say(PATH, Flash::ClockConfirmed))
}

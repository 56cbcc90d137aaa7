//! Who is held or restricted, and the forms of the user's page that change it.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::project_names::{name, names};
use super::show::{Time, plain};
use super::user::{Held, path};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::clock::{self, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{Reach, State, UserId};
use crate::people::holds;
use crate::people::holds::Kept;
use crate::store::Db;
use crate::web::page_sizes;

const PAGE: usize = page_sizes::ADMIN as usize;

pub fn routes() -> Vec<Route> {
    let may = || Access::May(Permission::HoldPeople);
    vec![
        Route::new(Method::GET, "/admin/holds", Access::May(Permission::SeeHolds), list),
        Route::new(Method::POST, "/admin/users/{user}/hold", may(), hold),
        Route::new(Method::POST, "/admin/users/{user}/release", may(), release),
        Route::new(Method::POST, "/admin/users/{user}/restrict", may(), restrict),
        Route::new(Method::POST, "/admin/users/{user}/unrestrict", may(), unrestrict),
    ]
}

#[derive(Template)]
#[template(path = "holds.html")]
struct HoldsPage {
    page: Page,
    users: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    id: UserId,
    heading: String,
    /// None: the admin may not see the page, or the user's 7 days are over.
    href: Option<String>,
    state: &'static str,
    project: String,
    hold: Option<Held>,
    restricted: Option<Time>,
}

async fn list(request: PageRequest) -> Answer {
    let fault = |_| Error::invalid(Place::Query, "after", "must be the id of a user");
    let after =
        request.query.some("after").map(|text| text.parse().map(UserId).map_err(fault)).transpose()?;
    let (reach, now) = (request.reach(), request.now);
    let read = request.app.scan(move |db| {
        let projects = scoped::projects(db, &reach)?;
        Ok((scoped::kept(db, &reach, after.unwrap_or(UserId(i64::MIN)), PAGE + 1)?, projects))
    });
    let (mut found, projects) = read.await?;
    let is_more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found
        .last()
        .filter(|_| is_more)
        .map(|last| address("/admin/holds", &[("after", Some(&last.user.id.to_string()))]));
    let names = names(&projects);
    let page = HoldsPage {
        page: request.page("holds", "Holds")?,
        users: found.iter().map(|kept| row(&request, kept, name(&names, kept.user.project), now)).collect(),
        first: after.map(|_| "/admin/holds".to_owned()),
        next,
    };
    request.html(StatusCode::OK, &page)
}

fn row(request: &PageRequest, kept: &Kept, project: String, now: Millis) -> Row {
    let user = &kept.user;
    let is_shown = request.may(Permission::FindPeople) && !user.is_expired(now);
    let name = user.identifier.as_ref().or(user.freed_identifier.as_ref());
    let name = name.filter(|_| request.may(Permission::SeeValues));
    Row {
        id: user.id,
        heading: name.map_or_else(|| user.id.to_string(), |name| plain(name)),
        href: is_shown.then(|| path(user.id)),
        state: match user.state {
            _ if user.is_expired(now) => "7 days in the trash are over: waits to be erased",
            State::Hidden => "in trash",
            State::Detached => "account deleted, activity kept",
            State::Live | State::Waiting | State::Erasing | State::Merged => "live",
        },
        project,
        hold: kept.hold.as_ref().map(|hold| Held::new(hold, request.may(Permission::HoldPeople), now)),
        restricted: user.restricted_at.map(|at| Time::new(at, now)),
    }
}

/// [`Error::UserNotFound`] for a user of a project that the admin does not work on.
fn check(db: &Db, reach: &Reach, id: UserId, now: Millis) -> Result<UserId> {
    let user = holds::whom(db, None, id, now)?.user;
    if reach.has(user.project) { Ok(user.id) } else { Err(Error::user_not_found(id.to_string())) }
}

async fn hold(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let reason = request.form.text("reason").to_owned();
    let until = match request.form.text("until") {
        "" => None,
        text => Some(
            clock::parse_time_or_date(text)
                .ok_or_else(|| Error::invalid(Place::Body, "until", "must be a date, as 2027-01-31"))?,
        ),
    };
    let held = request.app.write(move |tx| {
        let id = check(tx, &reach, id, tx.now())?;
        holds::hold(tx, None, id, until, Some(&reason))
    });
    let id = held.await?.user.id;
    Ok(request.go_and_say(&path(id), Flash::Held))
}

async fn release(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let released = request.app.write(move |tx| {
        let id = check(tx, &reach, id, tx.now())?;
        holds::release(tx, None, id)
    });
    released.await?;
    Ok(request.go_and_say(&back(&request, id), Flash::Released))
}

async fn restrict(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let restricted = request.app.write(move |tx| {
        let id = check(tx, &reach, id, tx.now())?;
        holds::restrict(tx, None, id)
    });
    restricted.await?;
    Ok(request.go_and_say(&path(id), Flash::Restricted))
}

async fn unrestrict(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let lifted = request.app.write(move |tx| {
        let id = check(tx, &reach, id, tx.now())?;
        holds::unrestrict(tx, None, id)
    });
    lifted.await?;
    Ok(request.go_and_say(&back(&request, id), Flash::Unrestricted))
}

/// Who came from the list goes on with it.
fn back(request: &PageRequest, id: UserId) -> String {
    let list = request.came_from().filter(|page| page.starts_with("/admin/holds"));
    list.unwrap_or_else(|| path(id))
}

//! The trash: hidden users, the next to be erased first.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::project_names::{name, names};
use super::show::{Time, left, plain};
use super::user_row::heading;
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::clock::{DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{TRASH_PERIOD, User, UserId};
use crate::web::page_sizes;

const PAGE: u32 = page_sizes::ADMIN;

pub fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/admin/trash", Access::May(Permission::ListPeople), list)]
}

#[derive(Template)]
#[template(path = "trash.html")]
struct TrashPage {
    page: Page,
    users: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    id: UserId,
    heading: String,
    identifier: Option<String>,
    display_name: Option<String>,
    project: String,
    hidden_at: Time,
    due: Time,
    left: String,
    soon: bool,
}

async fn list(request: PageRequest) -> Answer {
    let (after, reach, now) = (after(&request)?, request.reach(), request.now);
    let read = request.app.scan(move |db| {
        Ok((scoped::projects(db, &reach)?, scoped::trash(db, &reach, after, PAGE + 1, now)?))
    });
    let (projects, mut found) = read.await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let names = names(&projects);
    let next = found.last().filter(|_| more).map(|last| {
        let after = format!("{}-{}", last.deleted_at.unwrap_or_default(), last.id);
        address("/admin/trash", &[("after", Some(&after))])
    });
    let page = TrashPage {
        page: request.page("trash", "Trash")?,
        users: found.iter().map(|user| row(user, name(&names, user.project), now)).collect(),
        first: after.map(|_| "/admin/trash".to_owned()),
        next,
    };
    request.html(StatusCode::OK, &page)
}

/// The last one of the page before: since when it is hidden, and its id.
fn after(request: &PageRequest) -> Result<Option<(Millis, UserId)>> {
    let Some(text) = request.query.some("after") else { return Ok(None) };
    let read = text.split_once('-').and_then(|(at, id)| Some((at.parse().ok()?, UserId(id.parse().ok()?))));
    read.map(Some).ok_or_else(|| Error::invalid(Place::Query, "after", "must be where a page ended"))
}

fn row(user: &User, project: String, now: Millis) -> Row {
    let since = user.deleted_at.unwrap_or(now);
    let remains = since + TRASH_PERIOD - now;
    Row {
        id: user.id,
        heading: heading(user),
        identifier: user.identifier.as_deref().map(plain),
        display_name: user.name().as_deref().map(plain),
        project,
        hidden_at: Time::new(since, now),
        due: Time::new(since + TRASH_PERIOD, now),
        left: left(remains),
        soon: remains < DAY,
    }
}

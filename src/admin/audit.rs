//! The audit log: who did what to whom, newest first.

use std::collections::HashMap;

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::paths;
use super::project_names::{name, names};
use super::show::{Count, Time, plain};
use crate::access::roles::Permission;
use crate::access::{admins, audit, keys};
use crate::error::{Error, Place, Result};
use crate::model::{Admin, JobId, Key, Project, ProjectId};
use crate::projects;
use crate::proof::audit::{Head, Link, Row as Logged};
use crate::web::page_sizes;

const PATH: &str = "/admin/audit";
const PAGE: u32 = page_sizes::ADMIN_SHORT;
/// Digits of a pseudonym that are shown; all of them are in its title.
const SHORT: usize = 8;

pub fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, PATH, Access::May(Permission::SeeAudit), list)]
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    rows: Vec<Row>,
    signed: Option<Signed>,
    first: Option<String>,
    next: Option<String>,
}

/// How far the log is signed.
struct Signed {
    seq: Count,
    at: Time,
    /// The signature is ours, and over the row as it stands here, if it is on this page.
    good: bool,
}

struct Row {
    seq: Count,
    time: Time,
    who: Doer,
    action: String,
    subject: Option<Short>,
    project: Option<String>,
    job: Option<(JobId, String)>,
    reason: Option<String>,
    request_id: Option<String>,
    signed: bool,
}

/// Who did something: in words, and as the log has it, if that is something else.
pub struct Doer {
    pub name: String,
    pub logged: Option<String>,
}

/// A long name by its beginning.
struct Short {
    whole: String,
    beginning: String,
}

/// All that is read for the page, in one state of the file.
struct Found {
    links: Vec<Link>,
    head: Option<Head>,
    admins: Vec<Admin>,
    keys: Vec<Key>,
    projects: Vec<Project>,
}

async fn list(request: PageRequest) -> Answer {
    let (below, now) = (below(&request)?, request.now);
    let read = request.app.scan(move |db| {
        Ok(Found {
            links: audit::before(db, below, PAGE + 1)?,
            head: audit::signed(db)?,
            admins: admins::list(db)?,
            keys: keys::list(db)?,
            projects: projects::list(db)?,
        })
    });
    let mut found = read.await?;
    let more = found.links.len() > PAGE as usize;
    found.links.truncate(PAGE as usize);
    let link = |below: Option<u64>| {
        let below = below.map(|seq| seq.to_string());
        address(PATH, &[("below", below.as_deref())])
    };
    let Found { links, head, admins, keys, projects } = &found;
    let key = request.app.signer().public();
    let signed = head.as_ref().map(|head| Signed {
        seq: count(head.seq),
        at: Time::new(head.at, now),
        good: head.verify(&key)
            && links.iter().all(|link| link.row.seq != head.seq || link.hash == head.hash),
    });
    let up_to = head.as_ref().map_or(0, |head| head.seq);
    let names = names(projects);
    let row = |logged: &Logged| Row {
        seq: count(logged.seq),
        time: Time::new(logged.at, now),
        who: doer(&logged.actor, admins, keys),
        action: plain(&logged.action),
        subject: logged.subject.map(|subject| short(subject.to_string())),
        project: logged.project.map(|project| project_name(&names, project)),
        job: logged.job.map(|id| (JobId(id), paths::job(JobId(id)))),
        reason: logged.reason.as_deref().map(plain),
        request_id: logged.request_id.as_deref().map(plain),
        signed: logged.seq <= up_to,
    };
    let page = AuditPage {
        page: request.page("audit", "Audit log")?,
        rows: links.iter().map(|link| row(&link.row)).collect(),
        signed,
        first: below.map(|_| link(None)),
        next: links.last().filter(|_| more).map(|last| link(Some(last.row.seq))),
    };
    request.html(StatusCode::OK, &page)
}

fn below(request: &PageRequest) -> Result<Option<u64>> {
    let fault = |_| Error::invalid(Place::Query, "below", "must be the number of a row");
    // The log counts in 63 bits.
    request.query.some("below").map(|text| text.parse().map(i64::unsigned_abs).map_err(fault)).transpose()
}

fn project_name(names: &HashMap<ProjectId, String>, project: i64) -> String {
    name(names, ProjectId(project))
}

/// An actor by its name: the log has its number, which is never another's.
pub fn doer(actor: &str, admins: &[Admin], keys: &[Key]) -> Doer {
    let number = |prefix: &str| actor.strip_prefix(prefix)?.parse::<i64>().ok();
    let admin = number("admin ").and_then(|id| admins.iter().find(|admin| admin.id.0 == id));
    let key = number("key ").and_then(|id| keys.iter().find(|key| key.id.0 == id));
    let known = admin.map(|admin| plain(&admin.name)).or_else(|| key.map(|key| plain(&key.name)));
    match known {
        Some(name) => Doer { name, logged: Some(plain(actor)) },
        None => Doer { name: plain(actor), logged: None },
    }
}

fn short(whole: String) -> Short {
    Short { beginning: whole.chars().take(SHORT).collect(), whole }
}

fn count(seq: u64) -> Count {
    Count(i64::try_from(seq).unwrap_or(i64::MAX))
}

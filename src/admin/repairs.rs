//! What was repaired, dropped or refused on its way into a project: by day, and the newest.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::PROJECTS;
use super::show::{Count, Time, plain};
use crate::access::keys;
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::clock::{self, Millis};
use crate::model::{Key, Project};
use crate::people::repairs;
use crate::people::repairs::Recent;

pub fn routes() -> Vec<Route> {
    vec![Route::new(
        Method::GET,
        "/admin/projects/{project}/repairs",
        Access::May(Permission::SeeProjects),
        list,
    )]
}

pub fn path(project: &Project) -> String {
    format!("{}/{}/repairs", PROJECTS, project.key)
}

#[derive(Template)]
#[template(path = "repairs.html")]
struct RepairsPage {
    page: Page,
    project: String,
    days: Vec<Total>,
    newest: Vec<One>,
    late_events: Count,
}

/// What came of all keys on a day.
struct Total {
    day: String,
    outcome: String,
    reason: Reason,
    count: Count,
}

struct One {
    time: Time,
    key: String,
    outcome: String,
    reason: Reason,
    /// None: the message as a whole.
    field: Option<String>,
}

struct Reason {
    name: String,
    meaning: &'static str,
}

impl Reason {
    fn new(name: &str) -> Reason {
        Reason { name: plain(name), meaning: repairs::meaning(name).unwrap_or_default() }
    }
}

async fn list(request: PageRequest) -> Answer {
    let (key, reach, now) = (request.segment("project").to_owned(), request.reach(), request.now);
    let read = request.app.scan(move |db| {
        let project = scoped::project(db, &reach, &key)?;
        let counts = repairs::counts(db, project.id, repairs::DAYS, now)?;
        Ok((repairs::recent(db, project.id)?, counts, keys::list(db)?, project))
    });
    let (recent, counts, keys, project) = read.await?;
    let mut page = request.page("projects", "Repairs and refusals")?;
    page.path = path(&project);
    let page = RepairsPage {
        page,
        project: plain(&project.name),
        days: totals(counts),
        newest: recent.iter().map(|one| newest(one, &keys, now)).collect(),
        late_events: Count(project.late_events),
    };
    request.html(StatusCode::OK, &page)
}

/// The newest day and the largest number first.
fn totals(counts: Vec<repairs::Count>) -> Vec<Total> {
    let mut sums: BTreeMap<(Reverse<Millis>, String, String), i64> = BTreeMap::new();
    for one in counts {
        *sums.entry((Reverse(one.day), one.outcome, one.reason)).or_default() += one.count;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|((day, ..), count)| (*day, Reverse(*count)));
    let total = |((Reverse(day), outcome, reason), count): ((Reverse<Millis>, String, String), i64)| Total {
        day: clock::date(day),
        outcome: plain(&outcome),
        reason: Reason::new(&reason),
        count: Count(count),
    };
    sums.into_iter().map(total).collect()
}

fn newest(one: &Recent, keys: &[Key], now: Millis) -> One {
    let known = keys.iter().find(|key| key.id.0 == one.key).map(|key| plain(&key.name));
    One {
        time: Time::new(one.at, now),
        key: match one.key {
            0 => "ingest token".to_owned(),
            id => known.unwrap_or_else(|| format!("key {id}")),
        },
        outcome: plain(&one.outcome),
        reason: Reason::new(&one.reason),
        field: Some(plain(&one.field)).filter(|field| !field.is_empty()),
    }
}

//! The first page: what needs a person, how much there is, and what happened in the last 30 days.
//!
//! Nothing here is counted without a bound. Beside each query stands what it reads at most; together they
//! read about 180,000 entries of indexes and 10,000 rows in the worst case.

use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;

use super::badges;
use super::chart::{self, Chart};
use super::page::Page;
use super::page_request::{Answer, PageRequest};
use super::show::{Count, left, many, plain};
use super::{paths, repairs};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::app::condition::{self, Backups, Condition};
use crate::clock::{DAY, HOUR, Millis};
use crate::error::{Error, Result};
use crate::model::{JobStatus, Project, ProjectId, Reach, TRASH_PERIOD};
use crate::store::overview::Open;
use crate::store::{Db, overview};

/// Rows that are read of jobs in one state, and of the trash.
const READ: u32 = badges::READ;
/// Users are counted so far: 100,000 entries of an index.
const USERS_MAX: i64 = 100_000;
/// New users of a day are counted so far, over all projects: 30 times 1,000 entries of an index.
const NEW_MAX: i64 = 1_000;
/// Projects whose users are counted: one probe each, and one a day for the chart.
const PROJECTS_MAX: usize = 100;
/// Jobs that the chart of erasures is made from.
const JOBS_MAX: u32 = 5_000;
/// Counts of repairs that are read: one a project, key, reason and day.
const REPAIRS_MAX: u32 = 10_000;
/// Repairs and refusals are told for so long.
const REPAIR_DAYS: i64 = 7;
/// A deletion that is late by this is told.
const LATE: Millis = HOUR;
/// One that runs for so long, too.
const LONG: Millis = DAY;
/// Links of one point.
const LINKS: usize = 5;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    needs: Vec<Need>,
    figures: Vec<Figure>,
    charts: Vec<Chart>,
    /// Of the whole installation, or of some projects.
    is_whole: bool,
}

/// Something that needs a person.
struct Need {
    title: String,
    /// What to do.
    advice: &'static str,
    links: Vec<Link>,
}

struct Link {
    href: String,
    label: String,
}

struct Figure {
    label: &'static str,
    value: String,
    /// Where its rows are.
    href: Option<&'static str>,
}

/// All that is read for the page, in one state of the file.
#[derive(Default)]
struct Found {
    projects: Vec<Project>,
    failed: Vec<Open>,
    scheduled: Vec<Open>,
    running: Vec<Open>,
    ending: usize,
    trash: usize,
    users: i64,
    new_users: Vec<i64>,
    erasures: Vec<i64>,
    /// Not all jobs of the days were looked at.
    is_cut: bool,
    repairs: Vec<(ProjectId, String, i64)>,
}

pub async fn show(request: PageRequest) -> Answer {
    let (reach, now) = (request.reach(), request.now);
    let (lists, jobs) = (request.may(Permission::ListPeople), request.may(Permission::SeeJobs));
    let found = request.app.read_aside(move |db| found(db, &reach, now, lists, jobs)).await?;
    let condition = match request.may(Permission::SeeBackups) {
        true => {
            let app = request.app.clone();
            Some(web::block(move || condition::of(&app)).await.map_err(Error::internal)??)
        }
        false => None,
    };
    let page = OverviewPage {
        page: request.page("overview", "Overview")?,
        needs: needs(&request, &found, condition.as_ref()),
        figures: figures(&request, &found),
        charts: charts(&request, &found),
        is_whole: request.reach().is_all(),
    };
    request.html(StatusCode::OK, &page)
}

fn found(db: &Db, reach: &Reach, now: Millis, lists: bool, jobs: bool) -> Result<Found> {
    let mut found = Found { projects: scoped::projects(db, reach)?, ..Found::default() };
    let days = chart::days(now);
    if jobs {
        let open = |status| -> Result<Vec<Open>> {
            let mut open = overview::open_jobs(db, status, READ)?;
            open.retain(|job| reach.has(job.project));
            Ok(open)
        };
        found.failed = open(JobStatus::Failed)?;
        found.scheduled = open(JobStatus::Scheduled)?;
        found.running = open(JobStatus::Running)?;
        let first = days.first().copied().unwrap_or(now);
        let newest = overview::newest_jobs(db, JOBS_MAX)?;
        let is_full = newest.len() == JOBS_MAX as usize;
        found.is_cut = is_full && newest.last().is_some_and(|job| job.created_at >= first);
        found.erasures = vec![0; days.len()];
        let own = newest.iter().filter(|job| reach.has(job.project));
        for at in own.filter_map(|job| job.completed_at) {
            let day = usize::try_from((at - first).div_euclid(DAY)).ok();
            if let Some(count) = day.and_then(|day| found.erasures.get_mut(day)) {
                *count += 1;
            }
        }
    }
    if lists {
        let reached = |of: Vec<ProjectId>| of.into_iter().filter(|project| reach.has(*project)).count();
        found.ending = reached(badges::ending(db, now)?);
        found.trash = reached(overview::trashed_between(db, now - TRASH_PERIOD, Millis::MAX, READ)?);
        let counted = || found.projects.iter().take(PROJECTS_MAX).map(|project| project.id);
        for project in counted() {
            found.users += overview::count_users(db, project, USERS_MAX - found.users)?;
        }
        for day in days {
            let mut count = 0;
            for project in counted() {
                count += overview::count_registered(db, project, day, day + DAY, NEW_MAX - count)?;
            }
            found.new_users.push(count);
        }
        found.repairs = overview::repairs_since(db, now - REPAIR_DAYS * DAY, REPAIRS_MAX)?;
    }
    Ok(found)
}

/// What is worst comes first. A clock that is not trusted is said above, on every page.
fn needs(request: &PageRequest, found: &Found, condition: Option<&Condition>) -> Vec<Need> {
    let now = request.now;
    let mut needs = Vec::new();
    let links = |jobs: &[&Open], (href, label): (&str, &str)| {
        let link = |job: &&Open| Link { href: paths::job(job.id), label: format!("Job {}", job.id) };
        let all = Link { href: href.to_owned(), label: label.to_owned() };
        jobs.iter().take(LINKS).map(link).chain([all]).collect()
    };
    let mut of_jobs = |jobs: Vec<&Open>, what: &str, advice, all| {
        if !jobs.is_empty() {
            let title = format!("{} {what}", number(jobs.len(), "deletion"));
            needs.push(Need { title, advice, links: links(&jobs, all) });
        }
    };
    let all = ("/admin/jobs", "All jobs");
    of_jobs(
        found.failed.iter().collect(),
        "failed",
        "Data of these people may still be there. Open the job: it says what went wrong. Then retry it there.",
        ("/admin/jobs?status=failed", "All failed jobs"),
    );
    // While the clock is not trusted they wait, and that is said above.
    if request.app.time_standing().is_trusted() {
        of_jobs(
            found.scheduled.iter().filter(|job| now - job.due > LATE).collect(),
            "late",
            "They are due and have not begun. If the number does not go down, run `usher doctor` on the server.",
            all,
        );
    }
    of_jobs(
        found.running.iter().filter(|job| now - job.due > LONG).collect(),
        "running for more than a day",
        "A proof that meets a fault is tried again. Open the job: it says what it waits for.",
        all,
    );
    if found.ending > 0 {
        needs.push(Need {
            title: format!("{} in the trash erased within a day", number(found.ending, "user")),
            advice: "Restore now what was moved there by mistake.",
            links: vec![Link { href: "/admin/trash".to_owned(), label: "Trash".to_owned() }],
        });
    }
    needs.extend(condition.into_iter().flat_map(|condition| of_machine(condition, now)));
    needs.extend(of_repairs(request, found));
    needs
}

fn of_machine(condition: &Condition, now: Millis) -> Vec<Need> {
    let mut needs = Vec::new();
    let backups = || vec![Link { href: "/admin/backups".to_owned(), label: "Backups".to_owned() }];
    match condition.backups {
        Backups::Fine => {}
        Backups::None => needs.push(Need {
            title: "No backup".to_owned(),
            advice: "Run `usher backup` on the server, or start it with --backup-every.",
            links: backups(),
        }),
        Backups::Old(at) => needs.push(Need {
            title: format!("The newest backup is {} old", left(now - at)),
            advice: "Look into the log for why none was made since, or run `usher backup` on the server.",
            links: backups(),
        }),
    }
    if let Some(free) = condition.little_room {
        needs.push(Need {
            title: format!("{} MB left on the disk", Count(i64::try_from(free / 1_000_000).unwrap_or(i64::MAX))),
            advice: "When it is full, new data is refused. Deletions go on. Make room, or move the data directory.",
            links: Vec::new(),
        });
    }
    needs
}

/// Messages that were not taken as they came, by project.
fn of_repairs(request: &PageRequest, found: &Found) -> Option<Need> {
    if !request.may(Permission::SeeProjects) {
        return None;
    }
    let of = |project: &Project| {
        let own = found.repairs.iter().filter(|(id, ..)| *id == project.id);
        let words: Vec<String> =
            own.map(|(_, outcome, count)| format!("{} {}", Count(*count), plain(outcome))).collect();
        let label = format!("{}: {}", plain(&project.name), words.join(", "));
        (!words.is_empty()).then(|| Link { href: repairs::path(project), label })
    };
    let links: Vec<Link> = found.projects.iter().filter_map(of).take(LINKS).collect();
    (!links.is_empty()).then(|| Need {
        title: "Messages repaired or refused in the last 7 days".to_owned(),
        advice: "The app sends something that is not quite right. The page of the project says what, and by which key.",
        links,
    })
}

/// `3 deletions`; of more than are read: `1,000+ deletions`.
fn number(count: usize, name: &str) -> String {
    match i64::try_from(count).unwrap_or(i64::MAX) {
        count if count >= i64::from(READ) => format!("{}+ {name}s", Count(count)),
        count => many(count, name),
    }
}

fn figures(request: &PageRequest, found: &Found) -> Vec<Figure> {
    let mut figures = Vec::new();
    let up_to = |count: usize| {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        format!("{}{}", Count(count), if count >= i64::from(READ) { "+" } else { "" })
    };
    if request.may(Permission::ListPeople) {
        let plus = if found.users >= USERS_MAX { "+" } else { "" };
        let users = format!("{}{plus}", Count(found.users));
        figures.push(Figure { label: "Users", value: users, href: Some("/admin/users") });
        figures.push(Figure { label: "In trash", value: up_to(found.trash), href: Some("/admin/trash") });
    }
    if request.may(Permission::SeeJobs) {
        let waiting = up_to(found.scheduled.len() + found.running.len());
        figures.push(Figure { label: "Deletions to do", value: waiting, href: Some("/admin/jobs") });
    }
    // The number of the newest is how many there are, of all projects together.
    if request.may(Permission::SeeReceipts) && request.reach().is_all() {
        let receipts = i64::try_from(request.app.receipts().last().number).unwrap_or(i64::MAX);
        figures.push(Figure {
            label: "Receipts",
            value: Count(receipts).to_string(),
            href: Some(paths::RECEIPTS),
        });
    }
    figures
}

/// Events are not drawn: they have no index by time alone, so that a day of them cannot be counted within
/// a bound.
fn charts(request: &PageRequest, found: &Found) -> Vec<Chart> {
    let mut charts = Vec::new();
    if request.may(Permission::ListPeople) {
        let chart = Chart::new("new-users", "New users", request.now, &found.new_users, Some(NEW_MAX));
        let left_out = found.projects.len() > PROJECTS_MAX;
        let note = left_out.then(|| format!("Of the first {PROJECTS_MAX} projects."));
        charts.push(Chart { note, ..chart });
    }
    if request.may(Permission::SeeJobs) {
        let chart = Chart::new("erasures", "Deletions completed", request.now, &found.erasures, None);
        let jobs = i64::from(JOBS_MAX);
        let note = found.is_cut.then(|| format!("Of the newest {} jobs.", Count(jobs)));
        charts.push(Chart { note, ..chart });
    }
    charts
}

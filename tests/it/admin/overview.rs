//! The first page, and the menu that is on every page.

use usher::clock::{DAY, HOUR};
use usher::erasure::{self, jobs, trash};
use usher::model::{Erasure, JobId, Origin, Reach, Role, UserId};
use usher::people::find;

use super::roles::{first_page, signed_in};
use super::{Browser, part, words};
use crate::harness::{Server, named};

/// An erasure that has failed.
fn failed(server: &Server, user: UserId) -> JobId {
    let job = server.write(move |tx| {
        let user = find::held(tx, user, tx.now())?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Page)
    });
    let sql = "UPDATE jobs SET status = 'failed', error = 'remains were found' WHERE id = ?1";
    server.sqlite().execute(sql, [job.id.0]).expect("a failed job");
    job.id
}

fn hide(server: &Server, user: UserId) {
    server.write(move |tx| trash::hide(tx, &find::held(tx, user, tx.now())?));
}

fn needs(page: &str) -> String {
    words(part(page, "<h2 id=\"needs\">", "<dl class=\"figures\">"))
}

#[test]
fn the_first_page_after_the_sign_in_is_the_overview() {
    let server = Server::start();
    server.seed("ann").insert();
    let browser = Browser::owner(&server);
    for path in ["/admin", "/admin/"] {
        let page = browser.get(path).expect(200).text;
        assert!(page.contains("<h1>Overview</h1>"), "{page}");
        assert!(page.contains("<a href=\"/admin/\" aria-current=\"page\">"), "{page}");
    }
    // Support has no work that could be overlooked.
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    assert_eq!(support.get("/admin/").expect(303).header("location"), Some("/admin/users"));
}

#[test]
fn a_failed_deletion_is_told_with_a_link_and_a_badge() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let browser = Browser::owner(&server);
    let calm = browser.get("/admin/").expect(200).text;
    assert!(!needs(&calm).contains("failed") && !calm.contains("class=\"badge\""), "the twin: {calm}");
    let job = failed(&server, ann);
    let page = browser.get("/admin/").expect(200).text;
    assert!(needs(&page).contains("1 deletion failed"), "{}", needs(&page));
    assert!(page.contains(&format!("<a href=\"/admin/jobs/{job}\">Job {job}</a>")), "{page}");
    // On other pages, too.
    let menu = browser.get("/admin/users").expect(200).text;
    let menu = words(part(&menu, "<nav class=\"menu\"", "</nav>"));
    assert!(menu.contains("Jobs 1 failed"), "{menu}");
}

#[test]
fn the_list_of_failed_jobs_has_no_other() {
    let server = Server::start();
    let project = server.project().id;
    let failed_one = failed(&server, server.seed("ann").insert());
    let waiting = server.write(move |tx| jobs::schedule(tx, project, &named("bob"))).id;
    let browser = Browser::owner(&server);
    let link = |job: JobId| format!("<a href=\"/admin/jobs/{job}\">");
    let page = browser.get("/admin/jobs?status=failed").expect(200).text;
    assert!(page.contains(&link(failed_one)) && !page.contains(&link(waiting)), "{page}");
    let all = browser.get("/admin/jobs").expect(200).text;
    assert!(all.contains(&link(failed_one)) && all.contains(&link(waiting)), "the twin: {all}");
    browser.get("/admin/jobs?status=done").expect(422);
}

#[test]
fn what_leaves_the_trash_within_a_day_is_told() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").insert(), server.seed("bob").insert());
    hide(&server, ann);
    let browser = Browser::owner(&server);
    assert!(!needs(&browser.get("/admin/").text).contains("in the trash"), "seven days are left");
    server.clock.advance(6 * DAY);
    hide(&server, bob);
    let page = Browser::owner(&server).get("/admin/").expect(200).text;
    assert!(needs(&page).contains("1 user in the trash erased within a day"), "{}", needs(&page));
    let menu = words(part(&page, "<nav class=\"menu\"", "</nav>"));
    assert!(menu.contains("Trash 1 erased within a day"), "{menu}");
    let figures = words(part(&page, "<dl class=\"figures\">", "</dl>"));
    assert!(figures.contains("In trash 2"), "{figures}");
}

#[test]
fn a_deletion_that_does_not_begin_is_told_after_an_hour() {
    let server = Server::start();
    let project = server.project().id;
    let job = server.write(move |tx| jobs::schedule(tx, project, &named("ann")));
    server.clock.advance(job.start_at - server.clock.now() + HOUR);
    let browser = Browser::owner(&server);
    assert!(!needs(&browser.get("/admin/").text).contains("late"));
    server.clock.advance(1);
    assert!(needs(&browser.get("/admin/").text).contains("1 deletion late"));
}

#[test]
fn no_backup_and_an_old_one_are_told() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    assert!(needs(&browser.get("/admin/").text).contains("No backup"));
    let house = crate::common::house::House::new();
    let copy = house.path().join("copy.db");
    std::fs::write(&copy, "a database").expect("a file");
    house
        .try_pack(&copy, crate::common::house::about(server.clock.now(), 3), server.app.backups())
        .expect("a backup");
    let page = browser.get("/admin/").text;
    assert!(!needs(&page).contains("ackup"), "{}", needs(&page));
    server.clock.advance(7 * DAY + 1);
    assert!(needs(&Browser::owner(&server).get("/admin/").text).contains("The newest backup is 7 days old"));
}

#[test]
fn admins_of_some_projects_see_numbers_of_those_alone() {
    let server = Server::start();
    let second = server.second();
    server.seed("ann").insert();
    let failed_there = failed(&server, server.seed("gone").insert());
    let own = signed_in(&server, "own", Role::PrivacyOfficer, &Reach::Only(vec![server.project().id]));
    let other = signed_in(&server, "other", Role::PrivacyOfficer, &Reach::Only(vec![second.id]));
    let (own, other) = (first_page(&own), first_page(&other));
    let figures = |page: &str| words(part(page, "<dl class=\"figures\">", "</dl>"));
    assert!(figures(&own).contains("Users 1 ") && needs(&own).contains("1 deletion failed"), "{own}");
    assert!(figures(&other).contains("Users 0 ") && !needs(&other).contains("failed"), "{other}");
    assert!(!other.contains(&format!("/admin/jobs/{failed_there}")) && !other.contains("class=\"badge\""));
    // Receipts are counted for the installation, and backups are its own.
    for page in [&own, &other] {
        assert!(!figures(page).contains("Receipts") && !needs(page).contains("ackup"), "{page}");
    }
    let owner = Browser::owner(&server).get("/admin/").text;
    assert!(figures(&owner).contains("Receipts 0") && needs(&owner).contains("ackup"), "the twin");
}

#[test]
fn an_auditor_sees_deletions_and_no_users() {
    let server = Server::start();
    failed(&server, server.seed("ann").insert());
    let auditor = signed_in(&server, "otto", Role::Auditor, &Reach::All);
    let page = first_page(&auditor);
    assert!(needs(&page).contains("1 deletion failed"), "{page}");
    assert!(!page.contains("New users") && !page.contains("/admin/users"), "{page}");
}

#[test]
fn a_chart_has_its_numbers_in_a_table() {
    let server = Server::start();
    server.seed("old").insert();
    server.clock.advance(40 * DAY);
    let gone = server.seed("gone").insert();
    (0..3).for_each(|n| {
        server.seed(&format!("new {n}")).insert();
    });
    server.write(move |tx| {
        let user = find::held(tx, gone, tx.now())?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Page)
    });
    server.tick();
    server.clock.advance(DAY);
    server.seed("newest").insert();
    let page = Browser::owner(&server).get("/admin/").expect(200).text;
    for (id, expected) in [("new-users", "4 in all."), ("erasures", "1 in all.")] {
        let card = part(&page, &format!("<h2 id=\"{id}\">"), "</section>");
        assert_eq!(card.matches("<rect ").count(), 30, "{card}");
        assert_eq!(card.matches("<th scope=\"row\">").count(), 30, "{card}");
        assert!(words(card).contains(expected), "{}", words(card));
    }
    let users = words(part(&page, "<h2 id=\"new-users\">", "</section>"));
    assert!(users.ends_with("2026-04-13 3 2026-04-14 1"), "{users}");
}

#[test]
fn repaired_messages_are_told_by_project() {
    let server = Server::start();
    let key = server.project().key.clone();
    let browser = Browser::owner(&server);
    let link = format!("/admin/projects/{key}/repairs");
    assert!(!browser.get("/admin/").text.contains(&link), "the twin");
    let sql = "INSERT INTO repairs (project_id, key_id, day, outcome, reason, count) VALUES (?1, 0, ?2, 'repaired', 'a', 7)";
    let day = server.clock.now().div_euclid(DAY) * DAY;
    server.sqlite().execute(sql, (server.project().id.0, day)).expect("a count");
    let page = browser.get("/admin/").text;
    assert!(page.contains(&link) && needs(&page).contains("7 repaired"), "{}", needs(&page));
}

#[test]
fn the_menu_is_whole_in_the_drawer_of_a_narrow_page() {
    let server = Server::start();
    let page = Browser::owner(&server).get("/admin/trash").expect(200).text;
    let links = |text: &str| -> Vec<String> {
        text.split("<a href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
            .collect()
    };
    let menu = links(part(&page, "<nav class=\"menu\"", "</nav>"));
    let drawer = part(&page, "<details class=\"drawer\">", "</details>");
    assert!(menu.len() > 8 && links(drawer).starts_with(&menu), "{drawer}");
    assert!(drawer.contains("form=\"sign-out\"") && page.contains("id=\"sign-out\""), "{drawer}");
    assert_eq!(page.matches("aria-current=\"page\">").count(), 2, "once in each");
}

/// However many there are, they are counted up to a bound, and the page says so.
#[test]
fn users_are_counted_up_to_a_bound() {
    let server = Server::start();
    let many = |sql: &str| server.sqlite().execute(sql, []).expect("many rows");
    many(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200000)
          INSERT INTO users (id, project_id, incarnation, state, identifier, created_at, updated_at)
          SELECT n, 1, randomblob(16), 'live', 'user ' || n, 1772500000000, 1 FROM n",
    );
    let browser = Browser::owner(&server);
    let page = browser.get("/admin/").expect(200).text;
    let figures = words(part(&page, "<dl class=\"figures\">", "</dl>"));
    assert!(figures.contains("Users 100,000+"), "{figures}");
    assert!(words(&page).contains("1,000+ in all."), "{}", words(&page));
    let begun = std::time::Instant::now();
    browser.get("/admin/").expect(200);
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
}

//! What the pages do to users and jobs, seen in the database.

use usher::clock::{DAY, HOUR};
use usher::erasure;
use usher::erasure::{jobs, trash};
use usher::model::{Erasure, JobId, JobStatus, Origin, State, TRASH_PERIOD, User, UserId};
use usher::people::{activity, find};
use usher::store::NormalTx;

use super::{Browser, page_of, part, words};
use crate::harness::{Reply, Server, named};

fn held(server: &Server, id: UserId) -> Option<User> {
    let now = server.clock.now();
    server.app.read(|db| find::held(db, id, now)).ok()
}

fn events(server: &Server, user: &User) -> usize {
    server.read(|db| activity::timeline(db, user, 0, i64::MAX, 1_000, 0)).len()
}

fn erase(browser: &Browser, id: UserId, kind: &str, typed: &str) -> Reply {
    browser.post(&format!("{}/erase/{kind}", page_of(id)), &[("confirm", typed)])
}

fn job(server: &Server, id: JobId) -> usher::model::Job {
    server.read(|db| jobs::get(db, None, id))
}

fn schedule(server: &Server, name: &str) -> JobId {
    let (project, identifier) = (server.project().id, named(name));
    server.write(move |tx| jobs::schedule(tx, project, &identifier)).id
}

/// The rows of a dry run: label, count and what becomes of it.
fn fates(page: &str) -> Vec<String> {
    let body = part(page, "<tbody>", "</tbody>");
    body.split("<tr").skip(1).map(|row| words(&format!("<tr{row}"))).collect()
}

#[test]
fn moving_to_trash_asks_once_and_offers_to_undo_it() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let browser = Browser::owner(&server);
    let page = browser.get(&page_of(id)).expect(200);
    let dialog = part(&page.text, "<div class=\"dialog\" id=\"hide\" popover", "</form>");
    assert!(
        words(dialog).contains("Move this user to trash?")
            && dialog.contains(&format!("{}/hide", page_of(id)))
    );

    let reply = browser.post(&format!("{}/hide", page_of(id)), &[]).expect(303);
    assert_eq!(reply.header("location"), Some(page_of(id).as_str()));
    assert_eq!(held(&server, id).expect("the user").state, State::Hidden);
    let api = server.get(&format!("/users/u_{id}")).bearer(&server.project().all).send();
    api.expect(404);

    let page = browser.get(&page_of(id)).expect(200);
    let notice = part(&page.text, "role=\"status\"", "</form>");
    assert!(words(notice).contains("The user is in the trash. Undo"), "{notice}");
    assert!(notice.contains(&format!("action=\"{}/restore\"", page_of(id))), "{notice}");
    assert!(words(&page.text).contains("In trash, 7 days left."), "{}", page.text);
    // It is said once.
    assert!(!browser.get(&page_of(id)).text.contains("The user is in the trash."));

    let undone = browser.post(&format!("{}/restore", page_of(id)), &[]).expect(303);
    assert_eq!(undone.header("location"), Some(page_of(id).as_str()));
    let user = held(&server, id).expect("the user");
    assert_eq!((user.state, events(&server, &user)), (State::Live, 3));
    assert!(words(&browser.get(&page_of(id)).text).contains("The user is restored with the full history."));
}

#[test]
fn trash_and_restore_change_nothing_the_second_time() {
    let server = Server::start();
    let id = server.seed("ann").insert();
    let browser = Browser::owner(&server);
    browser.post(&format!("{}/restore", page_of(id)), &[]).expect(409);
    browser.post(&format!("{}/hide", page_of(id)), &[]).expect(303);
    let since = held(&server, id).expect("the user").deleted_at;
    server.clock.advance(HOUR / 2);
    browser.post(&format!("{}/hide", page_of(id)), &[]).expect(409);
    assert_eq!(held(&server, id).expect("the user").deleted_at, since);
}

#[test]
fn the_trash_restores_until_the_end_of_the_seventh_day() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").events(2).insert(), server.seed("bob").events(2).insert());
    let browser = Browser::owner(&server);
    browser.post(&format!("{}/hide", page_of(ann)), &[]).expect(303);
    server.clock.advance(1);
    browser.post(&format!("{}/hide", page_of(bob)), &[]).expect(303);
    server.clock.advance(TRASH_PERIOD - 1);

    let browser = Browser::owner(&server);
    let page = browser.get("/admin/trash").expect(200);
    assert!(!page.text.contains("ann") && page.text.contains("bob"), "{}", page.text);
    let due = part(&page.text, "data-label=\"Erased in\"", "</td>");
    assert!(words(due).ends_with("0 s") && due.contains("class=\"soon\""), "{due}");
    browser.get(&page_of(ann)).expect(404);
    browser.post(&format!("{}/restore", page_of(ann)), &[]).expect(404);
    // Back from the trash one is in the trash again.
    let token = browser.token();
    let from_trash = browser
        .request("POST", &format!("{}/restore", page_of(bob)))
        .header("Referer", &server.url("/admin/trash?after=1-1"))
        .body(super::form(&[("form_token", &token)]), super::FORM)
        .send()
        .expect(303);
    assert_eq!(from_trash.header("location"), Some("/admin/trash?after=1-1"));
    let bob = held(&server, bob).expect("bob");
    assert_eq!((bob.state, events(&server, &bob)), (State::Live, 2));
    assert!(words(&browser.get("/admin/trash").text).contains("The trash is empty"));
    server.tick();
    assert_eq!(server.rows_of(ann), 0);
}

#[test]
fn the_trash_is_sorted_by_the_time_left() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    for (n, name) in ["first", "second", "third"].into_iter().enumerate() {
        let id = server.seed(name).insert();
        if n > 0 {
            server.clock.advance(3 * DAY - HOUR);
        }
        let user = server.read(|db| find::get(db, server.project().id, name));
        server.write(move |tx| trash::hide(tx, &user));
        assert_eq!(held(&server, id).expect("it is held").state, State::Hidden);
    }
    let page = browser_again(&server, browser).get("/admin/trash").expect(200);
    let rows: Vec<String> = page.text.split("<tr>").skip(2).map(words).collect();
    assert!(rows[0].starts_with("first") && rows[0].contains("5 days ago 1 day 2 h"), "{}", rows[0]);
    assert!(rows[1].starts_with("second") && rows[1].contains("2 days ago 4 days 1 h"), "{}", rows[1]);
    assert!(rows[2].starts_with("third") && rows[2].contains("just now 7 days"), "{}", rows[2]);
}

/// The clock went on for longer than a sign-in lasts.
fn browser_again<'a>(server: &'a Server, _: Browser) -> Browser<'a> {
    Browser::owner(server)
}

#[test]
fn erasing_everything_previews_confirms_and_leaves_nothing() {
    let server = Server::start();
    let id = server.seed("ann@example.com").events(40).insert();
    let other = server.seed("bob").events(2).insert();
    let rows = server.rows_of(id);
    let browser = Browser::owner(&server);
    let page = browser.get(&format!("{}/erase/everything", page_of(id))).expect(200);
    assert!(words(&page.text).contains("Nothing has happened yet."));
    assert_eq!(
        fates(&page.text),
        [
            "Recording chunks 0 will be deleted",
            "Events, interactions and logs 40 will be deleted",
            "Messages in conversations 0 will be deleted",
            "Conversations with agents 0 will be deleted",
            "Sessions 1 will be deleted",
            "Anonymous ids 0 will be deleted",
            "Visitors merged into the user 0 will be deleted",
            "Links to download the data 0 will be deleted",
            "Legal holds 0 will be deleted",
            "Profile 1 will be deleted",
            "Jobs that name the user 0 will be deleted",
        ]
    );
    assert!(words(&page.text).contains("Total 42 will be deleted, 0 will be kept"));
    assert!(words(&page.text).contains("Type the identifier ann@example.com to confirm"));

    for typed in
        ["", "ann", "Ann@example.com", " ann@example.com", "ann@example.com ", "bob", &id.to_string()]
    {
        let page = erase(&browser, id, "everything", typed).expect(422);
        assert!(words(&page.text).contains("Nothing was erased."), "{}", page.text);
        assert!(page.text.contains(&format!("value=\"{typed}\"")), "what was typed is kept: {typed}");
        assert!(part(&page.text, "<input id=\"confirm\"", ">").contains("aria-invalid=\"true\""));
        assert_eq!((server.rows_of(id), held(&server, id).expect("the user").state), (rows, State::Live));
    }

    let reply = erase(&browser, id, "everything", "ann@example.com").expect(303);
    assert_eq!(reply.header("location"), Some("/admin/jobs/1"));
    let page = browser.get("/admin/jobs/1").expect(200);
    assert!(words(&page.text).contains("The user is no longer in the API"), "{}", page.text);
    let list = browser.get("/admin/users").expect(200);
    assert!(!list.text.contains("ann@example.com"), "out of sight at once");
    // Until its rows have left, it says so, and shows nothing of them.
    let page = browser.get(&page_of(id)).expect(200);
    assert!(words(&page.text).contains("Being erased."));
    assert!(!page.text.contains("ann") && !page.text.contains("event 1"), "{}", page.text);
    browser.get(&format!("{}/erase/everything", page_of(id))).expect(409);
    erase(&browser, id, "everything", "ann@example.com").expect(409);
    server.tick();
    assert_eq!(server.rows_of(id), 0);
    browser.get(&page_of(id)).expect(404);
    assert_eq!(server.rows_of(other), 4);
}

#[test]
fn erasing_the_account_keeps_its_activity_under_the_id() {
    let server = Server::start();
    let id = server.seed("ann").email("ann@example.com").events(5).insert();
    let browser = Browser::owner(&server);
    let page = browser.get(&format!("{}/erase/account", page_of(id))).expect(200);
    let expected = [
        "Recording chunks 0 will be kept",
        "Events, interactions and logs 5 will be kept",
        "Messages in conversations 0 will be kept",
        "Conversations with agents 0 will be kept",
        "Sessions 1 will be kept",
        "Anonymous ids 0 will be deleted",
        "Visitors merged into the user 0 will be kept",
        "Links to download the data 0 will be deleted",
        "Legal holds 0 will be deleted",
        "Profile profile emptied 1 will be deleted",
        "Jobs that name the user 0 will be deleted",
    ];
    assert_eq!(fates(&page.text), expected);
    erase(&browser, id, "account", "bob").expect(422);
    assert_eq!(held(&server, id).expect("the user").identifier.as_deref(), Some("ann"));
    let reply = erase(&browser, id, "account", "ann").expect(303);
    assert_eq!(reply.header("location"), Some("/admin/jobs/1"));
    server.tick();
    let user = held(&server, id).expect("what is left");
    assert_eq!((user.state, events(&server, &user)), (State::Detached, 5));
    let project = server.project().id;
    assert!(server.app.read(|db| find::get(db, project, "ann")).is_err());

    let page = browser.get(&page_of(id)).expect(200);
    let text = words(&page.text);
    assert!(text.contains("account deleted, activity kept") && text.contains("No profile data."), "{text}");
    assert!(text.contains("event 4") && !text.contains("ann@example.com"), "{text}");
    assert!(!page.text.contains("/erase/account") && !page.text.contains("/erase/everything"));
    for kind in ["account", "everything"] {
        browser.get(&format!("{}/erase/{kind}", page_of(id))).expect(409);
        erase(&browser, id, kind, &id.to_string()).expect(409);
    }
    browser.post(&format!("{}/hide", page_of(id)), &[]).expect(409);
    let page = browser.get(&format!("{}/erase/activity", page_of(id))).expect(200);
    assert!(words(&page.text).contains(&format!("Type the id {id} to confirm")), "{}", page.text);
    assert!(words(&page.text).contains("Total 7 will be deleted, 0 will be kept"), "{}", page.text);
    erase(&browser, id, "activity", &id.to_string()).expect(303);
    server.tick();
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn erasing_the_activity_leaves_the_account_which_goes_on() {
    let server = Server::start();
    let id = server.seed("ann").email("ann@example.com").events(5).insert();
    let browser = Browser::owner(&server);
    let page = browser.get(&format!("{}/erase/activity", page_of(id))).expect(200);
    let expected = [
        "Recording chunks 0 will be deleted",
        "Events, interactions and logs 5 will be deleted",
        "Messages in conversations 0 will be deleted",
        "Conversations with agents 0 will be deleted",
        "Sessions 1 will be deleted",
        "Anonymous ids 0 will be kept",
        "Visitors merged into the user 0 will be kept",
        "Links to download the data 0 will be kept",
        "Legal holds 0 will be kept",
        "Profile counters reset to zero 1 will be kept",
        "Jobs that name the user 0 will be kept",
    ];
    assert_eq!(fates(&page.text), expected);
    erase(&browser, id, "activity", "an").expect(422);
    assert_eq!(events(&server, &held(&server, id).expect("the user")), 5);
    let reply = erase(&browser, id, "activity", "ann").expect(303);
    assert_eq!(reply.header("location"), Some("/admin/jobs/1"));
    let user = held(&server, id).expect("the user");
    assert_eq!((user.state, events(&server, &user), user.event_count), (State::Live, 0, 0));
    assert_eq!(user.profile.email.as_deref(), Some("ann@example.com"));
    server.tick();
    assert_eq!(server.rows_of(id), 1);
    server.clock.advance(1);
    server.seed("ann").events(1).insert();
    assert_eq!(events(&server, &held(&server, id).expect("the user")), 1);
}

#[test]
fn a_hidden_user_can_be_erased_from_the_trash() {
    let server = Server::start();
    let id = server.seed("ann").events(5).insert();
    let browser = Browser::owner(&server);
    browser.post(&format!("{}/hide", page_of(id)), &[]).expect(303);
    let trash = browser.get("/admin/trash").expect(200);
    assert!(trash.text.contains(&format!("{}/erase/everything", page_of(id))));
    erase(&browser, id, "everything", "ann").expect(303);
    server.tick();
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn a_dry_run_of_a_user_counts_jobs_that_name_it() {
    let server = Server::start();
    let id = server.seed("ann").insert();
    let job = schedule(&server, "ann");
    let browser = Browser::owner(&server);
    let page = browser.get(&format!("{}/erase/everything", page_of(id))).expect(200);
    let named = "Jobs that name the user identifier removed 1 will be deleted";
    assert!(fates(&page.text).contains(&named.to_owned()), "{:?}", fates(&page.text));
    // Which is true.
    erase(&browser, id, "everything", "ann").expect(303);
    server.tick();
    assert!(self::job(&server, job).reference.starts_with("name:"));
    server.clock.advance(DAY);
    server.tick();
    assert!(self::job(&server, job).reference.starts_with("erased:"));
}

#[test]
fn a_scheduled_job_can_be_cancelled_once() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let job = schedule(&server, "ann");
    let browser = Browser::owner(&server);
    let page = browser.get("/admin/jobs").expect(200);
    let row = part(&page.text, "Erase everything", "</tr>");
    assert!(words(row).contains("scheduled 0 in 14 h Cancel job 1"), "{}", words(row));
    let find = format!("/admin/users?q=ann&#38;project={}", server.project().key);
    assert!(row.contains(&find), "{row}");
    let reply = browser.post(&format!("/admin/jobs/{job}/cancel"), &[]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/jobs"));
    assert_eq!(self::job(&server, job).status, JobStatus::Cancelled);
    let page = words(&browser.get("/admin/jobs").text);
    assert!(page.contains("Job 1 is cancelled.") && page.contains("cancelled 0"), "{page}");
    let again = browser.post(&format!("/admin/jobs/{job}/cancel"), &[]).expect(409);
    assert!(words(&again.text).contains("The job has already ended."), "{}", again.text);
    server.clock.advance(2 * DAY);
    server.tick();
    assert_eq!(held(&server, id).expect("the user").state, State::Live);
}

#[test]
fn a_begun_erasure_cannot_be_cancelled_but_retried() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let user = held(&server, id).expect("the user");
    let job = server.write(move |tx| erasure::begin(tx, &user, Erasure::Everything, Origin::Request)).id;
    let browser = Browser::owner(&server);
    let page = browser.get("/admin/jobs").expect(200);
    assert!(page.text.contains("<progress max=\"5\" value=\"0\""), "{}", page.text);
    assert!(words(&page.text).contains("running 0 of 5"), "{}", page.text);
    assert!(!page.text.contains("/cancel") && !page.text.contains("/retry"));
    browser.post(&format!("/admin/jobs/{job}/cancel"), &[]).expect(409);
    browser.post(&format!("/admin/jobs/{job}/retry"), &[]).expect(409);
    server.write(move |tx: &NormalTx| (0..5).try_for_each(|_| jobs::note_fault(tx, job, "disk I/O error")));
    let page = browser.get("/admin/jobs").expect(200);
    assert!(words(&page.text).contains("failed 5 attempts disk I/O error"), "{}", page.text);
    browser.post(&format!("/admin/jobs/{job}/retry"), &[]).expect(303);
    assert!(words(&browser.get("/admin/jobs").text).contains("Job 1 is running again."));
    server.tick();
    assert_eq!(self::job(&server, job).status, JobStatus::Completed);
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn the_jobs_page_refreshes_itself_while_a_job_runs() {
    let server = Server::start();
    let id = server.seed("ann").insert();
    let browser = Browser::owner(&server);
    let renews = |path: &str| browser.get(path).expect(200).text.contains("http-equiv=\"refresh\"");
    schedule(&server, "bob");
    assert!(!renews("/admin/jobs"));
    let user = held(&server, id).expect("the user");
    server.write(move |tx| erasure::begin(tx, &user, Erasure::Everything, Origin::Page).map(|_| ()));
    assert!(renews("/admin/jobs"));
    assert!(!renews("/admin/jobs?refresh=off"));
    server.tick();
    assert!(!renews("/admin/jobs"));
}

#[test]
fn a_job_that_is_due_and_has_not_begun_is_called_overdue() {
    let server = Server::start();
    schedule(&server, "ann");
    server.clock.advance(14 * HOUR - 1);
    assert!(!words(&Browser::owner(&server).get("/admin/jobs").text).contains("overdue"));
    server.clock.advance(1);
    assert!(words(&Browser::owner(&server).get("/admin/jobs").text).contains("scheduled overdue"));
}

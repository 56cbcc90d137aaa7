//! The audit log in the pages, and what is written down in it.

use usher::erasure::jobs;
use usher::people::find;
use usher::proof::audit::{Head, Position, check};
use usher::store::{NormalTx, audit};

use super::{Browser, PASSWORD, page_of, value_of, words};
use crate::harness::{Reply, Server, named};

/// The rows of a page, newest first, as they are read.
fn rows(page: &str) -> Vec<String> {
    let body = page.split("<tbody>").nth(1).unwrap_or_default().split("</tbody>").next().unwrap_or_default();
    body.split("<tr>").skip(1).map(words).collect()
}

/// Who, what and whom of the rows from a number on, in the order of the log.
fn log(server: &Server, after: u64) -> Vec<(String, String)> {
    let links = server.read(|db| audit::after(db, after, 1_000));
    links.into_iter().map(|link| (link.row.actor, link.row.action)).collect()
}

fn last(server: &Server) -> Position {
    server.read(audit::position)
}

fn is_whole(server: &Server) {
    let (rows, heads) = server.read(|db| Ok((audit::after(db, 0, 10_000)?, audit::heads(db)?)));
    let report = check(rows, &heads, &[], &server.app.signer().public());
    assert!(report.is_good(), "{:?}", report.faults);
}

#[test]
fn sign_ins_refusals_and_sign_outs_are_in_the_audit_log() {
    let server = Server::start();
    let before = last(&server).seq;
    let browser = Browser::new(&server);
    let page = browser.get(&server.setup_path).expect(200);
    let token = value_of(&page.text, "setup_token").expect("a token");
    let owner =
        [("name", "mia"), ("password", PASSWORD), ("password_again", PASSWORD), ("setup_token", &token)];
    browser.post("/admin/setup", &owner).expect(303);
    browser.get("/admin/users").expect(200);
    browser.post("/admin/logout", &[]).expect(303);
    browser.get("/admin/login").expect(200);
    for name in ["mia", "a secret typed too early"] {
        browser.post("/admin/login", &[("name", name), ("password", "a guess")]).expect(422);
    }
    browser.post("/admin/login", &[("name", "mia"), ("password", PASSWORD)]).expect(303);
    // In again while one is in ends the first.
    browser.get("/admin/users").expect(200);
    let guest = browser.request("GET", "/admin/theme").send();
    assert_eq!(guest.status, 405);
    let pair = |actor: &str, action: &str| (actor.to_owned(), action.to_owned());
    assert_eq!(
        log(&server, before),
        [
            pair("system", "set up owner"),
            pair("admin 1", "sign in"),
            pair("admin 1", "sign out"),
            pair("system", "fail to sign in"),
            pair("system", "fail to sign in"),
            pair("admin 1", "sign in"),
        ]
    );
    let page = browser.get("/admin/audit").expect(200);
    assert!(!page.text.contains("typed too early"), "{}", page.text);
    let rows = rows(&page.text);
    assert!(rows[0].contains("just now 4 Mar 2026, 10:00 UTC mia admin 1 sign in"), "{}", rows[0]);
    assert!(rows[1].contains("system fail to sign in –"), "{}", rows[1]);
    assert!(rows.last().expect("the first").contains("system create project – default"), "{rows:?}");
    is_whole(&server);
}

#[test]
fn each_view_of_a_person_is_logged_under_a_pseudonym() {
    let server = Server::start();
    let ann = server.seed("ann@example.com").events(2).insert();
    let bob = server.seed("bob").insert();
    let browser = Browser::owner(&server);
    let before = last(&server).seq;
    let reply = browser.get(&page_of(ann)).expect(200);
    browser.get(&page_of(bob)).expect(200);
    browser.get(&format!("{}/erase/everything", page_of(ann))).expect(200);
    browser.get(&page_of(usher::model::UserId(17))).expect(404);
    browser.get("/admin/users").expect(200);
    browser
        .post(&format!("{}/erase/everything", page_of(ann)), &[("confirm", "ann@example.com")])
        .expect(303);
    server.tick();
    let links = server.read(|db| audit::after(db, before, 100));
    let actions: Vec<&str> = links.iter().map(|link| link.row.action.as_str()).collect();
    assert_eq!(actions, ["view user", "view user", "view user", "erase everything", "erasure completed"]);
    assert!(links[..4].iter().all(|link| link.row.actor == "admin 1"), "{links:?}");
    assert_eq!(links[4].row.actor, "system");
    let subject = links[0].row.subject.expect("a pseudonym");
    assert!(
        links[2..].iter().all(|link| link.row.subject == Some(subject)),
        "the same person, also once gone"
    );
    assert_ne!(links[1].row.subject, Some(subject));
    assert_eq!(links[0].row.request_id.as_deref(), reply.header("x-request-id"));

    let page = browser.get("/admin/audit").expect(200);
    assert!(!page.text.contains("ann@example.com"), "{}", page.text);
    let rows = rows(&page.text);
    let short = &subject.to_string()[..8];
    assert!(rows[0].contains(&format!("system erasure completed job 1 {short} default")), "{}", rows[0]);
    assert!(
        rows[1].contains(&format!("owner admin 1 erase everything job 1 {short} default not stated")),
        "{}",
        rows[1]
    );
    assert!(page.text.contains("href=\"/admin/jobs/1\"") && page.text.contains(&subject.to_string()));
    assert!(rows[4].ends_with(reply.header("x-request-id").expect("an id")), "{}", rows[4]);
    is_whole(&server);
}

#[test]
fn what_cannot_be_written_down_is_not_shown() {
    let server = Server::start();
    server.expect_faults();
    let ann = server.seed("ann").email("ann@example.com").insert();
    let browser = Browser::owner(&server);
    let rename = |from: &str, to: &str| {
        server.sqlite().execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}")).expect("another name");
    };
    rename("audit", "elsewhere");
    let hidden = |reply: Reply| {
        assert!(words(&reply.text).contains("Something went wrong"), "{}", reply.text);
        assert!(!reply.text.contains("ann"), "{}", reply.text);
    };
    hidden(browser.get(&page_of(ann)).expect(500));
    hidden(browser.get(&format!("{}/erase/account", page_of(ann))).expect(500));
    rename("elsewhere", "audit");
    assert!(browser.get(&page_of(ann)).expect(200).text.contains("ann@example.com"));
}

#[test]
fn a_deed_is_logged_with_its_actor_job_and_reason() {
    let server = Server::start();
    server.seed("ann").insert();
    let browser = Browser::owner(&server);
    browser.post("/admin/projects", &[("name", "<b>shop")]).expect(303);
    browser.get("/admin/projects");
    let made =
        browser.post("/admin/keys", &[("name", "the <i>backend"), ("project", ""), ("scopes", "read")]);
    made.expect(200);
    let project = server.project().id;
    server.write(move |tx| jobs::schedule(tx, project, &named("ann")).map(|_| ()));
    let id = server.read(|db| find::get(db, project, "ann")).id;
    server.delete(&format!("/users/u_{id}")).bearer(&server.project().all).send().expect(200);
    let page = browser.get("/admin/audit").expect(200);
    assert!(!page.text.contains("<b>shop") && !page.text.contains("<i>backend"));
    let rows = rows(&page.text);
    assert!(rows[0].contains("a test's key 1 erase everything job 2"), "{}", rows[0]);
    assert!(rows[1].contains("system schedule erasure job 1 "), "{}", rows[1]);
    assert!(!rows[1].contains("nobody") && rows[1].contains(" default not stated"), "{}", rows[1]);
    assert!(rows[2].contains("owner admin 1 create key – – key 2"), "{}", rows[2]);
    assert!(rows[3].contains("owner admin 1 create project – <b>shop"), "{}", rows[3]);
}

#[test]
fn the_log_has_every_row_once_over_its_pages() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    assert!(words(&browser.get("/admin/audit").expect(200).text).contains("Not signed yet."));
    server.write(|tx: &NormalTx| {
        (0..250)
            .try_for_each(|_| audit::append(tx, &audit::Entry { action: "try", ..audit::Entry::default() }))
    });
    let end = last(&server);
    let (mut seen, mut path, mut pages) = (Vec::new(), Some("/admin/audit".to_owned()), 0);
    while let Some(at) = path {
        let page = browser.get(&at).expect(200).text;
        seen.extend(rows(&page).iter().map(|row| {
            row.split_whitespace()
                .next()
                .expect("a number")
                .replace(',', "")
                .parse::<u64>()
                .expect("a number")
        }));
        pages += 1;
        let next = page.split("rel=\"next\" href=\"").nth(1).and_then(|link| link.split('"').next());
        path = next.map(str::to_owned);
    }
    assert_eq!((seen, pages), ((1..=end.seq).rev().collect(), 3));
    for path in ["/admin/audit?below=x", "/admin/audit?below=99999999999999999999"] {
        browser.get(path).expect(422);
    }

    let head = Head::sign(server.app.signer(), end.seq, end.head.0, server.clock.now());
    server.write(move |tx: &NormalTx| audit::keep_head(tx, &head));
    server.write(|tx: &NormalTx| {
        audit::append(tx, &audit::Entry { action: "late", ..audit::Entry::default() })
    });
    let page = browser.get("/admin/audit").expect(200);
    assert!(words(&page.text).contains(&format!("Signed up to row {}, just now", end.seq)), "{}", page.text);
    let rows = rows(&page.text);
    assert!(rows[0].contains("not signed yet") && !rows[1].contains("not signed yet"), "{rows:?}");
    is_whole(&server);

    let changed = "UPDATE audit SET hash = zeroblob(32) WHERE seq = ?1";
    server.sqlite().execute(changed, [i64::try_from(end.seq).expect("a number")]).expect("a change");
    let page = browser.get("/admin/audit").expect(200);
    assert!(words(&page.text).contains(&format!("The signature at row {} is not valid.", end.seq)));
}

//! One box for users, jobs and receipts.

use usher::erasure::{self, jobs};
use usher::model::{Erasure, Origin, Reach, Role};
use usher::people::find;

use super::roles::signed_in;
use super::{Browser, page_of, words};
use crate::harness::{Server, encode, named};

fn found(browser: &Browser, text: &str) -> String {
    browser.get(&format!("/admin/find?q={}", encode(text))).expect(200).text
}

#[test]
fn the_box_is_on_every_page_and_finds_in_groups() {
    let server = Server::start();
    let ann = server.seed("ann").email("ann@example.com").insert();
    let gone = server.seed("gone").insert();
    let project = server.project().id;
    let job = server.write(move |tx| {
        let user = find::held(tx, gone, tx.now())?;
        let job = erasure::begin(tx, &user, Erasure::Everything, Origin::Page)?;
        jobs::schedule(tx, project, &named("ann"))?;
        Ok(job.id)
    });
    server.tick();
    let browser = Browser::owner(&server);
    for path in ["/admin/", "/admin/users", "/admin/trash", "/admin/account"] {
        let page = browser.get(path).expect(200).text;
        assert!(page.contains("action=\"/admin/find\"") && page.contains("id=\"find\""), "{path}");
    }
    let page = found(&browser, "nn@exam");
    assert!(page.contains(&page_of(ann)) && !page.contains("/admin/jobs/"), "{page}");
    let page = found(&browser, &job.to_string());
    assert!(page.contains(&format!("<a href=\"/admin/jobs/{job}\">Job {job}</a>")), "{page}");
    assert!(page.contains("<a href=\"/admin/receipts/1\">Receipt 1</a>"), "{page}");
    // By its id, as a person has it.
    let id = server.app.receipts().numbered(1).expect("a receipt").id.to_string();
    assert!(found(&browser, &id).contains("<a href=\"/admin/receipts/1\">"), "{id}");
    let none = words(&found(&browser, "4711"));
    assert!(none.contains("No job with this number.") && none.contains("No receipt with this"), "{none}");
}

#[test]
fn nobody_found_is_no_exact_match_and_near_names_are_shown() {
    let server = Server::start();
    server.seed("annabel@example.com").insert();
    let page = found(&Browser::owner(&server), "annabell@example.com");
    let text = words(&page);
    assert!(
        text.contains("No exact match for annabell@example.com . Erased users no longer appear."),
        "{text}"
    );
    assert!(text.contains("Did you mean: annabel@example.com"), "{text}");
}

#[test]
fn support_finds_whole_values_alone_and_no_job() {
    let server = Server::start();
    let ann = server.seed("ann-4711").email("ann@example.com").insert();
    let project = server.project().id;
    server.write(move |tx| jobs::schedule(tx, project, &named("ann-4711")).map(|_| ()));
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    let page = found(&support, "ann@example.com");
    assert!(page.contains(&page_of(ann)) && !page.contains("ann-4711"), "{page}");
    let part = found(&support, "ann-471");
    assert!(!part.contains(&page_of(ann)) && !part.contains("Did you mean"), "{part}");
    assert!(!found(&support, "1").contains("/admin/jobs"));
    // What a filter would tell, it is not asked.
    let filtered = support.get("/admin/users?q=ann%40example.com&country=XX&anonymous=yes").expect(200).text;
    assert!(filtered.contains(&page_of(ann)), "{filtered}");
}

#[test]
fn an_auditor_finds_jobs_and_receipts_and_no_users() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let project = server.project().id;
    server.write(move |tx| jobs::schedule(tx, project, &named("ann")).map(|_| ()));
    let auditor = signed_in(&server, "otto", Role::Auditor, &Reach::All);
    assert!(found(&auditor, "1").contains("/admin/jobs/1"));
    let page = found(&auditor, "ann");
    assert!(!page.contains(&page_of(ann)) && !page.contains("/admin/users"), "{page}");
}

#[test]
fn what_is_of_another_project_is_not_found() {
    let server = Server::start();
    let second = server.second();
    let ann = server.seed("ann").insert();
    let project = server.project().id;
    server.write(move |tx| jobs::schedule(tx, project, &named("ann")).map(|_| ()));
    let other = signed_in(&server, "other", Role::Owner, &Reach::Only(vec![second.id]));
    assert!(!found(&other, "ann").contains(&page_of(ann)));
    assert!(!found(&other, "1").contains("/admin/jobs/1"));
    assert!(found(&Browser::owner(&server), "1").contains("/admin/jobs/1"), "the twin");
}

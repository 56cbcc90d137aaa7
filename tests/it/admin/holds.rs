//! Holds and restrictions in the pages: who may put them, who sees what.

use usher::clock::DAY;
use usher::model::{Reach, Role};

use super::{Browser, page_of, words};
use crate::harness::Server;
use crate::segment::count;

use super::roles::signed_in;

#[test]
fn an_owner_holds_and_releases_on_the_users_page() {
    let server = Server::start();
    let ann = server.seed("ann").events(2).insert();
    let browser = Browser::owner(&server);
    let page = page_of(ann);
    assert!(words(&browser.get(&page).text).contains("Hold and restriction"));
    let day = usher::clock::rfc3339(server.clock.now() + 30 * DAY)[..10].to_owned();
    browser.post(&format!("{page}/hold"), &[("reason", "Case <17>"), ("until", &day)]).expect(303);
    let shown = words(&browser.get(&page).text);
    assert!(shown.contains("Under a legal hold until") && shown.contains("Reason: Case <17>"), "{shown}");
    let erase = browser.get(&format!("{page}/erase/everything")).expect(200);
    assert!(words(&erase.text).contains("This user cannot be erased now"), "{}", erase.text);
    assert!(!erase.text.contains("name=\"confirm\""), "there is nothing to confirm");
    let refused = browser.post(&format!("{page}/erase/everything"), &[("confirm", "ann")]).expect(409);
    assert!(words(&refused.text).contains("legal hold"), "{}", refused.text);
    let list = words(&browser.get("/admin/holds").expect(200).text);
    assert!(list.contains("ann") && list.contains("Case <17>"), "{list}");
    browser.post(&format!("{page}/release"), &[]).expect(303);
    assert!(words(&browser.get("/admin/holds").text).contains("Nobody is held or restricted"));
    // The twin: it erases again.
    browser.get(&format!("{page}/erase/everything"));
    browser.post(&format!("{page}/erase/everything"), &[("confirm", "ann")]).expect(303);
    assert_eq!(count(&server, "users WHERE state = 'erasing'"), 1);
}

#[test]
fn a_restriction_takes_the_user_out_of_the_list() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let browser = Browser::owner(&server);
    let is_listed = || browser.get("/admin/users").text.contains(&page_of(ann));
    assert!(is_listed());
    browser.post(&format!("{}/restrict", page_of(ann)), &[]).expect(303);
    assert!(!is_listed());
    assert!(words(&browser.get(&page_of(ann)).text).contains("Processing is restricted"));
    assert!(browser.get("/admin/users?q=ann").text.contains(&page_of(ann)), "by the whole name");
    assert!(!browser.get("/admin/users?q=an").text.contains(&page_of(ann)));
    browser.post(&format!("{}/unrestrict", page_of(ann)), &[]).expect(303);
    assert!(is_listed());
}

#[test]
fn support_and_auditors_see_a_hold_and_no_reason() {
    let server = Server::start();
    let ann = server.seed("ann-the-held").insert();
    let owner = Browser::owner(&server);
    owner.post(&format!("{}/hold", page_of(ann)), &[("reason", "secret words")]).expect(303);
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    let page = support.get(&page_of(ann)).expect(200);
    assert!(words(&page.text).contains("Under a legal hold"), "{}", page.text);
    assert!(!page.text.contains("secret words") && !page.text.contains("Release hold"));
    support.post(&format!("{}/release", page_of(ann)), &[]).expect(403);
    support.get("/admin/holds").expect(403);
    let auditor = signed_in(&server, "ada", Role::Auditor, &Reach::All);
    let list = auditor.get("/admin/holds").expect(200);
    assert!(words(&list.text).contains("until it is released"), "{}", list.text);
    for hidden in ["secret words", "ann-the-held", "Release<"] {
        assert!(!list.text.contains(hidden), "{hidden}: {}", list.text);
    }
    auditor.post(&format!("{}/hold", page_of(ann)), &[]).expect(403);
    assert_eq!(count(&server, "holds"), 1);
}

#[test]
fn a_job_that_waits_for_a_hold_says_so() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let browser = Browser::owner(&server);
    let path = format!("/api/v1/{}/users/ann", server.project().key);
    server.delete(&path).header("Authorization", &server.project().all).send().expect(200);
    browser.post(&format!("{}/hold", page_of(ann)), &[]).expect(303);
    server.clock.advance(DAY);
    server.tick();
    // The sign-in is over by then.
    let browser = Browser::owner(&server);
    for page in ["/admin/jobs", "/admin/jobs/1"] {
        let shown = words(&browser.get(page).expect(200).text);
        assert!(shown.contains("waits for a hold") && !shown.contains("overdue"), "{shown}");
    }
}

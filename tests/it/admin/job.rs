//! The page of one job, and the token that it hands out.

use std::path::Path;
use usher::store::NormalTx;

use usher::admin::Tokens;
use usher::clock::{Clock, DAY, HOUR};
use usher::erasure;
use usher::erasure::jobs;
use usher::model::{Erasure, JobId, JobStatus, Origin, UserId};
use usher::people::find;
use usher::proof::hex::Hex;
use usher::proof::receipt::{Token, is_subject};

use super::{Browser, page_of, part, words};
use crate::harness::{START, Server, named};

fn erase(browser: &Browser, id: UserId, kind: &str, typed: &str) -> String {
    let reply = browser.post(&format!("{}/erase/{kind}", page_of(id)), &[("confirm", typed)]).expect(303);
    reply.header("location").expect("a job's page").to_owned()
}

/// The token that a page shows.
fn token(page: &str) -> Option<Token> {
    let text = page.split("<code class=\"secret pick\">").nth(1)?.split('<').next()?;
    Some(text.parse().expect("a token"))
}

/// What the steps of a job's page say, one by one.
fn steps(page: &str) -> Vec<String> {
    let list = part(page, "<ol class=\"steps\">", "</ol>");
    list.split("<li>").skip(1).map(words).collect()
}

fn renews(page: &str) -> bool {
    page.contains("http-equiv=\"refresh\"")
}

/// Whether any file under a folder has these bytes in it.
fn anywhere(folder: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => anywhere(&path, needle),
            false => {
                let bytes = std::fs::read(&path).expect("a file");
                bytes.windows(needle.len()).any(|window| window == needle)
            }
        }
    })
}

#[test]
fn an_erasures_job_page_hands_out_the_token_once() {
    let server = Server::start();
    let id = server.seed("ann@example.com").events(3).insert();
    let browser = Browser::owner(&server);
    let path = erase(&browser, id, "everything", "ann@example.com");
    assert_eq!(path, "/admin/jobs/1");

    // Not to another sign-in, be it the same admin's, nor to one who asks for headers alone.
    let other = Browser::owner(&server).get(&path).expect(200);
    assert_eq!(token(&other.text), None);
    assert!(renews(&other.text));
    browser.request("HEAD", &path).header("Accept-Encoding", "identity").send().expect(200);
    assert_eq!(token(&browser.get("/admin/jobs").text), None);

    let page = browser.get(&path).expect(200);
    let token = token(&page.text).expect("the token");
    assert!(words(&page.text).contains("It proves that the receipt belongs to them"), "{}", page.text);
    assert!(!renews(&page.text), "somebody may be copying it");
    let again = browser.get(&path).expect(200);
    assert_eq!(self::token(&again.text), Some(token), "a reload loses nothing");
    let other = Browser::owner(&server);
    other.post(&format!("{path}/handed-over"), &[]).expect(303);
    assert_eq!(self::token(&browser.get(&path).text), Some(token), "that was said of nothing");
    browser.post(&format!("{path}/handed-over"), &[]).expect(303);
    let again = browser.get(&path).expect(200);
    assert_eq!(self::token(&again.text), None, "it was handed over");
    assert!(words(&again.text).contains("The token is marked as handed over and no longer shown."));
    let again = browser.get(&path).expect(200);
    assert!(renews(&again.text) && !renews(&browser.get(&format!("{path}?refresh=off")).text));

    server.tick();
    let stored = server.app.receipts().numbered(1).expect("a receipt").read().expect("it reads");
    assert_eq!(token.receipt, stored.receipt.id);
    assert!(is_subject(&stored.receipt, &token.salt, "ann@example.com"));
    assert!(!is_subject(&stored.receipt, &token.salt, "bob@example.com"));

    let folder = server.path().parent().expect("a folder").to_owned();
    let text = token.to_string();
    let salt = text.split_once('.').expect("a point").1;
    for needle in [&token.salt[..], salt.as_bytes()] {
        assert!(!anywhere(&folder, needle), "the token is on the disk");
    }
    // The twin: the id of the receipt, which may be there, is found.
    assert!(anywhere(&folder, &token.receipt.0));
}

#[test]
fn a_token_that_nobody_hands_over_is_gone_after_30_days() {
    for (later, kept) in [(30 * DAY - 1, true), (30 * DAY, false)] {
        let clock = Clock::manual(START);
        let tokens = Tokens::new(clock.clone());
        let token = Token { receipt: Hex([1; 16]), salt: [2; 32] };
        tokens.keep("a sign-in", JobId(1), token);
        clock.advance(later);
        assert_eq!(tokens.of("a sign-in", JobId(1)).is_some(), kept, "{later}");
        assert!(tokens.of("another", JobId(1)).is_none() && tokens.of("a sign-in", JobId(2)).is_none());
    }
}

#[test]
fn a_job_shows_each_of_its_steps_with_its_time_and_what_it_took() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let browser = Browser::owner(&server);
    let path = erase(&browser, id, "everything", "ann");
    let list = browser.get("/admin/jobs").expect(200);
    assert!(list.text.contains(&format!("href=\"{path}\"")), "{}", list.text);
    browser.get(&path);
    let page = browser.get(&path).expect(200);
    assert_eq!(
        steps(&page.text),
        [
            "In progress Delete records removes this person's records from the database In progress",
            "Pending Overwrite leftover bytes clears the space the records used Pending",
            "Pending Search for remains searches all files for this person's values Pending",
            "Pending Completed no remains found, receipt written Pending",
        ]
    );
    assert!(words(&page.text).contains("0 of 5 records deleted"), "{}", page.text);
    assert!(!page.text.contains("/admin/receipts/") && !page.text.contains("ann"), "{}", page.text);

    server.clock.advance(HOUR);
    server.tick();
    let browser = Browser::owner(&server);
    let page = browser.get(&path).expect(200);
    for (step, name) in steps(&page.text).iter().zip([
        "Delete records",
        "Overwrite leftover bytes",
        "Search for remains",
        "Completed",
    ]) {
        assert!(step.starts_with(&format!("Done {name}")), "{step}");
        assert!(step.ends_with("just now 4 Mar 2026, 11:00 UTC"), "{step}");
    }
    let text = words(&page.text);
    assert!(text.contains("Requested 1 hour ago, 4 Mar 2026, 10:00 UTC"), "{text}");
    assert!(
        text.contains("Events, interactions and logs 3 ")
            && text.contains(" Sessions 1 ")
            && text.contains("Total 5"),
        "{text}"
    );
    assert!(page.text.contains("href=\"/admin/receipts/1\"") && !renews(&page.text), "{}", page.text);
    browser.get("/admin/receipts/1").expect(200);
    for path in ["/admin/jobs/999", "/admin/jobs/x"] {
        assert!(words(&browser.get(path).expect(404).text).contains("No such job"));
    }
}

#[test]
fn a_failed_job_says_why_and_is_retried_on_its_page() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let user = server.read(|db| find::held(db, id, server.clock.now()));
    let job = server.write(move |tx| erasure::begin(tx, &user, Erasure::Everything, Origin::Request)).id;
    let browser = Browser::owner(&server);
    let path = format!("/admin/jobs/{job}");
    server.write(move |tx: &NormalTx| jobs::note_fault(tx, job, "disk I/O error"));
    let text = words(&browser.get(&path).expect(200).text);
    assert!(text.contains("This job hit an error. Disk I/O error. 1 attempt, the next"), "{text}");
    server.write(move |tx: &NormalTx| (0..4).try_for_each(|_| jobs::note_fault(tx, job, "disk I/O error")));
    let page = browser.get(&path).expect(200);
    assert!(words(&page.text).contains("This job has failed. Disk I/O error. 5 attempts."), "{}", page.text);
    assert!(steps(&page.text)[0].starts_with("Failed Delete records"), "{:?}", steps(&page.text));
    assert!(!page.text.contains(&format!("action=\"{path}/cancel\"")), "{}", page.text);
    assert!(page.text.contains(&format!("action=\"{path}/retry\"")), "{}", page.text);
    let reply = from(&browser, &path, &format!("{path}/retry"));
    assert_eq!(reply, path, "one stays on the page");
    assert!(words(&browser.get(&path).text).contains("Job 1 is running again."));
    server.tick();
    assert!(steps(&browser.get(&path).text)[3].starts_with("Done Completed"));
}

/// Presses a button on a page, and tells where it leads.
fn from(browser: &Browser, page: &str, action: &str) -> String {
    let token = browser.token();
    let request = browser.request("POST", action).header("Referer", &browser.server.url(page));
    let reply = browser.take(request.body(super::form(&[("form_token", &token)]), super::FORM).send());
    let reply = reply.expect(303);
    reply.header("location").expect("a page").to_owned()
}

fn scheduled(server: &Server, name: &'static str) -> JobId {
    let project = server.project().id;
    server.write(move |tx| jobs::schedule(tx, project, &named(name))).id
}

#[test]
fn a_waiting_job_is_cancelled_on_its_page() {
    let server = Server::start();
    server.seed("ann").insert();
    let job = scheduled(&server, "ann");
    let browser = Browser::owner(&server);
    let path = format!("/admin/jobs/{job}");
    let page = browser.get(&path).expect(200);
    assert!(words(&page.text).contains("Job 1: erase everything ann · default scheduled"), "{}", page.text);
    assert!(page.text.contains("/admin/users?q=ann&#38;project="), "{}", page.text);
    assert!(steps(&page.text).iter().all(|step| step.starts_with("Pending")));
    assert_eq!(from(&browser, &path, &format!("{path}/cancel")), path);
    assert_eq!(server.read(|db| jobs::get(db, None, job)).status, JobStatus::Cancelled);
    let page = browser.get(&path).expect(200);
    assert!(steps(&page.text).iter().all(|step| step.starts_with("Cancelled")), "{:?}", steps(&page.text));
    assert!(words(&page.text).contains("Cancelled just now") && !page.text.contains("/cancel\""));
}

#[test]
fn a_job_that_finds_nobody_has_no_receipt() {
    let server = Server::start();
    let nobody = scheduled(&server, "nobody");
    server.clock.advance(DAY);
    server.tick();
    let page = Browser::owner(&server).get(&format!("/admin/jobs/{nobody}")).expect(200);
    let text = words(&page.text);
    assert!(
        text.contains("No user matched, so there is no receipt.") && !text.contains("nobody ·"),
        "{text}"
    );
}

#[test]
fn what_an_erasure_of_a_bare_id_took_is_counted_to_the_last_row() {
    let server = Server::start();
    let id = server.seed("ann").events(5).insert();
    let browser = Browser::owner(&server);
    erase(&browser, id, "account", "ann");
    server.tick();
    let dry = browser.get(&format!("{}/erase/activity", page_of(id))).expect(200);
    assert!(words(&dry.text).contains("Total 7 will be deleted, 0 will be kept"), "{}", dry.text);
    let path = erase(&browser, id, "activity", &id.to_string());
    server.tick();
    let page = browser.get(&path).expect(200);
    assert!(words(part(&page.text, "<h2 id=\"went\">", "</section>")).ends_with("Profile 1 Total 7"));
    let receipt = browser.get("/admin/receipts/2").expect(200);
    assert!(receipt.text.contains("<strong>7</strong>"), "{}", receipt.text);
}

//! A profile that an admin changes, and what is changed meanwhile.

use usher::model::{ProfileChange, Reach, Role, UserId};
use usher::people::subject::Subject;
use usher::people::{find, identify};
use usher::store::NormalTx;

use super::roles::signed_in;
use super::{Browser, page_of, value_of, words};
use crate::harness::{Server, named};

fn set(server: &Server, first_name: &str) -> UserId {
    let (project, first_name) = (server.project().id, first_name.to_owned());
    server.write(move |tx: &NormalTx| {
        let change = ProfileChange { first_name: Some(Some(first_name.clone())), ..ProfileChange::default() };
        identify::identify(tx, project, &Subject::named(&named("ann")), &change, None)
            .map(|user| user.expect("a user").id)
    })
}

fn held(server: &Server, id: UserId) -> (Option<String>, Option<String>) {
    let now = server.clock.now();
    let profile = server.read(|db| find::held(db, id, now)).profile;
    (profile.first_name, profile.city)
}

fn audited(server: &Server) -> i64 {
    let sql = "SELECT COUNT(*) FROM audit WHERE action = 'edit user'";
    server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a count")
}

#[test]
fn an_edit_is_saved_and_in_the_audit_log() {
    let server = Server::start();
    let ann = set(&server, "Ann");
    let browser = Browser::owner(&server);
    let path = format!("{}/edit", page_of(ann));
    let page = browser.get(&path).expect(200).text;
    assert_eq!(value_of(&page, "was-firstName").as_deref(), Some("Ann"));
    let reply =
        browser.post(&path, &[("was-firstName", "Ann"), ("firstName", "Anna"), ("city", "Rome")]).expect(303);
    assert_eq!(reply.header("location"), Some(page_of(ann).as_str()));
    assert_eq!(held(&server, ann), (Some("Anna".into()), Some("Rome".into())));
    assert_eq!(audited(&server), 1);
    assert!(words(&browser.get(&page_of(ann)).text).contains("The profile is saved."));
    // Nothing typed is nothing held, and nothing changed nothing done.
    browser
        .post(&path, &[("was-city", "Rome"), ("city", ""), ("was-firstName", "Anna"), ("firstName", "Anna")])
        .expect(303);
    assert_eq!(held(&server, ann), (Some("Anna".into()), None));
    browser.post(&path, &[("was-firstName", "Anna"), ("firstName", "Anna")]).expect(303);
    assert_eq!(audited(&server), 2);
}

#[test]
fn what_the_app_changed_meanwhile_is_not_written_over_unseen() {
    let server = Server::start();
    let ann = set(&server, "Ann");
    let browser = Browser::owner(&server);
    let path = format!("{}/edit", page_of(ann));
    browser.get(&path).expect(200);
    set(&server, "Anne");
    let form = [("was-firstName", "Ann"), ("firstName", "Anna"), ("was-city", ""), ("city", "Rome")];
    let page = browser.post(&path, &form).expect(409).text;
    assert!(
        words(&page).contains("Somebody changed this user meanwhile") && words(&page).contains("Now: Anne"),
        "{page}"
    );
    assert_eq!(held(&server, ann), (Some("Anne".into()), None));
    // Who saves again has seen it.
    assert_eq!(value_of(&page, "was-firstName").as_deref(), Some("Anne"));
    browser.post(&path, &[("was-firstName", "Anne"), ("firstName", "Anna")]).expect(303);
    assert_eq!(held(&server, ann).0.as_deref(), Some("Anna"));
    // The twin: another field that changed is no conflict.
    set(&server, "Annika");
    browser.post(&path, &[("was-firstName", "Anna"), ("firstName", "Anna"), ("city", "Rome")]).expect(303);
    assert_eq!(held(&server, ann), (Some("Annika".into()), Some("Rome".into())));
}

#[test]
fn what_cannot_be_kept_is_refused_by_its_field() {
    let server = Server::start();
    let ann = set(&server, "Ann");
    let browser = Browser::owner(&server);
    let path = format!("{}/edit", page_of(ann));
    browser.get(&path).expect(200);
    let page = browser.post(&path, &[("city", &"x".repeat(1_025))]).expect(422).text;
    assert!(words(&page).contains("The City must have at most 1024 characters."), "{page}");
    assert_eq!(held(&server, ann).1, None);
    browser.post(&path, &[("city", &"x".repeat(1_024))]).expect(303);
    // In the trash nobody is edited.
    browser.post(&format!("{}/hide", page_of(ann)), &[]).expect(303);
    browser.get(&path).expect(409);
    browser.post(&path, &[("firstName", "Eve")]).expect(409);
    // And support edits nobody.
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    support.get(&path).expect(403);
}

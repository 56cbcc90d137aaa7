//! What support sees of a person: masked, and uncovered one value at a time.

use serde_json::json;
use usher::model::{Kind, ProfileChange, Reach, Role, UserId};
use usher::people::subject::Subject;
use usher::people::{activity, identify, masks};
use usher::store::NormalTx;

use super::roles::signed_in;
use super::{Browser, page_of, words};
use crate::harness::{START, Server, event, named};

/// Each value of the person, none of which support may see unasked.
const VALUES: [&str; 9] = [
    "ann-4711",
    "Annabel",
    "Leeson",
    "ann@example.com",
    "visitor-of-ann",
    "Heidelberg",
    "team-blue",
    "Captain",
    "/pricing/ann",
];

fn ann(server: &Server) -> UserId {
    let project = server.project().id;
    let change = ProfileChange {
        email: Some(Some("ann@example.com".into())),
        first_name: Some(Some("Annabel".into())),
        last_name: Some(Some("Leeson".into())),
        city: Some(Some("Heidelberg".into())),
        set: json!({ "plan": "team-blue" }).as_object().expect("an object").clone(),
        extra: json!({ "title": "Captain" }).as_object().expect("an object").clone(),
        ..ProfileChange::default()
    };
    server.write(move |tx: &NormalTx| {
        let subject =
            Subject { identifier: Some(named("ann-4711")), anonymous_id: Some(named("visitor-of-ann")) };
        let user = identify::identify(tx, project, &subject, &change, None)?.expect("a user");
        let mut page = event(&named("ann-4711"), "/pricing/ann", START);
        page.kind = Kind::Page;
        page.url = Some("https://app.example.com/pricing/ann".into());
        activity::record(tx, project, &page)?;
        activity::record(tx, project, &event(&named("ann-4711"), "Signed Up", START))?;
        Ok(user.id)
    })
}

fn shown<'a>(text: &str, values: &[&'a str]) -> Vec<&'a str> {
    values.iter().copied().filter(|value| text.contains(value)).collect()
}

fn logged(server: &Server, action: &str) -> Vec<(String, Option<String>)> {
    let conn = server.sqlite();
    let mut rows =
        conn.prepare("SELECT actor, reason FROM audit WHERE action = ?1 ORDER BY seq").expect("rows");
    let rows = rows.query_map([action], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn support_sees_no_value_of_a_person() {
    let server = Server::start();
    let id = ann(&server);
    let owner = Browser::owner(&server).get(&page_of(id)).expect(200).text;
    assert_eq!(shown(&owner, &VALUES), VALUES, "the twin: an owner sees all");
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    let page = support.get(&page_of(id)).expect(200).text;
    assert_eq!(shown(&page, &VALUES), Vec::<&str>::new(), "{page}");
    let text = words(&page);
    assert!(text.contains("•••@•••.com") && text.contains("Signed Up"), "{text}");
    assert!(!page.contains("/erase/"), "{page}");
}

#[test]
fn support_finds_by_a_whole_value_alone_and_lists_nobody() {
    let server = Server::start();
    let id = ann(&server);
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    let find = |text: &str| support.get(&format!("/admin/users?q={text}")).expect(200).text;
    for whole in ["ann-4711", "ann%40example.com", "visitor-of-ann"] {
        let page = find(whole);
        assert!(page.contains(&page_of(id)), "{page}");
        let asked = whole.replace("%40", "@");
        let others: Vec<&str> = VALUES.into_iter().filter(|value| *value != asked).collect();
        assert_eq!(shown(&page, &others), Vec::<&str>::new(), "{page}");
    }
    for part in ["ann", "ann-471", "example.com", ""] {
        assert!(!find(part).contains(&page_of(id)), "{part}");
    }
    assert!(Browser::owner(&server).get("/admin/users").text.contains(&page_of(id)), "the twin");
}

#[test]
fn a_value_is_uncovered_with_a_reason_that_is_written_down() {
    let server = Server::start();
    let (id, support) = (ann(&server), signed_in(&server, "sue", Role::Support, &Reach::All));
    let path = format!("{}/reveal", page_of(id));
    let page =
        support.post(&path, &[("value", "email"), ("reason", "request"), ("ticket", "12")]).expect(200).text;
    assert_eq!(shown(&page, &VALUES), ["ann@example.com"], "{page}");
    let page = support
        .post(&path, &[("value", "attribute:plan"), ("reason", "request"), ("ticket", "12")])
        .expect(200)
        .text;
    assert_eq!(shown(&page, &VALUES), ["team-blue"], "{page}");
    let rows = logged(&server, "reveal value");
    let reasons: Vec<&str> = rows.iter().filter_map(|(_, reason)| reason.as_deref()).collect();
    assert_eq!(
        reasons,
        ["the e-mail: request of the person, ticket 12", "an attribute: request of the person, ticket 12"]
    );
    assert!(rows.iter().all(|(actor, _)| actor.starts_with("admin ")), "{rows:?}");
    assert_eq!(shown(&support.get(&page_of(id)).expect(200).text, &VALUES), Vec::<&str>::new());
}

#[test]
fn nothing_is_uncovered_without_a_reason_of_those_offered() {
    let server = Server::start();
    let (id, support) = (ann(&server), signed_in(&server, "sue", Role::Support, &Reach::All));
    let path = format!("{}/reveal", page_of(id));
    let cases = [
        ("email", "", "", "The reason must be in the list"),
        ("email", "for Leeson", "", "The reason must be in the list"),
        ("email", "request", "Leeson", "The ticket number must have digits only, at most 9"),
        ("email", "request", "1234567890", "The ticket number must have digits only, at most 9"),
        ("shoe size", "request", "", "The value does not exist for this user"),
    ];
    for (value, reason, ticket, why) in cases {
        let page =
            support.post(&path, &[("value", value), ("reason", reason), ("ticket", ticket)]).expect(422);
        assert!(words(&page.text).contains(why), "{value} {reason}: {}", words(&page.text));
    }
    assert!(logged(&server, "reveal value").is_empty());
    // The twins at the bounds.
    for (reason, _) in masks::REASONS {
        support.post(&path, &[("value", "email"), ("reason", reason), ("ticket", "123456789")]).expect(200);
    }
    assert_eq!(logged(&server, "reveal value").len(), masks::REASONS.len());
}

/// What is asked for is told; of all that is not, no answer tells whether somebody guessed it.
#[test]
fn a_reason_tells_nothing_of_other_values() {
    let server = Server::start();
    let (id, support) = (ann(&server), signed_in(&server, "sue", Role::Support, &Reach::All));
    let path = format!("{}/reveal", page_of(id));
    let ask = |reason: &str| support.post(&path, &[("value", "attribute:plan"), ("reason", reason)]).status;
    assert_eq!([ask("Heidelberg"), ask("Hamburg")], [422, 422]);
}

#[test]
fn support_moves_to_the_trash_and_restores_without_seeing_who() {
    let server = Server::start();
    let (id, support) = (ann(&server), signed_in(&server, "sue", Role::Support, &Reach::All));
    support.post(&format!("{}/hide", page_of(id)), &[]).expect(303);
    let page = support.get(&page_of(id)).expect(200).text;
    assert!(page.contains("state-hidden") && shown(&page, &VALUES).is_empty(), "{page}");
    support.post(&format!("{}/restore", page_of(id)), &[]).expect(303);
    assert!(support.get(&page_of(id)).expect(200).text.contains("state-live"));
}

#[test]
fn an_auditor_sees_jobs_without_the_name_of_anybody() {
    let server = Server::start();
    let project = server.project().id;
    ann(&server);
    server.write(move |tx| usher::erasure::jobs::schedule(tx, project, &named("ann-4711")).map(|_| ()));
    let auditor = signed_in(&server, "otto", Role::Auditor, &Reach::All);
    for path in ["/admin/jobs", "/admin/jobs/1"] {
        let page = auditor.get(path).expect(200).text;
        assert!(page.contains(masks::WHOLE) && shown(&page, &VALUES).is_empty(), "{page}");
        assert!(!page.contains("/admin/users") && !page.contains("/cancel"), "{page}");
        let owner = Browser::owner(&server).get(path).expect(200).text;
        assert!(owner.contains("ann-4711") && owner.contains("/cancel"), "the twin");
    }
}

#[test]
fn short_values_are_masked_whole_and_long_ones_keep_a_letter() {
    for (value, masked) in [("", "•••"), ("abc", "•••"), ("abcd", "a•••"), ("Ännchen", "Ä•••")]
    {
        assert_eq!(masks::text(value), masked);
    }
    let cases = [
        ("ann@example.com", "•••@•••.com"),
        ("anna@example.co.uk", "a•••@•••.uk"),
        ("a@b", "•••@•••"),
        ("ann@b.surname", "•••@•••"),
        ("ann@b.doe-x", "•••@•••"),
        ("@jane.doe", "@•••"),
        ("nothing", "n•••"),
    ];
    for (value, masked) in cases {
        assert_eq!(masks::email(value), masked);
    }
}

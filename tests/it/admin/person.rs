//! The pages about one user: timeline, jobs, access log, raw, and who may be the same.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::erasure::jobs;
use usher::model::{Kind, ProfileChange, Reach, Role, UserId};
use usher::people::{activity, users};
use usher::store::NormalTx;

use super::roles::signed_in;
use super::{Browser, page_of, part, words};
use crate::harness::{START, Server, event, named};

fn names(page: &str) -> Vec<String> {
    let cells = page.split("data-label=\"Name\">").skip(1);
    cells
        .map(|cell| words(cell.split("</td>").next().unwrap_or_default()))
        .map(|text| text.split('>').next_back().unwrap_or_default().trim().to_owned())
        .collect()
}

fn next(page: &str) -> Option<String> {
    let link = page.split("rel=\"next\" href=\"").nth(1)?;
    Some(link.split('"').next()?.replace("&#38;", "&"))
}

/// Of 250 entries every third is a page; several happen at one instant.
fn busy(server: &Server) -> UserId {
    let (ann, project) = (server.seed("ann").insert(), server.project().id);
    server.write(move |tx: &NormalTx| {
        for n in 0..250 {
            let mut one = event(&named("ann"), &format!("did {n}"), START - DAY + (n / 4) * 60_000);
            one.kind = if n % 3 == 0 { Kind::Page } else { Kind::Event };
            activity::record(tx, project, &one)?;
        }
        Ok(())
    });
    ann
}

#[test]
fn the_timeline_has_each_entry_once_over_its_pages() {
    let server = Server::start();
    let ann = busy(&server);
    let browser = Browser::owner(&server);
    let walk = |first: String| {
        let (mut seen, mut path) = (Vec::new(), Some(first));
        while let Some(at) = path {
            let page = browser.get(&at).expect(200).text;
            seen.extend(names(&page));
            path = next(&page);
        }
        seen
    };
    let expected = |holds: fn(i32) -> bool| -> Vec<String> {
        (0..250).rev().filter(|n| holds(*n)).map(|n| format!("did {n}")).collect()
    };
    assert_eq!(walk(format!("{}/timeline", page_of(ann))), expected(|_| true));
    assert_eq!(walk(format!("{}/timeline?kind=page", page_of(ann))), expected(|n| n % 3 == 0));
    // From a day on.
    assert_eq!(walk(format!("{}/timeline?on=2026-03-02", page_of(ann))), Vec::<String>::new());
    assert_eq!(walk(format!("{}/timeline?on=2026-03-03", page_of(ann))), expected(|_| true));
    for wrong in ["kind=dance", "on=yesterday", "before=x"] {
        browser.get(&format!("{}/timeline?{wrong}", page_of(ann))).expect(422);
    }
}

#[test]
fn long_data_is_whole_behind_a_click() {
    let server = Server::start();
    let (ann, project) = (server.seed("ann").insert(), server.project().id);
    server.write(move |tx: &NormalTx| {
        let mut one = event(&named("ann"), "did", START);
        one.data = json!({ "text": "x".repeat(1_000) }).as_object().expect("an object").clone();
        activity::record(tx, project, &one).map(|_| ())
    });
    let page = Browser::owner(&server).get(&format!("{}/timeline", page_of(ann))).expect(200).text;
    let row = part(&page, "<details><summary><code>", "</details>");
    assert!(row.contains(&"x".repeat(1_000)), "{row}");
}

#[test]
fn support_sees_a_masked_timeline_and_no_other_page() {
    let server = Server::start();
    let ann = busy(&server);
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    let page = support.get(&format!("{}/timeline?kind=page", page_of(ann))).expect(200).text;
    assert!(page.contains("•••") && !page.contains("did 3<") && !page.contains(">ann<"), "{page}");
    for tab in ["jobs", "access", "raw"] {
        support.get(&format!("{}/{tab}", page_of(ann))).expect(403);
        assert!(!page.contains(&format!("{}/{tab}\"", page_of(ann))), "{tab}");
        Browser::owner(&server).get(&format!("{}/{tab}", page_of(ann))).expect(200);
    }
}

#[test]
fn the_access_log_says_who_looked_and_who_exported() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").insert(), server.seed("bob").insert());
    let browser = Browser::owner(&server);
    browser.get(&page_of(ann)).expect(200);
    browser.post(&format!("{}/export", page_of(ann)), &[]).expect(200);
    let log = |id: UserId| {
        words(part(&browser.get(&format!("{}/access", page_of(id))).expect(200).text, "<tbody>", "</tbody>"))
    };
    let of_ann = log(ann);
    assert!(of_ann.contains("owner view user") && of_ann.contains("owner export user"), "{of_ann}");
    assert!(!log(bob).contains("export user"), "the twin");
}

#[test]
fn jobs_of_a_user_are_listed_with_links() {
    let server = Server::start();
    let (ann, project) = (server.seed("ann").insert(), server.project().id);
    let browser = Browser::owner(&server);
    let path = format!("{}/jobs", page_of(ann));
    assert!(words(&browser.get(&path).text).contains("No deletion is scheduled"), "the twin");
    let job = server.write(move |tx| jobs::schedule(tx, project, &named("ann"))).id;
    let page = browser.get(&path).expect(200).text;
    assert!(page.contains(&format!("<a href=\"/admin/jobs/{job}\">{job}</a>")), "{page}");
}

#[test]
fn raw_json_is_what_the_api_shows() {
    let server = Server::start();
    let ann = server.seed("ann").email("ann@example.com").insert();
    let page = Browser::owner(&server).get(&format!("{}/raw", page_of(ann))).expect(200).text;
    let text = part(&page, "<pre class=\"secret raw\">", "</pre>").replace("<pre class=\"secret raw\">", "");
    let shown: Value = serde_json::from_str(&text.replace("&#34;", "\"")).expect("JSON");
    assert_eq!(shown["email"], "ann@example.com");
    assert_eq!(shown["id"], ann.to_string());
}

#[test]
fn the_same_e_mail_elsewhere_is_shown_as_a_question() {
    let server = Server::start();
    let second = server.second();
    let ann = server.seed("ann").email("Ann@Example.com").insert();
    let other = server.seed("ann@example.com").insert();
    server.seed("ann@example.com.evil").email("xann@example.com").insert();
    let there = server
        .write(move |tx: &NormalTx| {
            let change =
                ProfileChange { email: Some(Some("ANN@example.com".into())), ..ProfileChange::default() };
            users::create_or_update(tx, second.id, &named("77"), &change)
        })
        .expect("taken")
        .0
        .id;
    let same = |browser: &Browser| {
        let page = browser.get(&page_of(ann)).expect(200).text;
        let Some(start) = page.find("<h2 id=\"same\">") else { return Vec::new() };
        let list = part(&page[start..], "<ul", "</ul>").to_owned();
        let mut links: Vec<String> = list
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().expect("a link").to_owned())
            .collect();
        links.sort();
        links
    };
    let mut both = vec![page_of(other), page_of(there)];
    both.sort();
    assert_eq!(same(&Browser::owner(&server)), both);
    // Whose project it is not, and who sees no values, is told of nobody there.
    let part_of = signed_in(&server, "part", Role::Owner, &Reach::Only(vec![server.project().id]));
    assert_eq!(same(&part_of), [page_of(other)]);
    assert_eq!(same(&signed_in(&server, "sue", Role::Support, &Reach::All)), Vec::<String>::new());
}

#[test]
fn names_have_a_button_that_copies_the_value_itself() {
    let server = Server::start();
    let ann = server.seed("ann\u{200b}b").insert();
    let page = Browser::owner(&server).get(&page_of(ann)).expect(200).text;
    assert!(page.contains("data-copy=\"ann\u{200b}b\" aria-label=\"Copy Identifier\" hidden>"), "{page}");
    assert!(words(&page).contains("ann\\u{200b}b"), "shown by its number");
    let support = signed_in(&server, "sue", Role::Support, &Reach::All).get(&page_of(ann)).text;
    assert!(!support.contains("aria-label=\"Copy Identifier\""), "{support}");
}

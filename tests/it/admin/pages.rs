//! What the pages show.

use serde_json::json;
use usher::erasure::trash;
use usher::model::{Attributes, Identifier, Kind, ProfileChange, UserId};
use usher::people::activity::Incoming;
use usher::people::subject::Subject;
use usher::people::{activity, find, identify, registration, users};
use usher::store::NormalTx;

use super::{Browser, page_of, part, words};
use crate::harness::{START, Server, encode, event, named};

/// Ids of the users that a list shows, in its order.
fn listed(page: &str) -> Vec<i64> {
    let body = page.split("<tbody>").nth(1).unwrap_or_default();
    body.split("<th scope=\"row\"")
        .skip(1)
        .map(|row| {
            part(row, "/admin/users/", "\"").trim_start_matches("/admin/users/").parse().expect("an id")
        })
        .collect()
}

/// The address behind the link to the next page.
fn next(page: &str) -> Option<String> {
    let link = page.split("rel=\"next\" href=\"").nth(1)?;
    Some(link.split('"').next()?.replace("&#38;", "&"))
}

#[test]
fn the_list_has_each_user_once_over_its_pages_newest_first() {
    let server = Server::start();
    let second = server.second();
    let mut ids: Vec<UserId> = (0..70).map(|n| server.seed(&format!("user {n}")).insert()).collect();
    let theirs = server.write(move |tx: &NormalTx| {
        let put = |n: i32| {
            users::create_or_update(tx, second.id, &named(&format!("other {n}")), &ProfileChange::default())
        };
        (0..60).map(|n| put(n).map(|put| put.expect("taken").0.id)).collect::<Result<Vec<UserId>, _>>()
    });
    // Hidden ones stay in the list; erased ones do not.
    let hide = ids[3];
    server.write(move |tx| find::held(tx, hide, tx.now()).and_then(|user| trash::hide(tx, &user)));
    let erase = ids.remove(5);
    server.write(move |tx| {
        let user = find::held(tx, erase, tx.now())?;
        usher::erasure::begin(tx, &user, usher::model::Erasure::Everything, usher::model::Origin::Page)
            .map(|_| ())
    });
    let browser = Browser::owner(&server);
    let walk = |first: String| {
        let (mut seen, mut pages, mut path) = (Vec::new(), 0, Some(first));
        while let Some(at) = path {
            let page = browser.get(&at).expect(200).text;
            assert_eq!(page.contains("First page"), pages > 0, "{at}");
            seen.extend(listed(&page));
            pages += 1;
            path = next(&page);
        }
        (seen, pages)
    };
    let newest = |ids: &[UserId]| {
        let mut ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids
    };
    let everybody = [ids.as_slice(), theirs.as_slice()].concat();
    assert_eq!(walk("/admin/users".into()), (newest(&everybody), 3));
    assert_eq!(walk(format!("/admin/users?project={}", server.project().key)), (newest(&ids), 2));
    assert_eq!(walk(format!("/admin/users?q=&project={}", second.key)), (newest(&theirs), 2));
    let page = browser.get(&format!("/admin/users?below={}", hide.0 + 1)).text;
    let row = part(&page, &page_of(hide), "</tr>");
    assert!(row.contains("state-hidden") && words(row).ends_with("in trash"), "{row}");
}

#[test]
fn a_user_is_found_by_each_of_its_ids_and_e_mail() {
    let server = Server::start();
    let second = server.second();
    let project = server.project().id;
    let ann = server.seed("ann").email("Ann@Example.com").insert();
    let visitor = server.write(move |tx: &NormalTx| {
        let subject = Subject { identifier: None, anonymous_id: Some(named("visitor 7")) };
        registration::ensure(tx, project, &subject).map(|user| user.id)
    });
    let namesake = server
        .write(move |tx: &NormalTx| {
            users::create_or_update(tx, second.id, &named("ann"), &ProfileChange::default())
        })
        .expect("taken")
        .0
        .id;
    let browser = Browser::owner(&server);
    let find = |text: &str| {
        let page = browser.get(&format!("/admin/users?q={}&project={}", encode(text), server.project().key));
        listed(&page.expect(200).text)
    };
    let forms = [
        "ann".to_owned(),
        " ann ".to_owned(),
        "ann@example.COM".to_owned(),
        ann.to_string(),
        format!("u_{ann}"),
        format!("{:024x}", ann.0),
        format!(" {ann}\t"),
    ];
    for form in forms {
        assert_eq!(find(&form), [ann.0], "{form}");
    }
    assert_eq!(find("visitor 7"), [visitor.0]);
    for part in ["an", "Ann", "NN@ex"] {
        assert_eq!(find(part), [ann.0], "{part}");
    }
    for other in ["annx", "u_7", "", "u_", "0", "-1", &namesake.to_string(), &format!("+{ann}")] {
        let expected: Vec<i64> = if other.is_empty() { vec![visitor.0, ann.0] } else { Vec::new() };
        assert_eq!(find(other), expected, "{other}");
    }
    // Without a project, in all of them.
    let both = listed(&browser.get("/admin/users?q=ann").text);
    assert_eq!(both, [namesake.0, ann.0], "the newest first");
    let none = browser.get("/admin/users?q=%3Cb%3Enobody").expect(200);
    assert!(none.text.contains("<code>&#60;b&#62;nobody</code>"), "{}", none.text);
    assert!(words(&none.text).contains("No exact match for"));
}

#[test]
fn an_identifier_with_spaces_at_its_ends_is_found_as_typed() {
    let server = Server::start();
    let (spaced, bare) = (server.seed(" ann").insert(), server.seed("ann").insert());
    let browser = Browser::owner(&server);
    let find = |text: &str| listed(&browser.get(&format!("/admin/users?q={}", encode(text))).text);
    assert_eq!(find(" ann"), [spaced.0, bare.0]);
    assert_eq!(find("ann"), [bare.0, spaced.0]);
    assert_eq!(find("  ann"), [bare.0, spaced.0]);
}

#[test]
fn a_users_page_has_profile_ids_figures_and_activity() {
    let server = Server::start();
    let project = server.project().id;
    let change = ProfileChange {
        email: Some(Some("ann@example.com".into())),
        first_name: Some(Some("Ann".into())),
        last_name: Some(Some("Lee".into())),
        country: Some(Some("DE".into())),
        live_mode: Some(false),
        set: attributes(json!({ "plan": "team", "seats": 1_250, "tags": ["a", "b"] })),
        extra: attributes(json!({ "title": "Captain" })),
        ..ProfileChange::default()
    };
    let id = server.write(move |tx: &NormalTx| {
        let subject = Subject { identifier: Some(named("ann")), anonymous_id: Some(named("visitor 7")) };
        let user = identify::identify(tx, project, &subject, &change, None)?.expect("a user");
        for n in 0..1_234 {
            let at = START - (1_234 - n) * 60_000;
            activity::record(tx, project, &event(&named("ann"), &format!("did {n}"), at))?;
        }
        let mut last = event(&named("ann"), "/pricing", START);
        last.kind = Kind::Page;
        last.url = Some("https://app.example.com/pricing".into());
        last.data = attributes(json!({ "from": "ad" }));
        activity::record(tx, project, &Incoming { ..last })?;
        Ok(user.id)
    });
    let page = Browser::owner(&server).get(&page_of(id)).expect(200).text;
    let text = words(&page);
    for expected in [
        "Ann Lee ann · default live",
        "Sessions 1 Events 1,235",
        "First seen 20 hours ago 3 Mar 2026, 13:26 UTC",
        "Last seen just now 4 Mar 2026, 10:00 UTC",
        "E-mail ann@example.com First name Ann Last name Lee Country DE Mode test user",
        "Registered just now, 4 Mar 2026, 10:00 UTC",
        "title Captain plan team seats 1250 tags [\"a\",\"b\"]",
        &format!(
            "Identifier ann Copy Usher, Vemetric {id} Copy Proficient AI u_{id} Copy Alloy {:024x} Copy",
            id.0
        ),
        "Anonymous id visitor 7",
        "Events, interactions and logs 1,235",
        "Anonymous ids 1 Visitors merged into the user 0 Links to download the data 0 Legal holds 0 Profile 1 Jobs that name the user 0",
        "page /pricing https://app.example.com/pricing {\"from\":\"ad\"}",
        "Only the latest 50 entries are shown.",
    ] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    assert!(text.contains("did 1233") && text.contains("did 1185") && !text.contains("did 1184"));
    assert!(page.contains("datetime=\"2026-03-04T10:00:00Z\""), "{page}");
}

#[test]
fn relative_times_carry_the_absolute_one() {
    use usher::clock::{DAY, HOUR, MINUTE};
    let server = Server::start();
    let id = server.seed("ann").events(1).insert();
    let cases = [
        (0, "just now"),
        (MINUTE - 1, "just now"),
        (MINUTE, "1 minute ago"),
        (HOUR - 1, "59 minutes ago"),
        (HOUR, "1 hour ago"),
        (DAY - 1, "23 hours ago"),
        (DAY, "1 day ago"),
        (60 * DAY - 1, "59 days ago"),
        (60 * DAY, "2 months ago"),
        (730 * DAY, "2 years ago"),
    ];
    for (after, expected) in cases {
        server.clock.advance(START + after - server.clock.now());
        let page = Browser::owner(&server).get("/admin/users").expect(200).text;
        let seen = part(&page, "data-label=\"Last seen\"", "</td>");
        assert!(seen.contains(&format!(">{expected}</time>")), "{after}: {seen}");
        assert!(seen.contains("title=\"4 Mar 2026, 10:00 UTC\""), "{seen}");
        assert!(seen.contains("datetime=\"2026-03-04T10:00:00Z\""), "{seen}");
    }
    Browser::owner(&server).get(&page_of(id)).expect(200);
}

fn attributes(value: serde_json::Value) -> Attributes {
    value.as_object().expect("an object").clone()
}

#[test]
fn a_merged_visitor_leads_to_whom_it_was_merged_into() {
    let server = Server::start();
    let project = server.project().id;
    let (visitor, ann) = server.write(move |tx: &NormalTx| {
        let visitor = Subject { identifier: None, anonymous_id: Some(named("visitor 7")) };
        let visitor = registration::ensure(tx, project, &visitor)?;
        let ann =
            users::create_or_update(tx, project, &named("ann"), &ProfileChange::default())?.expect("taken").0;
        let both = Subject { identifier: Some(named("ann")), anonymous_id: Some(named("visitor 7")) };
        identify::identify(tx, project, &both, &ProfileChange::default(), None)?.expect("taken");
        Ok((visitor.id, ann.id))
    });
    let browser = Browser::owner(&server);
    assert_eq!(browser.get(&page_of(visitor)).expect(303).header("location"), Some(page_of(ann).as_str()));
    assert_eq!(listed(&browser.get("/admin/users?q=visitor%207").text), [ann.0]);
}

#[test]
fn what_users_are_called_is_text_wherever_it_stands() {
    let server = Server::start();
    let evil = "<script>alert(1)</script>\"'&\u{202e}x\u{200b}y";
    let shown = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;\\u{202e}x\\u{200b}y";
    let project = server.project().id;
    let id = server.write(move |tx| {
        let change = ProfileChange {
            email: Some(Some(evil.into())),
            display_name: Some(Some(evil.into())),
            set: attributes(json!({ evil: evil, "lines": "a\nb\u{0}c" })),
            ..ProfileChange::default()
        };
        let user = users::create_or_update(tx, project, &named(evil), &change)?.expect("taken").0;
        let mut event = event(&named(evil), evil, tx.now());
        event.url = Some(evil.into());
        event.data = attributes(json!({ evil: evil }));
        activity::record(tx, project, &event)?;
        usher::erasure::jobs::schedule(tx, project, &named(evil))?;
        Ok(user.id)
    });
    let browser = Browser::owner(&server);
    browser.post("/admin/projects", &[("name", "<script>p</script>")]).expect(303);
    let paths = [
        "/admin/users".to_owned(),
        format!("/admin/users?q={}", encode(evil)),
        page_of(id),
        format!("{}/erase/everything", page_of(id)),
        "/admin/jobs".to_owned(),
        "/admin/projects".to_owned(),
    ];
    let check = |page: &str, at: &str| {
        assert!(!page.contains("<script>"), "{at}: {page}");
        assert!(page.contains("&#60;script&#62;"), "{at}: {page}");
    };
    for path in &paths {
        let page = browser.get(path).expect(200).text;
        check(&page, path);
        if path != "/admin/projects" {
            assert!(page.contains(shown), "{path}: {page}");
        }
    }
    let page = browser.get(&page_of(id)).text;
    assert!(page.contains("a\\u{a}b\\u{0}c"), "{page}");
    browser.post(&format!("{}/hide", page_of(id)), &[]).expect(303);
    check(&browser.get("/admin/trash").text, "the trash");
    // What has to be typed stands there as it is, with a word on what cannot be seen.
    let erase = format!("{}/erase/everything", page_of(id));
    let page = browser.get(&erase).expect(200);
    let raw = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;\u{202e}x\u{200b}y</code>";
    assert!(page.text.contains(raw), "{}", page.text);
    assert!(words(&page.text).contains("It contains invisible characters"));
    check(&browser.post(&erase, &[("confirm", "<script>\"")]).expect(422).text, "a wrong answer");
    browser.post(&erase, &[("confirm", evil)]).expect(303);
    server.tick();
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn identifiers_of_every_kind_have_a_page() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    for name in ["a@b+c/d%e f", "😀👩‍👩‍👧", &"é".repeat(256), "../../x", "שלום", "?q=1&x#y"]
    {
        let id = server.seed(name).insert();
        let found = browser.get(&format!("/admin/users?q={}", encode(name))).expect(200);
        assert_eq!(listed(&found.text), [id.0], "{name}");
        browser.get(&page_of(id)).expect(200);
        browser.post(&format!("{}/erase/everything", page_of(id)), &[("confirm", name)]).expect(303);
        assert!(Identifier::check(name).is_ok());
    }
    server.tick();
}

#[test]
fn the_theme_is_kept_and_one_stays_on_the_page() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let theme =
        |page: &str| part(page, "data-theme=\"", "\">").trim_start_matches("data-theme=\"").to_owned();
    assert_eq!(theme(&browser.get("/admin/users").text), "auto");
    for name in ["dark", "light"] {
        let page = browser.get("/admin/jobs?refresh=off").expect(200).text;
        let next = super::value_of(&page, "next").expect("where to go");
        let reply = browser.post("/admin/theme", &[("theme", name), ("next", &next)]).expect(303);
        assert_eq!(reply.header("location"), Some("/admin/jobs?refresh=off"));
        let cookie = reply.header("set-cookie").expect("a cookie");
        assert!(cookie.starts_with(&format!("usher_theme={name}; ")) && cookie.contains("Max-Age=31536000"));
        let page = browser.get("/admin/users").text;
        assert_eq!(theme(&page), name);
        assert!(page.contains(&format!("<meta name=\"color-scheme\" content=\"{name}\">")));
        assert!(page.contains(&format!("value=\"{name}\" aria-pressed=\"true\"")));
        assert_eq!(theme(&browser.get("/admin/nothing").text), name);
    }
    browser.post("/admin/theme", &[("theme", "auto"), ("next", "//evil.example")]).expect(303);
    assert_eq!(browser.cookie("usher_theme"), None);
    browser.get("/admin/users");
    browser.post("/admin/theme", &[("theme", "pink")]).expect(422);
}

#[test]
fn words_that_somebody_put_into_the_cookie_are_not_said() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    for cookie in ["hello", "hidden", "hidden.x", "restored.5", "everything", "hide.4.x", "<b>"] {
        browser.set_cookie("usher_flash", cookie);
        let page = browser.get("/admin/users").expect(200);
        assert!(!page.text.contains("role=\"status\""), "{cookie}: {}", page.text);
        assert_eq!(browser.cookie("usher_flash"), None, "{cookie}");
    }
}

#[test]
fn a_long_history_is_previewed_within_a_second() {
    let server = Server::start();
    let id = server.seed("ann").insert();
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000000)
               INSERT INTO events (user_id, message_key, kind, name, at, message_id, data)
               SELECT ?1, n, 'event', 'e', n, n, '{}' FROM n";
    server.sqlite().execute(sql, [id.0]).expect("a million events");
    let browser = Browser::owner(&server);
    for path in [page_of(id), format!("{}/erase/everything", page_of(id))] {
        browser.get(&path).expect(200);
        let begun = std::time::Instant::now();
        let page = browser.get(&path).expect(200);
        let took = begun.elapsed();
        assert!(words(&page.text).contains("Events, interactions and logs 1,000,000"), "{}", page.text);
        assert!(took < std::time::Duration::from_secs(1), "{path}: {took:?}");
    }
}

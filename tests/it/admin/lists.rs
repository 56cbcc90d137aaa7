//! The list of users: filters, orders, pages, and the file for a spreadsheet.

use usher::clock::DAY;
use usher::erasure::trash;
use usher::model::{ProfileChange, UserId};
use usher::people::subject::Subject;
use usher::people::{find, identify, registration};
use usher::store::NormalTx;

use super::{Browser, page_of, part, words};
use crate::harness::{Server, named};

struct People {
    server: Server,
    ann: UserId,
    bob: UserId,
    visitor: UserId,
    hidden: UserId,
}

/// Ann is in Germany and was seen 40 days ago, Bob was seen today, and two more.
fn people() -> People {
    let server = Server::start();
    let project = server.project().id;
    let ann = server.seed("ann").events(1).insert();
    server.write(move |tx: &NormalTx| {
        let change = ProfileChange { country: Some(Some("DE".into())), ..ProfileChange::default() };
        identify::identify(tx, project, &Subject::named(&named("ann")), &change, None).map(|_| ())
    });
    server.sqlite().execute("UPDATE users SET last_seen = last_seen - ?1", [40 * DAY]).expect("a time");
    let bob = server.seed("bob").events(1).insert();
    let visitor = server.write(move |tx: &NormalTx| {
        let subject = Subject { identifier: None, anonymous_id: Some(named("visitor 7")) };
        registration::ensure(tx, project, &subject).map(|user| user.id)
    });
    let hidden = server.seed("hidden").insert();
    server.write(move |tx| trash::hide(tx, &find::held(tx, hidden, tx.now())?));
    People { server, ann, bob, visitor, hidden }
}

fn listed(page: &str) -> Vec<String> {
    let body = page.split("<tbody>").nth(1).unwrap_or_default();
    let rows = body.split("<th scope=\"row\"").skip(1);
    rows.map(|row| part(row, "/admin/users/", "\"").to_owned()).collect()
}

#[test]
fn each_filter_leaves_out_who_does_not_pass() {
    let People { server, ann, bob, visitor, hidden } = people();
    let browser = Browser::owner(&server);
    let list = |query: &str| listed(&browser.get(&format!("/admin/users?{query}")).expect(200).text);
    let paths = |ids: &[UserId]| ids.iter().map(|id| page_of(*id)).collect::<Vec<String>>();
    let cases: [(&str, &[UserId]); 9] = [
        ("", &[hidden, visitor, bob, ann]),
        ("state=live", &[visitor, bob, ann]),
        ("state=trash", &[hidden]),
        ("anonymous=yes", &[visitor]),
        ("anonymous=no", &[hidden, bob, ann]),
        ("country=DE", &[ann]),
        ("seen=30", &[bob]),
        ("seen=-30", &[ann]),
        ("q=an&country=DE", &[ann]),
    ];
    for (query, expected) in cases {
        assert_eq!(list(query), paths(expected), "{query}");
    }
    assert_eq!(list("q=an&country=FR"), Vec::<String>::new());
    for wrong in ["state=dead", "seen=5", "sort=name", "sort=seen&after=x", "below=x"] {
        browser.get(&format!("/admin/users?{wrong}")).expect(422);
    }
}

#[test]
fn a_chip_is_the_way_out_of_its_filter() {
    let people = people();
    let page = Browser::owner(&people.server).get("/admin/users?state=live&country=DE&seen=-30").text;
    let chips = part(&page, "<ul class=\"chips\"", "</ul>");
    assert!(
        words(chips).contains("live : remove country DE : remove not seen for 30 days : remove"),
        "{chips}"
    );
    assert!(chips.contains("href=\"/admin/users?state=live&#38;seen=%2D30\""), "{chips}");
}

#[test]
fn the_order_by_last_seen_has_each_user_once_over_its_pages() {
    let server = Server::start();
    let mut ids: Vec<UserId> =
        (0..120).map(|n| server.seed(&format!("user {n}")).events(1).insert()).collect();
    let conn = server.sqlite();
    conn.execute("UPDATE users SET last_seen = last_seen - (id * 7919 % 5) * 1000", []).expect("times");
    conn.execute("UPDATE users SET last_seen = NULL WHERE id % 10 = 0", []).expect("times");
    let browser = Browser::owner(&server);
    let (mut seen, mut path) = (Vec::new(), Some("/admin/users?sort=seen".to_owned()));
    while let Some(at) = path {
        let page = browser.get(&at).expect(200).text;
        seen.extend(listed(&page));
        path = page
            .split("rel=\"next\" href=\"")
            .nth(1)
            .map(|link| link.split('"').next().expect("a link").replace("&#38;", "&"));
    }
    ids.sort_by_key(|id| {
        let sql = "SELECT last_seen FROM users WHERE id = ?1";
        let at: Option<i64> = conn.query_row(sql, [id.0], |row| row.get(0)).expect("a time");
        std::cmp::Reverse((at, id.0))
    });
    assert_eq!(seen, ids.into_iter().map(page_of).collect::<Vec<String>>());
}

#[test]
fn the_file_has_the_view_and_no_formula() {
    let People { server, .. } = people();
    server.seed("=cmd|' /C calc'!A0").insert();
    let browser = Browser::owner(&server);
    let reply = browser.get("/admin/users.csv?state=live").expect(200);
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"users.csv\""));
    let lines: Vec<&str> = reply.text.lines().collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines[0].starts_with("id,identifier,name,email,country,"), "{}", lines[0]);
    assert!(
        lines[1].contains(",'=cmd|' /C calc'!A0,") && lines[4].contains(",ann,,,DE,default,"),
        "{lines:?}"
    );
    let logged: (String, String) = server
        .sqlite()
        .query_row("SELECT action, reason FROM audit ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("a row");
    assert_eq!(logged, ("export list".to_owned(), "4 users".to_owned()));
}

/// A filter that nobody passes reads so many users for a page, and says so.
#[test]
fn a_filter_that_few_pass_reads_a_bounded_number_of_users() {
    let server = Server::start();
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12000)
               INSERT INTO users (id, project_id, incarnation, state, identifier, created_at, updated_at, country)
               SELECT n, 1, randomblob(16), 'live', 'user ' || n, 1, 1, iif(n = 1, 'DE', NULL) FROM n";
    server.sqlite().execute(sql, []).expect("many users");
    let browser = Browser::owner(&server);
    let (mut pages, mut path) = (0, "/admin/users?country=DE".to_owned());
    loop {
        let page = browser.get(&path).expect(200).text;
        pages += 1;
        if page.contains("/admin/users/1\"") {
            break;
        }
        assert!(words(&page).contains("Only the next 5,000 users were checked"), "{}", words(&page));
        let link = page.split("rel=\"next\" href=\"").nth(1).expect("a next page");
        path = link.split('"').next().expect("a link").replace("&#38;", "&");
    }
    assert_eq!(pages, 3);
}

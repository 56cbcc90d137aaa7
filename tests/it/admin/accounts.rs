//! Admins in the pages: made, renamed, given rights, removed; and the links that set passwords.

use usher::access::admins;
use usher::clock::HOUR;
use usher::model::{Admin, Reach, Role};

use super::roles::signed_in;
use super::{Browser, PASSWORD, value_of, words};
use crate::harness::Server;

const NEW: &str = "another long password";

fn admin(server: &Server, name: &str) -> Option<Admin> {
    server.read(|db| admins::by_name(db, name))
}

fn path(server: &Server, name: &str, what: &str) -> String {
    format!("/admin/admins/{}{what}", admin(server, name).expect("an admin").id)
}

/// The path of the link that a page shows.
fn link(page: &str) -> String {
    let rest = page.split_once("/admin/password/").expect("a link").1;
    format!("/admin/password/{}", rest.split('<').next().expect("a token"))
}

fn set(browser: &Browser, link: &str, password: &str) -> u16 {
    let page = browser.get(link);
    let Some(token) = value_of(&page.text, "token") else { return page.status };
    let fields = [("token", token.as_str()), ("password", password), ("password_again", password)];
    browser.post("/admin/password", &fields).status
}

fn sign_in(server: &Server, name: &str, password: &str) -> u16 {
    let browser = Browser::new(server);
    browser.get("/admin/login");
    browser.post("/admin/login", &[("name", name), ("password", password)]).status
}

fn logged(server: &Server) -> Vec<String> {
    let conn = server.sqlite();
    let sql = "SELECT actor || ': ' || action || ' ' || coalesce(reason, '') FROM audit ORDER BY seq";
    let mut rows = conn.prepare(sql).expect("rows");
    let rows = rows.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn an_admin_made_in_the_pages_sets_a_password_by_a_link_once() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let key = server.project().key.clone();
    let fields = [("name", "sue"), ("role", "support"), ("reach", "some"), ("projects", key.as_str())];
    let page = owner.post("/admin/admins", &fields).expect(200);
    let link = link(&page.text);
    let made = admin(&server, "sue").expect("an admin");
    assert_eq!((made.role, made.reach), (Role::Support, Reach::Only(vec![server.project().id])));
    assert_eq!(sign_in(&server, "sue", ""), 422);
    let guest = Browser::new(&server);
    assert!(words(&guest.get(&link).expect(200).text).contains("For sue"));
    assert_eq!(set(&guest, &link, "short"), 422);
    assert_eq!(set(&guest, &link, PASSWORD), 303);
    assert_eq!(set(&guest, &link, NEW), 404, "it works once");
    assert_eq!((sign_in(&server, "sue", PASSWORD), sign_in(&server, "sue", NEW)), (303, 422));
    let list = words(&owner.get("/admin/admins").expect(200).text);
    assert!(list.contains("sue Support default"), "{list}");
    let log = logged(&server);
    for line in ["admin 1: create admin admin 2", "admin 2: set password admin 2"] {
        assert!(log.iter().any(|logged| logged == line), "{line} in {log:?}");
    }
}

#[test]
fn a_link_ends_after_an_hour_and_with_the_next_one() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let fields = [("name", "sue"), ("role", "auditor"), ("reach", "all")];
    let first = link(&owner.post("/admin/admins", &fields).expect(200).text);
    let reset = || {
        // The owner's own sign-in ends after an hour without a request.
        let owner = Browser::owner(&server);
        link(&owner.post(&path(&server, "sue", "/reset"), &[]).expect(200).text)
    };
    let (guest, second) = (Browser::new(&server), reset());
    guest.get(&first).expect(404);
    server.clock.advance(HOUR - 1);
    guest.get(&second).expect(200);
    server.clock.advance(1);
    assert!(words(&guest.get(&second).expect(410).text).contains("This link has expired"));
    let token = second.rsplit('/').next().expect("a token");
    let fields = [("token", token), ("password", PASSWORD), ("password_again", PASSWORD)];
    guest.get("/admin/login");
    guest.post("/admin/password", &fields).expect(410);
    assert_eq!(set(&guest, &reset(), PASSWORD), 303, "the twin: a fresh one");
}

#[test]
fn a_removed_admin_is_out_at_once() {
    let server = Server::start();
    let (owner, sue) = (Browser::owner(&server), signed_in(&server, "sue", Role::Support, &Reach::All));
    assert!(sue.is_in());
    owner.post(&path(&server, "sue", "/remove"), &[]).expect(303);
    assert!(!sue.is_in() && owner.is_in());
    assert_eq!(sign_in(&server, "sue", PASSWORD), 422);
    assert_eq!(admin(&server, "sue").map(|admin| admin.id), None);
}

#[test]
fn a_reset_password_ends_the_sign_ins() {
    let server = Server::start();
    let (owner, sue) = (Browser::owner(&server), signed_in(&server, "sue", Role::Support, &Reach::All));
    let link = link(&owner.post(&path(&server, "sue", "/reset"), &[]).expect(200).text);
    assert!(!sue.is_in());
    assert_eq!(sign_in(&server, "sue", PASSWORD), 422);
    assert_eq!(set(&Browser::new(&server), &link, NEW), 303);
    assert_eq!(sign_in(&server, "sue", NEW), 303);
}

#[test]
fn a_role_that_is_lowered_is_in_force_at_the_next_page() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let eve = signed_in(&server, "eve", Role::Owner, &Reach::All);
    eve.get("/admin/admins").expect(200);
    let rights = [("role", "auditor"), ("reach", "all")];
    owner.post(&path(&server, "eve", "/rights"), &rights).expect(303);
    eve.get("/admin/admins").expect(403);
    eve.get("/admin/jobs").expect(200);
    assert!(logged(&server).contains(&"admin 1: change role admin 2: owner to auditor".to_owned()));
}

#[test]
fn the_last_owner_cannot_be_removed_or_lowered_in_the_pages() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    // Neither one who has no password yet, nor one of some projects, stands in.
    owner.post("/admin/admins", &[("name", "new"), ("role", "owner"), ("reach", "all")]).expect(200);
    signed_in(&server, "part", Role::Owner, &Reach::Only(vec![server.project().id]));
    let key = server.project().key.clone();
    let cases: [(&str, &[(&str, &str)]); 3] = [
        ("/remove", &[]),
        ("/rights", &[("role", "privacy-officer"), ("reach", "all")]),
        ("/rights", &[("role", "owner"), ("reach", "some"), ("projects", &key)]),
    ];
    for (what, fields) in cases {
        let page = owner.post(&path(&server, "owner", what), fields).expect(409);
        assert!(words(&page.text).contains("This is the last owner"), "{}", page.text);
    }
    assert!(owner.is_in());
    signed_in(&server, "second", Role::Owner, &Reach::All);
    owner.post(&path(&server, "owner", "/remove"), &[]).expect(303);
    assert!(!owner.is_in(), "the twin: with another owner");
}

#[test]
fn a_form_that_is_not_right_comes_back_with_why() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("name", ""), ("role", "support"), ("reach", "all")], "The name must have 1 to 100 characters"),
        (&[("name", "owner"), ("role", "support"), ("reach", "all")], "Another admin has this name"),
        (&[("name", "sue"), ("role", "king"), ("reach", "all")], "The role must be chosen"),
        (&[("name", "sue"), ("role", "support")], "The projects must be chosen"),
        (&[("name", "sue"), ("role", "support"), ("reach", "some")], "must be all, or at least one"),
        (
            &[("name", "sue"), ("role", "support"), ("reach", "some"), ("projects", "x")],
            "The projects must be in the list",
        ),
    ];
    for (fields, why) in cases {
        let page = owner.post("/admin/admins", fields).expect(422);
        assert!(words(&page.text).contains(why), "{fields:?}: {}", words(&page.text));
    }
    assert_eq!(server.read(admins::list).len(), 1);
    signed_in(&server, "sue", Role::Support, &Reach::All);
    let rename = path(&server, "sue", "/name");
    assert!(
        owner.post(&rename, &[("name", "owner")]).expect(422).text.contains("Another admin has this name")
    );
    owner.post(&rename, &[("name", "susan")]).expect(303);
    assert_eq!(sign_in(&server, "susan", PASSWORD), 303);
    owner.get("/admin/admins/99").expect(404);
    owner.get("/admin/admins/x").expect(404);
}

#[test]
fn a_key_never_exceeds_its_maker() {
    let server = Server::start();
    let (first, second) = (server.project().clone(), server.second());
    let part = signed_in(&server, "part", Role::Owner, &Reach::Only(vec![first.id]));
    let make = |browser: &Browser, project: &str| {
        let fields = [("name", "k"), ("project", project), ("scopes", "read")];
        browser.post("/admin/keys", &fields).status
    };
    let before = server.read(usher::access::keys::list).len();
    assert_eq!(make(&part, ""), 403, "a key of the organisation");
    assert_eq!(make(&part, &second.key), make(&part, "NOPE"), "of another project, as of none");
    assert_eq!(server.read(usher::access::keys::list).len(), before);
    assert_eq!(make(&part, &first.key), 200);
    assert_eq!(make(&Browser::owner(&server), ""), 200);
}

#[test]
fn a_privacy_officer_changes_settings_but_no_secret() {
    let server = Server::start();
    let officer = signed_in(&server, "pia", Role::PrivacyOfficer, &Reach::All);
    let path = format!("/admin/projects/{}/settings", server.project().key);
    let usual = [("public_writes", "events-only"), ("usual_names", "yes"), ("days", "90")];
    officer.post(&path, &usual).expect(303);
    let secret = [("client_secret", "a secret of sixteen")];
    officer.post(&path, &[usual.as_slice(), &secret].concat()).expect(403);
    officer.post(&path, &[usual.as_slice(), &[("remove_secret", "yes")]].concat()).expect(403);
    let page = officer.get(&path).expect(200).text;
    assert!(!page.contains("client_secret") && page.contains("value=\"90\""), "{page}");
    let projects = officer.get("/admin/projects").expect(200).text;
    assert!(!projects.contains(&server.project().token) && !projects.contains("/admin/keys"), "{projects}");
    let owner = Browser::owner(&server);
    owner.post(&path, &[usual.as_slice(), &secret].concat()).expect(303);
    assert!(owner.get("/admin/projects").text.contains(&server.project().token), "the twin");
}

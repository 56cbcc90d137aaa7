//! Projects and keys.

use usher::access::keys;
use usher::access::keys::{Bounds, Powers};

use super::{Browser, part, value_of, words};
use crate::harness::Server;

fn keys_held(server: &Server) -> usize {
    server.read(keys::list).len()
}

/// Whether a key opens the API of its project.
fn opens(server: &Server, key: &str) -> bool {
    server.get("/users").bearer(key).send().status == 200
}

#[test]
fn a_key_is_shown_once_and_works_at_once_until_it_is_revoked() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let project = server.project().key.clone();
    let fields =
        [("name", "backend"), ("project", project.as_str()), ("scopes", "read"), ("scopes", "delete")];
    let page = browser.post("/admin/keys", &fields).expect(200);
    let key = part(&page.text, "ush_", "<").to_owned();
    assert_eq!(key.len(), 47, "{key}");
    assert!(words(&page.text).contains("Key “backend” created For default · read, delete"), "{}", page.text);
    assert!(opens(&server, &key));
    server.post("/users").bearer(&key).json(serde_json::json!({})).send().expect(403);

    let list = browser.get("/admin/projects").expect(200);
    assert!(!list.text.contains(&key), "it is shown once");
    assert!(list.text.contains(&key[..8]), "its beginning tells it apart");
    let bytes = std::fs::read(server.path()).expect("the file");
    assert!(!bytes.windows(key.len()).any(|some| some == key.as_bytes()), "only its hash is kept");
    // Whoever asks for that address again is led back.
    assert_eq!(browser.get("/admin/keys").expect(303).header("location"), Some("/admin/projects"));

    let id = server.read(keys::list).last().expect("a key").id;
    browser.get("/admin/projects").expect(200);
    let reply = browser.post(&format!("/admin/keys/{id}/revoke"), &[]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/projects"));
    assert!(!opens(&server, &key));
    let list = words(&browser.get("/admin/projects").expect(200).text);
    assert!(list.contains("The key is revoked.") && list.contains("revoked just now"), "{list}");
    let again = browser.post(&format!("/admin/keys/{id}/revoke"), &[]).expect(404);
    assert!(words(&again.text).contains("already revoked"));
}

#[test]
fn a_key_of_the_organisation_has_to_be_asked_for() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let before = keys_held(&server);
    let left_out = browser.post("/admin/keys", &[("name", "x"), ("scopes", "read")]).expect(422);
    assert!(words(&left_out.text).contains("The project must be chosen."), "{}", left_out.text);
    assert_eq!(keys_held(&server), before);
    let page = browser.post("/admin/keys", &[("name", "x"), ("scopes", "read"), ("project", "")]).expect(200);
    assert!(words(&page.text).contains("For the organisation"), "{}", page.text);
    let key = part(&page.text, "ush_", "<").to_owned();
    server.get("/api/v1/projects").header("Authorization", &key).send().expect(200);
    assert_eq!(server.read(keys::list).last().expect("a key").project, None);
}

#[test]
fn a_wrong_form_for_a_key_comes_back_with_the_reason() {
    let server = Server::start();
    let second = server.second();
    let browser = Browser::owner(&server);
    let before = keys_held(&server);
    let long = "x".repeat(201);
    let cases = [
        ("", second.key.as_str(), vec!["read"], "The name must have 1 to 100 characters"),
        (long.as_str(), second.key.as_str(), vec!["read"], "The name must have 1 to 100 characters"),
        ("a\tb", second.key.as_str(), vec!["read"], "The name must have 1 to 100 characters"),
        ("back\"end", second.key.as_str(), vec![], "Choose at least one scope."),
        ("back\"end", second.key.as_str(), vec!["fly"], "Unknown scope \"fly\", use ingest"),
        ("back\"end", "nope", vec!["admin"], "The project must be in the list."),
    ];
    for (name, project, scopes, why) in cases {
        let mut fields = vec![("name", name), ("project", project)];
        fields.extend(scopes.iter().map(|scope| ("scopes", *scope)));
        let page = browser.post("/admin/keys", &fields).expect(422);
        assert!(words(&page.text).contains(why), "{}", page.text);
        if name == "back\"end" {
            assert!(page.text.contains("value=\"back&#34;end\""), "{}", page.text);
        }
        let select = part(&page.text, "<select id=\"key-project\"", ">");
        assert_eq!(select.contains("aria-invalid"), project == "nope", "{select}");
        if project == second.key {
            assert!(page.text.contains(&format!("<option value=\"{project}\" selected>")), "{}", page.text);
        }
        for scope in ["ingest", "read", "write", "delete", "admin"] {
            let checked = page.text.contains(&format!("value=\"{scope}\" checked"));
            assert_eq!(checked, scopes.contains(&scope), "{scope}");
        }
        // The other form on the page has nothing of it.
        assert_eq!(value_of(part(&page.text, "id=\"project-name\"", ">"), "name").as_deref(), Some(""));
    }
    assert_eq!(keys_held(&server), before);
}

#[test]
fn a_new_project_is_there_at_once_with_its_token() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let reply = browser.post("/admin/projects", &[("name", " shop ")]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/projects"));
    let page = browser.get("/admin/projects").expect(200);
    assert!(words(&page.text).contains("Project created."));
    let row = part(&page.text, "<span class=\"clip\">shop</span>", "</tr>");
    let token = part(row, "tok_", "<");
    let event = serde_json::json!({ "userId": "ann", "event": "Seen" });
    server.post("/v1/track").bearer(token).json(event).send().expect(200);
}

#[test]
fn a_project_that_cannot_be_made_is_asked_for_again() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let long = "x".repeat(201);
    let cases = [
        ("default", "Another project has this name."),
        ("  ", "The name must have 1 to 200 characters"),
        (long.as_str(), "The name must have 1 to 200 characters"),
    ];
    for (name, why) in cases {
        let page = browser.post("/admin/projects", &[("name", name)]).expect(422);
        assert!(words(&page.text).contains(why), "{}", page.text);
        let input = part(&page.text, "<input id=\"project-name\"", ">");
        assert!(input.contains(&format!("value=\"{name}\"")) && input.contains("aria-invalid"), "{input}");
        assert_eq!(value_of(part(&page.text, "id=\"key-name\"", ">"), "name").as_deref(), Some(""));
    }
    assert_eq!(server.read(usher::projects::list).len(), 1);
}

#[test]
fn a_projects_allowed_origins_are_set_in_the_pages() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    browser.get("/admin/projects").expect(200);
    let path = format!("/admin/projects/{}/origins", server.project().key);
    let send = |origin: &str| {
        let request = server.post("/v1/track").bearer(&server.project().all).header("Origin", origin);
        request.json(serde_json::json!({ "userId": "ann", "event": "x" })).send().status
    };
    let reply =
        browser.post(&path, &[("origins", "https://App.example.com\r\nhttp://localhost:3000")]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/projects"));
    assert_eq!((send("https://app.example.com"), send("https://evil.example")), (200, 403));
    let page = browser.get("/admin/projects").expect(200);
    assert!(words(&page.text).contains("The allowed origins are saved."), "{}", page.text);
    assert!(
        page.text.contains(">https://app.example.com\nhttp://localhost:3000</textarea>"),
        "{}",
        page.text
    );
    usher::worker::note_uses(&server.app).expect("the counts are written");
    let page = words(&browser.get("/admin/projects").expect(200).text);
    assert!(page.contains("Refused requests from other sites: 1."), "{page}");

    // What is wrong comes back as it was typed, and changes nothing.
    let wrong = browser.post(&path, &[("origins", "https://app.example.com <b>")]).expect(422);
    assert!(words(&wrong.text).contains("Origins[1]: must be scheme://host"), "{}", wrong.text);
    assert!(part(&wrong.text, "<textarea", "</textarea>").ends_with("https://app.example.com &#60;b&#62;"));
    assert_eq!((send("https://app.example.com"), send("https://evil.example")), (200, 403));
    browser.post(&path, &[("origins", "")]).expect(303);
    assert_eq!(send("https://evil.example"), 200);
    browser.post("/admin/projects/NOBODYS/origins", &[("origins", "")]).expect(404);
}

#[test]
fn a_public_key_is_made_for_one_project_and_may_ingest_alone() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let project = server.project().key.clone();
    let fields = [("name", "page"), ("project", project.as_str()), ("public", "yes"), ("scopes", "admin")];
    let page = browser.post("/admin/keys", &fields).expect(200);
    assert!(words(&page.text).contains("Key “page” created For default · public"), "{}", page.text);
    let key = part(&page.text, "ush_", "<").to_owned();
    server.get("/users").bearer(&key).send().expect(403);
    let event = serde_json::json!({ "userId": "ann", "event": "x" });
    server.post("/v1/track").bearer(&key).json(event).send().expect(200);
    let held = server.read(keys::list).pop().expect("a key");
    assert!(held.is_public && held.scopes.names() == ["ingest"], "{held:?}");
    assert!(words(&browser.get("/admin/projects").text).contains("default public just now"));
}

#[test]
fn a_public_key_of_the_organisation_is_refused() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let before = keys_held(&server);
    let fields = [("name", "page"), ("project", ""), ("public", "yes")];
    let page = browser.post("/admin/keys", &fields).expect(422);
    let text = words(&page.text);
    assert!(text.contains("The project is required for a public key."), "{text}");
    assert!(page.text.contains("name=\"public\" value=\"yes\" checked"), "{}", page.text);
    assert_eq!(keys_held(&server), before);
}

#[test]
fn a_plain_key_that_came_from_a_browser_is_flagged() {
    let server = Server::start();
    let project = server.project().id;
    let browser = Browser::owner(&server);
    let plain = server.key(Some(project), "ingest");
    let (_, public) =
        server.write(move |tx| keys::create(tx, Some(project), "page", Powers::Public, &Bounds::default()));
    server.app.reload_keys().expect("keys");
    let flags = || words(&browser.get("/admin/projects").text).matches("used from a browser").count();
    let send = |key: &str, origin: bool| {
        let event = serde_json::json!({ "userId": "ann", "event": "x" });
        let request = server.post("/v1/track").bearer(key).json(event);
        let request = if origin { request.header("Origin", "https://app.example.com") } else { request };
        request.send().expect(200);
        usher::worker::note_uses(&server.app).expect("it is written down");
    };
    send(&public, true);
    send(&plain, false);
    assert_eq!(flags(), 0);
    send(&plain, true);
    assert_eq!(flags(), 1);
}

#[test]
fn the_projects_page_says_what_comes_in() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let text = || words(&browser.get("/admin/projects").expect(200).text);
    let usual = "default events and profile data of all users 100,000 1,000 per address 3,650 days";
    assert!(text().contains(usual), "{}", text());
    assert!(text().contains("Browser and mobile clients must use it to load their settings"));
    let body = serde_json::json!({ "publicWrites": "events-only", "peoplePerAddress": 5, "peoplePerHour": 50,
        "erasedKeptDays": "forever", "erasedKeptWhy": "a law", "origins": ["https://app.example.com"] });
    crate::settings::set(&server, body).expect(200);
    let event = serde_json::json!({ "userId": "ann", "event": "x" });
    let other = server.post("/v1/track").bearer(&server.project().token).json(event);
    other.header("Origin", "https://evil.example").send().expect(403);
    usher::worker::note_uses(&server.app).expect("it is written down");
    let changed = "default events only 50 5 per address kept forever: a law";
    assert!(text().contains(changed), "{}", text());
    assert!(text().contains("Refused requests from other sites: 1."), "{}", text());
}

/// The number of the last key.
fn last_id(server: &Server) -> i64 {
    server.read(keys::list).last().expect("a key").id.0
}

#[test]
fn a_key_with_an_end_and_addresses_is_made_in_the_pages() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let project = server.project().key.clone();
    let make = |expires: &str, addresses: &str| {
        let fields = [("name", "k"), ("project", project.as_str()), ("scopes", "read")];
        browser
            .post("/admin/keys", &[&fields[..], &[("expires", expires), ("addresses", addresses)]].concat())
    };
    for (expires, addresses, why) in [
        ("soon", "", "The expiry must be a day such as 2030-01-31"),
        ("2026-03-04", "", "The expiry must be later than now."),
        ("", "10.0.0.0/33", "Each address must be an address, or a range"),
    ] {
        let page = make(expires, addresses).expect(422);
        assert!(words(&page.text).contains(why), "{}", page.text);
        assert!(page.text.contains(&format!("name=\"expires\" value=\"{expires}\"")), "{}", page.text);
        assert!(page.text.contains(&format!("{addresses}</textarea>")), "{}", page.text);
    }
    let page = make("2026-03-04T12:00:00Z", "127.0.0.1\r\n10.0.0.0/8").expect(200);
    let key = part(&page.text, "ush_", "<").to_owned();
    let list = || words(&browser.get("/admin/projects").expect(200).text);
    assert!(opens(&server, &key));
    assert!(list().contains("expires in 2 h limited to some addresses"), "{}", list());
    server.clock.advance(2 * usher::clock::HOUR);
    assert!(!opens(&server, &key));
    // The sign-in has ended meanwhile.
    let browser = Browser::owner(&server);
    let list = || words(&browser.get("/admin/projects").expect(200).text);
    assert!(list().contains("expired just now limited to some addresses"), "{}", list());
}

#[test]
fn a_key_is_changed_and_rotated_on_its_page() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let old = server.key(Some(server.project().id), "read");
    let path = format!("/admin/keys/{}", last_id(&server));
    browser.get(&path).expect(200);
    let fields = |name, expires, addresses| [("name", name), ("expires", expires), ("addresses", addresses)];
    browser.post(&path, &fields("backend", "2030-01-31T12:00:00Z", "127.0.0.1")).expect(303);
    let page = browser.get(&path).expect(200);
    assert!(words(&page.text).contains("The key is changed."), "{}", page.text);
    assert!(
        page.text.contains("value=\"2030-01-31T12:00:00Z\"") && page.text.contains(">127.0.0.1</textarea>")
    );
    let wrong = browser.post(&path, &fields("", "x", "y")).expect(422);
    let text = words(&wrong.text);
    assert!(text.contains("The expiry must be a day") && wrong.text.contains(">y</textarea>"), "{text}");
    assert_eq!(server.read(keys::list).last().expect("a key").name, "backend");

    for hours in ["-1", "721", "x"] {
        let page = browser.post(&format!("{path}/rotate"), &[("overlap", hours)]).expect(422);
        assert!(words(&page.text).contains("The number of hours must be"), "{}", page.text);
    }
    let page = browser.post(&format!("{path}/rotate"), &[("overlap", "24")]).expect(200);
    let text = words(&page.text);
    assert!(
        text.contains("Key “backend” rotated") && text.contains("The previous secret ends in 1 day"),
        "{text}"
    );
    let new = part(&page.text, "ush_", "<").to_owned();
    assert!(opens(&server, &old) && opens(&server, &new) && old != new);
    usher::worker::note_uses(&server.app).expect("they are written down");
    let page = browser.get(&path).expect(200);
    assert!(!page.text.contains(&new), "it is shown once");
    let row = words(part(&page.text, &format!("<code>{}…</code></th>", &old[..8]), "</tr>"));
    assert!(row.contains("valid, ends in 1 day just now"), "{row}");
    browser.post(&format!("{path}/end-old"), &[]).expect(303);
    assert!(!opens(&server, &old) && opens(&server, &new));
    let page = words(&browser.get(&path).expect(200).text);
    assert!(page.contains("The previous secrets have ended.") && page.contains("ended just now"), "{page}");
    browser.post(&format!("{path}/revoke"), &[]).expect(303);
    assert!(!opens(&server, &new));
    browser.get(&path).expect(404);
}

#[test]
fn an_ingest_token_is_rotated_in_the_pages() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let (project, old) = (server.project().key.clone(), server.project().token.clone());
    let path = format!("/admin/projects/{project}/token");
    let sends = |token: &str| {
        let event = serde_json::json!({ "userId": "ann", "event": "x" });
        server.post("/v1/track").bearer(token).json(event).send().status
    };
    browser.get(&path).expect(200);
    browser.post(&format!("{path}/rotate"), &[("overlap", "721")]).expect(422);
    browser.post(&format!("{path}/rotate"), &[("overlap", "1")]).expect(303);
    let page = browser.get(&path).expect(200);
    assert!(words(&page.text).contains("The project has a new ingest token."), "{}", page.text);
    let new = part(&page.text, "tok_", "<").to_owned();
    assert!(old != new && !page.text.contains(&old));
    assert_eq!((sends(&old), sends(&new)), (200, 200));
    browser.post(&format!("{path}/end-old"), &[]).expect(303);
    assert_eq!((sends(&old), sends(&new)), (401, 200));
    browser.get("/admin/projects/NOBODYS/token").expect(404);
}

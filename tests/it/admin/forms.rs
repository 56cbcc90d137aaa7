//! The table of addresses, and what each answers to who is not signed in, or whose form
//! is not from a page of ours. An address that is not in the table fails the first test.

use usher::admin::{self, Access};
use usher::store::NormalTx;

use super::{Browser, FORM, another_owner, form, words};
use crate::harness::{Reply, Server};

const ROUTES: &str = "
    GET  /admin                            SignedIn
    GET  /admin/                           SignedIn
    GET  /admin/setup/{token}              Everybody
    POST /admin/setup                      Everybody
    GET  /admin/login                      Everybody
    POST /admin/login                      Everybody
    POST /admin/logout                     SignedIn
    POST /admin/theme                      SignedIn
    GET  /admin/find                       SignedIn
    GET  /admin/users                      SignedIn
    GET  /admin/users.csv                  SignedIn
    GET  /admin/users/{user}               SignedIn
    GET  /admin/users/{user}/edit          SignedIn
    POST /admin/users/{user}/edit          SignedIn
    GET  /admin/users/{user}/timeline      SignedIn
    GET  /admin/users/{user}/jobs          SignedIn
    GET  /admin/users/{user}/access        SignedIn
    GET  /admin/users/{user}/raw           SignedIn
    POST /admin/users/{user}/hide          SignedIn
    POST /admin/users/{user}/restore       SignedIn
    POST /admin/users/{user}/export        SignedIn
    POST /admin/users/{user}/export-link   SignedIn
    GET  /admin/users/{user}/erase/{kind}  SignedIn
    POST /admin/users/{user}/erase/{kind}  SignedIn
    GET  /admin/holds                      SignedIn
    POST /admin/users/{user}/hold          SignedIn
    POST /admin/users/{user}/release       SignedIn
    POST /admin/users/{user}/restrict      SignedIn
    POST /admin/users/{user}/unrestrict    SignedIn
    GET  /admin/trash                      SignedIn
    GET  /admin/jobs                       SignedIn
    GET  /admin/jobs/{job}                 SignedIn
    POST /admin/jobs/{job}/cancel          SignedIn
    POST /admin/jobs/{job}/handed-over     SignedIn
    POST /admin/jobs/{job}/retry           SignedIn
    GET  /admin/receipts                   SignedIn
    GET  /admin/receipts/check             SignedIn
    POST /admin/receipts/check             SignedIn
    GET  /admin/receipts/{number}          SignedIn
    GET  /admin/receipts/{number}/download SignedIn
    GET  /admin/audit                      SignedIn
    GET  /admin/backups                    SignedIn
    GET  /admin/clock                      SignedIn
    POST /admin/clock                      SignedIn
    GET  /admin/projects                   SignedIn
    POST /admin/projects                   SignedIn
    POST /admin/projects/{project}/origins SignedIn
    GET  /admin/projects/{project}         SignedIn
    POST /admin/projects/{project}/name    SignedIn
    POST /admin/projects/{project}/delete  SignedIn
    GET  /admin/projects/{project}/repairs SignedIn
    GET  /admin/projects/{project}/settings SignedIn
    POST /admin/projects/{project}/settings SignedIn
    GET  /admin/projects/{project}/token   SignedIn
    POST /admin/projects/{project}/token/rotate SignedIn
    POST /admin/projects/{project}/token/end-old SignedIn
    GET  /admin/keys                       SignedIn
    POST /admin/keys                       SignedIn
    GET  /admin/keys/{key}                 SignedIn
    POST /admin/keys/{key}                 SignedIn
    POST /admin/keys/{key}/rotate          SignedIn
    POST /admin/keys/{key}/end-old         SignedIn
    POST /admin/keys/{key}/revoke          SignedIn
    GET  /x/{token}                        Everybody
    POST /x/{token}                        Everybody
    GET  /admin/login/code                 Everybody
    POST /admin/login/code                 Everybody
    GET  /admin/account                    SignedIn
    POST /admin/account/sign-ins/{sign-in}/end  SignedIn
    POST /admin/account/sign-ins/end-others     SignedIn
    POST /admin/account/sign-ins/end-all        SignedIn
    GET  /admin/account/password                SignedIn
    POST /admin/account/password                SignedIn
    GET  /admin/account/second-factor           SignedIn
    POST /admin/account/second-factor           SignedIn
    GET  /admin/account/second-factor/confirm   SignedIn
    POST /admin/account/second-factor/confirm   SignedIn
    GET  /admin/account/second-factor/codes     SignedIn
    POST /admin/account/second-factor/codes     SignedIn
    GET  /admin/account/second-factor/off       SignedIn
    POST /admin/account/second-factor/off       SignedIn
    GET  /admin/account/second-factor/needed    SignedIn
    POST /admin/account/second-factor/needed    SignedIn
    POST /admin/users/{user}/reveal        SignedIn
    GET  /admin/admins                     SignedIn
    POST /admin/admins                     SignedIn
    GET  /admin/admins/{admin}             SignedIn
    POST /admin/admins/{admin}/name        SignedIn
    POST /admin/admins/{admin}/rights      SignedIn
    POST /admin/admins/{admin}/reset       SignedIn
    POST /admin/admins/{admin}/remove      SignedIn
    GET  /admin/password/{token}           Everybody
    POST /admin/password                   Everybody
";

fn routes() -> Vec<[&'static str; 3]> {
    let lines = ROUTES.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.try_into().expect("method, path and gate")
        })
        .collect()
}

/// A server with something behind each name in a path, and the path with them.
struct House {
    server: Server,
    user: String,
    job: String,
}

impl House {
    fn new() -> House {
        House::with(Server::start())
    }

    fn with(server: Server) -> House {
        let user = server.seed("ann").events(3).insert();
        let project = server.project().id;
        let job = server
            .write(move |tx| usher::erasure::jobs::schedule(tx, project, &crate::harness::named("ann")));
        House { server, user: user.to_string(), job: job.id.to_string() }
    }

    fn path(&self, pattern: &str) -> String {
        pattern
            .replace("{user}", &self.user)
            .replace("{job}", &self.job)
            .replace("{key}", "1")
            .replace("{admin}", "1")
            .replace("{project}", &self.server.project().key)
            .replace("{number}", "1")
            .replace("{kind}", "everything")
            .replace("{sign-in}", &"00".repeat(16))
            .replace("{token}", self.server.setup_path.rsplit('/').next().unwrap_or("none"))
    }

    /// Whatever a form may change, as text.
    fn state(&self) -> Vec<String> {
        let conn = self.server.sqlite();
        let tables = [
            "users",
            "jobs",
            "projects",
            "api_keys",
            "old_secrets",
            "admins",
            "admin_sessions",
            "events",
            "audit",
            "second_factors",
            "recovery_codes",
            "sign_in_rules",
            "admin_projects",
            "admin_links",
            "holds",
        ];
        let mut all = Vec::new();
        for table in tables {
            let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).expect("a table");
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                (0..columns)
                    .map(|n| Ok(format!("{:?}", row.get_ref(n)?)))
                    .collect::<rusqlite::Result<Vec<_>>>()
            });
            all.extend(rows.expect("rows").map(|row| format!("{table} {:?}", row.expect("a row"))));
        }
        all
    }
}

/// Every field that any form has, so that a refusal is not for want of one.
fn fields() -> Vec<(&'static str, &'static str)> {
    vec![
        ("name", "something new"),
        ("password", super::PASSWORD),
        ("password_again", super::PASSWORD),
        ("confirm", "ann"),
        ("scopes", "read"),
        ("project", ""),
        ("theme", "dark"),
        ("overlap", "0"),
        ("present", super::PASSWORD),
        ("new_password", super::PASSWORD),
        ("code", "000000"),
    ]
}

#[track_caller]
fn is_page(reply: &Reply, at: &str) {
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{at}");
    assert!(reply.text.starts_with("<!doctype html>"), "{at}: {}", reply.text);
    // The one script is a file of ours.
    let scripts: Vec<&str> = reply.text.split("<script").skip(1).collect();
    let is_ours = |script: &&str| {
        script.starts_with(" src=\"/static/usher.js?v=") && script.contains("\" defer></script>")
    };
    assert!(scripts.len() <= 1 && scripts.iter().all(is_ours), "{at}");
    assert!(!reply.text.contains(" style=") && !reply.text.contains(" onclick="), "{at}");
}

#[test]
fn every_address_is_in_the_table_and_the_table_has_no_other() {
    let mut there: Vec<String> = admin::routes()
        .iter()
        .map(|route| {
            // What those who are signed in may open is in `super::roles`.
            let gate = if route.gate == Access::Everybody { "Everybody" } else { "SignedIn" };
            format!("{} {} {gate}", route.method, route.path)
        })
        .collect();
    let mut listed: Vec<String> = routes().iter().map(|route| route.join(" ")).collect();
    there.sort();
    listed.sort();
    assert_eq!(there, listed);
    assert!(admin::routes().iter().any(|route| route.gate == Access::SignedIn));
}

#[test]
fn without_a_sign_in_every_page_leads_to_the_sign_in() {
    let house = House::new();
    Browser::owner(&house.server);
    let before = house.state();
    for [method, pattern, gate] in routes() {
        if gate != "SignedIn" {
            continue;
        }
        let path = house.path(pattern);
        for stale in [None, Some("no such sign-in")] {
            let browser = Browser::new(&house.server);
            browser.get("/admin/login").expect(200);
            if let Some(stale) = stale {
                browser.set_cookie("usher_sign_in", stale);
            }
            let reply = match method {
                "POST" => browser.post(&path, &fields()),
                _ => browser.get(&path),
            };
            let to = reply.header("location").unwrap_or_default().to_owned();
            assert_eq!(reply.status, 303, "{method} {path}");
            assert!(to == "/admin/login" || to.starts_with("/admin/login?next="), "{method} {path}: {to}");
            assert_eq!(reply.text, "", "{method} {path}");
        }
    }
    assert_eq!(house.state(), before);
}

/// The twin: who is signed in is let in by every address, and forms with their token are taken.
#[test]
fn with_a_sign_in_every_address_opens_and_forms_work() {
    let house = House::new();
    let browser = Browser::owner(&house.server);
    // Another admin, whom the forms change and remove.
    let sue = house.server.write(|tx: &NormalTx| another_owner(tx, "sue")).id;
    let mut changed = 0;
    for [method, pattern, gate] in routes() {
        // Two that end the sign-in.
        if gate != "SignedIn" || ["/admin/logout", "/admin/account/sign-ins/end-all"].contains(&pattern) {
            continue;
        }
        let pattern = pattern.replace("{admin}", &sue.to_string());
        let (path, before) = (house.path(&pattern), house.state());
        let reply = match method {
            "POST" => browser.post(&path, &fields()),
            _ => browser.get(&path),
        };
        let to = reply.header("location").unwrap_or_default();
        assert!(
            reply.status != 403 && !to.contains("/admin/login"),
            "{method} {path}: {} {to}",
            reply.status
        );
        changed += usize::from(method == "POST" && house.state() != before);
    }
    assert!(changed >= 8, "{changed} forms changed something");
}

#[test]
fn a_form_without_its_token_changes_nothing() {
    let house = House::new();
    let browser = Browser::owner(&house.server);
    let other = Browser::owner(&house.server);
    let guest = Browser::new(&house.server);
    guest.get("/admin/login").expect(200);
    let good = browser.token();
    let mut changed = good.clone();
    changed.replace_range(..1, if good.starts_with('A') { "B" } else { "A" });
    let before = house.state();
    for [method, pattern, gate] in routes() {
        if method != "POST" {
            continue;
        }
        let path = house.path(pattern);
        let own = if gate == "SignedIn" { &browser } else { &guest };
        let no_token = own.request("POST", &path).body(form(&fields()), FORM).send();
        let mut tokens = vec!["", "x", changed.as_str(), &good[..good.len() - 2]];
        let (theirs, of_guest) = (other.token(), guest.token());
        tokens.push(theirs.as_str());
        if gate == "SignedIn" {
            tokens.push(of_guest.as_str());
        }
        let replies = tokens.into_iter().map(|token| own.post_with_token(&path, &fields(), token));
        for reply in replies.chain([no_token]) {
            assert_eq!(reply.status, 403, "{path}: {}", reply.text);
            is_page(&reply, &path);
            assert!(words(&reply.text).contains("This form is out of date"), "{}", reply.text);
        }
    }
    assert_eq!(house.state(), before);
    // The same forms with their token do something.
    assert_eq!(browser.post_with_token("/admin/theme", &fields(), &good).status, 303);
}

#[test]
fn a_form_from_another_site_is_refused_and_changes_nothing() {
    let house = House::new();
    let browser = Browser::owner(&house.server);
    let own = format!("http://{}", house.server.addr);
    let port = house.server.addr.port();
    let (other_port, longer) = (format!("http://127.0.0.1:{}", port ^ 1), format!("{own}.evil.example"));
    let (as_user, as_path) =
        (format!("http://{}@evil.example", house.server.addr), format!("https://evil.example/{own}"));
    let foreign: Vec<Vec<(&str, &str)>> = vec![
        vec![("Origin", "https://evil.example")],
        vec![("Origin", "null")],
        vec![("Origin", "")],
        vec![("Origin", &other_port)],
        vec![("Origin", &longer)],
        vec![("Origin", &as_user)],
        vec![("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin"), ("Referer", &own)],
        vec![("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "cross-site"), ("Referer", &own)],
        vec![("Sec-Fetch-Site", "same-site")],
        vec![("Referer", "https://evil.example/admin/users")],
        vec![("Referer", &as_path)],
        vec![],
    ];
    let before = house.state();
    for [method, pattern, _] in routes() {
        if method != "POST" {
            continue;
        }
        let path = house.path(pattern);
        for headers in &foreign {
            let token = browser.token();
            let sent = [fields().as_slice(), &[("form_token", token.as_str())]].concat();
            let cookie = format!("usher_sign_in={}", browser.cookie("usher_sign_in").expect("a cookie"));
            let mut request = house.server.post(&path).header("Cookie", &cookie);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let reply = request.body(form(&sent), FORM).send();
            assert_eq!(reply.status, 403, "{path} {headers:?}: {}", reply.text);
            is_page(&reply, &path);
            assert!(words(&reply.text).contains("sent from another site"), "{}", reply.text);
        }
    }
    assert_eq!(house.state(), before);
}

#[test]
fn our_own_forms_are_recognized_also_behind_a_proxy() {
    let house = House::with(Server::with(|options| options.trusted_proxies = vec!["127.0.0.1"]));
    let browser = Browser::owner(&house.server);
    let own = format!("http://{}", house.server.addr);
    let page = format!("{own}/admin/users");
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("Origin", &own)],
        vec![("Origin", &own), ("Sec-Fetch-Site", "same-origin")],
        vec![("Sec-Fetch-Site", "same-origin")],
        vec![("Referer", &page)],
        vec![("Host", "usher.example"), ("Origin", "https://usher.example")],
        vec![("Host", "usher.example:443"), ("Origin", "https://USHER.example")],
        vec![("Host", "usher.example"), ("Origin", "http://usher.example:80")],
        vec![("X-Forwarded-Host", "usher.example"), ("Origin", "https://usher.example")],
        vec![("Forwarded", "host=usher.example;proto=http"), ("Origin", "http://usher.example")],
    ];
    for headers in cases {
        let token = browser.token();
        let cookie = format!("usher_sign_in={}", browser.cookie("usher_sign_in").expect("a cookie"));
        let mut request = house.server.post("/admin/theme").header("Cookie", &cookie);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let body = form(&[("theme", "dark"), ("form_token", &token)]);
        let reply = request.body(body, FORM).send();
        assert_eq!(reply.status, 303, "{headers:?}: {}", reply.text);
    }
}

#[test]
fn a_host_that_an_untrusted_peer_names_makes_no_form_ours() {
    let house = House::new();
    let browser = Browser::owner(&house.server);
    for (name, value) in [("X-Forwarded-Host", "usher.example"), ("Forwarded", "host=usher.example")] {
        let cookie = format!("usher_sign_in={}", browser.cookie("usher_sign_in").expect("a cookie"));
        let request = house.server.post("/admin/theme").header("Cookie", &cookie).header(name, value);
        let body = form(&[("theme", "dark"), ("form_token", &browser.token())]);
        let reply = request.header("Origin", "https://usher.example").body(body, FORM).send().expect(403);
        assert!(words(&reply.text).contains("--trusted-proxy"), "{}", reply.text);
    }
}

#[test]
fn what_is_no_form_or_too_large_a_one_is_refused() {
    let house = House::new();
    let browser = Browser::owner(&house.server);
    let before = house.state();
    let post = |body: Vec<u8>, kind: &str| browser.request("POST", "/admin/projects").body(body, kind).send();
    let token = browser.token();
    let good = form(&[("name", "shop"), ("form_token", &token)]);
    let cases = [
        (good.clone().into_bytes(), "application/json", 422),
        (good.clone().into_bytes(), "multipart/form-data; boundary=x", 422),
        (b"name=\xff\xfe".to_vec(), FORM, 422),
        (format!("{good}&x={}", "y".repeat(65 * 1024)).into_bytes(), FORM, 413),
    ];
    for (body, kind, status) in cases {
        let reply = post(body, kind).expect(status);
        is_page(&reply, kind);
    }
    assert_eq!(house.state(), before);
    post(good.into_bytes(), "Application/X-WWW-Form-Urlencoded; charset=UTF-8").expect(303);
}

#[test]
fn an_unknown_address_and_a_wrong_method_are_pages() {
    let house = House::new();
    let browser = Browser::owner(&house.server);
    for path in ["/admin/nothing", "/admin/users/1/more", "/admin//users", "/admin/users/"] {
        let reply = browser.get(path).expect(404);
        is_page(&reply, path);
    }
    for [_, pattern, _] in routes() {
        let path = house.path(pattern);
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
            let reply = browser.request(method, &path).send().expect(405);
            is_page(&reply, &path);
            let mut methods: Vec<&str> =
                routes().into_iter().filter(|route| route[1] == pattern).map(|route| route[0]).collect();
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            methods.sort_unstable();
            assert_eq!(reply.header("allow"), Some(methods.join(", ").as_str()), "{method} {path}");
        }
    }
    for path in ["/admin/users/17", "/admin/users/x", "/admin/users/17/erase/everything"] {
        let reply = browser.get(path).expect(404);
        is_page(&reply, path);
        assert!(words(&reply.text).contains("No such user"), "{}", reply.text);
    }
    for kind in ["hide", "nothing"] {
        browser
            .get(&house.path("/admin/users/{user}/erase/").replace("erase/", &format!("erase/{kind}")))
            .expect(404);
    }
    for path in ["/admin/jobs/999/cancel", "/admin/jobs/x/retry", "/admin/keys/999/revoke"] {
        let reply = browser.post(path, &[]).expect(404);
        is_page(&reply, path);
    }
    for path in ["/admin/users?below=x", "/admin/trash?after=x", "/admin/jobs?below=x"] {
        is_page(&browser.get(path).expect(422), path);
    }
    browser.get("/admin/users?project=nope").expect(404);
}

#[test]
fn a_head_is_answered_as_a_get_without_its_body() {
    let house = House::new();
    let browser = Browser::owner(&house.server);
    for [method, pattern, _] in routes() {
        if method != "GET" {
            continue;
        }
        let path = house.path(pattern);
        // Unpacked: an answer without a body has nothing to unpack.
        let reply = browser.request("HEAD", &path).header("Accept-Encoding", "identity").send();
        assert_eq!(reply.status, browser.request("GET", &path).send().status, "{path}");
        assert!(reply.bytes.is_empty(), "{path}");
    }
}

#[test]
fn every_answer_forbids_scripts_frames_guessing_and_keeping() {
    let house = House::new();
    let (browser, guest) = (Browser::owner(&house.server), Browser::new(&house.server));
    guest.get("/admin/login").expect(200);
    let mut replies = vec![
        ("404".to_owned(), browser.get("/admin/nothing")),
        ("405".to_owned(), browser.request("PUT", "/admin/users").send()),
        ("403".to_owned(), browser.post_with_token("/admin/theme", &[], "x")),
        ("wrong password".to_owned(), guest.post("/admin/login", &[("name", "owner")])),
    ];
    for [method, pattern, _] in routes() {
        let path = house.path(pattern);
        for who in [&guest, &browser] {
            // Signing out comes last: it would make the others guests.
            if method == "GET" {
                replies.push((path.clone(), who.get(&path)));
            } else if pattern != "/admin/logout" {
                replies.push((path.clone(), who.post(&path, &fields())));
            }
        }
    }
    let expected = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ];
    for (at, reply) in &replies {
        for (name, value) in expected {
            assert_eq!(reply.header(name), Some(value), "{at} {}", reply.status);
        }
        match reply.status {
            303 => {}
            200 if at.ends_with(".csv") => {
                assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"), "{at}");
            }
            200 if at.ends_with("/export") => {
                assert_eq!(reply.header("content-type"), Some("application/zip"), "{at}");
            }
            _ => is_page(reply, at),
        }
    }
    assert!(replies.iter().filter(|(_, reply)| reply.status == 200).count() >= 8);
}

#[test]
fn the_page_of_a_fault_tells_the_requests_number_alone() {
    let house = House::new();
    house.server.expect_faults();
    let browser = Browser::owner(&house.server);
    // A row that does not read is a fault of the disk's, or of somebody's who wrote past the program.
    let broken = "UPDATE users SET attributes = 'secret, not JSON'";
    assert_eq!(house.server.sqlite().execute(broken, []).expect("an update"), 1);
    let reply = browser.get(&house.path("/admin/users/{user}")).expect(503);
    is_page(&reply, "a broken row");
    let text = words(&reply.text);
    assert!(text.contains("Part of the data is unreadable"), "{text}");
    assert!(!text.contains("secret") && !text.contains("JSON"), "{text}");
    house.server.sqlite().execute_batch("ALTER TABLE users RENAME TO elsewhere").expect("another name");
    let reply = browser.get(&house.path("/admin/users/{user}")).expect(500);
    is_page(&reply, "a table that is not there");
    let text = words(&reply.text);
    assert!(text.contains("Something went wrong") && !text.contains("elsewhere"), "{text}");
    let id = reply.header("x-request-id").expect("an id").to_owned();
    assert!(text.contains(&id), "{text}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[test]
fn a_page_that_is_unavailable_says_when_to_come_again() {
    let house = House::new();
    house.server.expect_faults();
    let browser = Browser::owner(&house.server);
    let before = house.state();
    house.server.app.stop();
    let reply = browser.post(&house.path("/admin/users/{user}/hide"), &[]).expect(503);
    is_page(&reply, "a stopping server");
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(words(&reply.text).contains("Nothing was changed. Try again in a moment."), "{}", reply.text);
    assert_eq!(house.state(), before);
}

#[test]
fn browsers_cache_style_and_icon_until_they_change() {
    let server = Server::start();
    let page = Browser::new(&server).get("/admin/login").expect(200);
    let sheet = super::part(&page.text, "/static/usher.css?v=", "\"").to_owned();
    let reply = server.get(&sheet).send().expect(200);
    assert_eq!(reply.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let tag = reply.header("etag").expect("a tag").to_owned();
    for path in ["/static/usher.css", "/static/usher.css?v=old", "/static/favicon.svg", "/static/usher.js"] {
        assert_eq!(server.get(path).send().expect(200).header("cache-control"), Some("no-cache"), "{path}");
    }
    let again = server.get("/static/usher.css").header("If-None-Match", &format!("\"x\", W/{tag}")).send();
    assert!(again.expect(304).bytes.is_empty());
    server.get("/static/usher.css").header("If-None-Match", "\"other\"").send().expect(200);
    assert_eq!(server.get("/static/favicon.svg").send().header("content-type"), Some("image/svg+xml"));
    for path in
        ["/static", "/static/", "/static/nothing.css", "/static/../Cargo.toml", "/static/%2e%2e/schema.sql"]
    {
        assert!([400, 404].contains(&server.get(path).send().status), "{path}");
    }
    assert_eq!(server.post("/static/usher.css").send().expect(405).header("allow"), Some("GET, HEAD"));
}

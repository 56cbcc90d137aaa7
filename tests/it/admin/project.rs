//! The page of a project's name and its deletion.

use super::{Browser, part, words};
use crate::harness::Server;

fn path(server: &Server) -> String {
    format!("/admin/projects/{}", server.project().key)
}

#[test]
fn a_project_is_renamed_in_the_page() {
    let server = Server::start();
    let other = server.second();
    let browser = Browser::owner(&server);
    let list = browser.get("/admin/projects").expect(200).text;
    assert!(list.contains(&format!("href=\"{}\"", path(&server))), "{list}");
    browser.get(&path(&server)).expect(200);
    let rename = |name: &str| browser.post(&format!("{}/name", path(&server)), &[("name", name)]);
    for (wrong, why) in [("", "The name must have 1 to 200"), ("project 2", "Another project has this name.")]
    {
        let page = rename(wrong).expect(422).text;
        assert!(words(&page).contains(why), "{page}");
        assert!(page.contains(&format!("name=\"name\" value=\"{wrong}\"")), "{page}");
    }
    assert_eq!(rename("Shop & more").expect(303).header("location"), Some("/admin/projects"));
    let list = words(&browser.get("/admin/projects").expect(200).text);
    assert!(list.contains("Project renamed.") && list.contains("Shop & more"), "{list}");
    assert!(list.contains(&other.key) && list.contains(&server.project().key), "{list}");
}

#[test]
fn the_page_says_what_a_deletion_takes() {
    let server = Server::start();
    for name in ["ann", "bob", "cid"] {
        server.seed(name).events(2).insert();
    }
    let px = server.delete("/v1/users/bob").header("X-APTRINSIC-API-KEY", &server.project().all);
    px.send().expect(200);
    let browser = Browser::owner(&server);
    let page = browser.get(&path(&server)).expect(200).text;
    let preview = words(part(&page, "Preview of the deletion", "</section>"));
    for line in
        ["Users 2", "Users in the trash 1", "Scheduled deletions (cancelled) 0", "API keys (revoked) 1"]
    {
        assert!(preview.contains(line), "{line}: {preview}");
    }
}

#[test]
fn a_project_is_deleted_where_its_name_is_typed() {
    let server = Server::start();
    server.second();
    let ann = server.seed("ann").events(2).insert();
    let browser = Browser::owner(&server);
    browser.get(&path(&server)).expect(200);
    let delete = |confirm: &str| {
        browser.post(&format!("{}/delete", path(&server)), &[("confirm", confirm), ("ground", "duty")])
    };
    for wrong in ["", "Default", " default", &server.project().key] {
        let page = delete(wrong).expect(422).text;
        let said = words(&page);
        assert!(said.contains("That doesn't match. Type default exactly. Nothing was deleted."), "{said}");
        assert!(part(&page, "value=\"duty\"", ">").contains("selected"), "{page}");
    }
    assert!(server.rows_of(ann) > 0);
    assert_eq!(delete("default").expect(303).header("location"), Some("/admin/projects"));
    let list = words(&browser.get("/admin/projects").expect(200).text);
    assert!(list.contains("Project deleted.") && !list.contains(&server.project().key), "{list}");
    browser.get(&path(&server)).expect(404);
    browser.get("/admin/users").expect(200);
    browser.get("/admin/audit").expect(200);
    server.tick();
    assert_eq!(server.rows_of(ann), 0);
    for evidence in ["/admin/jobs", "/admin/receipts"] {
        browser.get(evidence).expect(200);
    }
    let duty = "SELECT COUNT(*) FROM jobs WHERE status = 'completed' AND ground = 'duty' AND origin = 'page'";
    let jobs: i64 = server.sqlite().query_row(duty, [], |row| row.get(0)).expect("a count");
    assert_eq!(jobs, 1);
}

#[test]
fn no_page_needs_a_project() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    browser.get(&path(&server)).expect(200);
    browser.post(&format!("{}/delete", path(&server)), &[("confirm", "default")]).expect(303);
    server.tick();
    for page in [
        "/admin/users",
        "/admin/",
        "/admin/find?q=1",
        "/admin/users?q=ann",
        "/admin/trash",
        "/admin/jobs",
        "/admin/receipts",
        "/admin/audit",
        "/admin/projects",
        "/admin/admins",
        "/admin/backups",
        "/admin/account",
    ] {
        browser.get(page).expect(200);
    }
    browser.get("/admin/projects").expect(200);
    browser.post("/admin/projects", &[("name", "next")]).expect(303);
    assert!(words(&browser.get("/admin/projects").expect(200).text).contains("next"));
}

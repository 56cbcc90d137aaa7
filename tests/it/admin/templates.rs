//! Every template is shown by some page: one that nothing renders fails here.

use std::collections::BTreeSet;
use std::path::Path;

use usher::erasure::jobs;

use super::{Browser, PASSWORD, page_of, second_factor};
use crate::harness::{Server, named};

/// A template, and a text that is on a page by it alone.
const MARKS: &[(&str, &str)] = &[
    ("account.html", "<h2 id=\"sign-ins\">"),
    ("admin.html", "<h2 id=\"admin-rename\">"),
    ("admin_link.html", "<h2 id=\"set-link\">"),
    ("admins.html", "<h2 id=\"new-admin\">"),
    ("audit.html", "<table class=\"ledger audit\">"),
    ("backups.html", "<h2 id=\"restore\">"),
    ("bare.html", "<body class=\"door\">"),
    ("clock.html", "<h2 id=\"times\">"),
    ("docs.html", "<dl class=\"reference-codes\">"),
    ("docs_frame.html", "<body class=\"reference\">"),
    ("docs_section.html", "<h2>What it takes</h2>"),
    ("erase.html", "<h2 id=\"dry\">"),
    ("export_download.html", "<h1>Your data</h1>"),
    ("export_head.html", "Back to the first page"),
    ("export_index.html", "<th scope=\"row\">data.ndjson</th>"),
    ("export_information.html", "<th scope=\"row\">Complaint</th>"),
    ("export_link.html", "<h2 id=\"new-link\">"),
    ("export_timeline.html", "What was recorded, the newest first."),
    ("holds.html", "<table class=\"ledger people holds\">"),
    ("find.html", "<h1>Find</h1>"),
    ("job.html", "<ol class=\"steps\">"),
    ("jobs.html", "<table class=\"ledger jobs\">"),
    ("key.html", "<h2 id=\"revoke\">"),
    ("key_created.html", "<h2 id=\"new-secret\">"),
    ("layout.html", "<body class=\"desk\">"),
    ("login.html", "<form method=\"post\" action=\"/admin/login\""),
    ("macros.html", "<svg class=\"icon\""),
    ("message.html", "<p class=\"muted mono\">"),
    ("overview.html", "<h2 id=\"needs\">"),
    ("password.html", "<form method=\"post\" action=\"/admin/password\""),
    ("project.html", "<h2 id=\"rename\">"),
    ("projects.html", "<h2 id=\"projects\">"),
    ("receipt.html", "<body class=\"sheet\">"),
    ("receipt_check.html", "<h2 id=\"offline\">"),
    ("receipts.html", "<table class=\"ledger receipts\">"),
    ("recovery_codes.html", "<h2 id=\"recovery-codes\">"),
    ("repairs.html", "<h2 id=\"days\">"),
    ("second_factor.html", "<h2 id=\"scan\">"),
    ("settings.html", "<h2 id=\"settings\">"),
    ("setup.html", "<form method=\"post\" action=\"/admin/setup\""),
    ("token.html", "<h2 id=\"ingest-token\">"),
    ("sign_in_code.html", "<form method=\"post\" action=\"/admin/login/code\""),
    ("trash.html", "<table class=\"ledger people trash\">"),
    ("user.html", "<h2 id=\"held\">"),
    ("user_access.html", "Who looked at this user"),
    ("user_edit.html", "<h2 id=\"edit\">"),
    ("user_jobs.html", "Jobs that are done name nobody"),
    ("user_raw.html", "As the API shows it"),
    ("user_timeline.html", "Timeline, newest first"),
    ("users.html", "class=\"bar\" role=\"search\""),
];

fn texts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).expect("the templates");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a text"))
        })
        .collect()
}

#[test]
fn every_template_is_rendered_by_some_page() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").events(3).insert(), server.seed("bob").insert());
    let project = server.project().id;
    server.write(move |tx| jobs::schedule(tx, project, &named("ann")).map(|_| ()));
    let guest = Browser::new(&server);
    let mut pages =
        vec![guest.get(&server.setup_path), guest.get("/admin/login"), guest.get("/admin/nothing")];
    let browser = Browser::owner(&server);
    browser.post(&format!("{}/hide", page_of(bob)), &[]).expect(303);
    browser.post(&format!("{}/restrict", page_of(bob)), &[]).expect(303);
    pages.push(browser.get("/admin/holds"));
    browser.post(&format!("{}/unrestrict", page_of(bob)), &[]).expect(303);
    let paths = ["/admin/users", "/admin/trash", "/admin/jobs", "/admin/projects"];
    pages.extend(paths.map(|path| browser.get(path)));
    pages.push(browser.get(&page_of(ann)));
    for tab in ["edit", "timeline", "jobs", "access", "raw"] {
        pages.push(browser.get(&format!("{}/{tab}", page_of(ann))));
    }
    pages.extend(["/admin/", "/admin/find"].map(|path| browser.get(path)));
    pages.push(browser.get(&format!("{}/erase/account", page_of(ann))));
    let link = browser.post(&format!("{}/export-link", page_of(ann)), &[]);
    let path = &link.text[link.text.find("/x/").expect("a link")..];
    pages.push(guest.get(path.split('<').next().expect("a path")));
    pages.push(link);
    let pack = browser.post(&format!("{}/export", page_of(ann)), &[]).expect(200);
    let packed = crate::exports::packs::files(&pack.bytes);
    let erase = format!("{}/erase/account", page_of(ann));
    browser.post(&erase, &[("confirm", "ann")]).expect(303);
    server.tick();
    let proofs = ["/admin/jobs/1", "/admin/receipts", "/admin/receipts/1", "/admin/receipts/check"];
    pages.extend(proofs.map(|path| browser.get(path)));
    pages.extend(["/admin/audit", "/admin/backups", "/admin/clock"].map(|path| browser.get(path)));
    pages.push(browser.get(&format!("/admin/projects/{}", server.project().key)));
    for page in ["repairs", "settings", "token"] {
        pages.push(browser.get(&format!("/admin/projects/{}/{page}", server.project().key)));
    }
    pages.push(browser.post("/admin/keys", &[("name", "k"), ("project", ""), ("scopes", "read")]));
    pages.push(browser.get("/admin/keys/1"));
    pages.push(browser.get("/admin/account"));
    pages.push(browser.post("/admin/account/second-factor", &[("password", PASSWORD)]));
    let code = second_factor::code(&second_factor::secret_of(&pages.last().expect("a page").text), &server);
    pages.push(browser.post("/admin/account/second-factor/confirm", &[("code", &code)]));
    guest.post("/admin/login", &[("name", "owner"), ("password", PASSWORD)]).expect(303);
    pages.push(guest.get("/admin/login/code"));
    pages.extend(["/docs", "/docs/native"].map(|path| guest.get(path)));
    pages.extend(["/admin/admins", "/admin/admins/1"].map(|path| browser.get(path)));
    let made = browser.post("/admin/admins", &[("name", "sue"), ("role", "support"), ("reach", "all")]);
    let link = made.text.split_once("/admin/password/").expect("a link").1;
    let token = link.split('<').next().expect("a token").to_owned();
    pages.extend([made, guest.get(&format!("/admin/password/{token}"))]);
    assert!(!PASSWORD.is_empty() && pages.iter().all(|page| page.status < 500));

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let marks: BTreeSet<&str> = MARKS.iter().map(|(name, _)| *name).collect();
    let texts = texts(&folder);
    let files: BTreeSet<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(files, marks, "a template without a mark, or a mark without a template");
    for (name, mark) in MARKS {
        let in_files = texts.iter().filter(|(_, text)| text.contains(mark)).map(|(name, _)| name.as_str());
        assert_eq!(in_files.collect::<Vec<&str>>(), [*name], "a mark is in its template alone");
        let in_a_pack = packed.values().any(|page| String::from_utf8_lossy(page).contains(mark));
        let is_shown = pages.iter().any(|page| page.text.contains(mark));
        assert!(is_shown || in_a_pack, "{name} was never rendered");
    }
}

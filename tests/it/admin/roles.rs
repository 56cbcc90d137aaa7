//! Who may open which page, and of which projects: every page route × every role × admins of
//! all projects and of one × things of that project and of another.

use std::cell::RefCell;

use usher::access::roles::Permission;
use usher::access::{admin_rights, admins, roles};
use usher::admin::{self, Access};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{AdminId, Erasure, Origin, ProfileChange, ProjectId, Reach, Role, UserId};
use usher::people::identify;
use usher::people::subject::Subject;

use super::{Browser, PASSWORD};
use crate::harness::{Reply, Server, TestProject, named};

const ROUTES: &str = include_str!("page_routes.txt");
const PERMISSIONS: &str = include_str!("permissions.txt");

fn lines(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().collect())
}

/// As the table of permissions has it.
fn may(role: Role, is_of_all: bool, permission: &str) -> bool {
    let row = lines(PERMISSIONS).find(|row| row[0] == permission).expect("a permission of the table");
    let column = 1 + Role::ALL.into_iter().position(|one| one == role).expect("a role");
    row[column] == "yes" && (is_of_all || row[5] == "some")
}

/// An admin of a role who is signed in.
pub fn signed_in<'a>(server: &'a Server, name: &str, role: Role, reach: &Reach) -> Browser<'a> {
    let (of, reach) = (name.to_owned(), reach.clone());
    server.write(move |tx| {
        let (_, token) = admin_rights::invite(tx, &of, role, &reach)?;
        admin_rights::set_by_link(tx, &token, &admins::hash_password(PASSWORD)?)
    });
    let browser = Browser::new(server);
    browser.get("/admin/login").expect(200);
    browser.post("/admin/login", &[("name", name), ("password", PASSWORD)]).expect(303);
    first_page(&browser);
    browser
}

/// The first page that the role of an admin has.
pub fn first_page(browser: &Browser) -> String {
    let start = browser.get("/admin/");
    match start.status {
        303 => browser.get(start.header("location").expect("a page")).expect(200).text,
        _ => start.expect(200).text,
    }
}

#[test]
fn every_page_is_in_the_table_with_what_it_asks_for() {
    let gate = |gate: Access| match gate {
        Access::Everybody => "Everybody".to_owned(),
        Access::SignedIn => "SignedIn".to_owned(),
        Access::May(permission) => format!("{permission:?}"),
    };
    let mut there: Vec<String> = admin::routes()
        .iter()
        .map(|route| format!("{} {} {}", route.method, route.path, gate(route.gate)))
        .collect();
    let mut listed: Vec<String> = lines(ROUTES).map(|row| row.join(" ")).collect();
    there.sort();
    listed.sort();
    assert_eq!(there, listed);
}

#[test]
fn the_rules_give_each_role_what_the_table_says() {
    assert_eq!(lines(PERMISSIONS).count(), Permission::ALL.len());
    for permission in Permission::ALL {
        for role in Role::ALL {
            let name = format!("{permission:?}");
            assert_eq!(
                roles::permissions(role).contains(&permission),
                may(role, true, &name),
                "{role:?} {name}"
            );
        }
    }
}

/// What there is of one project.
struct Things {
    project: TestProject,
    user: UserId,
    job: i64,
    receipt: u64,
}

/// Two projects with a person, a job and a receipt each.
struct World {
    server: Server,
    ours: Things,
    theirs: Things,
    spare: RefCell<u32>,
}

impl World {
    fn new() -> World {
        let server = Server::start();
        let (first, second) = (server.project().clone(), server.second());
        let ours = things(&server, first, "ann");
        let theirs = things(&server, second, "bob");
        World { server, ours, theirs, spare: RefCell::new(0) }
    }

    /// A path of these things; the spare ones are made for this request alone.
    fn path(&self, pattern: &str, things: Option<&Things>) -> String {
        let or = |found: Option<String>| found.unwrap_or_else(|| "999999".to_owned());
        let fill = |segment: &str| match segment {
            "{user}" => or(things.map(|things| things.user.to_string())),
            "{job}" => or(things.map(|things| things.job.to_string())),
            "{number}" => or(things.map(|things| things.receipt.to_string())),
            "{project}" => or(things.map(|things| things.project.key.clone())),
            "{key}" => or(things.map(|things| self.spare_key(things.project.id).to_string())),
            "{admin}" => or(things.map(|_| self.spare_admin().to_string())),
            "{kind}" => "everything".to_owned(),
            "{token}" => "nothing".to_owned(),
            plain => plain.to_owned(),
        };
        pattern.split('/').map(fill).collect::<Vec<String>>().join("/")
    }

    fn spare_key(&self, project: ProjectId) -> i64 {
        self.server.key(Some(project), "read");
        self.server.read(usher::access::keys::list).last().expect("a key").id.0
    }

    fn spare_admin(&self) -> AdminId {
        let name = format!("spare {}", self.spare.replace_with(|n| *n + 1));
        self.server.write(move |tx| admin_rights::invite(tx, &name, Role::Auditor, &Reach::All)).0.id
    }

    /// So many things were done.
    fn done(&self) -> i64 {
        let sql = "SELECT coalesce(max(seq), 0) FROM audit";
        self.server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a number")
    }
}

fn things(server: &Server, project: TestProject, name: &'static str) -> Things {
    let id = project.id;
    let (user, job) = server.write(move |tx| {
        let gone = Subject::named(&named(&format!("gone-{name}")));
        let gone = identify::identify(tx, id, &gone, &ProfileChange::default(), None)?.expect("a user");
        let job = erasure::begin(tx, &gone, Erasure::Everything, Origin::Page)?;
        let email = Some(Some(format!("{name}@example.com")));
        let change = ProfileChange { email, ..ProfileChange::default() };
        let kept =
            identify::identify(tx, id, &Subject::named(&named(&format!("{name}-kept"))), &change, None)?;
        Ok((kept.expect("a user").id, job.id))
    });
    server.tick();
    let found = server.read(|db| usher::erasure::jobs::get(db, None, job));
    let receipt = found.receipt_no.expect("a receipt").unsigned_abs();
    Things { project, user, job: job.0, receipt }
}

fn ask(browser: &Browser, method: &str, path: &str) -> Reply {
    match method {
        "GET" => browser.get(path),
        _ => browser.post(path, &[]),
    }
}

const OF_A_PROJECT: [&str; 5] = ["{user}", "{job}", "{number}", "{project}", "{key}"];

#[test]
fn each_role_opens_what_the_table_says_and_nothing_else() {
    let world = World::new();
    let browsers = Role::ALL.map(|role| {
        let one = Reach::Only(vec![world.ours.project.id]);
        [(true, Reach::All), (false, one)].map(|(is_of_all, reach)| {
            let name = format!("{} {is_of_all}", role.as_str());
            (role, is_of_all, signed_in(&world.server, &name, role, &reach))
        })
    });
    let mut refused = 0;
    for (role, is_of_all, browser) in browsers.iter().flatten() {
        for row in lines(ROUTES) {
            let [method, pattern, asked] = row[..] else { panic!("{row:?}") };
            // The sign-ins that there are to end are one's own: their tests are in `account`.
            if asked == "Everybody" || pattern.contains("{sign-in}") {
                continue;
            }
            let is_of_a_project = OF_A_PROJECT.iter().any(|place| pattern.contains(place));
            let (ours, theirs, nothing) = (
                world.path(pattern, Some(&world.ours)),
                world.path(pattern, Some(&world.theirs)),
                world.path(pattern, None),
            );
            let at = format!("{role:?}, all projects: {is_of_all}: {method} {ours}");
            let is_allowed = asked == "SignedIn" || may(*role, *is_of_all, asked);
            let before = world.done();
            if !is_allowed {
                for path in [&ours, &theirs, &nothing] {
                    let reply = ask(browser, method, path);
                    assert_eq!(reply.status, 403, "{at}: {}", reply.text);
                    assert!(reply.text.contains("An owner can change your"), "{at}: {}", reply.text);
                }
                assert_eq!(world.done(), before, "{at}: it did something");
                refused += 1;
                continue;
            }
            if is_of_a_project {
                let missing = ask(browser, method, &nothing);
                assert_eq!(missing.status, 404, "{at}: {}", missing.text);
                if !is_of_all {
                    let other = ask(browser, method, &theirs);
                    assert_eq!((other.status, &other.text), (404, &missing.text), "{at}");
                }
                assert_eq!(world.done(), before, "{at}: it did something");
            }
            let reply = ask(browser, method, &ours);
            assert!(![403, 404].contains(&reply.status), "{at}: {} {}", reply.status, reply.text);
            if is_of_a_project && *is_of_all {
                let reply = ask(browser, method, &theirs);
                assert!(![403, 404].contains(&reply.status), "{at}: {} {}", reply.status, reply.text);
            }
            if !is_of_all {
                for word in ["bob", "project 2", world.theirs.project.key.as_str()] {
                    assert!(!reply.text.contains(word), "{at}: {word} in {}", reply.text);
                }
            }
        }
    }
    assert!(refused > 100, "the matrix has refusals: {refused}");
}

/// What the menu shows leads somewhere, and what a role may open is in it.
#[test]
fn the_menu_shows_each_role_its_own_pages_alone() {
    let server = Server::start();
    let sections =
        ["users", "trash", "holds", "jobs", "receipts", "audit", "backups", "clock", "projects", "admins"];
    for (role, is_of_all) in Role::ALL.into_iter().flat_map(|role| [(role, true), (role, false)]) {
        let reach = if is_of_all { Reach::All } else { Reach::Only(vec![server.project().id]) };
        let browser = signed_in(&server, &format!("{} {is_of_all}", role.as_str()), role, &reach);
        let page = first_page(&browser);
        for section in sections {
            let path = format!("/admin/{section}");
            let is_shown = page.contains(&format!("<a href=\"{path}\""));
            assert_eq!(is_shown, browser.get(&path).status == 200, "{role:?} {is_of_all} {section}");
        }
    }
}

/// A page of what is left after those of others are taken out is as full as any.
#[test]
fn lists_of_some_projects_reach_past_those_of_others() {
    let server = Server::start();
    let (ours, theirs) = (server.project().id, server.second().id);
    let hide = |names: Vec<String>, project: ProjectId| {
        server.write(move |tx| {
            for name in &names {
                let subject = Subject::named(&named(name));
                let user = identify::identify(tx, project, &subject, &ProfileChange::default(), None)?;
                usher::erasure::jobs::schedule(tx, project, &named(name))?;
                trash::hide(tx, &user.expect("a user"))?;
            }
            Ok(())
        });
        server.clock.advance(1_000);
    };
    hide(vec!["first".into()], ours);
    hide((0..520).map(|n| format!("theirs-{n}")).collect(), theirs);
    hide(vec!["last".into()], ours);
    let part = signed_in(&server, "part", Role::PrivacyOfficer, &Reach::Only(vec![ours]));
    for path in ["/admin/users", "/admin/trash", "/admin/jobs"] {
        let page = part.get(path).expect(200).text;
        for name in ["first", "last"] {
            assert!(page.contains(&format!(">{name}</a>")), "{path}: {name} in {page}");
        }
        assert!(!page.contains("theirs-") && !page.contains("Next page"), "{path}: {page}");
        assert!(Browser::owner(&server).get(path).text.contains("Next page"), "{path}: the twin");
    }
}

/// What went wrong with a job says where in the files something lay: that is of the installation.
#[test]
fn only_admins_of_all_projects_read_what_the_machine_said() {
    let world = World::new();
    let said = "values of the person were found in page 4711";
    let sql = "UPDATE jobs SET status = 'failed', step = 'verifying', error = ?1 WHERE id = ?2";
    world.server.sqlite().execute(sql, (said, world.ours.job)).expect("a failed job");
    let reach = Reach::Only(vec![world.ours.project.id]);
    let part = signed_in(&world.server, "part", Role::Owner, &reach);
    let (job, receipt) = (world.path("/admin/jobs/{job}", Some(&world.ours)), world.ours.receipt);
    for path in ["/admin/jobs".to_owned(), job, format!("/admin/receipts/{receipt}")] {
        let page = part.get(&path).expect(200).text;
        assert!(!page.contains("page 4711") && page.contains("pages say why"), "{path}: {page}");
        let owner = Browser::owner(&world.server).get(&path).expect(200).text;
        assert!(owner.contains("page 4711"), "{path}: the twin");
    }
}

#[test]
fn figures_of_the_installation_are_for_admins_of_all_projects() {
    let world = World::new();
    let reach = Reach::Only(vec![world.ours.project.id]);
    let part = signed_in(&world.server, "part", Role::Auditor, &reach);
    let all = signed_in(&world.server, "all", Role::Auditor, &Reach::All);
    let path = world.path("/admin/receipts/{number}", Some(&world.ours));
    let (figures, page) = (format!("{path}/download?with=figures"), part.get(&path).expect(200).text);
    assert!(
        !page.contains("with=figures")
            && !page.contains("Database pages overwritten")
            && !page.contains(" of all ·")
    );
    part.get(&figures).expect(403);
    part.get(&format!("{path}/download")).expect(200);
    let page = all.get(&path).expect(200).text;
    assert!(
        page.contains("with=figures")
            && page.contains("Database pages overwritten")
            && page.contains("of all")
    );
    all.get(&figures).expect(200);
}

#[test]
fn nobody_of_another_project_is_found() {
    let world = World::new();
    let reach = Reach::Only(vec![world.ours.project.id]);
    let part = signed_in(&world.server, "part", Role::Owner, &reach);
    let owner = Browser::owner(&world.server);
    let id = world.theirs.user.to_string();
    for text in ["bob-kept", "bob%40example.com", id.as_str()] {
        let path = format!("/admin/users?q={text}");
        let link = super::page_of(world.theirs.user);
        assert!(!part.get(&path).expect(200).text.contains(&link), "{path}");
        assert!(owner.get(&path).expect(200).text.contains(&link), "{path}: the twin");
    }
    let of = |key: &str| part.get(&format!("/admin/users?project={key}")).expect(404).text;
    assert_eq!(of(&world.theirs.project.key), of("nothing"));
}

#[test]
fn a_receipt_of_another_project_is_checked_and_not_shown() {
    let world = World::new();
    let reach = Reach::Only(vec![world.ours.project.id]);
    let part = signed_in(&world.server, "part", Role::Auditor, &reach);
    let owner = Browser::owner(&world.server);
    for (things, is_ours) in [(&world.ours, true), (&world.theirs, false)] {
        let path = world.path("/admin/receipts/{number}", Some(things));
        let receipt = owner.get(&format!("{path}/download")).expect(200).text;
        let page = part.post("/admin/receipts/check", &[("receipt", &receipt)]).expect(200).text;
        assert!(page.contains("The receipt is valid"), "{page}");
        assert_eq!(page.contains(&format!("href=\"{path}\"")), is_ours, "{page}");
    }
}

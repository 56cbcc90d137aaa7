//! The admin pages in headless Chromium, with a driver that the tests start and end
//! themselves.

pub mod chromium;
mod cross_site;
mod find_box;
mod second_factor;

use actix_web::rt::System;
use fantoccini::key::Key;
use usher::erasure;
use usher::erasure::{jobs, trash};
use usher::model::{Erasure, JobStatus, Origin, State, UserId};
use usher::people::find;

use crate::harness::{Server, encode, named};
use chromium::{Programs, Tab};

const PASSWORD: &str = "correct horse battery";

async fn set_up(tab: &Tab, server: &Server) {
    tab.open(&server.setup_path).await;
    tab.write("#name", "mia").await;
    tab.write("#password", PASSWORD).await;
    tab.write("#password_again", PASSWORD).await;
    tab.follow("button[type=submit]").await;
    assert_eq!(tab.path().await, "/admin/");
}

/// The background work that is due. On a thread of its own, for it waits for the writer.
fn work(server: &Server) {
    std::thread::scope(|scope| {
        scope.spawn(|| server.tick());
    });
}

fn state(server: &Server, id: UserId) -> Option<State> {
    let now = server.clock.now();
    server.app.read(|db| find::held(db, id, now)).ok().map(|user| user.state)
}

#[test]
fn an_owner_does_a_days_work_in_the_pages() {
    let Some(programs) = Programs::found() else { return };
    let server = Server::start();
    let ann = server.seed("ann@example.com").email("ann@example.com").events(5).insert();
    let bob = server.seed("bob + 1%").events(30).insert();
    let (project, carl) = (server.project().id, named("carl"));
    let job = server.write(move |tx| jobs::schedule(tx, project, &carl)).id;
    System::new().block_on(async {
        let (_driver, tab) = chromium::start(programs, server.url("")).await;
        // Wide enough for the menu at the side; `find_box` has the drawer.
        tab.set_width(1_280);
        set_up(&tab, &server).await;
        // Out, and in again by keyboard alone: the name has the focus.
        tab.follow("#sign-out button").await;
        assert!(tab.text().await.contains("You are signed out."));
        tab.keys("mia").await;
        tab.keys(&Key::Tab).await;
        tab.keys(&format!("{PASSWORD}{}", char::from(Key::Enter))).await;
        tab.follow(".menu a[href='/admin/users']").await;

        // Finds a user, hides it, and thinks better of it.
        tab.write("#q", "ANN@example.com").await;
        tab.follow("form[role=search] button").await;
        tab.follow(".people .lead a").await;
        assert_eq!(tab.path().await, format!("/admin/users/{ann}"));
        tab.press("button[popovertarget=hide]").await;
        assert_eq!(state(&server, ann), Some(State::Live), "it asks first");
        tab.follow("#hide button[type=submit]").await;
        assert_eq!(state(&server, ann), Some(State::Hidden));
        assert!(tab.text().await.contains("In trash, 7 days left."));
        tab.follow(".notice form[action$='/restore'] button").await;
        assert_eq!(state(&server, ann), Some(State::Live));
        assert!(tab.text().await.contains("The user is restored"));
        // Once more, and back from the trash.
        tab.press("button[popovertarget=hide]").await;
        tab.follow("#hide button[type=submit]").await;
        tab.follow(".menu a[href='/admin/trash']").await;
        assert!(tab.text().await.contains("ann@example.com"));
        tab.follow(".trash form[action$='/restore'] button").await;
        assert_eq!(tab.path().await, "/admin/trash");
        assert!(tab.text().await.contains("The trash is empty"));
        assert_eq!(state(&server, ann), Some(State::Live));

        // Erases another, having typed something else first.
        tab.open(&format!("/admin/users?q={}", encode("bob + 1%"))).await;
        tab.follow(".people .lead a").await;
        tab.follow("a[href$='/erase/everything']").await;
        assert!(tab.text().await.contains("Nothing has happened yet."));
        tab.write("#confirm", "bob").await;
        tab.follow("button.danger").await;
        assert!(tab.text().await.contains("Nothing was erased."));
        assert_eq!(state(&server, bob), Some(State::Live));
        tab.write("#confirm", "bob + 1%").await;
        tab.follow("button.danger").await;
        assert_eq!(tab.path().await, "/admin/jobs/2");
        assert!(!tab.text().await.contains("bob"));
        // What the person is to be handed is there until it was handed over.
        let token = tab.run("return document.querySelector('.secret').textContent").await;
        let token = token.as_str().expect("a token").to_owned();
        assert!(tab.text().await.contains("until you press"));
        work(&server);
        assert_eq!(server.rows_of(bob), 0);
        tab.open("/admin/jobs/2").await;
        assert!(tab.text().await.contains(&token));
        tab.follow("form[action$='/handed-over'] button").await;
        tab.open("/admin/jobs/2").await;
        assert!(!tab.text().await.contains(&token));

        // Sees it completed, opens the receipt, and shows that it is bob's.
        assert!(tab.text().await.contains("Completed no remains found"));
        tab.follow("a[href='/admin/receipts/1']").await;
        assert!(tab.text().await.contains("The signature is valid."));
        let receipt = server.get("/api/receipts/1").bearer(&server.project().all).send().expect(200).text;
        tab.open("/admin/receipts/check").await;
        for (name, right) in [("bob", false), ("bob + 1%", true)] {
            tab.write("#receipt", &receipt).await;
            tab.write("#receipt-token", &token).await;
            tab.write("#identifier", name).await;
            tab.follow("form[action='/admin/receipts/check'] button").await;
            assert_eq!(tab.text().await.contains("It belongs to this person"), right, "{name}");
        }

        // Cancels a job.
        tab.follow(".menu a[href='/admin/jobs']").await;
        tab.follow(&format!("form[action='/admin/jobs/{job}/cancel'] button")).await;
        assert!(tab.text().await.contains(&format!("Job {job} is cancelled.")));
        assert_eq!(server.read(|db| jobs::get(db, None, job)).status, JobStatus::Cancelled);

        // Makes a key that works, and revokes it.
        tab.follow(".menu a[href='/admin/projects']").await;
        tab.write("#key-name", "backend").await;
        tab.follow("form[action='/admin/keys'] button").await;
        let key = tab.run("return document.querySelector('.secret').textContent").await;
        let key = key.as_str().expect("a key").to_owned();
        server.get("/users").bearer(&key).send().expect(200);
        tab.follow("a.button.primary").await;
        assert!(!tab.text().await.contains(&key));
        let id = server.read(usher::access::keys::list).last().expect("a key").id;
        tab.press(&format!("button[popovertarget=revoke-{id}]")).await;
        tab.follow(&format!("form[action='/admin/keys/{id}/revoke'] button")).await;
        server.get("/users").bearer(&key).send().expect(401);

        tab.follow("#sign-out button").await;
        tab.open("/admin/jobs").await;
        assert_eq!(tab.path().await, "/admin/login");
        assert_eq!(tab.complaints(), [] as [&str; 0]);
        tab.close().await;
    });
}

/// Nothing sticks out at any width at which the layout changes, nor between; no barrier is
/// found wide and light, and on a telephone in the dark.
async fn check(tab: &Tab, at: &str) {
    for width in [360, 719, 720, 879, 880, 1_119, 1_120, 1_279, 1_280, 1_920] {
        tab.set_width(width);
        assert_eq!(tab.overhang().await, 0, "{at} scrolls sideways at {width}");
    }
    for (scheme, width) in [("light", 1_280), ("dark", 360)] {
        tab.set_scheme(scheme);
        tab.set_width(width);
        assert_eq!(tab.barriers().await, [] as [&str; 0], "{at}, {scheme}, {width}");
    }
    tab.set_width(1_280);
    assert_eq!(tab.complaints(), [] as [&str; 0], "{at}");
}

#[test]
fn every_page_fits_a_phone_and_has_no_barrier() {
    let Some(programs) = Programs::found() else { return };
    let server = Server::start();
    let long = format!("{}@example.com", "m".repeat(240));
    let ann = server.seed(&long).email(&long).events(60).insert();
    let hidden = server.seed("hidden").insert();
    let (going, left) = (server.seed("going").events(3).insert(), server.seed("left").events(3).insert());
    let (project, waiting) = (server.project().id, named(&long));
    server.write(move |tx| {
        trash::hide(tx, &find::held(tx, hidden, tx.now())?)?;
        let at_work =
            erasure::begin(tx, &find::held(tx, going, tx.now())?, Erasure::Everything, Origin::Page)?;
        (0..5).try_for_each(|_| jobs::note_fault(tx, at_work.id, "disk I/O error"))?;
        erasure::begin(tx, &find::held(tx, left, tx.now())?, Erasure::Account, Origin::Page)?;
        jobs::schedule(tx, project, &waiting).map(|_| ())
    });
    // The account that was erased has its receipt; another erasure is at work.
    server.tick();
    let at_work = server.seed("at work").events(3).insert();
    let at_work = server.write(move |tx| {
        let user = find::held(tx, at_work, tx.now())?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Page)
    });
    let house = crate::common::house::House::new();
    let copy = house.path().join("copy.db");
    std::fs::write(&copy, "a database").expect("a file");
    for seq in [3, 4] {
        let about = crate::common::house::about(server.clock.now(), seq);
        house.try_pack(&copy, about, server.app.backups()).expect("a backup");
    }
    System::new().block_on(async {
        let (_driver, tab) = chromium::start(programs, server.url("")).await;
        tab.open(&server.setup_path).await;
        check(&tab, "the first-run link").await;
        tab.write("#name", "mia").await;
        tab.write("#password", PASSWORD).await;
        tab.write("#password_again", "something else").await;
        tab.follow("button[type=submit]").await;
        check(&tab, "a refused password").await;
        set_up(&tab, &server).await;

        let user = format!("/admin/users/{ann}");
        let pages = [
            "/admin/".to_owned(),
            "/admin/find?q=1".to_owned(),
            "/admin/find?q=nobody".to_owned(),
            "/admin/users".to_owned(),
            "/admin/users?state=live&seen=30&sort=seen&country=DE".to_owned(),
            format!("{user}/edit"),
            format!("{user}/timeline"),
            format!("{user}/jobs"),
            format!("{user}/access"),
            format!("{user}/raw"),
            "/admin/users?q=nobody".to_owned(),
            user.clone(),
            format!("/admin/users/{hidden}"),
            format!("/admin/users/{going}"),
            format!("/admin/users/{left}"),
            format!("{user}/erase/account"),
            format!("{user}/erase/activity"),
            format!("{user}/erase/everything"),
            "/admin/trash".to_owned(),
            // One that renews itself is what a reader may not be able to follow: here it is
            // stopped, as its own link does.
            "/admin/jobs?refresh=off".to_owned(),
            "/admin/jobs/1".to_owned(),
            "/admin/jobs/2".to_owned(),
            "/admin/jobs/3".to_owned(),
            format!("/admin/jobs/{}?refresh=off", at_work.id),
            "/admin/receipts".to_owned(),
            "/admin/receipts/1".to_owned(),
            "/admin/receipts/check".to_owned(),
            "/admin/audit".to_owned(),
            "/admin/backups".to_owned(),
            "/admin/clock".to_owned(),
            "/admin/account".to_owned(),
            "/admin/projects".to_owned(),
            format!("/admin/projects/{}/repairs", server.project().key),
            "/admin/nothing".to_owned(),
        ];
        for page in &pages {
            tab.open(page).await;
            check(&tab, page).await;
        }
        tab.open(&user).await;
        tab.set_width(360);
        tab.press("button[popovertarget=hide]").await;
        check(&tab, "the question before hiding").await;
        tab.follow("#hide button[type=submit]").await;
        check(&tab, "what is said after hiding").await;
        tab.open(&format!("{user}/erase/everything")).await;
        tab.write("#confirm", "something else").await;
        tab.follow("button.danger").await;
        check(&tab, "a wrong confirmation").await;
        tab.write("#confirm", &long).await;
        tab.follow("button.danger").await;
        assert!(tab.text().await.contains("Give this token to the person"));
        check(&tab, "a token").await;
        tab.open("/admin/receipts/check").await;
        tab.write("#receipt", "{\"format\":1}").await;
        tab.follow("form[action='/admin/receipts/check'] button").await;
        check(&tab, "a receipt that is none").await;
        tab.open("/admin/projects").await;
        tab.write("#project-name", "default").await;
        tab.follow("form[action='/admin/projects'] button").await;
        check(&tab, "a name that is taken").await;
        tab.open("/admin/projects").await;
        tab.write("#key-name", &"k".repeat(100)).await;
        tab.follow("form[action='/admin/keys'] button").await;
        check(&tab, "a new key").await;
        tab.open("/admin/projects").await;
        check(&tab, "keys").await;
        tab.follow("#sign-out button").await;
        check(&tab, "signed out").await;
        tab.write("#name", "mia").await;
        tab.write("#password", "a guess").await;
        tab.follow("button[type=submit]").await;
        check(&tab, "a wrong password").await;

        // The twin: what it looks for, it sees.
        tab.run("document.body.insertAdjacentHTML('beforeend', '<input type=text>')").await;
        assert!(tab.barriers().await.iter().any(|barrier| barrier.starts_with("label")));
        tab.run("document.body.insertAdjacentHTML('beforeend', '<img alt=wide width=2000 height=9>')").await;
        assert!(tab.overhang().await > 0);
        assert_eq!(tab.complaints(), [] as [&str; 0]);
        tab.run("document.body.setAttribute('style', 'color: red')").await;
        let complaints = tab.complaints();
        assert!(complaints.iter().any(|said| said.contains("Content Security Policy")), "{complaints:?}");
        tab.close().await;
    });
}

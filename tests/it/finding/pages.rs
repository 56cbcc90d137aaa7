//! Finding in the admin pages.

use usher::model::{ProfileChange, Reach, Role};
use usher::people::users;
use usher::store::NormalTx;

use crate::admin::roles::signed_in;
use crate::admin::{Browser, page_of, words};
use crate::harness::{Names, Server, encode, named};

fn ann(server: &Server) -> usher::model::UserId {
    let project = server.project().id;
    let change = ProfileChange {
        display_name: Some(Some("Annabel Johnson".into())),
        email: Some(Some("annabel@example.com".into())),
        ..ProfileChange::default()
    };
    server
        .write(move |tx: &NormalTx| users::create_or_update(tx, project, &named("u-4711"), &change))
        .expect("taken")
        .0
        .id
}

#[test]
fn a_part_of_a_name_finds_its_person() {
    let server = Server::start();
    let id = ann(&server);
    let browser = Browser::owner(&server);
    for q in ["4711", "nabel", "JOHNSON", "annabel@ex", "johnson annabel"] {
        let page = browser.get(&format!("/admin/users?q={}", encode(q))).expect(200).text;
        assert!(page.contains(&page_of(id)), "{q}");
    }
}

#[test]
fn a_slip_is_asked_back_and_its_link_finds() {
    let server = Server::start();
    let id = ann(&server);
    let browser = Browser::owner(&server);
    let page = browser.get("/admin/users?q=jonson").expect(200).text;
    assert!(!page.contains(&page_of(id)) && words(&page).contains("Did you mean: Annabel Johnson"), "{page}");
    let (_, link) = page.split_once("href=\"/admin/users?q=Annabel").expect("a link");
    let link = link.split('"').next().expect("its end");
    assert!(browser.get(&format!("/admin/users?q=Annabel{link}")).expect(200).text.contains(&page_of(id)));
}

#[test]
fn masked_roles_are_suggested_nobody() {
    let server = Server::start();
    ann(&server);
    let support = signed_in(&server, "sue", Role::Support, &Reach::All);
    for q in ["jonson", "annabel@exmaple.com", "nabel"] {
        let page = support.get(&format!("/admin/users?q={}", encode(q))).expect(200).text;
        assert!(!page.contains("Did you mean") && !page.contains("Johnson"), "{q}");
    }
}

#[test]
fn a_search_has_pages_that_follow_one_another() {
    let server = Server::start();
    for n in 0..120 {
        server.seed(&format!("ann-{n}")).insert();
    }
    let browser = Browser::owner(&server);
    let (mut path, mut seen) = ("/admin/users?q=ann".to_owned(), 0);
    loop {
        let page = browser.get(&path).expect(200).text;
        seen += page.matches("class=\"mono clip\"").count();
        let Some((_, next)) = page.split_once("rel=\"next\" href=\"") else { break };
        path = next.split('"').next().expect("its end").replace("&#38;", "&");
    }
    assert_eq!(seen, 120);
}

#[test]
fn a_job_is_led_to_by_its_number() {
    let server = Server::start();
    let id = ann(&server);
    let job = server.write(move |tx| {
        let user = usher::people::find::held(tx, id, tx.now())?;
        usher::erasure::begin::begin(tx, &user, usher::model::Erasure::Everything, usher::model::Origin::Page)
    });
    let browser = Browser::owner(&server);
    let page = browser.get(&format!("/admin/find?q={}", job.id)).expect(200).text;
    assert!(page.contains(&format!("href=\"/admin/jobs/{}\"", job.id)), "{page}");
    let other = browser.get("/admin/find?q=99999").expect(200).text;
    assert!(!other.contains("/admin/jobs/99999"));
}

#[test]
fn until_the_names_are_read_the_page_says_so() {
    let server = Server::with(|options| options.names = Names::Later);
    server.expect_faults();
    let id = ann(&server);
    let browser = Browser::owner(&server);
    let page = browser.get("/admin/users?q=nabel");
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")));
    assert!(words(&page.text).contains("Names are still being loaded"), "{}", page.text);
    assert!(browser.get("/admin/users?q=u-4711").expect(200).text.contains(&page_of(id)));
}

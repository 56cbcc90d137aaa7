//! The menu, the box that finds, and the pages about a user: by keys, and on a telephone.

use actix_web::rt::System;
use fantoccini::key::Key;
use usher::erasure::jobs;

use super::chromium::{self, Programs};
use super::set_up;
use crate::harness::{Server, named};

#[test]
fn a_user_and_a_job_are_found_by_keys() {
    let Some(programs) = Programs::found() else { return };
    let server = Server::start();
    let ann = server.seed("ann@example.com").email("ann@example.com").events(120).insert();
    let project = server.project().id;
    let job = server.write(move |tx| jobs::schedule(tx, project, &named("bob"))).id;
    System::new().block_on(async {
        let (_driver, tab) = chromium::start(programs, server.url("")).await;
        set_up(&tab, &server).await;
        tab.keys("/").await;
        tab.keys("nn@exam").await;
        assert_eq!(tab.run("return document.getElementById('find').value").await, "nn@exam");
        // In a field a slash is a slash, and Ctrl K takes all of it.
        tab.keys("/").await;
        assert_eq!(tab.run("return document.getElementById('find').value").await, "nn@exam/");
        tab.keys(&format!("{}k{}", char::from(Key::Control), char::from(Key::Null))).await;
        tab.keys("nn@exam").await;
        tab.follow(".find button").await;
        assert_eq!(tab.path().await, "/admin/find");
        tab.follow(".results a").await;
        assert_eq!(tab.path().await, format!("/admin/users/{ann}"));

        tab.follow(".tabs a[href$='/timeline']").await;
        assert_eq!(tab.run("return document.querySelectorAll('.timeline tbody tr').length").await, 100);
        tab.follow("a[rel=next]").await;
        assert_eq!(tab.run("return document.querySelectorAll('.timeline tbody tr').length").await, 20);
        for page in ["jobs", "access", "raw"] {
            tab.follow(&format!(".tabs a[href$='/{page}']")).await;
            assert_eq!(tab.path().await, format!("/admin/users/{ann}/{page}"));
        }
        assert!(tab.text().await.contains("\"email\": \"ann@example.com\""));

        tab.write("#find", &job.to_string()).await;
        tab.follow(".find button").await;
        tab.follow(&format!(".results a[href='/admin/jobs/{job}']")).await;
        assert_eq!(tab.path().await, format!("/admin/jobs/{job}"));
        assert_eq!(tab.complaints(), [] as [&str; 0]);
        tab.close().await;
    });
}

#[test]
fn on_a_telephone_the_menu_is_a_drawer_with_the_sign_out() {
    let Some(programs) = Programs::found() else { return };
    let server = Server::start();
    server.seed(&format!("{}@example.com", "m".repeat(200))).events(3).insert();
    System::new().block_on(async {
        let (_driver, tab) = chromium::start(programs, server.url("")).await;
        set_up(&tab, &server).await;
        tab.set_width(360);
        let shown = "return document.querySelector('.drawer nav a').checkVisibility()";
        assert_eq!(tab.run(shown).await, false);
        tab.press(".drawer > summary").await;
        assert_eq!(tab.run(shown).await, true);
        assert_eq!(tab.overhang().await, 0);
        assert_eq!(tab.barriers().await, [] as [&str; 0]);
        let small =
            "return [...document.querySelectorAll('.side a, .side button, .side input, .side summary')]
            .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 24).length";
        assert_eq!(tab.run(small).await, 0, "targets of 24 px at least");
        tab.follow(".drawer a[href='/admin/trash']").await;
        assert_eq!(tab.path().await, "/admin/trash");
        // A user takes two lines, not a card.
        tab.open("/admin/users").await;
        let height = "return document.querySelector('.people tbody tr').getBoundingClientRect().height < 64";
        assert_eq!(tab.run(height).await, true);
        tab.press(".drawer > summary").await;
        tab.follow(".drawer button[form='sign-out']").await;
        assert!(tab.text().await.contains("You are signed out."));
        tab.close().await;
    });
}

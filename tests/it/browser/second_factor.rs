//! Setting up a second factor and signing in with it, in a browser that runs no script of ours.

use actix_web::rt::System;
use data_encoding::BASE32_NOPAD;

use super::chromium::{self, Programs, Tab};
use super::{PASSWORD, check, set_up};
use crate::admin::second_factor::code;
use crate::harness::Server;

const ACCOUNT: &str = ".account a[href='/admin/account']";

async fn text_of(tab: &Tab, css: &str) -> String {
    let text = tab.run(&format!("return document.querySelector('{css}').textContent")).await;
    text.as_str().expect("a text").to_owned()
}

async fn give_password(tab: &Tab) {
    tab.follow("#sign-out button").await;
    tab.write("#name", "mia").await;
    tab.write("#password", PASSWORD).await;
    tab.follow("button[type=submit]").await;
    assert_eq!(tab.path().await, "/admin/login/code");
}

#[test]
fn a_second_factor_is_set_up_and_signs_in_without_a_script() {
    let Some(programs) = Programs::found() else { return };
    let server = Server::start();
    System::new().block_on(async {
        let (_driver, tab) = chromium::start(programs, server.url("")).await;
        set_up(&tab, &server).await;
        tab.follow(ACCOUNT).await;
        assert!(tab.text().await.contains("This browser"));
        tab.write("#factor_password", "a guess").await;
        tab.follow("form[action='/admin/account/second-factor'] button").await;
        check(&tab, "a wrong password of the account").await;
        tab.write("#factor_password", PASSWORD).await;
        tab.follow("form[action='/admin/account/second-factor'] button").await;
        check(&tab, "the secret").await;
        let secret = text_of(&tab, "code.secret").await.replace('-', "");
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).expect("a secret");
        tab.write("#code", "000000").await;
        tab.follow("button.primary").await;
        check(&tab, "a wrong first code").await;
        tab.write("#code", &code(&secret, &server)).await;
        tab.follow("button.primary").await;
        check(&tab, "the recovery codes").await;
        let codes = text_of(&tab, "pre.secret").await;
        let recovery = codes.lines().next().expect("a code").to_owned();
        tab.follow("a.button.primary").await;
        check(&tab, "the account with a second factor").await;

        server.clock.advance(60_000);
        give_password(&tab).await;
        check(&tab, "the code").await;
        tab.keys("000000").await;
        tab.follow("button[type=submit]").await;
        check(&tab, "a wrong code").await;
        tab.write("#code", &code(&secret, &server)).await;
        tab.follow("button[type=submit]").await;
        assert_eq!(tab.path().await, "/admin/");
        give_password(&tab).await;
        // The field has the focus, and Enter sends it.
        tab.keys(&format!("{recovery}\u{e007}")).await;
        tab.open("/admin/account").await;
        assert!(tab.text().await.contains("9 recovery codes left"));

        tab.write("#factor_password", PASSWORD).await;
        tab.write("#factor_code", codes.lines().nth(1).expect("a code")).await;
        tab.follow("button.danger").await;
        assert_eq!(tab.path().await, "/admin/account");
        assert!(tab.text().await.contains("The second factor is off."));
        assert_eq!(tab.complaints(), [] as [&str; 0]);
        tab.close().await;
    });
}

//! A page of another site in a real browser, which asks first and hides what it may not see.

use actix_web::rt::System;
use serde_json::{Value, json};

use super::chromium::{self, Programs, Tab};
use crate::harness::Server;
use crate::segment::names;

/// The status and the text of what a page sends, or what its browser says instead.
async fn fetch(tab: &Tab, url: &str, options: Value) -> String {
    let script = format!(
        "return fetch({}, {options}).then(async (reply) => reply.status + ' ' + await reply.text(), String)",
        json!(url)
    );
    tab.run(&script).await.as_str().expect("a text").to_owned()
}

#[test]
fn a_page_of_another_site_sends_and_reads_the_answer() {
    let Some(programs) = Programs::found() else { return };
    // Another port is another origin.
    let (server, site) = (Server::start(), Server::start());
    let project = server.project();
    System::new().block_on(async {
        let (_driver, tab) = chromium::start(programs, site.url("")).await;
        tab.open("/up").await;
        let track = |key: &str| {
            json!({
                "method": "POST",
                "headers": { "Authorization": format!("Bearer {key}"), "Content-Type": "text/plain" },
                "body": json!({ "userId": "ann", "event": "Opened" }).to_string(),
            })
        };
        let sent = fetch(&tab, &server.url("/v1/t"), track(&project.token)).await;
        assert_eq!(sent, r#"200 {"success":true}"#);
        let refused = fetch(&tab, &server.url("/v1/t"), track("wrong")).await;
        assert!(refused.starts_with("401 "), "{refused}");
        // As Vemetric's client sends it: with credentials, which no `*` allows.
        let event = json!({
            "method": "POST",
            "credentials": "include",
            "headers": { "Token": project.token, "Allow-Cookies": "true", "Content-Type": "application/json" },
            "body": json!({ "name": "Seen", "identifier": "ann" }).to_string(),
        });
        assert_eq!(fetch(&tab, &server.url("/e"), event).await, "200 ");
        let settings = format!("/v1/projects/{}/settings", project.token);
        let settings = fetch(&tab, &server.url(&settings), json!({})).await;
        assert!(settings.starts_with("200 {"), "{settings}");
        // The twin: what reads is out of reach, with a good key too.
        let key = json!({ "headers": { "X-APTRINSIC-API-KEY": project.all } });
        let read = fetch(&tab, &server.url("/v1/users/ann"), key).await;
        assert!(read.contains("Failed to fetch"), "{read}");
    });
    let mut stored = names(&server, "ann");
    stored.sort();
    assert_eq!(stored, ["Opened", "Seen"]);
}

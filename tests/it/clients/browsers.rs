//! The clients that an app ships to its users' browsers, in a headless Chromium, on a page of
//! another origin. Nothing of a client is changed: its own bundler's output is served, with
//! the server's address where an app would write its own.

use std::process::Command;
use std::time::Duration;

use actix_web::rt::System;
use serde_json::{Value, json};

use super::run::Run;
use super::site::{File, Site};
use super::{folder, text};
use crate::browser::chromium::{self, Programs};
use crate::needs::installed;

/// A page of the app. It may be driven by a program, but the client is not to notice: one of
/// them sends nothing then.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<title>Shop</title>
<button data-vmtrc="Button Pressed" data-vmtrc-label="start">Start</button>
<a href="https://elsewhere.example.com/terms">Elsewhere</a>
<script>
window.usher = SETTINGS;
Object.defineProperty(Navigator.prototype, "webdriver", { get: () => false });
document.querySelector("a").addEventListener("click", event => event.preventDefault());
</script>
<script src="/client.js"></script>
</html>
"#;

/// One file of a script and all that it imports, as an app's own bundler makes it.
fn bundle(script: &str) -> Option<String> {
    let esbuild = installed(folder().join("node_modules/.bin/esbuild"))?;
    let output = Command::new(esbuild)
        .arg(folder().join("browser").join(script))
        .args(["--bundle", "--format=iife", "--platform=browser", "--log-level=error"])
        .output()
        .expect("the bundler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Opens the page in a browser, and gives the script's report. What the browser complains of
/// fails the test: a request that was refused to another origin, or one that went to the
/// vendor.
fn visit(script: &str, options: Value) -> Option<(Run, Value)> {
    let programs = Programs::found()?;
    let client = bundle(script)?;
    let run = Run::begin();
    // Another origin of the page's own site, as an app has it that keeps its cookies: browsers
    // drop those of other sites.
    let base = match options["cookies"] == true {
        true => run.wire.base.replace("127.0.0.1", "api.usher.localhost"),
        false => run.wire.base.clone(),
    };
    let mut settings = json!({ "url": base, "token": run.token, "prefix": "run" });
    let Value::Object(options) = options else { unreachable!("it is one") };
    settings.as_object_mut().expect("an object").extend(options);
    let html = |text: String| File { path: "/", kind: "text/html", text };
    let mut files = vec![
        html(PAGE.replace("SETTINGS", &settings.to_string())),
        File { path: "/client.js", kind: "text/javascript", text: client },
    ];
    if script == "vemetric.mjs" {
        let tracker = std::fs::read_to_string(folder().join("node_modules/@vemetric/web/dist/main.js"));
        files.push(File {
            path: "/vemetric.js",
            kind: "text/javascript",
            text: tracker.expect("the tracker"),
        });
    }
    let site = Site::open(files);
    let report = System::new().block_on(async {
        let (_driver, tab) = chromium::start(programs, site.origin.clone()).await;
        tab.open("/").await;
        let mut report = Value::Null;
        for _ in 0..600 {
            report = tab.run("return window.report ?? window.failure ?? null").await;
            if !report.is_null() {
                break;
            }
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
        // What waits in the client is sent while the page is open.
        for _ in 0..200 {
            let expected = report["messages"].as_u64().unwrap_or_default();
            if u64::try_from(run.wire.messages().len()).expect("a number") >= expected {
                break;
            }
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
        let mut complaints = tab.complaints();
        // One of the clients says of itself that it is old; many pages have it all the same.
        complaints.retain(|said| !said.contains("package is deprecated and no longer maintained"));
        assert!(report.is_object(), "{report} {complaints:?}");
        assert_eq!(complaints, [] as [&str; 0], "{report}");
        tab.close().await;
        report
    });
    Some((run, report))
}

/// Every message and its answer went over the wire, with the page's origin.
fn drive(script: &str, options: Value) {
    let Some((run, report)) = visit(script, options) else { return };
    let asked = run.wire.requests();
    assert!(
        asked
            .iter()
            .all(|sent| sent.header("origin").is_some_and(|origin| origin.contains("app.usher.localhost"))),
        "{asked:?}"
    );
    run.check(&report);
}

#[test]
fn npm_segment_analytics_next() {
    drive("segment.mjs", json!({}));
}

#[test]
fn npm_segment_analytics_next_in_batches() {
    drive("segment.mjs", json!({ "batching": true }));
}

#[test]
fn npm_customerio_browser() {
    drive("customerio.mjs", json!({}));
}

#[test]
fn npm_rudderstack_analytics_js() {
    drive("rudder.mjs", json!({}));
}

#[test]
fn npm_rudderstack_analytics_js_by_beacon() {
    drive("rudder.mjs", json!({ "beacon": true }));
}

#[test]
fn npm_rudder_sdk_js() {
    drive("rudder2.mjs", json!({}));
}

/// What the visitor did before the login is the person's, too, from the login on.
fn drive_vemetric(options: Value) {
    let Some((run, report)) = visit("vemetric.mjs", options) else { return };
    crate::process::wait_until("the beacon of the page's end", || {
        run.wire.requests().iter().any(|sent| sent.path == "/l").then_some(())
    });
    run.settle();
    run.check_answers();
    run.check_vemetric(&report);
    run.check_vemetric_late(text(&report, "identifier"), "/i");
    run.end();
}

#[test]
fn npm_vemetric_web() {
    drive_vemetric(json!({}));
}

#[test]
fn npm_vemetric_web_with_cookies() {
    drive_vemetric(json!({ "cookies": true }));
}

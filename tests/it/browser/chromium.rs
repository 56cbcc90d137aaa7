//! A headless Chromium of one's own, and a tab in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::folder;
use crate::needs::installed;
use crate::process::agent;

/// What `tests/run` installs for these tests. None: it did not.
pub struct Programs {
    chromium: PathBuf,
    driver: PathBuf,
    axe: String,
}

impl Programs {
    pub fn found() -> Option<Programs> {
        let chromium = on_path("chromium").or_else(|| on_path("google-chrome"));
        let chromium = chromium.or_else(|| installed(PathBuf::from("/usr/bin/chromium")))?;
        let driver = on_path("chromedriver").or_else(|| installed(PathBuf::from("/usr/bin/chromedriver")))?;
        let axe = installed(folder().join("node_modules/axe-core/axe.min.js"))?;
        Some(Programs { chromium, driver, axe: std::fs::read_to_string(axe).expect("axe-core") })
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|program| program.is_file())
}

/// The driver's process. When it is dropped, its browser and it are ended.
pub struct Driver {
    process: Child,
    base: String,
    session: Option<String>,
    /// The browser's own profile, and nobody else's.
    _profile: TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            // It may have gone already.
            let _ = agent().delete(format!("{}/session/{session}", self.base)).call();
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub struct Tab {
    client: Client,
    /// Of the server.
    base: String,
    /// For what only this browser's driver has.
    vendor: String,
    axe: String,
}

/// Starts a driver on a free port and a browser under it; the tab opens pages of `base`.
pub async fn start(programs: Programs, base: String) -> (Driver, Tab) {
    let (process, port) = spawn(&programs.driver);
    let profile = tempfile::tempdir().expect("a directory");
    let mut driver =
        Driver { process, base: format!("http://127.0.0.1:{port}"), session: None, _profile: profile };
    let flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        &format!("--user-data-dir={}", driver._profile.path().display()),
    ];
    let capabilities = json!({
        "goog:chromeOptions": { "binary": programs.chromium, "args": flags },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let Value::Object(capabilities) = capabilities else { unreachable!("it is one") };
    let client = ClientBuilder::native().capabilities(capabilities).connect(&driver.base).await;
    let client = client.expect("a browser");
    driver.session = client.session_id().await.expect("a session");
    let vendor = format!("{}/session/{}", driver.base, driver.session.as_deref().expect("a session"));
    let tab = Tab { client, base, vendor, axe: programs.axe };
    (driver, tab)
}

/// A driver, and its port. Of several that start at the same time one ends now and then
/// without having found a port: then it is started again.
fn spawn(driver: &Path) -> (Child, String) {
    for _ in 0..5 {
        let mut process = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let stdout = process.stdout.take().expect("standard output");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        if let Some(said) = lines.find(|line| line.contains("successfully on port")) {
            std::thread::spawn(move || lines.for_each(drop));
            let port = said.trim_end_matches('.').rsplit(' ').next().expect("a port");
            return (process, port.to_owned());
        }
        process.wait().expect("an end");
    }
    panic!("the driver does not say its port");
}

impl Tab {
    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.expect("the page opens");
    }

    /// The path of the page that is shown.
    pub async fn path(&self) -> String {
        self.client.current_url().await.expect("an address").path().to_owned()
    }

    /// Presses what leads to another page, and waits for it.
    pub async fn follow(&self, css: &str) {
        self.run("window.before = true").await;
        self.press(css).await;
        for _ in 0..600 {
            let ready = "return !window.before && document.readyState === 'complete'";
            // Between two pages there is none to ask.
            if matches!(self.client.execute(ready, vec![]).await, Ok(Value::Bool(true))) {
                return;
            }
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{css} led nowhere");
    }

    /// Presses what can be seen and pressed.
    pub async fn press(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await;
        let element = element.unwrap_or_else(|error| panic!("{css}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{css} cannot be pressed: {error}"));
    }

    /// Writes into a field, in the place of what was there.
    pub async fn write(&self, css: &str, text: &str) {
        let field =
            self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        field.clear().await.expect("it can be emptied");
        field.send_keys(text).await.expect("it can be written into");
    }

    /// Presses keys, wherever the focus is.
    pub async fn keys(&self, text: &str) {
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(text).await.expect("it takes keys");
    }

    /// What is read of the page, as the browser lays it out.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().expect("a text").split_whitespace().collect::<Vec<&str>>().join(" ")
    }

    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub fn set_width(&self, width: u32) {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// As the system has it: "light" or "dark". Without motion, so that no colour is looked
    /// at on its way from one to the other.
    pub fn set_scheme(&self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.ask("goog/cdp/execute", &body)
    }

    /// Errors that the browser wrote to its console since it was asked last, but for the
    /// statuses that pages have on purpose.
    pub fn complaints(&self) -> Vec<String> {
        let said = self.ask("se/log", &json!({ "type": "browser" }));
        let lines = said.as_array().expect("a list").iter().filter(|line| line["level"] == "SEVERE");
        let lines = lines.map(|line| line["message"].as_str().expect("a text").to_owned());
        lines.filter(|line| !line.contains("the server responded with a status of 4")).collect()
    }

    fn ask(&self, what: &str, body: &Value) -> Value {
        let mut answer = agent().post(format!("{}/{what}", self.vendor)).send_json(body).expect("an answer");
        let answer: Value = answer.body_mut().read_json().expect("JSON");
        answer["value"].clone()
    }

    /// What of the page is wider than the window.
    pub async fn overhang(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.run(script).await.as_i64().expect("a number")
    }

    /// What axe-core finds serious or worse: the rule, and where.
    pub async fn barriers(&self) -> Vec<String> {
        self.run(&self.axe).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { preload: false, resultTypes: ['violations'] }).then(
                found => done(found.violations
                    .filter(v => ['serious', 'critical'].includes(v.impact))
                    .flatMap(v => v.nodes.map(n => v.id + ': ' + n.html))),
                fault => done(['axe: ' + fault]));";
        let found = self.client.execute_async(script, vec![]).await.expect("axe runs");
        let found = found.as_array().expect("a list").iter();
        found.map(|barrier| barrier.as_str().expect("a text").to_owned()).collect()
    }

    pub async fn close(self) {
        self.client.close().await.expect("the browser ends");
    }
}

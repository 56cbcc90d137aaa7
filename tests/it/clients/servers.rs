//! The clients that an app's own server uses, for Node.js and for Python.

use std::process::Command;

use serde_json::Value;

use super::run::{Run, check_vemetric};
use super::{node, python, text};
use crate::certificates::good;
use crate::needs::skipped;
use crate::process::{Process, directory, key, sqlite};

/// Runs a client's script against the wire, and gives its report.
fn report(run: &Run, command: &mut Command, token: &str) -> Value {
    report_of(&run.wire.base, command, token, &|| format!("{:?}", run.wire.statuses()))
}

fn report_of(url: &str, command: &mut Command, token: &str, more: &dyn Fn() -> String) -> Value {
    let output = command
        .env("USHER_URL", url)
        .env("USHER_TOKEN", token)
        .env("USHER_PREFIX", "run")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env_remove("https_proxy")
        .env_remove("HTTPS_PROXY")
        .output()
        .expect("the client runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaint}\n{said}\n{}", more());
    serde_json::from_str(said.lines().last().expect("a report")).expect("a report in JSON")
}

fn drive(command: Option<Command>) {
    let Some(mut command) = command else { return };
    let run = Run::begin();
    let report = report(&run, &mut command, &run.token);
    run.check(&report);
}

#[test]
fn npm_rudder_sdk_node() {
    drive(node("rudder_node.mjs"));
}

#[test]
fn npm_analytics_node() {
    drive(node("analytics_node.mjs"));
}

#[test]
fn npm_customerio_node() {
    drive(node("customerio_node.mjs"));
}

#[test]
fn pypi_rudder_sdk_python() {
    drive(python("rudder_python.py"));
}

/// With a plain ingest key as its token, as a server may: such a key restores and changes.
#[test]
fn npm_vemetric_node_over_tls() {
    let Some(mut command) = node("vemetric_node.mjs") else { return };
    let run = Run::begin();
    let Some((certificate, key)) = certificate(&run) else { return };
    command.env("NODE_EXTRA_CA_CERTS", &certificate);
    command.env("USHER_CERTIFICATE", &certificate).env("USHER_CERTIFICATE_KEY", &key);
    let ingest = ingest_key(&run);
    let report = report(&run, &mut command, &ingest);
    run.settle();
    run.check_answers();
    run.check_vemetric(&report);
    run.check_vemetric_late(text(&report, "identifier"), "/u");
    run.end();
}

/// The same client, to the server itself: nothing stands between them that takes TLS off.
#[test]
fn npm_vemetric_node_straight_to_the_servers_own_tls() {
    let Some(mut command) = node("vemetric_node.mjs") else { return };
    let (dir, folder) = (directory(), directory());
    let ingest = key(dir.path(), "client");
    let files = good().write(folder.path());
    let (certificate, tls_key) = (files.certificate.to_string_lossy(), files.key.to_string_lossy());
    let server = Process::start_with(dir.path(), &["--tls-cert", &certificate, "--tls-key", &tls_key]);
    command.env("NODE_EXTRA_CA_CERTS", &*certificate);
    let report = report_of(&server.base, &mut command, &ingest, &String::new);
    check_vemetric(&sqlite(dir.path()), &report);
    assert!(server.terminate().success());
}

fn ingest_key(run: &Run) -> String {
    let project = crate::process::lines(run.path(), &["project", "list"]).remove(0);
    let project = project.split('\t').next().expect("a key").to_owned();
    let args = ["key", "create", "--project", &project, "--name", "server", "--scopes", "ingest"];
    crate::process::lines(run.path(), &args).remove(0)
}

/// One for this machine that signs itself, good for a day, and its key.
fn certificate(run: &Run) -> Option<(String, String)> {
    let file = |name: &str| run.path().join(name).display().to_string();
    let (certificate, key) = (file("certificate.pem"), file("certificate.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-out", &certificate, "-keyout", &key])
        .output();
    let Ok(made) = made else {
        skipped("openssl is missing; tests/run installs it");
        return None;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some((certificate, key))
}

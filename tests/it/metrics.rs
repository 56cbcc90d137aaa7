//! `/metrics`: the text format to the letter, true figures, nothing of anybody in a label.

use std::collections::{BTreeMap, BTreeSet};

use usher::clock::{DAY, HOUR};

use crate::certificates::{self, good};
use crate::common::figures::read;
use crate::harness::Server;
use crate::process::{Process, agent, begin, directory, free_address, lines};

fn scraped(server: &Server, key: &str) -> BTreeMap<String, f64> {
    let reply = server.get("/metrics").bearer(key).send().expect(200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    read(&reply.text)
}

#[test]
fn the_figures_are_the_organisations_to_read() {
    let server = Server::start();
    server.get("/metrics").send().expect(401);
    server.get("/metrics").bearer(&server.project().all).send().expect(403);
    server.get("/metrics").bearer(&server.key(None, "ingest,write,delete,admin")).send().expect(403);
    server.get("/metrics").bearer(&server.key(None, "read")).send().expect(200);
}

#[test]
fn requests_are_counted_by_pattern_and_latencies_add_up() {
    let server = Server::start();
    let key = server.key(None, "read");
    server.seed("ann@example.com").insert();
    let pattern = "/v1/users/{identifyId}";
    for who in ["ann@example.com", "ann@example.com", "nobody-here"] {
        let path = format!("/v1/users/{who}");
        server.get(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send();
    }
    server.get("/no/such/path-of-ann").send().expect(404);
    let reply = server.get("/metrics").bearer(&key).send().expect(200);
    for text in ["ann", "nobody-here", &server.project().key, &server.project().all, &key] {
        assert!(!reply.text.contains(text), "{text} is in the figures");
    }
    let figures = read(&reply.text);
    let count = |status: &str| {
        figures[&format!("usher_requests_total{{method=\"GET\",route=\"{pattern}\",status=\"{status}\"}}")]
    };
    assert_eq!((count("2xx"), count("4xx")), (2.0, 1.0));
    assert!(figures.keys().any(|series| series.contains("route=\"(no route)\"")));
    let of = |end: &str| format!("usher_request_duration_seconds_{end}{{method=\"GET\",route=\"{pattern}\"");
    let buckets: Vec<f64> =
        ["0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "10"]
            .iter()
            .map(|le| figures[&format!("{},le=\"{le}\"}}", of("bucket"))])
            .collect();
    assert!(buckets.is_sorted(), "{buckets:?}");
    assert_eq!(figures[&format!("{},le=\"+Inf\"}}", of("bucket"))], 3.0);
    assert_eq!(figures[&format!("{}}}", of("count"))], 3.0);
    assert!(figures[&format!("{}}}", of("sum"))] > 0.0);
}

#[test]
fn jobs_the_trash_and_the_writer_are_told_with_their_age() {
    let server = Server::start();
    let key = server.key(None, "read");
    let state = |figures: &BTreeMap<String, f64>, state: &str| {
        let of = |name: &str| figures[&format!("usher_jobs{name}{{state=\"{state}\"}}")];
        (of(""), of("_oldest_seconds"))
    };
    let before = scraped(&server, &key);
    assert_eq!(state(&before, "erasing"), (0.0, 0.0));
    assert_eq!(before["usher_unproven_oldest_seconds"], 0.0);
    assert_eq!((before["usher_ready"], before["usher_receipts"]), (1.0, 0.0));
    assert!(!before.contains_key("usher_backup_age_seconds"), "there is no backup");
    assert!(
        before["usher_disk_free_bytes"] > 0.0
            && before["usher_disk_bytes"] >= before["usher_disk_free_bytes"]
    );
    server.seed("ann").events(3).insert();
    server.seed("ben").insert();
    let delete = |path: &str| {
        server.delete(path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200)
    };
    delete("/v1/users/ann?hardDelete=true");
    delete("/v1/users/ben");
    server.clock.advance(HOUR);
    let after = scraped(&server, &key);
    assert_eq!(state(&after, "erasing"), (1.0, 3_600.0));
    assert_eq!(after["usher_unproven_oldest_seconds"], 3_600.0);
    assert!(after["usher_commits_total"] > before["usher_commits_total"]);
    assert!(after["usher_wal_bytes"] > 0.0);
    assert_eq!(after["usher_clock_seconds"] - before["usher_clock_seconds"], 3_600.0);
    assert_eq!(after["usher_reaper_lag_seconds"], 0.0);
    server.clock.advance(7 * DAY);
    assert_eq!(scraped(&server, &key)["usher_reaper_lag_seconds"], 3_600.0);
    server.tick();
    let last = scraped(&server, &key);
    assert_eq!(state(&last, "erasing"), (0.0, 0.0));
    assert_eq!((last["usher_unproven_oldest_seconds"], last["usher_reaper_lag_seconds"]), (0.0, 0.0));
    assert_eq!(last["usher_receipts"], 2.0);
}

#[test]
fn a_clock_that_is_not_trusted_is_a_figure() {
    let server = Server::start();
    let key = server.key(None, "read");
    let trusted = || scraped(&server, &key)["usher_clock_trusted"];
    assert_eq!(trusted(), 1.0);
    server.clock.set_wall(8 * DAY);
    assert_eq!(trusted(), 0.0);
    server.app.confirm_clock().expect("confirmed");
    assert_eq!(trusted(), 1.0);
}

#[test]
fn an_address_of_their_own_serves_the_figures_alone() {
    let dir = directory();
    begin(dir.path());
    let addr = free_address();
    let server = Process::start_with(dir.path(), &["--metrics-listen", &addr.to_string()]);
    let get = |url: String| agent().get(url).call().expect("an answer");
    let mut reply = get(format!("http://{addr}/metrics"));
    assert_eq!(reply.status(), 200);
    assert!(read(&reply.body_mut().read_to_string().expect("text")).contains_key("usher_ready"));
    for path in ["/", "/admin/", "/api/jobs/1", "/v1/users/ann", "/readyz"] {
        assert_eq!(get(format!("http://{addr}{path}")).status(), 404, "{path}");
    }
    // The twin: where everybody reaches the server, a key is asked for.
    assert_eq!(get(server.url("/metrics")).status(), 401);
    assert!(server.terminate().success());
}

/// The names of figures in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("usher_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_name_figures_that_there_are() {
    let dir = directory();
    begin(dir.path());
    lines(dir.path(), &["backup", &dir.path().join("backups").to_string_lossy()]);
    let key = lines(dir.path(), &["key", "create", "--org", "--name", "watch", "--scopes", "read"]).remove(0);
    // With a certificate, so that all figures are there.
    let folder = directory();
    let shown = good();
    let files = shown.write(folder.path());
    let (certificate, tls_key) = (files.certificate.to_string_lossy(), files.key.to_string_lossy());
    let server = Process::start_with(dir.path(), &["--tls-cert", &certificate, "--tls-key", &tls_key]);
    let agent = certificates::agent(&shown);
    assert_eq!(agent.get(server.url("/healthz")).call().expect("an answer").status(), 200);
    let reply = agent.get(server.url("/metrics")).header("Authorization", &key).call();
    let text = reply.expect("an answer").body_mut().read_to_string().expect("text");
    let age = read(&text)["usher_backup_age_seconds"];
    assert!((0.0..600.0).contains(&age), "{age}");
    assert_eq!(read(&text)["usher_tls_not_after_seconds"], 2_524_608_000.999);
    let there = named(&text);
    let rules = named(include_str!("../../deploy/alerts.yml"));
    let shown = named(include_str!("../../deploy/dashboard.json"));
    assert!(rules.len() > 8 && shown.len() > 8);
    let missing: Vec<&String> = rules.iter().chain(&shown).filter(|name| !there.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Each figure is explained, and each that is explained is there.
    let told = named(include_str!("../../docs/operations.md"));
    let families: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(told, families);
    assert!(server.terminate().success());
}

//! HTTPS by the server itself: what it speaks, whom it cuts off, and how its certificate is renewed.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};
use usher::clock::DAY;
use usher::tls::Files;

use crate::certificates::{Made, agent, good, made};
use crate::harness::{START, Server};
use crate::process::{Process, directory, refused, usher, wait_until};

struct Secure {
    server: Server,
    files: Files,
    shown: Made,
    folder: TempDir,
}

fn secure() -> Secure {
    secure_with(good(), |_| {})
}

fn secure_with(shown: Made, change: impl FnOnce(&mut crate::harness::Options)) -> Secure {
    let folder = directory();
    let files = shown.write(folder.path());
    let server = Server::with(|options| {
        options.tls = Some(files.clone());
        change(options);
    });
    Secure { server, files, shown, folder }
}

impl Secure {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.server.addr)
    }

    /// Whether a client that trusts this certificate alone is answered.
    fn is_shown(&self, trusted: &Made) -> bool {
        agent(trusted).get(self.url("/healthz")).call().is_ok_and(|answer| answer.status() == 200)
    }

    fn look(&self) {
        self.server.app.tls().expect("a certificate").look();
    }
}

type Client = StreamOwned<ClientConnection, TcpStream>;

fn client(to: SocketAddr, trusted: &Made, versions: &[&'static SupportedProtocolVersion]) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(trusted.der.clone())).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connection = ClientConnection::new(Arc::new(config), ServerName::from(to.ip())).expect("a client");
    let stream = TcpStream::connect(to).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    StreamOwned::new(connection, stream)
}

#[test]
fn both_versions_of_tls_are_spoken_and_http_1_1_over_them() {
    let on = secure();
    for only in [&version::TLS12, &version::TLS13] {
        let mut client = client(on.server.addr, &on.shown, &[only]);
        client.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer that ends as TLS wants it");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
        assert_eq!(client.conn.protocol_version(), Some(only.version));
        assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

/// The beginning of a handshake, of a client whose newest version is this.
fn hello(newest: [u8; 2]) -> Vec<u8> {
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 0x1d, // groups: X25519
        0, 11, 0, 2, 1, 0, // points: uncompressed
        0, 13, 0, 4, 0, 2, 4, 3, // signatures: ECDSA with P-256
    ];
    let length = |bytes: usize| u16::try_from(bytes).expect("a small number").to_be_bytes();
    let mut body = newest.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend(length(extensions.len()));
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend(length(body.len()));
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(length(message.len()));
    record.extend(message);
    record
}

/// The first record that comes back: its kind, and what is in it.
fn first_record(to: SocketAddr, sent: &[u8]) -> (u8, Vec<u8>) {
    let mut stream = TcpStream::connect(to).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.write_all(sent).expect("sent");
    let mut head = [0; 5];
    stream.read_exact(&mut head).expect("a record");
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut body).expect("its content");
    (head[0], body)
}

#[test]
fn older_versions_of_tls_are_refused_as_such() {
    let on = secure();
    for old in [[3, 0], [3, 1], [3, 2]] {
        // A fatal alert: protocol_version.
        assert_eq!(first_record(on.server.addr, &hello(old)), (21, vec![2, 70]), "{old:?}");
    }
    // The twin: the same with TLS 1.2 is answered with the server's own beginning.
    let (kind, content) = first_record(on.server.addr, &hello([3, 3]));
    assert_eq!((kind, content[0]), (22, 2));
}

#[test]
fn http_without_tls_is_told_so() {
    let on = secure();
    let mut stream = TcpStream::connect(on.server.addr).expect("a connection");
    let body = "x".repeat(20_000);
    let ask = format!("POST /v1/batch?key=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n{body}");
    stream.write_all(ask.as_bytes()).expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("an end");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 400 ") && head.contains(&format!("Content-Length: {}", body.len())));
    assert!(body.contains("https://"), "{body}");
}

#[test]
fn cookies_links_and_browsers_stay_with_https() {
    let on = secure();
    let page = agent(&on.shown).get(on.url("/admin/login")).call().expect("an answer");
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["strict-transport-security"], "max-age=31536000");
    let cookie = page.headers()["set-cookie"].to_str().expect("a text");
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
    assert_eq!(on.server.app.edge().base().to_string(), format!("https://{}", on.server.addr));
    // The twin: without TLS there is none of it.
    let plain = Server::start();
    let page = plain.get("/admin/login").send().expect(200);
    assert_eq!(page.header("strict-transport-security"), None);
    assert!(!page.header("set-cookie").expect("a cookie").contains("Secure"));
    assert_eq!(plain.app.edge().base().scheme(), "http");
}

#[test]
fn a_new_certificate_is_shown_without_a_restart() {
    let on = secure();
    // Until 2049: the client goes by the machine's clock.
    let until = 2_493_072_000_000;
    let next = made(START - DAY, until);
    next.write(on.folder.path());
    assert!(on.is_shown(&on.shown) && !on.is_shown(&next), "nobody has looked yet");
    // A connection that stands goes on.
    let mut open = client(on.server.addr, &on.shown, &[&version::TLS13]);
    let ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut answered = |part: &mut [u8]| {
        open.write_all(ask).expect("sent");
        open.read(part).expect("an answer")
    };
    let mut part = [0; 1_024];
    assert!(answered(&mut part) > 0);
    on.look();
    assert!(on.is_shown(&next) && !on.is_shown(&on.shown));
    assert!(answered(&mut part) > 0 && part.starts_with(b"HTTP/1.1 200 "));
    assert_eq!(on.server.app.tls().expect("a certificate").until(), until + 999);
}

#[test]
fn files_that_are_not_good_leave_the_old_certificate() {
    let on = secure();
    let admin = on.server.key(None, "admin");
    let words = || {
        on.server.clock.advance(500);
        let answer = agent(&on.shown).get(on.url("/readyz")).header("Authorization", &admin).call();
        let mut answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200, "the old one still serves");
        let body: serde_json::Value = answer.body_mut().read_json().expect("JSON");
        let checks = body["checks"].as_array().expect("checks");
        let check = checks.iter().find(|check| check["name"] == "certificate").expect("the check");
        check["words"].as_str().expect("words").to_owned()
    };
    assert!(words().starts_with("it is valid until 2050-01-01T00:00:00Z"), "{}", words());
    let other = good();
    let (certificate, key) = (&on.files.certificate, &on.files.key);
    let mode = |mode| fs::set_permissions(key, Permissions::from_mode(mode)).expect("a mode");
    let faults: [(&str, &dyn Fn()); 8] = [
        ("--tls-key", &|| fs::write(key, &other.key).expect("written")),
        ("is not the key of the first certificate", &|| {
            fs::write(certificate, &other.certificate).expect("w")
        }),
        ("there is no certificate in it", &|| fs::write(certificate, "x").expect("written")),
        ("it cannot be read", &|| fs::remove_file(certificate).expect("removed")),
        ("there is no private key in it", &|| fs::write(key, &on.shown.certificate).expect("written")),
        ("locked with a password", &|| fs::write(key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n").expect("w")),
        ("chmod o=", &|| mode(0o604)),
        ("cannot be read", &|| {
            fs::write(certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                .expect("w");
        }),
    ];
    for (expected, fault) in faults {
        fault();
        on.look();
        assert!(words().contains(expected) && words().contains("the one before stays"), "{}", words());
        assert!(on.is_shown(&on.shown) && !on.is_shown(&other), "{expected}");
        // Put right, it is as before.
        on.shown.write(on.folder.path());
        on.look();
        assert!(words().starts_with("it is valid until "), "{}", words());
    }
    // The group may read the key, as many systems have it.
    mode(0o640);
    other.write(on.folder.path());
    mode(0o640);
    on.look();
    assert!(on.is_shown(&other));
}

#[test]
fn a_certificate_that_is_over_soon_is_told_at_its_bound() {
    let on = secure_with(made(START, START + 14 * DAY), |_| {});
    let troubles = || on.server.app.tls().expect("a certificate").troubles().join("; ");
    // It is good for the whole of its last second.
    on.server.clock.advance(999);
    assert_eq!(troubles(), "");
    on.server.clock.advance(1);
    assert_eq!(troubles(), "the certificate expires on 2026-03-18T10:00:00Z");
    on.server.clock.advance(14 * DAY - 1);
    assert_eq!(troubles(), "the certificate expires on 2026-03-18T10:00:00Z");
    on.server.clock.advance(1);
    assert_eq!(troubles(), "the certificate expired on 2026-03-18T10:00:00Z: clients refuse it");
    let early = secure_with(made(START + 1_000, START + 90 * DAY), |_| {});
    let troubles = || early.server.app.tls().expect("a certificate").troubles().len();
    assert_eq!(troubles(), 1);
    early.server.clock.advance(1_000);
    assert_eq!(troubles(), 0);
}

/// How long a client that sends this is kept.
fn kept(to: SocketAddr, sent: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(to).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let begun = Instant::now();
    stream.write_all(sent).expect("sent");
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut rest);
    begun.elapsed()
}

#[test]
fn a_handshake_that_stalls_is_cut_off() {
    let on = secure_with(good(), |options| options.limits.handshake = Duration::from_millis(700));
    let whole = hello([3, 3]);
    for sent in [&whole[..0], &whole[..1], &whole[..whole.len() - 1], &whole] {
        let took = kept(on.server.addr, sent);
        assert!(took > Duration::from_millis(600) && took < Duration::from_secs(5), "{took:?}");
    }
    // One that drips is no better.
    let mut stream = TcpStream::connect(on.server.addr).expect("a connection");
    let begun = Instant::now();
    for byte in whole.iter().cycle().take(100) {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn stalled_handshakes_do_not_stop_others() {
    let on = secure();
    let whole = hello([3, 3]);
    let stalled: Vec<TcpStream> = (0..1_500)
        .map(|n| {
            let mut stream = TcpStream::connect(on.server.addr).expect("a connection");
            stream.write_all(&whole[..n % whole.len()]).expect("sent");
            stream
        })
        .collect();
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(on.is_shown(&on.shown));
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(stalled);
}

/// Asks for much at once, waits, and then takes what there is: how many bytes there were.
fn taken(on: &Secure, wait: Duration) -> (usize, Duration) {
    let all = on.server.project().all.clone();
    let mut client = client(on.server.addr, &on.shown, &[&version::TLS13]);
    for n in 0..16 {
        let close = if n == 15 { "Connection: close\r\n" } else { "" };
        let ask = format!(
            "GET /api/sessions/s1/recording HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n{close}\
             Authorization: Bearer {all}\r\n\r\n"
        );
        client.write_all(ask.as_bytes()).expect("sent");
    }
    std::thread::sleep(wait);
    let (begun, mut taken, mut part) = (Instant::now(), 0, vec![0; 64 * 1024]);
    while let Ok(read @ 1..) = client.read(&mut part) {
        taken += read;
    }
    (taken, begun.elapsed())
}

#[test]
fn a_client_that_takes_nothing_is_cut_off_over_tls_too() {
    let on = secure_with(good(), |options| options.limits.write = Duration::from_millis(600));
    let (server, client) = (&on.server, agent(&on.shown));
    server.seed("ann").insert();
    let all = format!("Bearer {}", server.project().all);
    let track = json!({ "userId": "ann", "event": "x", "context": { "sessionId": "s1" } });
    let sent = client.post(on.url("/v1/track")).header("Authorization", &all).send_json(&track);
    assert_eq!(sent.expect("an answer").status(), 200);
    let text = "x".repeat(1024 * 1024);
    let put = client.put(on.url("/api/sessions/s1/recording")).header("Authorization", &all);
    assert!(put.content_type("text/plain").send(&text).expect("an answer").status().is_success());
    let (there, took) = taken(&on, Duration::from_secs(4));
    assert!(there < 16 * text.len() && took < Duration::from_secs(15), "{there} {took:?}");
    // The twin: one that takes it gets all.
    let (there, _) = taken(&on, Duration::ZERO);
    assert!(there > 16 * text.len(), "{there}");
}

#[test]
fn a_start_names_what_is_wrong_with_its_certificate() {
    let dir = directory();
    let folder = directory();
    let (one, other) = (good(), good());
    let files = one.write(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
    fs::write(at("other.key"), &other.key).expect("written");
    fs::set_permissions(at("other.key"), Permissions::from_mode(0o600)).expect("a mode");
    fs::write(at("open.key"), &one.key).expect("written");
    fs::set_permissions(at("open.key"), Permissions::from_mode(0o644)).expect("a mode");
    fs::write(at("empty.pem"), "").expect("written");
    let public = "http://usher.example.com";
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--tls-cert", &certificate], &["--tls-cert needs --tls-key"]),
        (&["--tls-key", &key], &["--tls-key needs --tls-cert"]),
        (&["--tls-cert", &at("none.pem"), "--tls-key", &key], &["--tls-cert", "none.pem: it cannot be read"]),
        (
            &["--tls-cert", &at("empty.pem"), "--tls-key", &key],
            &["--tls-cert", "there is no certificate in it"],
        ),
        (&["--tls-cert", &certificate, "--tls-key", &at("other.key")], &["--tls-key", "is not the key of"]),
        (
            &["--tls-cert", &certificate, "--tls-key", &at("open.key")],
            &["--tls-key", "its mode is 0644", "chmod o="],
        ),
        (&["--tls-cert", &certificate, "--tls-key", &at("")], &["--tls-key", "it is no file"]),
        (
            &["--tls-cert", &certificate, "--tls-key", &key, "--public-url", public],
            &["--public-url http://usher.example.com does not fit --tls-cert", "https://"],
        ),
    ];
    for (args, words) in cases {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let said = refused(dir.path(), &all);
        assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    }
    assert!(!dir.path().join("usher.db").exists(), "nothing is begun");
}

fn asked(dir: &std::path::Path, args: &[&str]) -> (Option<i32>, String) {
    let output = usher(dir, args).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn after_a_hangup_health_and_doctor_see_the_new_certificate() {
    let (dir, folder) = (directory(), directory());
    crate::process::begin(dir.path());
    let (first, next) = (good(), good());
    let files = first.write(folder.path());
    let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
    let tls = ["--tls-cert", certificate.as_str(), "--tls-key", key.as_str()];
    let server = Process::start_with(dir.path(), &tls);
    assert!(server.base.starts_with("https://127.0.0.1:"), "{}", server.base);
    let shows = |trusted: &Made| agent(trusted).get(server.url("/healthz")).call().is_ok();
    assert!(shows(&first) && !shows(&next));
    let listen = server.base.trim_start_matches("https://").to_owned();
    let health = ["health", "--listen", listen.as_str()];
    let (code, said) = asked(dir.path(), &[&health[..], &tls].concat());
    assert_eq!((code, said.as_str()), (Some(0), "ready\n"));
    let (code, said) = asked(dir.path(), &health);
    assert!(code == Some(1) && said.contains("--tls-cert"), "{said}");
    next.write(folder.path());
    let hangup = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status();
    assert!(hangup.expect("kill runs").success());
    wait_until("the new certificate", || (shows(&next) && !shows(&first)).then_some(()));
    fs::write(&files.key, &first.key).expect("written");
    let hangup = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status();
    assert!(hangup.expect("kill runs").success());
    wait_until("the finding", || {
        let (code, said) = asked(dir.path(), &["doctor"]);
        (code == Some(1) && said.contains("is not the key of the first certificate")).then_some(())
    });
    assert!(shows(&next));
    assert!(server.terminate().success());
    // Where no server runs, doctor looks at the files that it is given.
    let (_, said) = asked(dir.path(), &[&["doctor"], &tls[..]].concat());
    assert!(said.contains("is not the key of the first certificate"), "{said}");
    let (_, said) = asked(dir.path(), &["doctor"]);
    assert!(!said.contains("certificate"), "{said}");
}

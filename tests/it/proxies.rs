//! The snippets for Caddy and nginx in deploy/, run as they are but for addresses and paths.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use tempfile::TempDir;

use crate::certificates::{self, Made, good};
use crate::needs::skipped;
use crate::process::{Process, directory, free_address, key, terminate, usher, wait_until};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Caddy,
    Nginx,
}

/// A proxy that runs, with TLS, before `upstream`.
struct Proxy {
    child: Child,
    addr: SocketAddr,
    shown: Made,
    folder: TempDir,
}

impl Proxy {
    /// None: the program is missing.
    fn start(kind: Kind, upstream: SocketAddr) -> Option<Proxy> {
        let name = if kind == Kind::Caddy { "caddy" } else { "nginx" };
        if Command::new(name).arg(if kind == Kind::Caddy { "version" } else { "-v" }).output().is_err() {
            skipped(&format!("{name} is missing; tests/run installs it"));
            return None;
        }
        let (folder, shown, addr) = (directory(), good(), free_address());
        shown.write(folder.path());
        let mut command = match kind {
            Kind::Caddy => caddy(folder.path(), addr, upstream),
            Kind::Nginx => nginx(folder.path(), addr, upstream),
        };
        let log = fs::File::create(folder.path().join("said.log")).expect("a log");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        let proxy = Proxy { child, addr, shown, folder };
        wait_until("the proxy", || TcpStream::connect(addr).ok());
        Some(proxy)
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.addr)
    }

    fn agent(&self) -> ureq::Agent {
        certificates::agent(&self.shown)
    }

    /// All that it has written anywhere, once it has ended.
    fn written(mut self) -> String {
        terminate(&self.child);
        self.child.wait().expect("an end");
        let mut text = String::new();
        for entry in fs::read_dir(self.folder.path()).expect("a folder").flatten() {
            if entry.path().extension().is_some_and(|end| end == "log") {
                text += &fs::read_to_string(entry.path()).expect("a log");
            }
        }
        text
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already. nginx ends its workers only where it is asked to.
        let _ =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// The snippet with something else in the place of what is the reader's own.
fn with(snippet: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(snippet.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the snippet");
        text.replace(from, to)
    })
}

fn caddy(folder: &Path, addr: SocketAddr, upstream: SocketAddr) -> Command {
    let at = folder.display();
    let site = format!("https://{addr} {{\n\ttls {at}/tls.pem {at}/tls.key");
    let changes = [
        ("reverse_proxy 127.0.0.1:8080", format!("reverse_proxy {upstream}")),
        ("usher.example.com {", site),
        // No other port is taken, and nothing is asked of anybody.
        ("{\n\t# Lines about", "{\n\tadmin off\n\tauto_https off\n\t# Lines about".to_owned()),
    ];
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let config = folder.join("Caddyfile");
    fs::write(&config, with(include_str!("../../deploy/Caddyfile"), &changes)).expect("written");
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command
}

fn nginx(folder: &Path, addr: SocketAddr, upstream: SocketAddr) -> Command {
    let at = folder.display().to_string();
    let changes = [
        ("server 127.0.0.1:8080;", format!("server {upstream};")),
        ("listen 443 ssl;", format!("listen {addr} ssl;")),
        ("/etc/ssl/usher", format!("{at}/tls")),
        ("/var/log/nginx", at.clone()),
    ];
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (*from, to.as_str())).collect();
    fs::write(folder.join("usher.conf"), with(include_str!("../../deploy/nginx.conf"), &changes))
        .expect("written");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {at}/{kind};\n"))
        .concat();
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let whole = format!(
        "{user}daemon off;\npid {at}/nginx.pid;\nerror_log {at}/main.log crit;\nevents {{}}\nhttp {{\n{temporary}    \
         include {at}/usher.conf;\n}}\n"
    );
    let config = folder.join("nginx.conf");
    fs::write(&config, whole).expect("written");
    let mut command = Command::new("nginx");
    command.arg("-c").arg(config).args(["-e", &format!("{at}/early.log")]);
    command
}

/// Usher behind it does what it does alone, knows that browsers come by HTTPS, and takes the proxy's
/// word for nothing that a client made up.
fn serves(kind: Kind) {
    let dir = directory();
    let key = key(dir.path(), "proxied");
    let own = free_address();
    let Some(proxy) = Proxy::start(kind, own) else { return };
    let agent = proxy.agent();
    // Nothing is there yet: the proxy says so, and writes down why.
    let down =
        agent.get(proxy.url("/v1/users/ann-4711?note=q-3141")).header("X-APTRINSIC-API-KEY", &key).call();
    assert_eq!(down.expect("an answer").status(), 502);
    let public = format!("https://{}", proxy.addr);
    let mut command = usher(dir.path(), &["serve", "--listen", &own.to_string(), "--rate-limit", "off"]);
    command.args(["--public-url", &public, "--trusted-proxy", "127.0.0.1"]);
    let server = Process::run(dir.path(), command);
    let page = agent.get(proxy.url("/admin/login")).call().expect("an answer");
    assert_eq!(page.status(), 200);
    let cookie = page.headers()["set-cookie"].to_str().expect("a text");
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
    let bearer = format!("Bearer {key}");
    let track = serde_json::json!({
        "userId": "ann-4711", "event": "x", "context": { "sessionId": "s1" },
    });
    let sent =
        agent.post(proxy.url("/v1/track?note=q-3141")).header("Authorization", &bearer).send_json(&track);
    assert_eq!(sent.expect("an answer").status(), 200);
    let put = |bytes: usize| {
        let request = agent.put(proxy.url("/api/sessions/s1/recording")).header("Authorization", &bearer);
        request.content_type("text/plain").send("x".repeat(bytes)).map(|answer| answer.status().as_u16())
    };
    assert!(matches!(put(8 * 1024 * 1024), Ok(200..=204)), "{:?}", put(8 * 1024 * 1024));
    // The twin: what is larger than Usher takes does not reach it. The proxy may close first.
    assert!(matches!(put(10 * 1024 * 1024), Ok(413) | Err(_)), "{:?}", put(10 * 1024 * 1024));
    let found = agent.get(proxy.url("/v1/users/ann-4711?note=q-3141")).header("X-APTRINSIC-API-KEY", &key);
    assert_eq!(found.call().expect("an answer").status(), 200);
    assert!(server.terminate().success());
    let log = proxy.written();
    for name in ["ann-4711", "q-3141", "sessions/s1", key.as_str()] {
        assert!(!log.contains(name), "{name} is in the log: {log}");
    }
    // The twin: each request has its line.
    assert!(log.contains("PUT") && log.contains("502"), "{log}");
}

#[test]
fn usher_behind_the_caddy_snippet() {
    serves(Kind::Caddy);
}

#[test]
fn usher_behind_the_nginx_snippet() {
    serves(Kind::Nginx);
}

/// A server of one answer, of which the second half waits until it is told to come.
fn halves() -> (SocketAddr, mpsc::Receiver<String>, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    let (tell, told) = mpsc::channel();
    let (go, on) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut head = String::new();
        for line in BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty())
        {
            head += &(line.to_ascii_lowercase() + "\n");
        }
        tell.send(head).expect("somebody reads");
        let mut to = &stream;
        let begin = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n";
        to.write_all(begin.as_bytes()).expect("sent");
        on.recv().expect("a word");
        to.write_all(b"7\r\nsecond\n\r\n0\r\n\r\n").expect("sent");
    });
    (addr, told, go)
}

/// What reaches Usher is the proxy's own word, and what Usher sends reaches the client as it comes.
fn passes_on(kind: Kind) {
    let (upstream, told, go) = halves();
    let Some(proxy) = Proxy::start(kind, upstream) else { return };
    let asked = proxy.agent().get(proxy.url("/a"));
    let asked = ["X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host", "Forwarded"]
        .iter()
        .fold(asked.header("X-Forwarded-Proto", "http"), |asked, name| {
            asked.header(*name, "for=198.51.100.66")
        });
    let mut answer = asked.call().expect("an answer");
    let head = told.recv().expect("a head");
    assert!(head.contains("x-forwarded-for: 127.0.0.1\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: https\n"), "{head}");
    assert!(head.contains(&format!("host: {}\n", proxy.addr)), "{head}");
    assert!(!head.contains("198.51.100.66"), "{head}");
    let mut reader = answer.body_mut().as_reader();
    let mut first = [0; 6];
    reader.read_exact(&mut first).expect("the first half");
    assert_eq!(&first, b"first\n");
    go.send(()).expect("it waits");
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("the second half");
    assert_eq!(rest, "second\n");
}

#[test]
fn the_caddy_snippet_passes_answers_on_as_they_come() {
    passes_on(Kind::Caddy);
}

#[test]
fn the_nginx_snippet_passes_answers_on_as_they_come() {
    passes_on(Kind::Nginx);
}

//! The built program as its users run it: a process with a directory, that can be killed.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub use crate::common::{PATIENCE, wait_until};

pub struct Process {
    child: Child,
    pub base: String,
    /// What it printed up to the line that a person would open.
    pub greeting: String,
}

/// `usher` with some arguments, on a directory. `PROGRAM=path` is another build of it.
pub fn usher(dir: &Path, args: &[&str]) -> Command {
    let program = std::env::var_os("PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_usher").into());
    let mut command = Command::new(program);
    command.args(args).arg("--data").arg(dir).env_remove("RUST_LOG");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"USHER_") {
            command.env_remove(name);
        }
    }
    command
}

/// The lines that a command prints. It must succeed.
#[track_caller]
pub fn lines(dir: &Path, args: &[&str]) -> Vec<String> {
    let output = usher(dir, args).output().expect("the program runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[track_caller]
pub fn refused(dir: &Path, args: &[&str]) -> String {
    let Output { status, stderr, .. } = usher(dir, args).output().expect("the program runs");
    assert_eq!(status.code(), Some(1), "{args:?} should have been refused");
    String::from_utf8(stderr).expect("UTF-8")
}

/// Makes a data directory, by a server that is stopped again; what that said.
pub fn begin(dir: &Path) -> String {
    let server = Process::start(dir);
    let greeting = server.greeting.clone();
    assert!(server.terminate().success());
    greeting
}

/// A key of the first project, in a directory that is begun if nobody has.
pub fn key(dir: &Path, name: &str) -> String {
    if !dir.join("usher.db").exists() {
        begin(dir);
    }
    let project = lines(dir, &["project", "list"]).remove(0);
    let project = project.split('\t').next().expect("a key");
    lines(dir, &["key", "create", "--project", project, "--name", name]).remove(0)
}

/// The recovery key in what a first start says.
pub fn recovery_key(greeting: &str) -> String {
    let word = greeting.split_whitespace().find(|word| word.starts_with("AGE-SECRET-KEY-1"));
    word.expect("a recovery key").to_owned()
}

/// An address that nobody listens on, at a port that no connection takes on its way out: one of those
/// could be gone again before the program has it.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7);
        let start = u16::try_from(std::process::id() % 4_000).expect("a small number");
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + (start + step % 6_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

impl Process {
    pub fn start(dir: &Path) -> Process {
        Process::start_with(dir, &[])
    }

    pub fn start_with(dir: &Path, args: &[&str]) -> Process {
        let mut command = usher(dir, &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
        command.args(args);
        Process::run(dir, command)
    }

    /// Behind something else, at whose address the world sees it. Where it listens itself it
    /// does not say then, so that its port is chosen here.
    pub fn start_behind(dir: &Path, public: &str) -> Process {
        let free = free_address();
        let mut command = usher(dir, &["serve", "--listen", &free.to_string(), "--rate-limit", "off"]);
        command.env("USHER_PUBLIC_URL", public);
        let mut process = Process::run(dir, command);
        process.base = format!("http://{free}");
        process
    }

    /// With what it writes on standard error, which the caller reads once it has ended.
    pub fn with_log(dir: &Path, mut command: Command) -> (Process, ChildStderr) {
        command.stderr(Stdio::piped());
        let mut process = Process::begun(dir, command);
        let log = process.child.stderr.take().expect("standard error");
        (process, log)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn run(dir: &Path, mut command: Command) -> Process {
        command.stderr(Stdio::inherit());
        Process::begun(dir, command)
    }

    /// With standard error in a file. None: it ended before it served.
    pub fn attempt(dir: &Path, mut command: Command, log: &Path) -> Option<Process> {
        command.stderr(std::fs::File::create(log).expect("a file"));
        Process::try_begin(dir, command)
    }

    fn begun(dir: &Path, command: Command) -> Process {
        Process::try_begin(dir, command).expect("the server says where it serves")
    }

    fn try_begin(dir: &Path, mut command: Command) -> Option<Process> {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("standard output");
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let mut greeting = String::new();
            for line in lines.by_ref().map_while(Result::ok) {
                greeting.push_str(&line);
                greeting.push('\n');
                if line.contains("/admin/") {
                    let _ = tell.send(greeting);
                    break;
                }
            }
            // The rest is read to its end, or the process would wait for a reader.
            lines.for_each(drop);
        });
        let Ok(mut greeting) = told.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            child.wait().expect("an end");
            return None;
        };
        // Standard output is no terminal: secrets are in files, which their reader takes away.
        for secret in ["recovery-key.txt", "setup-link.txt"] {
            let at = dir.join(secret);
            if let Ok(text) = std::fs::read_to_string(&at) {
                greeting.push_str(&text);
                std::fs::remove_file(&at).expect("the file is taken away");
            }
        }
        let first = greeting.lines().next().expect("a line");
        let base = first.split_whitespace().last().expect("an address").to_owned();
        Some(Process { child, base, greeting })
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As a power cut for the process: nothing of it runs any more.
    pub fn kill(mut self) {
        self.child.kill().expect("a kill");
        self.child.wait().expect("an end");
    }

    /// SIGTERM, and the end of the process.
    pub fn terminate(mut self) -> ExitStatus {
        terminate(&self.child);
        self.child.wait().expect("an end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a process to end.
pub fn terminate(child: &Child) {
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
}

/// A client whose connections live as long as it does.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .proxy(None)
        .build()
        .new_agent()
}

/// GET with a key: the status and the JSON.
pub fn get(agent: &ureq::Agent, url: &str, key: &str) -> (u16, Value) {
    let mut response = agent.get(url).header("Authorization", key).call().expect("an answer");
    let body = response.body_mut().read_to_string().expect("a body");
    (response.status().as_u16(), serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// POST of JSON with a key. Err when the connection broke.
pub fn post(agent: &ureq::Agent, url: &str, key: &str, body: &Value) -> Result<(u16, String), ureq::Error> {
    let mut response = agent.post(url).header("Authorization", key).send_json(body)?;
    let mut text = String::new();
    response.body_mut().as_reader().read_to_string(&mut text).map_err(ureq::Error::Io)?;
    Ok((response.status().as_u16(), text))
}

pub fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A connection to the file, past the program.
pub fn sqlite(dir: &Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(dir.join("usher.db")).expect("the file opens");
    conn.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    conn
}

/// The file is sound, and so are its references.
pub fn check_file(dir: &Path) {
    let conn = sqlite(dir);
    let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(sound, "ok");
    let broken: i64 = conn
        .query_row("SELECT COUNT(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
        .expect("a check");
    assert_eq!(broken, 0);
}

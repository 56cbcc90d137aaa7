//! The command line.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::process::{
    Process, agent, begin, check_file, directory, get, key, lines, refused, sqlite, usher, wait_until,
};

fn one(lines: Vec<String>) -> String {
    assert_eq!(lines.len(), 1, "one line alone: {lines:?}");
    lines.into_iter().next().expect("a line")
}

#[test]
fn a_key_made_beside_a_first_start_works_at_once() {
    let dir = directory();
    let server = Process::start(dir.path());
    let link =
        server.greeting.lines().find(|line| line.contains("/admin/setup")).expect("a link").trim().to_owned();
    let agent = agent();
    assert_eq!(agent.get(&link).call().expect("an answer").status(), 200);

    let project = one(lines(dir.path(), &["project", "list"]));
    let (project, name) = project.split_once('\t').expect("a key and a name");
    assert_eq!(name, "default");
    let key = one(lines(dir.path(), &["key", "create", "--project", project, "--name", "laptop"]));
    let (status, body) = get(&agent, &server.url("/v1/project"), &key);
    assert_eq!((status, body["project"]["name"].as_str()), (200, Some("default")));

    let listed = one(lines(dir.path(), &["key", "list"]));
    assert!(
        listed.contains("laptop") && listed.contains("ingest,read,write,delete") && !listed.contains(&key)
    );
    let id = listed.split('\t').next().expect("an id").to_owned();
    assert_eq!(lines(dir.path(), &["key", "revoke", &id]), Vec::<String>::new());
    assert_eq!(get(&agent, &server.url("/v1/project"), &key).0, 401);
    assert!(refused(dir.path(), &["key", "revoke", &id]).contains("there is no such key"));
}

#[test]
fn commands_act_the_same_without_a_server() {
    let dir = directory();
    begin(dir.path());
    let project = one(lines(dir.path(), &["project", "create", "shop"]));
    assert!(
        refused(dir.path(), &["project", "create", "shop"]).contains("a project called shop already exists")
    );
    let key =
        one(lines(dir.path(), &["key", "create", "--project", &project, "--name", "k", "--scopes", "read"]));
    let org = one(lines(dir.path(), &["key", "create", "--org", "--name", "all", "--scopes", "read,admin"]));
    assert!(
        refused(dir.path(), &["key", "create", "--project", "NOPE", "--name", "k"])
            .contains("no such project")
    );
    assert!(
        refused(dir.path(), &["key", "create", "--org", "--name", "k", "--scopes", "fly"])
            .contains("unknown scope \"fly\", use ingest")
    );
    let server = Process::start(dir.path());
    let agent = agent();
    assert_eq!(get(&agent, &server.url("/v1/project"), &key).1["project"]["name"], "shop");
    let (_, projects) = get(&agent, &server.url("/api/v1/projects"), &org);
    assert_eq!(projects["data"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_admin_made_by_command_ends_the_first_run_link() {
    let dir = directory();
    let server = Process::start(dir.path());
    let link =
        server.greeting.lines().find(|line| line.contains("/admin/setup")).expect("a link").trim().to_owned();
    let add = |password: &str| {
        let mut child = usher(dir.path(), &["admin", "create", "mia", "--password-stdin"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        child.stdin.take().expect("a pipe").write_all(password.as_bytes()).expect("it reads");
        child.wait_with_output().expect("an end")
    };
    let short = add("short\n");
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&short.stderr).contains("at least 10 characters"));
    assert!(add("a long enough password\n").status.success());
    assert_ne!(agent().get(&link).call().expect("an answer").status(), 200);
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let dir = directory();
    let server = Process::start(dir.path());
    let why = refused(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("an Usher server is"), "{why}");
    drop(server);
    // The lock ends with the process, however it ended.
    let again = Process::start(dir.path());
    assert_eq!(agent().get(again.url("/healthz")).call().expect("an answer").status(), 200);
}

#[test]
fn a_stop_stores_the_last_minutes_reads_and_key_uses() {
    let dir = directory();
    begin(dir.path());
    let key = one(lines(dir.path(), &["key", "create", "--org", "--name", "k"]));
    let server = Process::start(dir.path());
    for _ in 0..3 {
        assert_eq!(get(&agent(), &server.url("/api/v1/projects"), &key).0, 200);
    }
    assert!(server.terminate().success());
    let conn = sqlite(dir.path());
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
    assert_eq!(number("SELECT coalesce(sum(reads), 0) FROM api_reads"), 3);
    assert_eq!(number("SELECT COUNT(*) FROM api_keys WHERE last_used_at IS NOT NULL"), 1);
}

#[test]
fn a_stop_folds_the_wal_in_and_leaves_no_socket() {
    let dir = directory();
    let server = Process::start(dir.path());
    let socket = dir.path().join("usher.sock");
    wait_until("the socket", || socket.exists().then_some(()));
    assert_eq!(socket.metadata().expect("a socket").permissions().mode() & 0o777, 0o600);
    for private in ["secrets/store.key", "usher.db", "usher.db-wal", "usher.lock"] {
        let mode = dir.path().join(private).metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    assert!(server.terminate().success());
    assert!(!socket.exists());
    let wal = dir.path().join("usher.db-wal");
    assert!(!wal.exists() || wal.metadata().expect("a file").len() == 0, "the WAL is left");
    check_file(dir.path());
}

#[test]
fn a_request_in_flight_is_answered_before_the_stop() {
    let dir = directory();
    let key = key(dir.path(), "k");
    let server = Process::start(dir.path());
    let addr = server.base.trim_start_matches("http://").to_owned();
    let body = r#"{"userId":"ann","event":"Half Way","messageId":"m-1"}"#;
    let mut stream = TcpStream::connect(&addr).expect("a connection");
    let head = format!(
        "POST /v1/track HTTP/1.1\r\nHost: usher\r\nAuthorization: {key}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (first, rest) = body.split_at(20);
    stream.write_all(head.as_bytes()).expect("a head");
    stream.write_all(first.as_bytes()).expect("a part");
    // An answer on another connection: by now the server has read this one's beginning too.
    assert_eq!(agent().get(server.url("/healthz")).call().expect("an answer").status(), 200);
    let stopping = std::thread::spawn(move || server.terminate());
    wait_until("a closed listener", || TcpStream::connect(&addr).is_err().then_some(()));
    stream.write_all(rest.as_bytes()).expect("the rest");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(stopping.join().expect("an end").success());
    let kept: i64 = sqlite(dir.path())
        .query_row("SELECT COUNT(*) FROM events WHERE name = 'Half Way'", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(kept, 1);
}

#[test]
fn a_database_without_its_secret_is_refused() {
    let dir = directory();
    begin(dir.path());
    let secret = dir.path().join("secrets/store.key");
    let kept = std::fs::read(&secret).expect("a secret");
    std::fs::remove_file(&secret).expect("a file");
    assert!(refused(dir.path(), &["project", "list"]).contains("store.key is missing"));
    assert!(!secret.exists());
    std::fs::write(&secret, &kept[..31]).expect("a file");
    assert!(refused(dir.path(), &["project", "list"]).contains("is damaged"));
    std::fs::write(&secret, &kept).expect("a file");
    lines(dir.path(), &["project", "list"]);
}

#[test]
fn a_demo_has_users_hidden_on_each_day_and_jobs_in_each_state() {
    let dir = directory();
    let server = Process::start(dir.path());
    let said = lines(dir.path(), &["demo", "--users", "200", "--heavy", "0"]);
    assert!(said[0].starts_with("project demo ("), "{said:?}");
    let conn = sqlite(dir.path());
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT COUNT(DISTINCT deleted_at / 86400000) FROM users WHERE state = 'hidden'"), 7);
    for status in ["scheduled", "completed", "cancelled"] {
        let sql = format!("SELECT COUNT(*) FROM jobs WHERE status = '{status}'");
        assert!(count(&sql) > 0, "no job is {status}");
    }
    assert!(count("SELECT COUNT(*) FROM users WHERE state = 'live'") > 150);
    assert!(count("SELECT COUNT(*) FROM events") > 1_000);
    assert!(count("SELECT COUNT(*) FROM recordings") > 0);
    assert!(count("SELECT COUNT(*) FROM users WHERE identifier IS NULL AND state = 'live'") > 0);
    assert!(
        refused(dir.path(), &["demo", "--users", "200"]).contains("a project called demo already exists")
    );
    drop(conn);
    assert!(server.terminate().success());
    check_file(dir.path());
}

#[test]
fn what_is_no_address_or_range_stops_the_start() {
    let dir = directory();
    let cases = [
        ("--trusted-proxy", "10.0.0.0/33", "10.0.0.0/8"),
        ("--trusted-proxy", "127.0.0.1,proxy", "10.0.0.0/8"),
        ("--public-url", "usher.example.com", "https://usher.example.com"),
        ("--public-url", "https://usher.example.com/v1", "without a path"),
    ];
    for (flag, value, advice) in cases {
        let output = usher(dir.path(), &["serve", flag, value]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{flag} {value}");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(said.contains(flag) && said.contains(advice), "{said}");
    }
}

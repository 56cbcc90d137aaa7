//! Lists of APIs without pages: whole, however long, and never cut off without a sign.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use usher::store::NormalTx;

use serde_json::Value;
use usher::erasure::trash;
use usher::model::ProfileChange;
use usher::people::subject::Subject;
use usher::people::{find, registration, users};

use crate::harness::{Server, named};

const LIST: [(&str, &str); 2] = [("x-api-version", "username"), ("x-nothing", "external_id")];

/// Users `from..to`, whose names have `length` characters.
fn register(server: &Server, from: usize, to: usize, length: usize) {
    let project = server.project().id;
    server.write(move |tx| {
        let name = Some(Some("n".repeat(length)));
        let change =
            ProfileChange { display_name: name.clone(), first_name: name, ..ProfileChange::default() };
        for n in from..to {
            users::create(tx, project, &named(&format!("user {n}")), &change)?.expect("taken");
        }
        Ok(())
    });
}

/// The names in a list, in its order.
fn names(list: &Value, field: &str) -> Vec<String> {
    let users = list["data"].as_array().expect("a list");
    users.iter().map(|user| user[field].as_str().expect("a name").to_owned()).collect()
}

fn expected(users: impl DoubleEndedIterator<Item = usize>) -> Vec<String> {
    users.rev().map(|n| format!("user {n}")).collect()
}

fn list(server: &Server, (header, field): (&str, &str)) -> Vec<String> {
    let request = server.get("/users").header(header, "2025-09").bearer(&server.project().all);
    names(&request.send().expect(200).json(), field)
}

/// Asks for a list and reads nothing of it yet.
fn ask(server: &Server, header: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).expect("a connection");
    let key = &server.project().all;
    let request = format!(
        "GET /users HTTP/1.1\r\nHost: usher\r\nAuthorization: Bearer {key}\r\n{header}: 2025-09\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

/// All that is answered, until the connection ends: the head, the chunks put together, and
/// whether the last one says that it is the last.
fn answer(mut stream: TcpStream) -> (String, Vec<u8>, bool) {
    let mut bytes = Vec::new();
    // A connection that is reset ends as well.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let (mut rest, mut body) = (&bytes[end..], Vec::new());
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if size == 0 {
            return (head, body, true);
        }
        let chunk = &rest[line + 2..];
        body.extend(&chunk[..size.min(chunk.len())]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    (head, body, false)
}

#[test]
fn a_list_of_25000_users_is_whole() {
    let server = Server::start();
    register(&server, 0, 25_000, 3);
    for which in LIST {
        assert!(list(&server, which) == expected(0..25_000), "{which:?}");
    }
}

#[test]
fn a_list_that_fills_its_last_stretch_is_whole() {
    let server = Server::start();
    let mut there = 0;
    for count in [0, 1, 249, 250, 251, 499, 500, 501] {
        register(&server, there, count, 3);
        there = count;
        for which in LIST {
            assert!(list(&server, which) == expected(0..count), "{count} users: {which:?}");
        }
    }
}

#[test]
fn visitors_without_identifier_are_in_no_list() {
    let server = Server::start();
    let project = server.project().id;
    register(&server, 0, 2, 3);
    server.write(move |tx: &NormalTx| {
        for n in 0..600 {
            let visitor = Subject { identifier: None, anonymous_id: Some(named(&format!("visitor {n}"))) };
            registration::ensure(tx, project, &visitor)?;
        }
        Ok(())
    });
    register(&server, 2, 4, 3);
    for which in LIST {
        assert_eq!(list(&server, which), expected(0..4));
    }
}

/// The client takes nothing for a while, and the list is larger than the buffers on the way:
/// a list that was read ahead would have those who are hidden meanwhile.
#[test]
fn a_list_is_read_no_faster_than_it_is_taken() {
    let server = Server::start();
    let project = server.project().id;
    register(&server, 0, 25_000, 1_000);
    for (header, field) in LIST {
        let hidden: HashSet<usize> =
            if header == LIST[0].0 { (0..300).collect() } else { (0..600).collect() };
        let stream = ask(&server, header);
        std::thread::sleep(Duration::from_secs(3));
        let again = hidden.clone();
        server.write(move |tx| {
            for n in &again {
                if let Ok(user) = find::get(tx, project, &format!("user {n}")) {
                    trash::hide(tx, &user)?;
                }
            }
            Ok(())
        });
        let late = named(&format!("late {}", hidden.len()));
        server.write(move |tx| {
            users::create(tx, project, &late, &ProfileChange::default())?.expect("taken");
            Ok(())
        });
        let (head, body, whole) = answer(stream);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(whole, "{header}");
        assert!(body.len() > 20_000_000, "{} bytes fit in buffers", body.len());
        let listed = names(&serde_json::from_slice(&body).expect("JSON"), field);
        let mut wanted = expected((0..25_000).filter(|n| !hidden.contains(n)));
        // Who came while the first list was read is in the second.
        if header != LIST[0].0 {
            wanted.insert(0, "late 300".to_owned());
        }
        assert!(listed == wanted, "{header}: {} users are listed, {} are there", listed.len(), wanted.len());
    }
}

#[test]
fn a_fault_in_the_middle_ends_the_connection() {
    let server = Server::start();
    register(&server, 0, 600, 3);
    let damage = |to: &str| {
        let sql = "UPDATE users SET attributes = ?1 WHERE identifier = 'user 0'";
        assert_eq!(server.sqlite().execute(sql, [to]).expect("a change"), 1);
    };
    for (header, _) in LIST {
        damage("{");
        let (head, body, whole) = answer(ask(&server, header));
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(!whole, "nothing tells that users are missing");
        assert!(serde_json::from_slice::<Value>(&body).is_err(), "what is there looks whole");
        // The twin: it is the fault, not the reader.
        damage("{}");
        let (_, body, whole) = answer(ask(&server, header));
        assert!(whole);
        assert_eq!(
            serde_json::from_slice::<Value>(&body).expect("JSON")["data"].as_array().map(Vec::len),
            Some(600)
        );
    }
}

#[test]
fn a_fault_before_the_first_user_is_an_error_of_the_api() {
    let server = Server::start();
    server.expect_faults();
    register(&server, 0, 2, 3);
    server.sqlite().execute("UPDATE users SET attributes = '{'", []).expect("a change");
    for (header, _) in LIST {
        let request = server.get("/users").header(header, "2025-09").bearer(&server.project().all);
        let reply = request.send().expect(503);
        assert!(!reply.text.contains("attributes") && reply.json().is_object(), "{}", reply.text);
    }
}

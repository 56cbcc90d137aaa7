//! A web site of some app, at an origin of its own: files that lie in memory.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

pub struct Site {
    /// Not `localhost` itself, where one of the clients keeps silent; every name under it is
    /// this machine, too.
    pub origin: String,
}

/// The path of a file, its type and what is in it.
pub struct File {
    pub path: &'static str,
    pub kind: &'static str,
    pub text: String,
}

impl Site {
    /// Serves the files; every other path is answered with the first of them, as a site with
    /// one page does.
    pub fn open(files: Vec<File>) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let files = Arc::new(files);
        // It ends with the tests' process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let files = Arc::clone(&files);
                std::thread::spawn(move || answer(&client, &files));
            }
        });
        Site { origin: format!("http://app.usher.localhost:{port}") }
    }
}

/// One request a connection is enough.
fn answer(mut client: &TcpStream, files: &[File]) {
    let mut lines = BufReader::new(client).lines().map_while(Result::ok);
    let Some(start) = lines.next() else { return };
    lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
    let path = start.split(' ').nth(1).and_then(|path| path.split('?').next()).unwrap_or_default();
    let file = files.iter().find(|file| file.path == path).unwrap_or(&files[0]);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        file.kind,
        file.text.len()
    );
    // A browser that went away has what it wanted.
    let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(file.text.as_bytes()));
}

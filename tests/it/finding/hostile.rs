//! Searches that nobody who looks for somebody would make.

use serde_json::json;

use super::{ask, ids};
use crate::harness::Server;

#[test]
fn odd_texts_are_answered_and_find_nobody_else() {
    let server = Server::start();
    let ann = server.seed("ann").insert().to_string();
    server.seed("bob").insert();
    for q in [
        "\u{1}",
        "\u{0}",
        "\u{ff}",
        "\u{200b}",
        "\u{308}",
        "%",
        "_",
        "*",
        "'; DROP TABLE users; --",
        "\\",
        "\u{ffff}",
    ] {
        assert_eq!(ids(&server, q), Vec::<String>::new(), "{q:?}");
    }
    // What is not seen counts for nothing, in whatever direction it is written.
    for q in ["\u{1}ann", "an\u{200e}n", "\u{202e}ann\u{202c}", "\u{feff}ANN", "a\u{308}nn"] {
        assert_eq!(ids(&server, q), std::slice::from_ref(&ann), "{q:?}");
    }
    let hebrew = server.seed("\u{5e9}\u{5dc}\u{5d5}\u{5dd}-7").insert().to_string();
    assert_eq!(ids(&server, "\u{200f}\u{5dc}\u{5d5}\u{5dd}"), [hebrew]);
}

#[test]
fn texts_too_long_are_refused_and_name_the_limit() {
    let server = Server::start();
    let reply = ask(&server, server.project(), json!({ "q": "x".repeat(10_000) })).expect(400);
    assert!(reply.text.contains("at most 512 characters"), "{}", reply.text);
    ask(&server, server.project(), json!({ "q": "x".repeat(513) })).expect(400);
    ask(&server, server.project(), json!({ "q": "\u{65e5}".repeat(512) })).expect(200);
}

#[test]
fn half_a_surrogate_is_no_json() {
    let server = Server::start();
    let send = |body: &str| {
        let request = server.post("/api/users/search").bearer(&server.project().all);
        request.body(body.to_owned(), "application/json").send()
    };
    for body in [r#"{"q":"\ud800"}"#, r#"{"q":"\udc00x"}"#, r#"{"q":"a","filter":{"country":"\ud800"}}"#] {
        assert_eq!(send(body).expect(400).json()["code"], "bad_json", "{body}");
    }
    send(r#"{"q":"\ud83d\ude00"}"#).expect(200);
}

#[test]
fn many_words_that_everybody_has_take_no_long_time() {
    let server = Server::start();
    let many = (0..20_000).map(|n| {
        let mut names = usher::find::Names::default();
        names.identifier = Some(format!("a b c d e f g h i j {n}"));
        (server.project().id, usher::model::UserId(n), names)
    });
    // Names that no row has: the rows decide, and there are none.
    server.app.find().load(many);
    let started = std::time::Instant::now();
    assert_eq!(ids(&server, "a b c d e f g h i j"), Vec::<String>::new());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

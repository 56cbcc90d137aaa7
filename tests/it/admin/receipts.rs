//! Receipts in the pages: listed, read, taken away, checked.

use std::path::PathBuf;

use usher::erasure;
use usher::erasure::token;
use usher::model::{Erasure, Origin};
use usher::people::find;
use usher::proof::hex::Hex;
use usher::proof::receipt::Token;

use super::{Browser, part, words};
use crate::harness::Server;

/// Erases so many users, one receipt each; the tokens.
fn erased(server: &Server, names: &[&str]) -> Vec<Token> {
    let ids: Vec<_> = names.iter().map(|name| server.seed(name).events(2).insert()).collect();
    let tokens = server.write(move |tx| {
        ids.iter()
            .map(|id| {
                let user = find::held(tx, *id, tx.now())?;
                let job = erasure::begin(tx, &user, Erasure::Everything, Origin::Request)?;
                Ok(token::of(tx, &job, &user))
            })
            .collect::<Result<Vec<Token>, usher::error::Error>>()
    });
    server.tick();
    tokens
}

fn file(server: &Server, number: u64) -> PathBuf {
    server.app.receipts().numbered(number).expect("a receipt").path
}

fn numbers(page: &str) -> Vec<u64> {
    page.split("<a href=\"/admin/receipts/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next()?.parse().ok())
        .collect()
}

fn check(browser: &Browser, fields: &[(&str, &str)], status: u16) -> String {
    let page = browser.post("/admin/receipts/check", fields).expect(status);
    let notice = part(&page.text, "<section class=\"notice", "</section>");
    words(notice)
}

#[test]
fn the_list_has_every_receipt_once_over_its_pages_newest_first() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    assert!(words(&browser.get("/admin/receipts").expect(200).text).contains("No receipts yet"));
    let names: Vec<String> = (0..120).map(|n| format!("user {n}")).collect();
    erased(&server, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut seen, mut path, mut pages) = (Vec::new(), Some("/admin/receipts".to_owned()), 0);
    while let Some(at) = path {
        let page = browser.get(&at).expect(200).text;
        assert!(!page.contains("user 7"), "a receipt names nobody");
        assert_eq!(page.contains("First page"), pages > 0);
        seen.extend(numbers(&page));
        pages += 1;
        let next = page.split("rel=\"next\" href=\"").nth(1).and_then(|link| link.split('"').next());
        path = next.map(str::to_owned);
    }
    assert_eq!((seen, pages), ((1..=120).rev().collect(), 3));
    let page = browser.get("/admin/receipts?below=2").expect(200);
    let row = words(part(&page.text, "<tbody>", "</tbody>"));
    assert!(
        row.contains("an account and its activity View job requested over the API just now 4 none"),
        "{row}"
    );
    assert!(row.contains("valid Download receipt 1") && page.text.contains("/admin/jobs/1\""), "{row}");
    browser.get("/admin/receipts?below=x").expect(422);
}

#[test]
fn a_receipt_is_read_and_its_file_taken_away_byte_by_byte() {
    let server = Server::start();
    erased(&server, &["ann", "bob"]);
    let browser = Browser::owner(&server);
    let page = browser.get("/admin/receipts/2").expect(200);
    let text = words(&page.text);
    for fact in [
        "Receipt: an account and its activity were erased",
        "The signature is valid.",
        "2026-03-04 10:00:00 UTC , requested over the API",
        "Events, interactions and logs 2",
        "Total 4",
        "No data of this account is kept.",
        "usher verify --receipt 000002-",
    ] {
        assert!(text.contains(fact), "{fact} is missing in {text}");
    }
    assert!(!text.contains("bob"), "{text}");
    let whole = std::fs::read(file(&server, 1)).expect("a file");
    let first = usher::proof::figures::handed_out(whole.clone());
    assert_ne!(first, whole);
    assert!(text.contains(&Hex::sha256(&first).to_string()), "it names the one before it");
    assert!(words(&browser.get("/admin/receipts/1").text).contains("none, this is the first"));

    let reply = browser.get("/admin/receipts/1/download").expect(200);
    assert_eq!(reply.bytes, first);
    assert_eq!(browser.get("/admin/receipts/1/download?with=figures").expect(200).bytes, whole);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let name = file(&server, 1).file_name().expect("a name").to_string_lossy().into_owned();
    let attached = format!("attachment; filename=\"{name}\"");
    assert_eq!(reply.header("content-disposition"), Some(attached.as_str()));
    for path in ["/admin/receipts/0", "/admin/receipts/3", "/admin/receipts/x", "/admin/receipts/-1/download"]
    {
        assert!(words(&browser.get(path).expect(404).text).contains("No such receipt"), "{path}");
    }
}

#[test]
fn a_receipt_whose_file_was_changed_is_shown_as_not_good() {
    let server = Server::start();
    erased(&server, &["ann", "bob"]);
    let browser = Browser::owner(&server);
    let text = std::fs::read_to_string(file(&server, 1)).expect("a file");
    let changed = text.replace("\"found\":0", "\"found\":1");
    let fewer = text.replace(
        "\"label\":\"events, interactions and logs\",\"rows\":2",
        "\"label\":\"events, interactions and logs\",\"rows\":1",
    );
    assert!(changed != text && fewer != text);

    std::fs::write(file(&server, 1), &fewer).expect("a change");
    let page = browser.get("/admin/receipts/1").expect(200);
    assert!(
        words(&page.text).contains("This receipt is not valid. The signature is not valid"),
        "{}",
        page.text
    );
    let list = words(&browser.get("/admin/receipts").text);
    assert!(
        list.contains("not valid The signature is not valid") && list.contains("valid Download receipt 2")
    );
    assert_eq!(browser.get("/admin/receipts/1/download?with=figures").expect(200).text, fewer);

    std::fs::write(file(&server, 1), &changed).expect("a change");
    let page = browser.get("/admin/receipts/1").expect(409);
    assert!(words(&page.text).contains("scan.found"), "{}", page.text);
    assert!(words(&browser.get("/admin/receipts").expect(200).text).contains("unreadable"));
    assert_eq!(browser.get("/admin/receipts/1/download?with=figures").expect(200).text, changed);
}

#[test]
fn a_pasted_receipt_is_checked_and_its_fault_named() {
    let server = Server::start();
    let tokens = erased(&server, &["ann", "bob"]);
    let browser = Browser::owner(&server);
    let form = browser.get("/admin/receipts/check").expect(200);
    let key = server.app.signer().public().to_string();
    assert!(form.text.contains(&key) && form.text.contains("BEGIN PUBLIC KEY"), "{}", form.text);
    assert!(form.text.contains("usher verify --receipt FILE --key signing.pub"));

    let text = std::fs::read_to_string(file(&server, 1)).expect("a file");
    let (ann, bob) = (tokens[0].to_string(), tokens[1].to_string());
    let pasted = format!("\r\n {text}\r\n");
    for shown in [&text, &pasted] {
        let said = check(&browser, &[("receipt", shown)], 200);
        assert!(
            said.starts_with("The receipt is valid. Receipt 1,") && said.ends_with("Open receipt"),
            "{said}"
        );
        assert!(!said.contains("It belongs to this person"), "{said}");
    }
    let person = |token: &str, identifier: &str, status| {
        let fields = [("receipt", text.as_str()), ("token", token), ("identifier", identifier)];
        check(&browser, &fields, status)
    };
    assert!(person(&ann, "ann", 200).contains("It belongs to this person: the token proves it."));
    assert!(person(&format!(" {ann}\t"), "ann", 200).contains("It belongs to this person"));
    for (token, identifier, why) in [
        (ann.as_str(), "bob", "identifier does not match the receipt and the token."),
        (ann.as_str(), "ann ", "identifier does not match the receipt"),
        (bob.as_str(), "ann", "token belongs to another receipt."),
        ("ann", "ann", "token must be the whole token: 32 hex digits"),
        (ann.as_str(), "", "identifier is required with a token."),
        ("", "ann", "token is required with an identifier."),
    ] {
        let said = person(token, identifier, 422);
        assert!(said.contains("Could not be verified.") && said.contains(why), "{said}");
    }
    let good = &format!("{}.{}", tokens[0].receipt, Hex(tokens[1].salt));
    assert!(person(good, "ann", 422).contains("does not match the receipt and the token"));

    for (changed, why) in [
        (text.replace("\"number\":1", "\"number\":7"), "The signature is not valid"),
        (text.replace("\"found\":0", "\"found\":1"), "scan.found must be 0."),
        (text.replace("\"format\":\"usher-receipt\",", ""), "format is missing."),
        (text.replace(",\"id\"", ", \"id\""), "Could not be verified."),
        (text[..text.len() - 1].to_owned(), "Could not be verified."),
        (String::new(), "Could not be verified."),
        ("<script>alert(1)</script>".to_owned(), "Could not be verified."),
    ] {
        assert_ne!(changed, text);
        let page = browser.post("/admin/receipts/check", &[("receipt", &changed)]).expect(422);
        assert!(words(&page.text).contains(why), "{why}: {}", page.text);
        assert!(!page.text.contains("<script>"), "{}", page.text);
    }
    // What was typed is kept, and one as large as any may come is taken.
    let large = format!("{}{text}", " ".repeat(200_000));
    assert!(check(&browser, &[("receipt", &large)], 200).starts_with("The receipt is valid."));
    browser.post("/admin/receipts/check", &[("receipt", &"x".repeat(1024 * 1024))]).expect(413);
    let page = browser.post("/admin/receipts/check", &[("receipt", "{}"), ("token", "t\"")]).expect(422);
    assert!(page.text.contains("value=\"t&#34;\"") && page.text.contains(">{}</textarea>"), "{}", page.text);
}

#[test]
fn a_receipt_not_kept_here_differs_from_a_foreign_one() {
    let (server, other) = (Server::start(), Server::start());
    erased(&server, &["ann"]);
    let handed_out = server.app.receipts().numbered(1).expect("a receipt").bytes().expect("a file");
    let text = String::from_utf8(handed_out).expect("a text");
    // The same key, other receipts: a copy of the house.
    let said = check(&Browser::owner(&other), &[("receipt", &text)], 200);
    assert!(said.ends_with("This installation has no copy of it."), "{said}");
    let stranger = usher::proof::signing::Signer::of(&[3; 32]);
    let stored = server.app.receipts().numbered(1).expect("a receipt").read().expect("it reads");
    let text = text.replace(&stored.receipt.key.to_string(), &stranger.public().to_string());
    let field = format!(",\"signature\":\"{}\"", stored.receipt.signature);
    let unsigned = text.replace(&field, "");
    assert_ne!(unsigned, text);
    let signature = stranger.sign(unsigned.as_bytes()).to_string();
    let text = text.replace(&stored.receipt.signature.to_string(), &signature);
    let said = check(&Browser::owner(&server), &[("receipt", &text)], 422);
    assert!(said.contains("It was signed by another key than the one given"), "{said}");
}

#[test]
fn a_receipt_says_when_its_erasure_failed_later() {
    let server = Server::start();
    server.tick();
    erased(&server, &["ann-the-erased", "bob-the-erased"]);
    let notes = server.path().with_file_name("notes.txt");
    std::fs::write(&notes, "do not forget ann-the-erased").expect("a file");
    let text = std::fs::read_to_string(file(&server, 1)).expect("a file");
    let says = |page: &str| page.contains("failed later");
    let pages = || {
        // A day later the sign-in has ended.
        let browser = Browser::owner(&server);
        let of = |path: &str| words(&browser.get(path).expect(200).text);
        let list = of("/admin/receipts");
        let (second, first) = list.split_once("Receipt 1").expect("two receipts");
        let shown = check(&browser, &[("receipt", &text)], 200);
        [
            says(&of("/admin/receipts/1")),
            says(first),
            says(&shown),
            says(&of("/admin/receipts/2")),
            says(second),
        ]
    };
    assert_eq!(pages(), [false; 5]);
    server.clock.advance(usher::clock::DAY);
    server.tick();
    assert_eq!(pages(), [true, true, true, false, false]);
    let page = Browser::owner(&server).get("/admin/receipts/1").expect(200).text;
    assert!(page.contains("/admin/jobs/1\"") && words(&page).contains("notes.txt"), "{page}");
    assert!(words(&page).contains("The signature is valid."), "it is what was signed all the same");
    // Tried again, in vain and then with success.
    let retry = || {
        server.write(|tx| usher::erasure::jobs::retry(tx, usher::model::JobId(1)));
    };
    retry();
    assert_eq!(pages(), [true, true, true, false, false]);
    server.tick();
    assert_eq!(pages(), [true, true, true, false, false]);
    std::fs::remove_file(notes).expect("a file");
    retry();
    server.tick();
    assert_eq!(pages(), [false; 5]);
}

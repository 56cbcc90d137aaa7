//! The list of backups, and what a restore of each would do.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use usher::access::keys;
use usher::archive::{About, LedgerPosition};
use usher::clock::{DAY, HOUR};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Erasure, Origin, UserId};
use usher::people::find;
use usher::store::ledger_position;

use super::{Browser, words};
use crate::common::house::House;
use crate::harness::Server;

/// Packs a backup of "the database" as it stands.
pub fn pack(server: &Server, house: &House) -> PathBuf {
    let at = server.read(ledger_position);
    let place = LedgerPosition {
        ledger: at.ledger.to_string(),
        seq: at.seq,
        head: data_encoding::HEXLOWER.encode(&at.head),
        offset: at.offset,
    };
    pack_at(server, house, place)
}

pub fn pack_at(server: &Server, house: &House, ledger: LedgerPosition) -> PathBuf {
    let database = house.path().join("copy.db");
    std::fs::write(&database, vec![1; 1_200_000]).expect("a file");
    let about = About { made_at: server.clock.now(), version: "0.1.0".into(), schema: 1, ledger };
    house.try_pack(&database, about, server.app.backups()).expect("a backup").path
}

fn erase(server: &Server, id: UserId) {
    server.write(move |tx| {
        let user = find::held(tx, id, tx.now())?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Page).map(|_| ())
    });
}

/// The rows of the page, newest first.
fn rows(page: &str) -> Vec<String> {
    let body = page.split("<tbody>").nth(1).unwrap_or_default().split("</tbody>").next().unwrap_or_default();
    body.split("<tr>").skip(1).map(words).collect()
}

#[test]
fn without_backups_the_page_says_how_to_make_one() {
    let server = Server::start();
    let page = Browser::owner(&server).get("/admin/backups").expect(200);
    let folder = server.app.backups().display().to_string();
    let text = words(&page.text);
    assert!(text.contains("No backups yet"), "{text}");
    assert!(
        text.contains(&format!("usher backup {folder}")) && text.contains("usher restore FILE"),
        "{text}"
    );
}

#[test]
fn each_backup_says_its_age_its_end_and_what_a_restore_repeats() {
    let (server, house) = (Server::start(), House::new());
    let people: Vec<UserId> =
        ["ann", "bob", "carl", "dora", "ed"].map(|name| server.seed(name).insert()).into();
    let key = server.key(Some(server.project().id), "read");
    erase(&server, people[0]);
    let first = pack(&server, &house);
    server.clock.advance(2 * DAY);
    erase(&server, people[1]);
    let hide = people[2];
    server.write(move |tx| trash::hide(tx, &find::held(tx, hide, tx.now())?));
    let second = pack(&server, &house);
    server.clock.advance(HOUR);
    erase(&server, people[3]);
    // Hidden first, then erased: erased.
    let both = people[4];
    server.write(move |tx| trash::hide(tx, &find::held(tx, both, tx.now())?));
    erase(&server, both);
    server.write(|tx| {
        let last = keys::list(tx)?.into_iter().map(|key| key.id).max();
        keys::revoke(tx, last.expect("a key"))
    });
    assert!(key.starts_with("ush_"));
    let third = pack(&server, &house);

    // A line that is being written is not there yet, and whoever looks leaves it alone.
    let ledger = server.app.store().ledger();
    OpenOptions::new()
        .append(true)
        .open(&ledger)
        .expect("the ledger")
        .write_all(b"{\"seq\":9")
        .expect("room");
    let before = std::fs::read(&ledger).expect("the ledger");
    let page = Browser::owner(&server).get("/admin/backups").expect(200);
    assert_eq!(std::fs::read(&ledger).expect("the ledger"), before);
    OpenOptions::new()
        .write(true)
        .open(&ledger)
        .and_then(|file| file.set_len(before.len() as u64 - 8))
        .expect("as it was");

    let rows = rows(&page.text);
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(rows.len(), 3);
    for (row, path) in rows.iter().zip([&third, &second, &first]) {
        assert!(row.starts_with(&name(path)), "{row}");
    }
    assert!(rows[0].contains("just now 6 Mar 2026, 11:00 UTC 1.2 MB"), "{}", rows[0]);
    assert!(
        rows[0].contains("repeats no erasure, moves no user to trash, revokes no credential"),
        "{}",
        rows[0]
    );
    assert!(
        rows[1].contains("repeats up to 2 erasures, moves no user to trash, revokes up to 1 credential"),
        "{}",
        rows[1]
    );
    assert!(rows[2].contains("2 days ago 4 Mar 2026, 10:00 UTC"), "{}", rows[2]);
    assert!(rows[2].contains("in 27 days 3 Apr 2026, 10:00 UTC"), "{}", rows[2]);
    assert!(
        rows[2].contains("repeats up to 3 erasures, moves up to 1 user to trash, revokes up to 1 credential"),
        "{}",
        rows[2]
    );
}

#[test]
fn a_backup_that_a_restore_would_refuse_says_so() {
    let (server, house) = (Server::start(), House::new());
    let ann = server.seed("ann").insert();
    let damaged = pack(&server, &house);
    let bytes = std::fs::read(&damaged).expect("a file");
    std::fs::write(&damaged, &bytes[..200]).expect("a cut");
    server.clock.advance(HOUR);
    pack_at(&server, &house, crate::common::house::position(12));
    server.clock.advance(HOUR);
    pack(&server, &house);
    erase(&server, ann);
    let page = Browser::owner(&server).get("/admin/backups").expect(200);
    let rows = rows(&page.text);
    assert!(rows[0].contains("repeats up to 1 erasure"), "{}", rows[0]);
    assert!(
        rows[1].contains("not possible") && rows[1].contains("It belongs to another ledger"),
        "{}",
        rows[1]
    );
    assert!(rows[2].contains("not possible") && rows[2].contains("cut short"), "{}", rows[2]);
    assert!(rows[2].contains("2 hours ago"), "its name tells its age: {}", rows[2]);
}

#[test]
fn the_last_good_backup_says_until_when_it_stays() {
    let (server, house) = (Server::start(), House::new());
    let old = pack(&server, &house);
    server.clock.advance(30 * DAY - 1);
    let row = || rows(&Browser::owner(&server).get("/admin/backups").expect(200).text).pop().expect("a row");
    assert!(row().contains("just now 3 Apr 2026, 10:00 UTC"), "{}", row());
    server.clock.advance(1);
    assert!(row().contains("after the next backup"), "{}", row());
    server.clock.advance(1);
    pack(&server, &house);
    assert!(row().contains("just now 3 Apr 2026, 10:00 UTC"), "{}", row());
    assert!(row().starts_with(&*old.file_name().expect("a name").to_string_lossy()));
}

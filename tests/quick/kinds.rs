//! What a page is, told by who points to it, as in a file of more than 128 GiB: there every
//! page that looks like one of a b-tree may be something else.

use std::collections::HashMap;

use rusqlite::Connection;
use usher::store::kinds::Trees;
use usher::store::layout::{PAGE, is_stale};

/// A database with trees of every form, and what SQLite says of each of its pages.
struct File {
    pages: Vec<Vec<u8>>,
    kinds: HashMap<u32, String>,
    _dir: tempfile::TempDir,
}

impl File {
    fn new() -> File {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.db");
        let conn = Connection::open(&path).expect("a file");
        conn.execute_batch(
            "PRAGMA page_size = 4096;
             CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT, weight REAL, note BLOB);
             CREATE INDEX notes_name ON notes (name, weight);
             CREATE INDEX notes_note ON notes (note) WHERE id % 50 = 0;
             CREATE TABLE links (one TEXT, other INTEGER, why TEXT, PRIMARY KEY (one, other)) WITHOUT ROWID;
             CREATE TABLE bare (a);
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 6000)
             INSERT INTO notes SELECT n * 3 - 9000, iif(n % 7, 'name ' || (n * 7919 % 6000), NULL), n / 3.0,
                 CAST(iif(n % 40, 'short', hex(zeroblob(3000 + n))) AS BLOB) FROM n;
             INSERT INTO links SELECT name, id - 70000, 'because ' || id FROM notes WHERE name IS NOT NULL;
             INSERT INTO links SELECT 'long ' || id || hex(zeroblob(2500)), id, '' FROM notes WHERE id % 90 = 0;
             DELETE FROM notes WHERE id % 5 = 1;",
        )
        .expect("tables");
        let mut kinds = HashMap::new();
        let mut rows = conn.prepare("SELECT pageno, pagetype FROM dbstat").expect("a query");
        let mut rows = rows.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            kinds.insert(row.get(0).expect("a number"), row.get(1).expect("a kind"));
        }
        let bytes = std::fs::read(&path).expect("the file");
        File { pages: bytes.chunks_exact(PAGE).map(<[u8]>::to_vec).collect(), kinds, _dir: dir }
    }

    fn page(&self, number: u32) -> Option<Vec<u8>> {
        self.pages.get(usize::try_from(number).ok()?.checked_sub(1)?).cloned()
    }

    /// In a file of so many pages.
    fn is_of_tree(&self, number: u32, pages: u32) -> bool {
        let page = self.page(number).expect("a page");
        Trees { pages, read: &|other| self.page(other) }.have(number, &page)
    }

    fn of_kind(&self, kind: &str) -> Vec<u32> {
        let mut found: Vec<u32> =
            self.kinds.iter().filter(|(_, known)| *known == kind).map(|(number, _)| *number).collect();
        found.sort_unstable();
        found
    }
}

#[test]
fn every_page_of_a_tree_is_found_from_its_root() {
    let file = File::new();
    let (leaves, inner) = (file.of_kind("leaf"), file.of_kind("internal"));
    assert!(leaves.len() > 200 && inner.len() > 4, "{} {}", leaves.len(), inner.len());
    for number in leaves.iter().chain(&inner) {
        assert!(file.is_of_tree(*number, u32::MAX), "page {number}");
    }
    let first_bytes: std::collections::BTreeSet<u8> = leaves
        .iter()
        .chain(&inner)
        .filter(|number| **number > 1)
        .map(|number| file.page(*number).expect("a page")[0])
        .collect();
    assert_eq!(first_bytes.into_iter().collect::<Vec<u8>>(), [2, 5, 10, 13]);
}

#[test]
fn an_overflow_page_that_looks_like_a_tree_is_none() {
    let mut file = File::new();
    let overflow = file.of_kind("overflow");
    assert!(overflow.len() > 50, "{}", overflow.len());
    for number in &overflow {
        assert!(!file.is_of_tree(*number, u32::MAX), "page {number}");
    }
    // Such bytes as a page of each kind has, with something in what would be free.
    for like in file.of_kind("leaf").into_iter().chain(file.of_kind("internal")).filter(|like| *like > 1) {
        let mut page = file.page(like).expect("a page");
        page[2_000..2_008].copy_from_slice(b"somebody");
        let at = usize::try_from(overflow[0]).expect("a number") - 1;
        let own = std::mem::replace(&mut file.pages[at], page);
        assert!(!file.is_of_tree(overflow[0], u32::MAX), "like page {like}");
        file.pages[at] = own;
    }
}

#[test]
fn in_a_file_below_128_gib_the_first_byte_tells() {
    let file = File::new();
    let mut page = vec![0; PAGE];
    page[..4].copy_from_slice(&33_554_432_u32.to_be_bytes());
    let read = |other| file.page(other);
    // The last number below is the last that a file of 128 GiB has.
    assert!(Trees { pages: 33_554_431, read: &read }.have(9, &page));
    assert!(!Trees { pages: 33_554_432, read: &read }.have(9, &page));
    // The twin: by its first byte alone it is odd, and an erasure would fail over it.
    assert!(is_stale(&page, 9).is_err());
}

#[test]
fn no_index_of_ours_has_an_order_of_its_own() {
    let schema = crate::common::app::TestApp::new();
    let conn = schema.sqlite();
    let sql =
        "SELECT COUNT(*) FROM sqlite_schema s, pragma_index_list(s.name) l, pragma_index_xinfo(l.name) x
               WHERE s.type = 'table' AND (x.desc = 1 OR x.coll <> 'BINARY')";
    assert_eq!(conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count"), 0);
    let all = sql.replace("AND (x.desc = 1 OR x.coll <> 'BINARY')", "");
    assert!(conn.query_row(&all, [], |row| row.get::<_, i64>(0)).expect("a count") > 50);
}

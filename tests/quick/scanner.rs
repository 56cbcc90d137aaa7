//! What is searched for of somebody's, in which forms, and what a place makes of a hit.

use std::fs;

use usher::model::JobId;
use usher::store::Scope;
use usher::store::file_kind::FileKind;
use usher::store::fragment::{Fragment, SearchKey, SearchTarget};
use usher::store::layout::PAGE;
use usher::store::search::{Found, Scanner};

use crate::common::app::TestApp;

const JOB: JobId = JobId(7);
const ANN: &[u8] = b"ann-who-was-here-once";

fn key() -> SearchKey {
    SearchKey::new([3; 32])
}

fn fragments(value: &[u8]) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    key().fragments(value, |fragment| fragments.push(fragment));
    fragments
}

fn sought(value: &[u8]) -> Vec<SearchTarget> {
    fragments(value).into_iter().map(|fragment| SearchTarget { job: JOB, fragment, planted: false }).collect()
}

fn scanner(value: &[u8]) -> Scanner {
    Scanner::new(key(), &sought(value))
}

/// What became of the one job.
fn found(scanner: Scanner) -> Found {
    scanner.into_found().remove(&JOB).unwrap_or_default()
}

/// How often a value is found in some bytes, in whatever form.
fn hits(value: &[u8], bytes: &[u8]) -> usize {
    let mut scanner = scanner(value);
    scanner.bytes_of(bytes, 0, "a file");
    found(scanner).places.len()
}

/// Something before it, and something after.
fn amid(text: &[u8]) -> Vec<u8> {
    [b"{\"a\":\"", text, b"\",\"b\":2}\n"].concat()
}

#[test]
fn a_text_is_found_plain_escaped_or_percent_encoded() {
    let value = "ann \"fox\\/ä";
    let forms = [value.to_owned(), "ann \\\"fox\\\\/ä".to_owned(), "ann%20%22fox%5C%2F%C3%A4".to_owned()];
    for form in &forms {
        assert!(hits(value.as_bytes(), &amid(form.as_bytes())) > 0, "{form}");
        assert!(hits(value.as_bytes(), form.as_bytes()) > 0, "{form}, alone");
    }
    let others = [
        value.to_uppercase(),
        "YW5uICJmb3hcL8Ok".to_owned(),
        value.chars().rev().collect(),
        "ann+%22fox%5C%2F%C3%A4".to_owned(),
        value[1..].to_owned(),
        value.replace("fox", "cat"),
    ];
    for other in &others {
        assert_eq!(hits(value.as_bytes(), &amid(other.as_bytes())), 0, "{other}");
    }
}

#[test]
fn what_is_the_same_in_each_form_is_searched_for_once() {
    for (value, forms) in [("ann-the-erased", 1), ("ann@example.com", 2), ("ann \"erased\"", 3)] {
        assert_eq!(fragments(value.as_bytes()).len(), forms, "{value}");
    }
    // No text: it has no other forms.
    assert_eq!(fragments(b"\xff\xfe\"recording\"").len(), 1);
    assert_eq!(hits(b"\xff\xfe\"recording\"", &amid(b"\xff\xfe\"recording\"")), 1);
}

#[test]
fn the_shortest_text_has_8_bytes_and_a_piece_32() {
    let text = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_~.";
    let lengths = |length: usize| {
        fragments(&text[..length]).iter().map(|fragment| usize::from(fragment.length)).collect::<Vec<usize>>()
    };
    let table: [(usize, &[usize]); 10] = [
        (0, &[]),
        (7, &[]),
        (8, &[8]),
        (9, &[9]),
        (31, &[31]),
        (32, &[32]),
        (39, &[32]),
        (40, &[32, 8]),
        (64, &[32, 32]),
        (66, &[32, 32]),
    ];
    for (length, pieces) in table {
        assert_eq!(lengths(length), pieces, "{length}");
        assert_eq!(hits(&text[..length], &amid(text)), pieces.len(), "{length}");
    }
    // Seven characters may well be eight bytes.
    assert_eq!(fragments("anna-jö".as_bytes()).len(), 2);
}

#[test]
fn bytes_that_are_mostly_small_numbers_are_not_searched_for() {
    let raw = |value: &[u8]| {
        let mut scanner = Scanner::new(key(), &sought(value));
        scanner.bytes_of(value, 0, "a file");
        found(scanner).places.len()
    };
    assert_eq!(raw(b"\0\0\0\0abcd"), 0);
    assert_eq!(raw(b"\0\0\0abcde"), 1);
    assert_eq!(raw(b"\x1f\x1f\x1f\x1f\x1e\x1fab"), 0);
    assert_eq!(raw("\u{7f}äöüß".as_bytes()), 1);
    // Escaped, it is a text.
    assert!(hits(b"\0\0\0\0\0\0\0\x01", "\\u0000".repeat(7).as_bytes()) > 0);
}

#[test]
fn bytes_that_begin_alike_are_told_apart() {
    assert_eq!(hits(b"ann-the-erased", b"ann-the-erased"), 1);
    assert_eq!(hits(b"ann-the-erased", b"ann-the-erasee"), 0);
    assert_eq!(hits(b"ann-the-erased", b"ann-the-erase"), 0, "cut by the end");
    assert_eq!(hits(b"ann-the-erased", b"ann-the-ann-the-erased"), 1);
}

#[test]
fn what_is_kept_says_nothing_without_the_secret() {
    let ours = fragments(ANN);
    let others = {
        let mut fragments = Vec::new();
        SearchKey::new([4; 32]).fragments(ANN, |fragment| fragments.push(fragment));
        fragments
    };
    assert_eq!(ours.len(), others.len());
    for (one, other) in ours.iter().zip(&others) {
        assert!(one.word != other.word && one.digest != other.digest);
    }
    let mut scanner = Scanner::new(SearchKey::new([4; 32]), &sought(ANN));
    scanner.bytes_of(ANN, 0, "a file");
    assert_eq!(found(scanner).places, Vec::<String>::new());
}

/// A text of three pieces is cut by the end of a page, at each of its bytes: what lies whole
/// on one side is found.
#[test]
fn a_text_cut_by_a_page_is_found_by_its_whole_pieces() {
    let text: Vec<u8> = (0..96u8).map(|n| b'!' + n % 90).collect();
    for cut in 0..=text.len() {
        let mut scanner = scanner(&text);
        let (before, after) = text.split_at(cut);
        let mut page = vec![0; PAGE];
        page[PAGE - before.len()..].copy_from_slice(before);
        scanner.bytes_of(&page, 0, "a page");
        let mut page = vec![0; PAGE];
        page[..after.len()].copy_from_slice(after);
        scanner.bytes_of(&page, 0, "the next");
        let raw = (0..3).filter(|n| cut <= 32 * n || cut >= 32 * (n + 1)).count();
        assert!(raw >= 2, "one is cut at most");
        // Some of it has another form in JSON, which lies nowhere here.
        assert_eq!(found(scanner).places.len(), raw, "cut at {cut}");
    }
}

#[test]
fn a_run_of_one_byte_is_searched_for_by_its_end_alone() {
    for run in [&[b'0'; 8][..], &[b'x'; 32], &[b'-'; 100], &[0xFF; 40]] {
        assert_eq!(fragments(run), []);
    }
    // A padded number is somebody's.
    let padded = ["0000000042", "000000000000000000000000000006f3", "xxxxxxxxy", "0000000", "aaaaaaab"];
    for (value, count) in padded.into_iter().zip([1, 1, 1, 0, 1]) {
        assert_eq!(hits(value.as_bytes(), &amid(value.as_bytes())), count, "{value}");
    }
    assert_eq!(hits(b"0000000042", &amid(b"0000000043")), 0);
    assert_eq!(hits(b"0000000042", &amid(b"0000000000")), 0);
}

/// A leaf of a table: cells at 0xFA0 and 0xFE0, a free block between them, and a gap before.
fn leaf() -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[..8].copy_from_slice(&[13, 0x0F, 0xC0, 0, 2, 0x0F, 0xA0, 0]);
    page[8..12].copy_from_slice(&[0x0F, 0xA0, 0x0F, 0xE0]);
    page[0xFC0..0xFC4].copy_from_slice(&[0, 0, 0, 0x20]);
    page
}

fn with(mut page: Vec<u8>, at: usize, text: &[u8]) -> Vec<u8> {
    page[at..at + text.len()].copy_from_slice(text);
    page
}

fn overflow() -> Vec<u8> {
    with(vec![0; PAGE], 0, &[0, 0, 0, 9])
}

fn odd() -> Vec<u8> {
    with(leaf(), 5, &[0, 9])
}

/// Where it lies: a page, whether it is on the freelist, and the name of the place, or None:
/// it is another's.
type Lie = (Vec<u8>, usize, bool, Option<&'static str>);

fn lies() -> Vec<Lie> {
    vec![
        (leaf(), 0xFA0, false, None),
        (leaf(), PAGE - ANN.len(), false, None),
        (overflow(), 4, false, None),
        (overflow(), PAGE - ANN.len(), false, None),
        (leaf(), 12, false, Some("gap")),
        (leaf(), 0xF9F - ANN.len(), false, Some("gap")),
        (leaf(), 0xFC4, false, Some("free block")),
        (leaf(), 8, false, Some("page header")),
        (overflow(), 100, true, Some("freelist page")),
        // It was a leaf before it was free, and was not blanked: nobody's row is there.
        (leaf(), 0xFA0, true, Some("freelist page")),
        (leaf(), 12, true, Some("freelist page")),
        // Whose it is cannot be told.
        (odd(), 0xFA0, false, Some("which is not as SQLite writes it")),
    ]
}

#[test]
fn in_a_row_it_is_anothers_and_in_what_is_free_it_should_not_be() {
    for (page, at, is_free, place) in lies() {
        let mut scanner = scanner(ANN);
        scanner.page(3, &with(page.clone(), at, ANN), || is_free, "usher.db");
        let found = found(scanner);
        let expected: Vec<String> = place.iter().map(|place| format!("usher.db, page 3, {place}")).collect();
        assert_eq!(found.places, expected, "at {at}");
        assert_eq!(found.mentions, u64::from(place.is_none()), "at {at}");
        // The twin: it is not there.
        let mut empty = self::scanner(ANN);
        empty.page(3, &page, || panic!("nothing was found"), "usher.db");
        assert_eq!(self::found(empty), Found { fragments: 1, ..Found::default() });
    }
}

#[test]
fn of_the_many_places_of_a_job_some_are_named() {
    let mut scanner = scanner(ANN);
    for number in 2..=5 {
        scanner.page(number, &with(leaf(), 200, ANN), || false, "usher.db-wal");
    }
    for file in ["a", "b"] {
        scanner.bytes_of(&amid(ANN), 1_000, file);
    }
    let found = found(scanner);
    assert_eq!(
        found.places,
        [
            "usher.db-wal, page 2, gap",
            "usher.db-wal, page 3, gap",
            "usher.db-wal, page 4, gap",
            "usher.db-wal, page 5, gap",
            "a, at byte 1006"
        ]
    );
    assert_eq!((found.mentions, found.fragments, found.common), (0, 1, 0));
}

#[test]
fn a_text_of_16_rows_is_of_no_single_person() {
    for (rows, common) in [(1, 0), (15, 0), (16, 1)] {
        let mut scanner = scanner(ANN);
        for number in 0..rows {
            scanner.page(number + 2, &with(leaf(), 0xFA0, ANN), || false, "usher.db");
        }
        scanner.page(99, &with(leaf(), 300, ANN), || false, "usher.db");
        scanner.bytes_of(ANN, 0, "a file");
        let found = found(scanner);
        let told = if common == 0 { (u64::from(rows), 0, 1) } else { (0, 1, 0) };
        assert_eq!((found.mentions, found.common, found.fragments), told);
        assert_eq!(found.places.len(), if common == 0 { 2 } else { 0 }, "{rows} rows");
        assert!(!found.sees, "nothing was planted");
    }
}

#[test]
fn a_common_text_takes_the_others_of_its_job_not_with_it() {
    let both = [sought(ANN), sought(b"a secret of hers")].concat();
    let mut scanner = Scanner::new(key(), &both);
    for number in 2..18 {
        scanner.page(number, &with(leaf(), 0xFA0, ANN), || false, "usher.db");
    }
    scanner.bytes_of(b"a secret of hers", 0, "a file");
    let found = found(scanner);
    assert_eq!((found.common, found.fragments), (1, 2), "hers is searched for in two forms");
    assert_eq!(found.places, ["a file, at byte 0"]);
}

#[test]
fn each_job_is_told_of_its_own() {
    let of = |job, value: &[u8]| {
        fragments(value).into_iter().map(move |fragment| SearchTarget {
            job: JobId(job),
            fragment,
            planted: false,
        })
    };
    let sought: Vec<SearchTarget> = of(1, ANN).chain(of(2, ANN)).chain(of(3, b"somebody-else")).collect();
    let mut scanner = Scanner::new(key(), &sought);
    scanner.bytes_of(ANN, 0, "a file");
    let found = scanner.into_found();
    let places: Vec<usize> = found.values().map(|found| found.places.len()).collect();
    assert_eq!(places, [1, 1, 0]);
}

/// It lies in a row of ours; what is found where nothing should be means nothing.
#[test]
fn what_is_known_to_be_there_counts_in_a_row_alone() {
    for (page, at, is_free, place) in lies() {
        let planted =
            fragments(ANN).into_iter().map(|fragment| SearchTarget { job: JOB, fragment, planted: true });
        let mut scanner = Scanner::new(key(), &planted.collect::<Vec<SearchTarget>>());
        scanner.page(3, &with(page, at, ANN), || is_free, "usher.db");
        scanner.bytes_of(ANN, 0, "a file");
        let found = found(scanner);
        assert_eq!(found.sees, place.is_none(), "at {at}");
        assert_eq!(found, Found { sees: place.is_none(), ..Found::default() });
    }
}

/// Files are read piece by piece: what lies across the end of one is found, too, and named by
/// where it is in the file.
#[test]
fn in_a_long_file_it_is_found_wherever_it_lies() {
    let app = TestApp::new();
    let store = app.app.store();
    let path = app.path().with_file_name("long.txt");
    let long = [ANN, b"-and-who-is-to-be-gone-now-for-good"].concat();
    let sought = {
        let fragment = store.search_key().piece(&long[..32]).expect("a piece");
        [SearchTarget { job: JOB, fragment, planted: false }]
    };
    let mib = 1_usize << 20;
    let near = [0, 1, 16, 31, 32, 33].map(|n| mib - n).into_iter();
    for at in near.chain([0, mib + 31, 2 * mib - 5, 3 * mib - 32]) {
        // No longer than it must be: it is searched anew each time.
        let mut bytes = vec![b'.'; (at + 32).next_multiple_of(mib)];
        bytes[at..at + 32].copy_from_slice(&long[..32]);
        fs::write(&path, bytes).expect("a file");
        let scope = Scope::Written { pages: vec![], files: vec![(path.clone(), FileKind::Foreign, 0)] };
        let verdict = store.verify(&sought, scope).expect("a search");
        assert_eq!(verdict.found[&JOB].places[0], format!("long.txt, at byte {at}"));
    }
}

#[test]
fn many_texts_that_begin_alike_are_found_in_linear_time() {
    let text = |n: usize| format!("https://example.com/page/{n:07}");
    let mut fragments = Vec::new();
    for n in 0..20_000 {
        key().fragments(text(n).as_bytes(), |fragment| {
            fragments.push(SearchTarget { job: JobId(1 + (n % 2) as i64), fragment, planted: false });
        });
    }
    let mut scanner = Scanner::new(key(), &fragments);
    // None of these is sought; each begins as all that are. It would take minutes to compare each with each.
    let others: String = (20_000..60_000).map(|n| format!("{}\n", text(n))).collect();
    scanner.bytes_of(others.as_bytes(), 0, "others");
    let theirs = format!("{} {}", text(7), text(8));
    scanner.bytes_of(theirs.as_bytes(), 1_000, "theirs");
    let found = scanner.into_found();
    assert_eq!(found[&JobId(2)].places, ["theirs, at byte 1000"]);
    assert_eq!(found[&JobId(1)].places, ["theirs, at byte 1033"]);
}

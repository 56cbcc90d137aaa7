//! What a check of the whole file finds, each thing named; and that a good file has none.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use usher::ledger::{Entry, Ledger, LedgerFault, Position, check};

use super::{Fixture, MADE, entries, every_act, mac_key};

/// The faults of the fixture's file as it is.
fn faults(fixture: &Fixture, recorded: Option<&Position>) -> Vec<LedgerFault> {
    check(&fixture.path(), recorded, Some(&mac_key())).faults
}

/// The fixture with its lines changed, and what a check says of it.
fn changed(fixture: &Fixture, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<String> {
    let before = fixture.bytes();
    let mut lines = fixture.lines();
    change(&mut lines);
    fixture.write_lines(&lines);
    let found = faults(fixture, Some(fixture.last()));
    fixture.write(&before);
    found.iter().map(LedgerFault::to_string).collect()
}

fn edited(line: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(line).expect("a text");
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_good_ledger_has_no_faults_and_says_what_it_holds() {
    let fixture = Fixture::with(&every_act());
    let all = entries(&fixture.path());
    for recorded in fixture.positions.iter().map(Some).chain([None]) {
        let report = check(&fixture.path(), recorded, Some(&mac_key()));
        assert_eq!(report.faults, []);
        assert!(report.is_good());
        assert_eq!((report.ledger, report.entries), (Some(fixture.last().ledger), 10));
        assert_eq!((report.first.as_ref(), report.last.as_ref()), (all.first(), all.last()));
    }
    let empty = Fixture::new();
    let report = check(&empty.path(), Some(empty.last()), Some(&mac_key()));
    assert_eq!((report.entries, report.first, report.last, report.faults), (0, None, None, vec![]));
}

/// In every byte one bit or another, and the one that turns small letters into capitals:
/// found, and laid to the line it is in, or to the next where only the two together can tell.
#[test]
fn a_flip_in_any_byte_is_found_and_its_line_is_named() {
    let fixture = Fixture::with(&every_act());
    let whole = fixture.bytes();
    // In place: to write the file anew for each is what would take the time.
    let file = File::options().write(true).open(fixture.path()).expect("a file");
    let mut line = 1;
    for at in 0..whole.len() {
        for flip in [1 << (at % 8), 0x20] {
            file.write_all_at(&[whole[at] ^ flip], at as u64).expect("room");
            let found = faults(&fixture, None);
            let first = found.first().unwrap_or_else(|| panic!("{flip:#x} in byte {at} is not found"));
            // A header that reads well is only told from a bad one by the entry after it.
            let here = first.line == line || (line == 1 && first.line == 2);
            assert!(here, "{flip:#x} in byte {at} in line {line}: {found:?}");
            // Nothing else is blamed, but for a line that lost its end, and the next with it.
            assert!(
                found.len() <= if whole[at] == b'\n' || line == 1 { 2 } else { 1 },
                "byte {at}: {found:?}"
            );
        }
        file.write_all_at(&whole[at..=at], at as u64).expect("room");
        line += u64::from(whole[at] == b'\n');
    }
    assert_eq!(faults(&fixture, Some(fixture.last())), []);
}

/// A change that reads well is found in every field, and named by its entry.
#[test]
fn another_value_in_each_field_is_found_and_its_entry_is_named() {
    let fixture = Fixture::with(&every_act());
    let header = ["\"ledger\":\"", "\"at\":1"];
    let scheduled = ["\"at\":1", "\"request\":\"", "\"project\":", "\"name\":\"", "\"due\":1"];
    let erased = ["\"at\":1", "\"person\":\"", "\"cutoff\":1"];
    let other = ["\"at\":1", "\"key\":\""];
    let cases = [(1, &header[..]), (2, &scheduled), (5, &erased), (8, &other)];
    for (line, fields) in cases {
        for field in fields {
            let found = changed(&fixture, |lines| {
                let text = String::from_utf8(lines[line - 1].clone()).expect("a text");
                let end = text.find(field).expect("the field") + field.len();
                let digit = if text.as_bytes()[end] == b'8' { "7" } else { "8" };
                lines[line - 1] = [&text[..end], digit, &text[end + 1..]].concat().into_bytes();
            });
            let expected = match (line, *field) {
                (1, "\"ledger\":\"") => vec![
                    "line 1: the header was not written by this installation".to_owned(),
                    "line 1: the ledger is ".to_owned(),
                    "line 2: entry 1 does not follow from the header: one of the two was altered".into(),
                ],
                (1, _) => vec![
                    "line 1: the header was not written by this installation".to_owned(),
                    "line 2: entry 1 does not follow from the header: one of the two was altered".into(),
                ],
                (2, _) => {
                    vec!["line 2: entry 1 does not follow from the header: one of the two was altered".into()]
                }
                (line, _) => vec![format!(
                    "line {line}: entry {} was altered: it does not follow from the line before it",
                    line - 1
                )],
            };
            assert_eq!(found.len(), expected.len(), "{field}: {found:?}");
            for (found, expected) in found.iter().zip(&expected) {
                assert!(found.starts_with(expected), "{field}: {found}");
            }
        }
    }
    let numbered = changed(&fixture, |lines| lines[4] = edited(&lines[4], "\"seq\":4", "\"seq\":9"));
    assert_eq!(numbered, ["line 5: the number of entry 4 was altered: it is 9"]);
    let numbered = changed(&fixture, |lines| lines[10] = edited(&lines[10], "\"seq\":10", "\"seq\":11"));
    assert_eq!(numbered, ["line 11: the number of entry 10 was altered: it is 11"]);
    let acted = changed(&fixture, |lines| lines[2] = edited(&lines[2], "hidden", "revived"));
    assert_eq!(acted, ["line 3: entry 2 was altered: it does not follow from the line before it"]);
    let chained = changed(&fixture, |lines| {
        let text = String::from_utf8(lines[4].clone()).expect("a text");
        let at = text.find("\"chain\":\"").expect("a chain value") + 12;
        let digit = if text.as_bytes()[at] == b'8' { "7" } else { "8" };
        lines[4] = [&text[..at], digit, &text[at + 1..]].concat().into_bytes();
    });
    assert_eq!(chained, ["line 5: the chain value of entry 4 was altered"]);
    // Of the last entry nobody can tell which part it was.
    let last = changed(&fixture, |lines| lines[10] = edited(&lines[10], "begun", "cancelled"));
    assert_eq!(last[0], "line 11: entry 10 was altered: it does not follow from the line before it");
}

#[test]
fn a_dropped_row_is_found_wherever_it_was() {
    let fixture = Fixture::with(&every_act());
    for n in 1..10 {
        let found = changed(&fixture, |lines| drop(lines.remove(n)));
        assert_eq!(found, [format!("line {}: entry {n} is missing before it", n + 1)]);
    }
    let found = changed(&fixture, |lines| drop(lines.drain(3..6)));
    assert_eq!(found, ["line 4: entries 3 to 5 are missing before it"]);
    let found = changed(&fixture, |lines| drop(lines.remove(0)));
    assert!(found[0].starts_with("line 1: "), "{found:?}");
}

#[test]
fn swapped_rows_are_found_next_to_each_other_and_far_apart() {
    let fixture = Fixture::with(&every_act());
    for n in 1..10 {
        let found = changed(&fixture, |lines| lines.swap(n, n + 1));
        assert_eq!(found, [format!("line {}: entry {} stands before entry {n}", n + 1, n + 1)]);
    }
    let found = changed(&fixture, |lines| lines.swap(3, 8));
    assert_eq!(
        found,
        ["line 4: it is entry 8, where entry 3 is due", "line 9: it is entry 3, where entry 8 is due"]
    );
}

#[test]
fn an_inserted_row_is_found_copied_or_forged() {
    let fixture = Fixture::with(&every_act());
    for n in 1..=10 {
        let found = changed(&fixture, |lines| lines.insert(n + 1, lines[n].clone()));
        let line = n + 2;
        assert_eq!(
            found,
            [format!("line {line}: entry {n} stands there again, where entry {} is due", n + 1)]
        );
    }
    let all = entries(&fixture.path());
    for n in 1..10 {
        // It follows well from the row before it, and the row after it does not.
        let forged = Entry::after(all[n - 1].seq, &all[n - 1].chain, MADE, every_act()[0].clone());
        let found = changed(&fixture, |lines| lines.insert(n + 1, forged.line().into_bytes()));
        let again =
            format!("line {}: entry {} stands there again, where entry {} is due", n + 3, n + 1, n + 2);
        let forged =
            format!("line {}: entry {} was not written by this installation: it has no `mac`", n + 2, n + 1);
        let recorded = "line 11: entry 10 is not the one that was recorded".to_owned();
        assert_eq!(found, if n == 9 { vec![forged, recorded, again] } else { vec![forged, again] });
    }
    let found = changed(&fixture, |lines| lines.insert(4, b"{}\n".to_vec()));
    assert_eq!(found, ["line 5: `seq` is missing"]);
}

#[test]
fn a_tail_that_was_cut_off_is_found_against_what_was_recorded() {
    let fixture = Fixture::with(&every_act());
    let whole = fixture.bytes();
    for (n, position) in fixture.positions.iter().enumerate().take(10) {
        fixture.write(&whole[..usize::try_from(position.offset).expect("a length")]);
        assert_eq!(faults(&fixture, None), [], "the file itself cannot tell");
        let found = faults(&fixture, Some(fixture.last()));
        let what = format!("the tail is cut off: entry {n} is the last, and entry 10 was recorded");
        assert_eq!(found, [LedgerFault { line: n as u64 + 1, what }]);
    }
    fixture.write(&whole[..whole.len() - 1]);
    let torn = "line 11: the file ends before the line does";
    assert_eq!(faults(&fixture, None).iter().map(LedgerFault::to_string).collect::<Vec<_>>(), [torn]);
}

#[test]
fn a_ledger_written_anew_is_found_against_what_was_recorded() {
    let fixture = Fixture::with(&every_act());
    let whole = fixture.bytes();
    let mut acts = every_act();
    acts[3] = acts[2].clone();
    fixture.write(&whole[..usize::try_from(fixture.positions[0].offset).expect("a length")]);
    let (mut ledger, ..) = Ledger::open(&fixture.path(), None, &mac_key()).expect("a ledger");
    ledger.append(MADE, &acts).expect("room");
    drop(ledger);
    assert_eq!(faults(&fixture, None), []);
    for (n, recorded) in fixture.positions.iter().enumerate().skip(1) {
        let found = faults(&fixture, Some(recorded));
        let what = format!("entry {n} is not the one that was recorded");
        assert_eq!(found, [LedgerFault { line: n as u64 + 1, what }]);
    }

    let other = Fixture::new();
    fixture.write(&other.bytes());
    let found = faults(&fixture, Some(&fixture.positions[0]));
    assert!(found[0].what.starts_with("the ledger is "), "{found:?}");
    let head = Position { head: [0; 32], ..*other.last() };
    assert_eq!(faults(&other, Some(&head))[0].what, "the header is not the one that was recorded");
}

#[test]
fn two_faults_are_both_found() {
    let fixture = Fixture::with(&every_act());
    let found = changed(&fixture, |lines| {
        lines[3] = edited(&lines[3], "revived", "hidden");
        lines[4] = edited(&lines[4], "activity", "actively");
        lines.remove(7);
    });
    assert_eq!(
        found,
        [
            "line 4: entry 3 was altered: it does not follow from the line before it",
            "line 5: `erasure` must be account, activity or everything",
            "line 8: entry 7 is missing before it",
        ]
    );
}

#[test]
fn a_missing_empty_or_foreign_file_is_a_fault() {
    let fixture = Fixture::new();
    let first = |recorded| faults(&fixture, recorded).remove(0).to_string();
    fixture.write(b"");
    assert_eq!(first(None), "line 1: the file is empty");
    fixture.write(&[0; 100_000]);
    assert!(first(None).starts_with("line 1: it is not a JSON object"), "{}", first(None));
    fixture.write(&[b'\n'; 3]);
    assert_eq!(faults(&fixture, None).len(), 3);
    fs::remove_file(fixture.path()).expect("it is there");
    assert!(first(Some(fixture.last())).starts_with("the file cannot be read: "));
}

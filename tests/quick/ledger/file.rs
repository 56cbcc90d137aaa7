//! The file's life: made, torn by a crash, put back too old, damaged.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use usher::ledger::{Act, Ledger, LedgerError, Opened, Position, check};
use usher::model::Erasure;

use super::{Fixture, MADE, entries, every_act, mac_key, pseudonym};

#[test]
fn a_new_ledger_is_its_owners_alone_and_is_never_written_over() {
    let fixture = Fixture::new();
    let mode = fs::metadata(fixture.path()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fixture.bytes();
    let refused = Ledger::create(&fixture.path(), MADE + 1, &mac_key()).map(|_| ()).expect_err("it is there");
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fixture.bytes(), before);
    assert_eq!(fs::read_dir(fixture.folder.path()).expect("a folder").count(), 1, "a draft is left");
}

#[test]
fn a_kill_while_a_ledger_is_made_leaves_none() {
    let folder = crate::common::folder();
    let path = folder.path().join("erasures.ledger");
    fs::write(folder.path().join("erasures.ledger.new"), b"{\"format\":\"ush").expect("room");
    Ledger::create(&path, MADE, &mac_key()).expect("a ledger");
    assert_eq!(entries(&path), []);
}

#[test]
fn each_act_reads_back_as_it_was_written() {
    let fixture = Fixture::with(&every_act());
    let (ledger, all, opened) = Ledger::open(&fixture.path(), None, &mac_key()).expect("a ledger");
    assert_eq!(all.iter().map(|entry| entry.act.clone()).collect::<Vec<_>>(), every_act());
    let numbers = all.iter().map(|entry| (entry.seq, entry.at));
    assert!(numbers.eq((1..=10).map(|n: u64| (n, MADE + 1_000 * i64::try_from(n).expect("a number")))));
    assert_eq!((ledger.position(), opened), (*fixture.last(), Opened { cut: 0 }));
    for (n, mark) in fixture.positions.iter().enumerate() {
        let (ledger, beyond, _) = Ledger::open(&fixture.path(), Some(mark), &mac_key()).expect("a ledger");
        assert_eq!(beyond, all[n..]);
        assert_eq!(ledger.position(), *fixture.last());
    }
}

/// An append of several lines, cut at every byte of it: the whole lines are kept, whatever
/// else is there is cut off, and the ledger goes on from there.
#[test]
fn a_crash_amid_an_append_leaves_whole_lines_alone() {
    let fixture = Fixture::with(&every_act()[..4]);
    let mark = *fixture.last();
    let (mut ledger, ..) = Ledger::open(&fixture.path(), Some(&mark), &mac_key()).expect("a ledger");
    ledger.append(MADE + 60_000, &every_act()[4..7]).expect("room");
    drop(ledger);
    let whole = fixture.bytes();
    let all = entries(&fixture.path());
    let start = usize::try_from(mark.offset).expect("a length");
    assert!(whole.len() > start + 300);
    for end in start..=whole.len() {
        fixture.write(&whole[..end]);
        let kept = whole[start..end].iter().filter(|byte| **byte == b'\n').count();
        let torn = whole[start..end].rsplit(|byte| *byte == b'\n').next().expect("a part").len();
        let (mut ledger, beyond, opened) =
            Ledger::open(&fixture.path(), Some(&mark), &mac_key()).expect("a ledger");
        assert_eq!(beyond, all[4..4 + kept], "after {end} bytes");
        assert_eq!(opened, Opened { cut: torn as u64 }, "after {end} bytes");
        assert_eq!(fixture.bytes().len(), end - torn);
        let after = ledger.append(MADE + 70_000, &[Act::KeyRevoked { key: pseudonym(9) }]).expect("room");
        drop(ledger);
        let report = check(&fixture.path(), Some(&after), Some(&mac_key()));
        assert!(report.is_good(), "after {end} bytes: {:?}", report.faults);
        assert_eq!(report.entries, 5 + kept as u64);
    }
}

#[test]
fn whatever_stands_at_the_end_without_a_newline_is_cut_off() {
    let fixture = Fixture::with(&every_act());
    let whole = fixture.bytes();
    let line = fixture.lines().pop().expect("a line");
    let tails = [vec![0; 8_192], b"{".to_vec(), vec![b'x'; 2_000], line[..line.len() - 1].to_vec()];
    for tail in tails {
        fixture.write(&[whole.clone(), tail.clone()].concat());
        for mark in [None, Some(fixture.last())] {
            let before = fixture.bytes().len();
            let (_, _, opened) = Ledger::open(&fixture.path(), mark, &mac_key()).expect("a ledger");
            assert_eq!(opened.cut as usize, before - whole.len());
            assert_eq!(fixture.bytes(), whole);
        }
    }
}

/// Opens it as it is, and says why that is refused. Nothing in the file changes.
#[track_caller]
fn refused(fixture: &Fixture, mark: Option<&Position>) -> LedgerError {
    let before = fs::read(fixture.path()).ok();
    let refusal = Ledger::open(&fixture.path(), mark, &mac_key()).map(|_| ()).expect_err("it is refused");
    assert_eq!(fs::read(fixture.path()).ok(), before);
    let text = refusal.to_string();
    assert!(text.contains(&fixture.path().display().to_string()), "{text}");
    refusal
}

#[test]
fn a_missing_ledger_is_refused() {
    let fixture = Fixture::with(&every_act());
    let mark = *fixture.last();
    fs::remove_file(fixture.path()).expect("it is there");
    let refusal = refused(&fixture, Some(&mark));
    assert!(matches!(refusal, LedgerError::Missing { .. }), "{refusal}");
    let text = refusal.to_string();
    assert!(text.contains("there is no ledger of erasures") && text.contains("Put its newest copy there"));
}

#[test]
fn a_ledger_that_is_older_than_the_database_is_refused() {
    let fixture = Fixture::with(&every_act());
    let whole = fixture.bytes();
    // Cut between lines, and within one: of what was recorded nothing may be missing.
    for end in [fixture.positions[0].offset, fixture.positions[6].offset, fixture.last().offset - 1] {
        fixture.write(&whole[..usize::try_from(end).expect("a length")]);
        let refusal = refused(&fixture, Some(fixture.last()));
        assert!(matches!(refusal, LedgerError::Older { seq: 10, .. }), "{refusal}");
        let text = refusal.to_string();
        assert!(text.contains("is older than the database"), "{text}");
        assert!(text.contains(&format!("ends after {end} bytes")), "{text}");
        assert!(text.contains("put back its newest copy"), "{text}");
    }
}

#[test]
fn the_ledger_of_another_database_is_refused() {
    let (fixture, other) = (Fixture::with(&every_act()), Fixture::with(&every_act()));
    for mark in [&other.positions[0], other.last()] {
        let refusal = refused(&fixture, Some(mark));
        assert!(matches!(refusal, LedgerError::Foreign { .. }), "{refusal}");
        let text = refusal.to_string();
        assert!(text.contains("belongs to another database"), "{text}");
        assert!(text.contains(&mark.ledger.to_string()), "{text}");
    }
}

#[test]
fn a_ledger_whose_entry_at_the_mark_is_another_is_refused() {
    let fixture = Fixture::with(&every_act());
    let mark = *fixture.last();
    // The same ledger up to the fourth entry, another history after it.
    let whole = fixture.bytes();
    fixture.write(&whole[..usize::try_from(fixture.positions[4].offset).expect("a length")]);
    let (mut ledger, ..) = Ledger::open(&fixture.path(), None, &mac_key()).expect("a ledger");
    let mut acts = every_act();
    acts[9] = Act::Begun { request: pseudonym(99) };
    ledger.append(MADE, &acts[4..]).expect("room");
    ledger.append(MADE, &acts[..2]).expect("room");
    drop(ledger);
    let text = refused(&fixture, Some(&mark)).to_string();
    assert!(text.contains("is not the one of the database: entry 10"), "{text}");
    assert!(text.contains("put back its newest copy"), "{text}");

    // A mark that is wrong in any other way.
    fixture.write(&whole);
    let mut other_head = mark;
    other_head.head[31] ^= 1;
    let marks = [
        Position { seq: 9, ..mark },
        Position { offset: mark.offset - 1, ..mark },
        Position { offset: fixture.positions[9].offset, ..mark },
        other_head,
        Position { seq: 0, ..mark },
        Position { seq: 0, head: [0; 32], ..fixture.positions[0] },
        Position { seq: 1, ..fixture.positions[0] },
    ];
    for mark in marks {
        let refusal = refused(&fixture, Some(&mark));
        assert!(matches!(refusal, LedgerError::Rewritten { .. }), "{mark:?}: {refusal}");
    }
}

/// Reads the fixture's ledger as one that was damaged so in the lines beyond the second
/// entry, and expects the line and the words.
#[track_caller]
fn damaged(fixture: &Fixture, lines: &[Vec<u8>], line: u64, words: &str) {
    fixture.write_lines(lines);
    for mark in [None, Some(&fixture.positions[2])] {
        let text = refused(fixture, mark).to_string();
        assert!(text.contains(&format!("is damaged in line {line}: ")), "{text}");
        assert!(text.contains(words), "{text}");
        assert!(text.contains("put back its newest copy"), "{text}");
    }
}

#[test]
fn a_damaged_line_beyond_the_mark_is_refused_by_its_number() {
    let fixture = Fixture::with(&every_act());
    let lines = fixture.lines();
    let replace = |number: usize, from: &str, to: &str| {
        let mut lines = lines.clone();
        let text = String::from_utf8(lines[number - 1].clone()).expect("a text");
        assert!(text.contains(from), "{text}");
        lines[number - 1] = text.replacen(from, to, 1).into_bytes();
        lines
    };
    let person = pseudonym(3).to_string();
    damaged(&fixture, &replace(4, "\"revived\"", "\"hidden\""), 4, "entry 3 does not follow");
    damaged(&fixture, &replace(4, "\"revived\"", "\"renewed\""), 4, "`act` is none that this program knows");
    damaged(
        &fixture,
        &replace(4, &person, &person.to_uppercase().replace('0', "A")),
        4,
        "`person` must be 32",
    );
    damaged(&fixture, &replace(4, "\"person\"", "\"parson\""), 4, "`person` is missing");
    damaged(
        &fixture,
        &replace(4, "\"act\"", "\"why\":1,\"act\""),
        4,
        "a field that no such line has: \"why\"",
    );
    damaged(&fixture, &replace(4, "\"seq\":3", "\"seq\":3.0"), 4, "`seq` must be a whole number");
    damaged(&fixture, &replace(4, "\"seq\":3", "\"seq\":0"), 4, "`seq` must be 1 or more");
    damaged(&fixture, &replace(4, "\"seq\":3", "\"seq\": 3"), 4, "not written in the one way");
    damaged(&fixture, &replace(4, "\"seq\":3", "\"seq\":3,\"seq\":3"), 4, "not written in the one way");
    damaged(&fixture, &replace(4, "{", "["), 4, "not a JSON object");
    damaged(&fixture, &replace(5, "\"activity\"", "\"hide\""), 5, "`erasure` must be account, activity or");
    damaged(
        &fixture,
        &replace(5, "\"activity\"", "\"account\""),
        5,
        "`cutoff` stands at an erasure that has",
    );
    damaged(&fixture, &replace(6, "\"account\"", "\"activity\""), 6, "`cutoff` is missing");
    damaged(&fixture, &replace(9, "\"from\":7", "\"from\":8"), 9, "`from` must be an earlier entry");
    damaged(&fixture, &replace(9, "\"from\":7", "\"from\":0"), 9, "`from` must be an earlier entry");
    damaged(&fixture, &replace(9, "{", &format!("{}{{", " ".repeat(600))), 9, "longer than 512 bytes");

    let mut gap = lines.clone();
    gap.remove(5);
    damaged(&fixture, &gap, 6, "it is entry 6, where entry 5 is due");
    let mut swapped = lines.clone();
    swapped.swap(5, 6);
    damaged(&fixture, &swapped, 6, "it is entry 6, where entry 5 is due");
    let mut twice = lines.clone();
    twice.insert(5, lines[4].clone());
    damaged(&fixture, &twice, 6, "it is entry 4, where entry 5 is due");
    let mut altered_last = lines.clone();
    altered_last[10] = String::from_utf8(lines[10].clone()).expect("a text").replace("01", "02").into_bytes();
    damaged(&fixture, &altered_last, 11, "entry 10 does not follow");
}

/// What was altered before the place that the database has seen is noticed at once, too.
#[test]
fn a_start_reads_all_of_it() {
    let fixture = Fixture::with(&every_act());
    let mut lines = fixture.lines();
    lines[4].fill(b' ');
    lines[4].push(b'\n');
    lines[4].remove(0);
    fixture.write_lines(&lines);
    let refusal = refused(&fixture, Some(&fixture.positions[8]));
    assert!(matches!(refusal, LedgerError::Damaged { line: 5, .. }), "{refusal}");
    let report = check(&fixture.path(), None, Some(&mac_key()));
    assert_eq!(report.faults.first().map(|fault| fault.line), Some(5));
}

#[test]
fn a_damaged_header_is_refused_and_a_newer_one_by_its_version() {
    let fixture = Fixture::with(&every_act());
    let lines = fixture.lines();
    let header = String::from_utf8(lines[0].clone()).expect("a text");
    let with = |header: String| {
        let mut lines = lines.clone();
        lines[0] = header.into_bytes();
        fixture.write_lines(&lines);
        refused(&fixture, Some(fixture.last()))
    };
    let cases = [
        (header.replace("usher-ledger", "usher-wedger"), "`format` is not that of a ledger"),
        (header.replace("\"at\"", "\"it\""), "`at` is missing"),
        (header.replace("\"at\"", "\"by\":1,\"at\""), "a field that no such line has: \"by\""),
        (header.replace(',', ", "), "not written in the one way"),
        ("\n".into(), "not a JSON object"),
    ];
    for (header, words) in cases {
        let refusal = with(header);
        assert!(matches!(refusal, LedgerError::Damaged { line: 1, .. }), "{refusal}");
        assert!(refusal.to_string().contains(words), "{refusal}");
    }
    let refusal = with(header.replace("\"version\":2", "\"version\":3"));
    assert!(matches!(refusal, LedgerError::Newer { version: 3, .. }), "{refusal}");
    assert!(refusal.to_string().contains("start the newer program"), "{refusal}");

    for (bytes, words) in [(&b""[..], "it is empty"), (b"{\"format\":\"usher", "it has no end")] {
        fixture.write(bytes);
        let text = refused(&fixture, None).to_string();
        assert!(text.contains("line 1") && text.contains(words), "{text}");
    }
}

#[test]
fn an_act_that_cannot_be_is_not_written() {
    let fixture = Fixture::with(&every_act());
    let before = fixture.bytes();
    let (mut ledger, ..) = Ledger::open(&fixture.path(), Some(fixture.last()), &mac_key()).expect("a ledger");
    let person = pseudonym(3);
    let bad = [
        Act::Void { from: 0 },
        Act::Void { from: 12 },
        Act::Erased { person, erasure: Erasure::Hide, cutoff: None },
        Act::Erased { person, erasure: Erasure::Activity, cutoff: None },
        Act::Erased { person, erasure: Erasure::Everything, cutoff: Some(1) },
    ];
    for act in bad {
        // With a good one before it in the same append.
        let error = ledger.append(MADE, &[Act::Hidden { person }, act.clone()]).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{act:?}");
    }
    assert_eq!(ledger.append(MADE, &[]).expect("nothing to do"), *fixture.last());
    assert_eq!(fixture.bytes(), before);
    // The boundary: the entry just before may be void.
    ledger.append(MADE, &[Act::Hidden { person }, Act::Void { from: 11 }]).expect("room");
}

#[test]
fn each_act_of_an_append_keeps_its_own_time() {
    let fixture = Fixture::new();
    let (mut ledger, ..) = Ledger::open(&fixture.path(), None, &mac_key()).expect("a ledger");
    let act = |n| Act::Hidden { person: pseudonym(n) };
    ledger.append_each([(MADE + 5, act(1)), (MADE - 5, act(2))]).expect("room");
    let times: Vec<i64> = entries(&fixture.path()).iter().map(|entry| entry.at).collect();
    assert_eq!(times, [MADE + 5, MADE - 5]);
}

#[test]
fn entries_beyond_a_place_are_read_beside_a_writer() {
    let fixture = Fixture::with(&every_act());
    let all = entries(&fixture.path());
    let whole = fixture.bytes();
    let torn = [whole.as_slice(), b"{\"seq\":11,\"at\""].concat();
    fixture.write(&torn);
    for (n, mark) in fixture.positions.iter().enumerate() {
        assert_eq!(Ledger::after(&fixture.path(), mark, &mac_key()).expect("a ledger"), all[n..]);
    }
    assert_eq!(fixture.bytes(), torn, "nothing is cut off");
    let last = *fixture.last();
    let other = Position { head: [1; 32], ..last };
    let refused = Ledger::after(&fixture.path(), &other, &mac_key()).expect_err("another place");
    assert!(matches!(refused, LedgerError::Rewritten { seq: 10, .. }), "{refused}");
    let beyond = Position { seq: 11, offset: last.offset + 1_000, ..last };
    let refused = Ledger::after(&fixture.path(), &beyond, &mac_key()).expect_err("beyond its end");
    assert!(matches!(refused, LedgerError::Older { seq: 11, .. }), "{refused}");
    let none = Ledger::after(&fixture.folder.path().join("none"), &last, &mac_key()).expect_err("no file");
    assert!(matches!(none, LedgerError::Missing { .. }), "{none}");
}

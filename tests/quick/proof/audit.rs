//! The chain of the audit log.

use usher::proof::audit::{AuditFault, GENESIS, Head, Link, Position, Report, Row, Witness, check, hash};
use usher::proof::hex::Hex;

use super::{ASKED, signer, stranger};

const COUNT: u64 = 12;

fn row(seq: u64) -> Row {
    let even = seq.is_multiple_of(2);
    Row {
        seq,
        at: ASKED + i64::try_from(seq).expect("a number"),
        actor: format!("key {seq}"),
        action: "user.erase".into(),
        subject: even.then_some(Hex([9; 16])),
        project: even.then_some(1),
        job: Some(7),
        reason: even.then(|| "asked by mail".into()),
        request_id: Some("r-1".into()),
    }
}

fn chained(rows: impl IntoIterator<Item = Row>) -> Vec<Link> {
    let mut before = GENESIS;
    let link = |row: Row| {
        before = hash(&before, &row);
        Link { row, hash: before }
    };
    rows.into_iter().map(link).collect()
}

fn log() -> Vec<Link> {
    chained((1..=COUNT).map(row))
}

fn head(log: &[Link], seq: u64) -> Head {
    let hash = log.iter().find(|link| link.row.seq == seq).map_or(GENESIS, |link| link.hash);
    Head::sign(&signer(), seq, hash, ASKED + 3_600_000)
}

fn report(log: &[Link], heads: &[Head]) -> Report {
    check(log.to_vec(), heads, &[], &signer().public())
}

fn faults(log: &[Link], heads: &[Head]) -> Vec<AuditFault> {
    report(log, heads).faults
}

#[test]
fn a_whole_log_is_good() {
    let log = log();
    let heads: Vec<Head> = [0, 1, 5, COUNT].map(|seq| head(&log, seq)).into();
    let report = report(&log, &heads);
    assert!(report.is_good(), "{:?}", report.faults);
    let last = Position { seq: COUNT, head: Hex(log[11].hash) };
    assert_eq!((report.rows, report.last), (COUNT, last));
    assert!(check([], &[], &[], &signer().public()).is_good());
    assert!(check(log, &[], &[last], &signer().public()).is_good());
}

/// A row's field, and a change of it.
type Change = (&'static str, fn(&mut Row));

#[test]
fn a_row_changed_in_any_field_is_named_and_no_other() {
    let changes: [Change; 13] = [
        ("at", |row| row.at += 1),
        ("at", |row| row.at = -row.at),
        ("actor", |row| row.actor.push(' ')),
        ("action", |row| row.action = "user.view".into()),
        ("subject", |row| row.subject = Some(Hex([8; 16]))),
        ("subject", |row| row.subject = if row.subject.is_some() { None } else { Some(Hex([0; 16])) }),
        ("project", |row| row.project = Some(2)),
        ("project", |row| row.project = if row.project.is_some() { None } else { Some(0) }),
        ("job", |row| row.job = None),
        ("job", |row| row.job = Some(8)),
        ("reason", |row| row.reason = Some(String::new())),
        ("reason", |row| row.reason = Some("null".into())),
        ("request_id", |row| row.request_id = None),
    ];
    let whole = log();
    let heads = [head(&whole, 6), head(&whole, COUNT)];
    for place in 0..whole.len() {
        for (field, change) in changes {
            let mut changed = whole.clone();
            change(&mut changed[place].row);
            let seq = changed[place].row.seq;
            assert_eq!(faults(&changed, &heads), [AuditFault::Changed(seq)], "{field} of {seq}");
        }
    }
    // What stands in one field does not count for another.
    let (mut one, mut other) = (row(1), row(1));
    (one.reason, one.request_id) = (Some("x".into()), None);
    (other.reason, other.request_id) = (None, Some("x".into()));
    assert_ne!(hash(&GENESIS, &one), hash(&GENESIS, &other));
}

#[test]
fn a_flipped_byte_of_a_hash_is_told_from_a_changed_row() {
    let whole = log();
    for place in 0..whole.len() {
        for byte in 0..32 {
            let mut changed = whole.clone();
            changed[place].hash[byte] ^= 1;
            let seq = changed[place].row.seq;
            let expected = if seq == COUNT { AuditFault::Changed(seq) } else { AuditFault::Hash(seq) };
            assert_eq!(faults(&changed, &[]), [expected], "byte {byte} of {seq}");
        }
    }
    let mut changed = whole.clone();
    changed[5].hash[0] ^= 1;
    let of_head = AuditFault::HeadHash { seq: 6, by: Witness::SignedHead };
    assert_eq!(faults(&changed, &[head(&whole, 6)]), [AuditFault::Hash(6), of_head]);
    // Two in a row, and both the row and its hash.
    changed[6].hash[0] ^= 1;
    assert!(faults(&changed, &[]).contains(&AuditFault::Changed(6)));
    let mut changed = whole;
    changed[3].row.at += 1;
    changed[3].hash[0] ^= 1;
    changed[4].row.at += 1;
    assert_eq!(faults(&changed, &[]), [AuditFault::Changed(4), AuditFault::Changed(5)]);
}

#[test]
fn rows_dropped_are_named() {
    let whole = log();
    for place in 0..whole.len() - 1 {
        let mut changed = whole.clone();
        let seq = changed.remove(place).row.seq;
        assert_eq!(faults(&changed, &[head(&whole, COUNT)]), [AuditFault::Missing(seq, seq)]);
    }
    let mut changed = whole.clone();
    changed.drain(3..6);
    assert_eq!(faults(&changed, &[head(&whole, 5)]), [AuditFault::Missing(4, 6)]);
    // Numbered again, so that there is no gap: the first that moved up does not fit, and so on.
    let mut changed = whole.clone();
    changed.remove(3);
    for (n, link) in (1..).zip(&mut changed) {
        link.row.seq = n;
    }
    let expected: Vec<AuditFault> = (4..COUNT).map(AuditFault::Changed).collect();
    assert_eq!(faults(&changed, &[]), expected);
}

#[test]
fn rows_swapped_or_put_in_are_named() {
    let whole = log();
    let heads = [head(&whole, COUNT)];
    for place in 0..whole.len() - 1 {
        let seq = whole[place].row.seq;
        // In the order in which they are read.
        let mut changed = whole.clone();
        changed.swap(place, place + 1);
        let expected = [AuditFault::Missing(seq, seq), AuditFault::Moved { seq, after: seq + 1 }];
        assert_eq!(faults(&changed, &heads), expected);
        // Their contents, with and without their hashes.
        let mut changed = whole.clone();
        let (one, other) = (changed[place].row.clone(), changed[place + 1].row.clone());
        changed[place].row = Row { seq: one.seq, ..other.clone() };
        changed[place + 1].row = Row { seq: other.seq, ..one };
        assert_eq!(faults(&changed, &heads), [AuditFault::Changed(seq), AuditFault::Changed(seq + 1)]);
        let (one, other) = (changed[place].hash, changed[place + 1].hash);
        (changed[place].hash, changed[place + 1].hash) = (other, one);
        assert!(faults(&changed, &[]).contains(&AuditFault::Changed(seq)));

        // A row of the same number, before and after the one that was there.
        let made_up = Link { row: Row { actor: "nobody".into(), ..row(seq) }, hash: [1; 32] };
        for at in [place, place + 1] {
            let mut changed = whole.clone();
            changed.insert(at, made_up.clone());
            assert_eq!(faults(&changed, &heads), [AuditFault::Twice(seq)], "{seq} at {at}");
        }
    }
    // One put in with a hash that fits, the rest numbered again but not hashed again.
    let mut changed = whole[..4].to_vec();
    let made_up = row(5);
    changed.push(Link { hash: hash(&changed[3].hash, &made_up), row: made_up });
    changed.extend(whole[4..].iter().map(|link| Link { row: row(link.row.seq + 1), hash: link.hash }));
    let expected: Vec<AuditFault> = (6..=COUNT + 1).map(AuditFault::Changed).collect();
    assert_eq!(faults(&changed, &[]), expected);
}

#[test]
fn a_tail_that_was_cut_is_found_by_a_signed_head_or_by_a_note() {
    let whole = log();
    for end in 0..COUNT {
        let cut = &whole[..usize::try_from(end).expect("a number")];
        let expected = AuditFault::Cut { from: end + 1, to: COUNT, by: Witness::SignedHead };
        assert_eq!(faults(cut, &[head(&whole, COUNT)]), [expected]);
        let note = Position { seq: COUNT, head: Hex(whole[11].hash) };
        let report = check(cut.to_vec(), &[], &[note], &signer().public());
        assert_eq!(report.faults, [AuditFault::Cut { from: end + 1, to: COUNT, by: Witness::Note }]);
        // The twin: from the rows alone nobody can tell.
        assert_eq!(faults(cut, &[]), []);
    }
}

#[test]
fn a_log_written_anew_is_found_by_its_heads_alone() {
    let whole = log();
    let mut rows: Vec<Row> = whole.iter().map(|link| link.row.clone()).collect();
    rows[2].actor = "somebody else".into();
    let anew = chained(rows);
    assert_eq!(faults(&anew, &[]), [], "its own chain is whole");
    assert_eq!(faults(&anew, &[head(&whole, 2)]), [], "up to here it is the same");
    let by = Witness::SignedHead;
    let heads = [head(&whole, 3), head(&whole, 9)];
    assert_eq!(
        faults(&anew, &heads),
        [AuditFault::HeadHash { seq: 3, by }, AuditFault::HeadHash { seq: 9, by }]
    );
}

#[test]
fn a_changed_head_is_named_and_not_believed() {
    let whole = log();
    let good = head(&whole, 5);
    let changes: [fn(&mut Head); 4] = [
        |head| head.seq += 1,
        |head| head.hash[31] ^= 1,
        |head| head.at += 1,
        |head| head.signature.0[0] ^= 1,
    ];
    for change in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert!(good.verify(&signer().public()) && !changed.verify(&signer().public()));
        assert_eq!(faults(&whole, &[changed.clone()]), [AuditFault::HeadSignature(changed.seq)]);
    }
    let theirs = Head::sign(&stranger(), 99, [1; 32], ASKED);
    assert_eq!(faults(&whole, &[theirs]), [AuditFault::HeadSignature(99)]);
}

#[test]
fn each_fault_says_which_row() {
    let (seq, by) = (41, Witness::SignedHead);
    for fault in [
        AuditFault::Missing(40, 41),
        AuditFault::Missing(41, 41),
        AuditFault::Twice(seq),
        AuditFault::Moved { seq, after: 50 },
        AuditFault::Changed(seq),
        AuditFault::Hash(seq),
        AuditFault::HeadSignature(seq),
        AuditFault::HeadHash { seq, by },
        AuditFault::Cut { from: seq, to: 50, by },
    ] {
        assert!(fault.to_string().contains("41"), "{fault}");
    }
}

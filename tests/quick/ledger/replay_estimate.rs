//! How much there is to do again after a place, counted for many places at once.

use usher::ledger::{Act, Ledger, LedgerError, Orders, Position, Pseudonym, ReplayEstimate};
use usher::model::{Erasure, ProjectId};

use super::{Fixture, MADE, mac_key, pseudonym};

fn erased(person: u8, erasure: Erasure) -> Act {
    let cutoff = (erasure == Erasure::Activity).then_some(MADE);
    Act::Erased { person: pseudonym(person), erasure, cutoff }
}

fn hidden(person: u8) -> Act {
    Act::Hidden { person: pseudonym(person) }
}

fn again(erased: u64, hidden: u64, keys: u64) -> ReplayEstimate {
    ReplayEstimate { erased, hidden, keys }
}

fn counted(fixture: &Fixture) -> Vec<ReplayEstimate> {
    let answers = ReplayEstimate::count(&fixture.path(), &fixture.positions, &mac_key());
    answers.into_iter().map(|answer| answer.expect("a count")).collect()
}

#[test]
fn each_place_counts_each_person_ordered_after_it_once() {
    let fixture = Fixture::with(&[
        hidden(1),
        erased(2, Erasure::Activity),
        erased(2, Erasure::Everything),
        hidden(2),
        erased(1, Erasure::Activity),
        Act::KeyRevoked { key: pseudonym(9) },
        Act::Revived { person: pseudonym(1) },
        Act::KeyRevoked { key: pseudonym(9) },
    ]);
    assert_eq!(
        counted(&fixture),
        [
            again(2, 0, 1),
            again(2, 0, 1),
            again(2, 0, 1),
            // From here on, the second is known to be hidden alone: it was erased before.
            again(1, 1, 1),
            again(1, 0, 1),
            again(0, 0, 1),
            again(0, 0, 1),
            again(0, 0, 1),
            again(0, 0, 0),
        ]
    );
}

#[test]
fn a_secret_that_was_replaced_and_revoked_counts_once() {
    let credential = pseudonym(9);
    let fixture = Fixture::with(&[
        Act::CredentialEnds { credential, until: MADE },
        Act::CredentialEnds { credential: pseudonym(8), until: MADE },
        Act::CredentialEnded { credential },
    ]);
    let keys: Vec<u64> = counted(&fixture).iter().map(|again| again.keys).collect();
    assert_eq!(keys, [2, 2, 1, 0]);
}

#[test]
fn what_was_declared_void_counts_nowhere() {
    let fixture = Fixture::with(&[
        hidden(1),
        erased(2, Erasure::Everything),
        hidden(3),
        Act::Void { from: 2 },
        hidden(4),
    ]);
    let counts = counted(&fixture);
    assert_eq!(
        counts,
        [again(0, 2, 0), again(0, 1, 0), again(0, 1, 0), again(0, 1, 0), again(0, 1, 0), again(0, 0, 0)]
    );
}

/// The same as what a database at each place would be told, person by person.
#[test]
fn random_ledgers_count_as_many_as_their_orders_say() {
    for round in 0..20 {
        let mut acts = Vec::new();
        for n in 1..=fastrand::u64(1..80) {
            let person = pseudonym(fastrand::u8(1..7));
            let erased = |erasure, cutoff| Act::Erased { person, erasure, cutoff };
            acts.push(match fastrand::u8(0..10) {
                0..3 => Act::Hidden { person },
                3..5 => Act::Revived { person },
                5 => erased(Erasure::Everything, None),
                6 => erased(Erasure::Account, None),
                7 => erased(Erasure::Activity, Some(MADE)),
                8 => Act::KeyRevoked { key: person },
                _ if n > 1 => Act::Void { from: fastrand::u64(n.saturating_sub(5).max(1)..n) },
                _ => Act::Scheduled { request: person, project: ProjectId(1), name: person, due: MADE },
            });
        }
        let fixture = Fixture::with(&acts);
        let mut places = fixture.positions.clone();
        fastrand::shuffle(&mut places);
        let answers = ReplayEstimate::count(&fixture.path(), &places, &mac_key());
        for (place, answer) in places.iter().zip(answers) {
            let entries = Ledger::after(&fixture.path(), place, &mac_key()).expect("a ledger");
            let orders = Orders::from(entries.as_slice());
            let count =
                |is: &dyn Fn(Pseudonym) -> bool| orders.people().filter(|who| is(*who)).count() as u64;
            let expected = again(
                count(&|who| orders.for_person(&[who]).erase.is_some()),
                count(&|who| orders.for_person(&[who]).hidden_at.is_some()),
                orders.ended_credentials().count() as u64,
            );
            assert_eq!(answer.expect("a count"), expected, "round {round}, after {}: {acts:?}", place.seq);
        }
    }
}

#[test]
fn a_place_that_is_refused_hides_no_other() {
    let fixture = Fixture::with(&[hidden(1), hidden(2), erased(3, Erasure::Everything), hidden(4)]);
    let all = &fixture.positions;
    let foreign = Position { ledger: usher::ledger::LedgerId([9; 16]), ..all[1] };
    let rewritten = Position { head: [1; 32], ..all[2] };
    let beyond = Position { seq: 9, offset: all[4].offset + 1, ..all[4] };
    let places = [beyond, all[4], rewritten, all[3], all[0], foreign];
    let answers = ReplayEstimate::count(&fixture.path(), &places, &mac_key());
    assert!(matches!(answers[0], Err(LedgerError::Older { seq: 9, .. })), "{:?}", answers[0]);
    assert!(matches!(answers[2], Err(LedgerError::Rewritten { seq: 2, .. })), "{:?}", answers[2]);
    assert!(matches!(answers[5], Err(LedgerError::Foreign { .. })), "{:?}", answers[5]);
    let good: Vec<ReplayEstimate> = [1, 3, 4].map(|n: usize| *answers[n].as_ref().expect("a count")).into();
    assert_eq!(good, [again(0, 0, 0), again(0, 1, 0), again(1, 3, 0)]);

    // A line that is damaged: a start would refuse the ledger, wherever the database stands.
    let mut bytes = fixture.bytes();
    let at = usize::try_from(all[2].offset).expect("small") + 9;
    bytes[at] ^= 1;
    fixture.write(&bytes);
    let answers = ReplayEstimate::count(&fixture.path(), all, &mac_key());
    let damaged: Vec<bool> =
        answers.iter().map(|answer| matches!(answer, Err(LedgerError::Damaged { .. }))).collect();
    assert_eq!(damaged, [true; 5]);
    assert_eq!(ReplayEstimate::count(&fixture.path(), &[], &mac_key()).len(), 0);
    std::fs::remove_file(fixture.path()).expect("a removal");
    let none = ReplayEstimate::count(&fixture.path(), &all[..2], &mac_key());
    assert!(none.iter().all(|answer| matches!(answer, Err(LedgerError::Missing { .. }))), "{none:?}");
}

//! What counts in the end of the entries that a database has not seen, and what is to be
//! done to a person in each state.

use usher::clock::Millis;
use usher::ledger::{
    Act, Ended, Entry, Erase, Holding, Orders, PersonOrders, Pseudonym, ReplayAction, Request, Restricting,
    Seen, Standing, fate,
};
use usher::model::{Erasure, ProjectId, State};

use super::pseudonym;

const ANN: Pseudonym = Pseudonym([b'a'; 16]);
const BEN: Pseudonym = Pseudonym([b'b'; 16]);
/// Was merged into Ann.
const VISITOR: Pseudonym = Pseudonym([b'v'; 16]);
const REQUEST: Pseudonym = Pseudonym([b'r'; 16]);

/// Orders from acts at the times 10, 20, 30 …, numbered from 5 on.
fn orders(acts: &[Act]) -> Orders {
    let entries: Vec<Entry> = (1..)
        .zip(acts)
        .map(|(n, act): (u8, _)| Entry {
            seq: 4 + u64::from(n),
            at: 10 * Millis::from(n),
            act: act.clone(),
            chain: [0; 32],
            mac: None,
        })
        .collect();
    Orders::from(entries.as_slice())
}

fn hidden(person: Pseudonym) -> Act {
    Act::Hidden { person }
}

fn revived(person: Pseudonym) -> Act {
    Act::Revived { person }
}

fn erased(person: Pseudonym, erasure: Erasure) -> Act {
    Act::Erased { person, erasure, cutoff: None }
}

fn emptied(person: Pseudonym, cutoff: Millis) -> Act {
    Act::Erased { person, erasure: Erasure::Activity, cutoff: Some(cutoff) }
}

fn scheduled(request: Pseudonym, due: Millis) -> Act {
    Act::Scheduled { request, project: ProjectId(1), name: pseudonym(9), due }
}

#[track_caller]
fn of_ann(acts: &[Act], expected: PersonOrders) {
    assert_eq!(orders(acts).for_person(&[ANN]), expected, "{acts:?}");
}

#[test]
fn a_user_hidden_and_revived_is_what_the_last_entry_says() {
    let none = PersonOrders::default();
    let hidden_at = |at| PersonOrders { hidden_at: Some(at), ..none };
    let live = PersonOrders { revived: true, ..none };
    of_ann(&[], none);
    of_ann(&[hidden(BEN)], none);
    of_ann(&[hidden(ANN)], hidden_at(10));
    of_ann(&[hidden(ANN), revived(ANN)], live);
    of_ann(&[hidden(ANN), revived(ANN), hidden(BEN), hidden(ANN)], hidden_at(40));
    of_ann(&[revived(ANN), hidden(BEN)], live);
}

#[test]
fn everything_beats_the_rest_and_account_and_activity_both_hold() {
    let erase = |erase| PersonOrders { erase: Some(erase), ..PersonOrders::default() };
    let everything = erased(ANN, Erasure::Everything);
    let account = erased(ANN, Erasure::Account);
    of_ann(std::slice::from_ref(&everything), erase(Erase::Everything));
    of_ann(&[everything.clone(), account.clone(), emptied(ANN, 7)], erase(Erase::Everything));
    of_ann(&[account.clone(), emptied(ANN, 7), everything], erase(Erase::Everything));
    of_ann(std::slice::from_ref(&account), erase(Erase::Account { activity: None }));
    of_ann(&[account.clone(), emptied(ANN, 7)], erase(Erase::Account { activity: Some(7) }));
    of_ann(&[emptied(ANN, 7), account.clone()], erase(Erase::Account { activity: Some(7) }));
    of_ann(&[emptied(ANN, 7), emptied(ANN, 9)], erase(Erase::Activity { cutoff: 9 }));
    // The clock may have been set back between the two: the later cut-off counts.
    of_ann(&[emptied(ANN, 9), emptied(ANN, 7)], erase(Erase::Activity { cutoff: 9 }));
    // With the account goes whoever could be hidden; with the activity does not.
    of_ann(&[hidden(ANN), account.clone()], erase(Erase::Account { activity: None }));
    of_ann(&[account, hidden(ANN)], erase(Erase::Account { activity: None }));
    let both = PersonOrders { hidden_at: Some(10), ..erase(Erase::Activity { cutoff: 9 }) };
    of_ann(&[hidden(ANN), emptied(ANN, 9)], both);
}

#[test]
fn an_order_for_one_incarnation_holds_for_the_person() {
    let people = [ANN, VISITOR];
    let found = |acts: &[Act]| orders(acts).for_person(&people);
    assert_eq!(found(&[erased(VISITOR, Erasure::Everything)]).erase, Some(Erase::Everything));
    let parts = [erased(ANN, Erasure::Account), emptied(VISITOR, 7)];
    assert_eq!(found(&parts).erase, Some(Erase::Account { activity: Some(7) }));
    assert_eq!(found(&[hidden(ANN), revived(VISITOR)]).hidden_at, None);
    assert_eq!(found(&[revived(VISITOR), hidden(ANN)]).hidden_at, Some(20));
    assert_eq!(found(&[erased(BEN, Erasure::Everything)]), PersonOrders::default());
}

#[test]
fn what_some_incarnations_lack_is_written_down_for_them() {
    let lacking = |acts: &[Act]| orders(acts).complement(&[ANN, VISITOR]);
    let nothing: [(Millis, Act); 0] = [];
    let everything = |person| erased(person, Erasure::Everything);
    assert_eq!(lacking(&[everything(ANN), everything(VISITOR)]), nothing);
    assert_eq!(lacking(&[hidden(ANN), hidden(VISITOR), revived(VISITOR), revived(ANN)]), nothing);
    assert_eq!(lacking(&[emptied(ANN, 7), emptied(VISITOR, 7)]), nothing);
    assert_eq!(lacking(&[hidden(BEN)]), nothing);
    // With the time of the entry that there is.
    assert_eq!(lacking(&[everything(ANN)]), [(10, everything(VISITOR))]);
    assert_eq!(lacking(&[hidden(VISITOR)]), [(10, hidden(ANN))]);
    assert_eq!(lacking(&[hidden(ANN), hidden(VISITOR)]), [(20, hidden(ANN))]);
    assert_eq!(lacking(&[hidden(VISITOR), revived(VISITOR)]), [(20, revived(ANN))]);
    assert_eq!(lacking(&[erased(ANN, Erasure::Account)]), [(10, erased(VISITOR, Erasure::Account))]);
    assert_eq!(lacking(&[emptied(ANN, 7), emptied(VISITOR, 9)]), [(20, emptied(ANN, 9))]);
    // What everything takes along needs no entry, nor does hiding without an account.
    assert_eq!(lacking(&[emptied(ANN, 7), everything(ANN), everything(VISITOR)]), nothing);
    let account = |person| erased(person, Erasure::Account);
    assert_eq!(lacking(&[hidden(ANN), account(ANN), account(VISITOR)]), nothing);
    // Once written, nothing is lacking.
    let torn = [revived(ANN), emptied(ANN, 7)];
    assert_eq!(lacking(&torn), [(20, emptied(VISITOR, 7)), (10, revived(VISITOR))]);
    assert_eq!(lacking(&[&torn[..], &[emptied(VISITOR, 7), revived(VISITOR)]].concat()), nothing);
}

#[test]
fn a_request_is_pending_until_it_is_cancelled_or_has_begun() {
    let pending = orders(&[scheduled(REQUEST, 99), scheduled(pseudonym(2), 98)]);
    let request = |request, due, at| Request { request, project: ProjectId(1), name: pseudonym(9), due, at };
    let both = [request(pseudonym(2), 98, 20), request(REQUEST, 99, 10)];
    assert_eq!(pending.pending(), both);
    assert_eq!(pending.pending_for(pseudonym(9)), both);
    assert_eq!(pending.pending_for(pseudonym(8)), []);
    assert_eq!(pending.ended().count(), 0);
    assert_eq!(pending.end_of(REQUEST), None);

    let cancelled = orders(&[scheduled(REQUEST, 99), Act::Cancelled { request: REQUEST }]);
    assert_eq!(cancelled.pending(), []);
    assert_eq!(cancelled.end_of(REQUEST), Some(Ended::Cancelled(20)));
    // It was accepted before the mark: the database knows it, and has to drop it.
    let begun = orders(&[erased(ANN, Erasure::Everything), Act::Begun { request: REQUEST }]);
    assert_eq!(begun.ended().collect::<Vec<_>>(), [(REQUEST, Ended::Begun(20))]);
    assert_eq!(begun.for_person(&[ANN]).erase, Some(Erase::Everything));
}

#[test]
fn a_request_is_bound_until_it_is_scheduled_anew() {
    let bound = |person| Act::Bound { request: REQUEST, person };
    let binding = |acts: &[Act]| orders(acts).binding_of(REQUEST).map(|bound| bound.person);
    assert_eq!(binding(&[scheduled(REQUEST, 9), bound(Some(ANN))]), Some(Some(ANN)));
    assert_eq!(binding(&[bound(None)]), Some(None));
    assert_eq!(binding(&[bound(Some(ANN)), scheduled(REQUEST, 9)]), None);
    assert!(!orders(&[bound(Some(ANN))]).is_empty());
    for act in [bound(Some(ANN)), bound(None)] {
        let entry = Entry::after(3, &[5; 32], 20, act);
        assert_eq!(Entry::parse(entry.line().trim_end().as_bytes()), Ok(entry));
    }
}

#[test]
fn a_revoked_key_stays_revoked() {
    let found = orders(&[Act::KeyRevoked { key: ANN }, Act::KeyRevoked { key: ANN }]);
    assert_eq!(found.ended_credentials().collect::<Vec<_>>(), [ANN]);
    assert!(found.has_ended(ANN) && !found.has_ended(BEN));
    assert!(!found.is_empty());
}

#[test]
fn a_replaced_secret_ends_at_the_earliest_time() {
    let ends = |until| Act::CredentialEnds { credential: ANN, until };
    for acts in [[ends(70), ends(50)], [ends(50), ends(70)]] {
        let found = orders(&acts);
        assert_eq!((found.end_of_secret(ANN), found.end_of_secret(BEN)), (Some(50), None));
        assert!(!found.has_ended(ANN) && !found.is_empty());
    }
    // The first is number 5.
    assert!(orders(&[ends(50), Act::Void { from: 5 }]).is_empty());
    let entry = Entry::after(3, &[5; 32], 20, ends(50));
    let line = entry.line();
    let body =
        format!(r#"{{"seq":4,"at":20,"act":"credential_ends","credential":"{ANN}","until":50,"chain""#);
    assert!(line.starts_with(&body), "{line}");
    assert_eq!(Entry::parse(line.trim_end().as_bytes()), Ok(entry));
}

#[test]
fn void_entries_are_dropped_before_all_else() {
    let everything = erased(ANN, Erasure::Everything);
    // The first is number 5.
    let none = orders(&[everything.clone(), scheduled(REQUEST, 9), Act::Void { from: 5 }]);
    assert!(none.is_empty());
    assert_eq!(none.reaches_back(), None);
    let kept = orders(&[hidden(ANN), revived(ANN), everything, Act::Void { from: 6 }, hidden(BEN)]);
    assert_eq!(kept.for_person(&[ANN]).hidden_at, Some(10));
    assert_eq!(kept.for_person(&[BEN]).hidden_at, Some(50));
    assert_eq!(kept.people().count(), 2);
    assert!(kept.concern(BEN) && !kept.concern(VISITOR));
    // A void that is void itself was none the less: its entries never took effect.
    let twice = orders(&[hidden(ANN), Act::Void { from: 5 }, hidden(BEN), Act::Void { from: 6 }]);
    assert!(twice.is_empty());
    // What a request did is undone with it: it is pending as before.
    let pending = orders(&[scheduled(REQUEST, 9), Act::Begun { request: REQUEST }, Act::Void { from: 6 }]);
    assert_eq!(pending.pending().len(), 1);
    // Void from before the mark: the database has seen what is said not to have been.
    assert_eq!(orders(&[hidden(ANN), Act::Void { from: 4 }]).reaches_back(), Some(4));
    assert!(orders(&[]).is_empty());
}

/// Every state, with every order that can be: what is to be done.
#[test]
fn each_state_has_its_fate_under_each_order() {
    let orders =
        |erase, hidden_at, revived| PersonOrders { erase, hidden_at, revived, ..PersonOrders::default() };
    let nothing = orders(None, None, false);
    let hide = orders(None, Some(50), false);
    let revive = orders(None, None, true);
    let everything = orders(Some(Erase::Everything), None, false);
    let account = orders(Some(Erase::Account { activity: None }), None, false);
    let both = orders(Some(Erase::Account { activity: Some(7) }), None, false);
    let activity = orders(Some(Erase::Activity { cutoff: 7 }), None, false);
    let activity_hidden = orders(Some(Erase::Activity { cutoff: 7 }), Some(50), false);
    let activity_live = orders(Some(Erase::Activity { cutoff: 7 }), None, true);

    let leave = ReplayAction::LEAVE;
    let keep = |seen, activity| ReplayAction::Keep { seen, activity };
    let since = |at| Some(Seen::HiddenSince(at));
    let detach = |activity| ReplayAction::Detach { activity };
    let emptied = keep(None, Some(7));
    let rows = [
        (
            State::Live,
            None,
            [leave, keep(since(50), None), leave, ReplayAction::Erase, detach(None), detach(Some(7))],
        ),
        (
            State::Hidden,
            Some(40),
            [
                leave,
                keep(since(50), None),
                keep(Some(Seen::Live), None),
                ReplayAction::Erase,
                detach(None),
                detach(Some(7)),
            ],
        ),
        (
            State::Hidden,
            Some(50),
            [leave, leave, keep(Some(Seen::Live), None), ReplayAction::Erase, detach(None), detach(Some(7))],
        ),
        (State::Detached, None, [leave, leave, leave, ReplayAction::Erase, leave, emptied]),
        (State::Erasing, None, [leave; 6]),
        (State::Merged, None, [leave; 6]),
    ];
    let columns = [nothing, hide, revive, everything, account, both];
    for (state, hidden_since, expected) in rows {
        for (orders, expected) in columns.iter().zip(expected) {
            assert_eq!(fate(Standing { state, hidden_since }, orders), expected, "{state:?}: {orders:?}");
        }
    }
    let rows = [
        (State::Live, None, [emptied, keep(since(50), Some(7)), emptied]),
        (State::Hidden, Some(40), [emptied, keep(since(50), Some(7)), keep(Some(Seen::Live), Some(7))]),
        (State::Hidden, Some(50), [emptied, emptied, keep(Some(Seen::Live), Some(7))]),
        (State::Detached, None, [emptied; 3]),
        (State::Erasing, None, [leave; 3]),
        (State::Merged, None, [leave; 3]),
    ];
    for (state, hidden_since, expected) in rows {
        for (orders, expected) in [activity, activity_hidden, activity_live].iter().zip(expected) {
            assert_eq!(fate(Standing { state, hidden_since }, orders), expected, "{state:?}: {orders:?}");
        }
    }
}

#[test]
fn a_hold_is_what_the_last_entry_says_of_any_part_of_the_person() {
    let held = |person, until| Act::Held { person, until };
    let none = PersonOrders::default();
    let told = |at, hold| PersonOrders { hold: Some((at, hold)), ..none };
    of_ann(&[held(ANN, Some(99))], told(10, Holding::Held { until: Some(99) }));
    of_ann(&[held(ANN, None), Act::Released { person: ANN }], told(20, Holding::Released));
    of_ann(&[held(BEN, None)], none);
    let both = orders(&[held(VISITOR, None), hidden(ANN)]);
    let seen = both.for_person(&[ANN, VISITOR]);
    assert_eq!((seen.hold, seen.hidden_at), (Some((10, Holding::Held { until: None })), Some(20)));
    assert_eq!(both.complement(&[ANN, VISITOR])[0], (10, held(ANN, None)));
    assert_eq!(orders(&[held(ANN, None), held(VISITOR, None)]).complement(&[ANN, VISITOR]), []);
}

#[test]
fn a_restriction_is_what_the_last_entry_says() {
    let told = |at, what| PersonOrders { restriction: Some((at, what)), ..PersonOrders::default() };
    let restricted = Act::Restricted { person: ANN };
    of_ann(std::slice::from_ref(&restricted), told(10, Restricting::Restricted));
    of_ann(&[restricted, Act::Unrestricted { person: ANN }], told(20, Restricting::Unrestricted));
}

/// The twin: a hold takes nothing back of an erasure that was ordered.
#[test]
fn a_hold_after_an_erasure_leaves_it_ordered() {
    let found = orders(&[erased(ANN, Erasure::Everything), Act::Held { person: ANN, until: None }]);
    let ordered = found.for_person(&[ANN]);
    let live = Standing { state: State::Live, hidden_since: None };
    assert_eq!(fate(live, &ordered), ReplayAction::Erase);
}

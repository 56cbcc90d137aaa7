//! What shows that a line was written here: nobody without the store's secret makes one, and
//! what version 1 wrote without that is brought over once.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use usher::archive::Destination;
use usher::ledger::{
    Act, Entry, Ledger, LedgerError, LedgerId, MacKey, Position, check, hkdf, look, upgrade, version_of,
};
use usher::model::{AskedBy, Erasure, ProjectId};

use super::{Fixture, MADE, every_act, mac_key, pseudonym};

/// Lines of version 1 and of version 2, made by another program. They read, and are written,
/// like this for ever: a ledger is kept for as long as its database.
const LINES_1: &str = r#"{"format":"usher-ledger","version":1,"ledger":"abababababababababababababababab","at":1795557300000}
{"seq":1,"at":1795557301000,"act":"scheduled","request":"11111111111111111111111111111111","project":3,"name":"22222222222222222222222222222222","due":1795564800000,"chain":"79b9b7d739163593486d34cdb3f32178e9d32fc24dff84d0b5cd9a16bb679a60"}
{"seq":2,"at":1795557302000,"act":"hidden","person":"33333333333333333333333333333333","chain":"7bdef79dc0fe409bfc10b40511a0939c4aacb73c0bbb3ca9fd04940703fbd698"}
{"seq":3,"at":1795557303000,"act":"erased","person":"33333333333333333333333333333333","erasure":"activity","cutoff":1795557302000,"chain":"fd3af1ea2c434b05d10d3a4ee8745c5fe1fa8741aaa0ea785627413610f7d1b0"}
{"seq":4,"at":1795557304000,"act":"void","from":3,"chain":"1ac1a2620be6078cf5d43bc9bbf0c1b09a428fba6c3e46e4b8f1535befede7e7"}
"#;
const LINES_2: &str = r#"{"format":"usher-ledger","version":2,"ledger":"abababababababababababababababab","at":1795557300000,"mac":"965e68044e6657e117035e9ea6fbc32e41d6a1ab3ebac3ab6e0c56874979ad55"}
{"seq":1,"at":1795557301000,"act":"scheduled","request":"11111111111111111111111111111111","project":3,"name":"22222222222222222222222222222222","due":1795564800000,"chain":"79b9b7d739163593486d34cdb3f32178e9d32fc24dff84d0b5cd9a16bb679a60","mac":"0195763b1dca656dd520571b3bcd854b77007cfbb5806fc2aef6857ea7b3847d"}
{"seq":2,"at":1795557302000,"act":"hidden","person":"33333333333333333333333333333333","chain":"7bdef79dc0fe409bfc10b40511a0939c4aacb73c0bbb3ca9fd04940703fbd698","mac":"5389b1965e4782070d97a611c821421c71f8b8a578cb6dcd576c4db58bd6b21c"}
{"seq":3,"at":1795557303000,"act":"erased","person":"33333333333333333333333333333333","erasure":"activity","cutoff":1795557302000,"chain":"fd3af1ea2c434b05d10d3a4ee8745c5fe1fa8741aaa0ea785627413610f7d1b0","mac":"5ddd00264fb938fd91f5c91358611bdd47afcb891e09022565702495de6a4713"}
{"seq":4,"at":1795557304000,"act":"void","from":3,"chain":"1ac1a2620be6078cf5d43bc9bbf0c1b09a428fba6c3e46e4b8f1535befede7e7","mac":"835815a0c16d687aa45a7d16e06a8f586f6195a8b75feb60b1f64822d622223c"}
{"seq":5,"at":1795557305000,"act":"suppressed","project":3,"name":"44444444444444444444444444444444","subject":"55555555555555555555555555555555","until":1795564800000,"source":"denylist","chain":"a39b534fd610db7034f24830b73dafa914989d0a8a5ff54df13dbd63c817117c","mac":"e0ad45779122b89defe36cb9b41189b0bfbce979608f0894c885e495e47da07e"}
{"seq":6,"at":1795557306000,"act":"suppressed","project":3,"name":"44444444444444444444444444444444","subject":"55555555555555555555555555555555","source":"regulation 12","chain":"5639e73f47cd394fe2c0738536a0df631fd5175580b11fd28aec4655a01a5d73","mac":"3bc9a84d01a045a41b6047dc4d8280a5544683c750a7de983843f6d4aa9ccf85"}
{"seq":7,"at":1795557307000,"act":"unsuppressed","project":3,"subject":"55555555555555555555555555555555","source":"denylist","chain":"1c219ed7538dc6e4f089b0483f8a4b35ea2f5efa0c904ea89fb86775366b1ec1","mac":"835969ed6fa1b03eddc0674f954d91bbfc1d6c22215e53afb861345cfcb625ee"}
{"seq":8,"at":1795557308000,"act":"unsuppressed","project":3,"subject":"55555555555555555555555555555555","name":"44444444444444444444444444444444","source":"","chain":"d928436af21b9c9118b83f096339a690024f58aea755a9ae1d2a66e7ef05b452","mac":"59791f20eaa1fafa3ba328a0797419b06b57ae231df020199bbd75ade162cdf8"}
{"seq":9,"at":1795557309000,"act":"credential_ended","credential":"66666666666666666666666666666666","chain":"5a11f9e34b6f063541c55e1555d9da775271bd2e9eb138044002f4281080ff87","mac":"95d55dd49a0cd5aae42652656da2d03169523ca0ec7bb98eb3a443dd298a84cd"}
{"seq":10,"at":1795557310000,"act":"anew","lost":"77777777777777777777777777777777","entries":17,"chain":"9aefa5cc71194bfd2ac424bd8f5de58f0882d9e6b3e2412fd456839fccdb9c92","mac":"1417bc04042c9054ff54b0c4ea8607811997edd0ff1a0878450a28474de9c6bf"}
{"seq":11,"at":1795557311000,"act":"held","person":"33333333333333333333333333333333","until":1795564800000,"chain":"7c4309ea1c7fee396f03120ee916de0e2bb27e1b629de33548f63d0b0acc3e37","mac":"00282427106e97d0087940c38a900b626866b0010ad9ed1bcf12fdfabec5c5d9"}
{"seq":12,"at":1795557312000,"act":"released","person":"33333333333333333333333333333333","chain":"7c0a878e384a1c706b9ba5fe727650ecf6b59de8420cee40851b74ef5d0680bb","mac":"6f1004a5cdc24cb9b36c6bf49c690065f5275027717380f2b00cba325d47f785"}
{"seq":13,"at":1795557313000,"act":"restricted","person":"33333333333333333333333333333333","chain":"d8cde2b40c747a7d2d6b9c3859a127ba834c7454376091ac512a41cc2b0cec00","mac":"782794fd8effef60f33ce3552dcdee79b6c178456cfa6431410a48eacf59319c"}
{"seq":14,"at":1795557314000,"act":"unrestricted","person":"33333333333333333333333333333333","chain":"f5e83badb1610f4924c242cf0332ea230429329fa0ee5f2bc905a1ab5d3dcb4f","mac":"cdb1a2222026f2187c2429143582f491321ba5fee65f3a0534b809af392c596a"}
"#;
/// A line that goes on from there, of an act that is none yet.
const NEWER: &str = r#"{"seq":15,"at":1795557315000,"act":"paused","person":"33333333333333333333333333333333","chain":"49ac170e8843196d52cf72ae5f9e5348281c4badd2913c1d42e04aadef65ccbf","mac":"eaeed187bb03ac43415f658aa3bf47caee33ffa3e7113351fb0e4f86d786bb71"}
"#;

/// Of those lines: the secret has the bytes 0 to 31.
fn of_lines() -> MacKey {
    let mut secret = [0; 32];
    (0..32).for_each(|n| secret[usize::from(n)] = n);
    MacKey::new(&secret)
}

#[test]
fn keys_are_drawn_as_hkdf_draws_them() {
    // By another program, of the secret 0 to 31 and this info.
    let mut secret = [0; 32];
    (0..32).for_each(|n| secret[usize::from(n)] = n);
    let drawn = data_encoding::HEXLOWER.encode(&hkdf(&secret, b"an info"));
    assert_eq!(drawn, "f44b03c242035a1ae85deabe87541c3b6f05e68af18a92d7abecc69cdb951494");
}

#[test]
fn the_lines_of_a_ledger_never_change() {
    let fixture = Fixture::new();
    fixture.write(LINES_2.as_bytes());
    let (request, name, person) = (pseudonym(0x11), pseudonym(0x22), pseudonym(0x33));
    let (project, until) = (ProjectId(3), 1_795_564_800_000);
    let (kept_out, subject) = (pseudonym(0x44), pseudonym(0x55));
    let acts = [
        Act::Scheduled { request, project, name, due: until },
        Act::Hidden { person },
        Act::Erased { person, erasure: Erasure::Activity, cutoff: Some(1_795_557_302_000) },
        Act::Void { from: 3 },
        Act::Suppressed { project, name: kept_out, subject, until: Some(until), source: AskedBy::Denylist },
        Act::Suppressed { project, name: kept_out, subject, until: None, source: AskedBy::Regulation(12) },
        Act::Unsuppressed { project, subject, name: None, source: AskedBy::Denylist },
        Act::Unsuppressed { project, subject, name: Some(kept_out), source: AskedBy::Unknown },
        Act::CredentialEnded { credential: pseudonym(0x66) },
        Act::Anew { lost: LedgerId([0x77; 16]), seq: 17 },
        Act::Held { person, until: Some(until) },
        Act::Released { person },
        Act::Restricted { person },
        Act::Unrestricted { person },
    ];
    let found = Ledger::open(&fixture.path(), None, &of_lines()).expect("a ledger").1;
    assert_eq!(found.iter().map(|entry| entry.act.clone()).collect::<Vec<_>>(), acts);
    let written: String = found.iter().map(Entry::line).collect();
    assert_eq!(Some(written.as_str()), LINES_2.split_once('\n').map(|(_, entries)| entries));
    assert_eq!(check(&fixture.path(), None, Some(&of_lines())).faults, []);
}

#[test]
fn an_act_that_is_not_known_is_refused_by_its_name() {
    let fixture = Fixture::new();
    fixture.write(format!("{LINES_2}{NEWER}").as_bytes());
    let refusal = Ledger::open(&fixture.path(), None, &of_lines()).map(drop).expect_err("a newer act");
    assert!(matches!(&refusal, LedgerError::NewerAct { line: 16, act, .. } if act == "paused"), "{refusal}");
    assert!(refusal.to_string().contains("start the newer program that wrote it"), "{refusal}");
    // The twin: one that somebody without the secret has put there is damage.
    fixture.write(format!("{LINES_2}{}", NEWER.replacen("paused", "pauses", 1)).as_bytes());
    let refusal = Ledger::open(&fixture.path(), None, &of_lines()).map(drop).expect_err("damage");
    assert!(matches!(refusal, LedgerError::Damaged { line: 16, .. }), "{refusal}");
}

/// Positions of version 1 in its lines.
fn positions_1() -> Vec<Position> {
    let fixture = Fixture::new();
    fixture.write(LINES_2.as_bytes());
    let (mut positions, mut offset) = (Vec::new(), 0);
    let lengths: Vec<u64> = LINES_1.lines().map(|line| line.len() as u64 + 1).collect();
    let looked =
        look(&fixture.path(), &of_lines(), &[], |_, place| positions.push(*place)).expect("a ledger");
    positions.insert(0, Position { seq: 0, head: looked.begin, ..looked.end });
    positions.truncate(lengths.len());
    for (position, length) in positions.iter_mut().zip(lengths) {
        offset += length;
        position.offset = offset;
    }
    positions
}

#[test]
fn marks_of_a_version_1_ledger_fit_after_it_is_brought_over() {
    let fixture = Fixture::new();
    let kept = fixture.folder.path().join("kept");
    for end in 0..positions_1().len() {
        fixture.write(LINES_1.as_bytes());
        assert_eq!(version_of(&fixture.path()), Some(1));
        let refusal = Ledger::open(&fixture.path(), None, &of_lines()).map(drop).expect_err("version 1");
        assert!(matches!(refusal, LedgerError::Unsealed { .. }), "{refusal}");
        upgrade(&fixture.path(), &of_lines(), &positions_1()[..=end], &kept).expect("a ledger");
        assert_eq!(version_of(&fixture.path()), Some(2));
        assert_eq!(fs::read(&kept).expect("the old one"), LINES_1.as_bytes());
        let whole = String::from_utf8(fixture.bytes()).expect("text");
        assert!(LINES_2.starts_with(&whole), "{whole}");
        let mark = positions_1()[end];
        let (ledger, beyond, _) = Ledger::open(&fixture.path(), Some(&mark), &of_lines()).expect("it fits");
        assert_eq!((ledger.position().seq, beyond.len()), (4, 4 - end));
        assert_eq!(ledger.position().offset, whole.len() as u64);
        let after = Ledger::after(&fixture.path(), &mark, &of_lines()).expect("it fits");
        assert_eq!(after, beyond);
    }
}

/// Somebody has taken the MACs away, and could write what they like.
#[test]
fn a_version_1_ledger_is_refused_where_a_mark_names_2() {
    let fixture = Fixture::new();
    let kept = fixture.folder.path().join("kept");
    fixture.write(LINES_1.as_bytes());
    let mut sealed = Vec::new();
    let two = Fixture::new();
    two.write(LINES_2.as_bytes());
    look(&two.path(), &of_lines(), &[], |_, place| sealed.push(*place)).expect("a ledger");
    for mark in &sealed[..4] {
        let refusal = upgrade(&fixture.path(), &of_lines(), &[*mark], &kept).expect_err("stripped");
        assert!(matches!(refusal, LedgerError::Stripped { .. }), "{refusal}");
        assert_eq!(fixture.bytes(), LINES_1.as_bytes());
        assert!(!kept.exists());
    }
    // Nor where it is altered, older, or of another database.
    let marks = positions_1();
    let foreign = Position { ledger: LedgerId([9; 16]), ..marks[2] };
    let refusal = upgrade(&fixture.path(), &of_lines(), &[foreign], &kept).expect_err("foreign");
    assert!(matches!(refusal, LedgerError::Foreign { .. }), "{refusal}");
    let beyond = Position { seq: 9, ..marks[4] };
    let refusal = upgrade(&fixture.path(), &of_lines(), &[beyond], &kept).expect_err("older");
    assert!(matches!(refusal, LedgerError::Older { .. }), "{refusal}");
    fixture.write(LINES_1.replacen("hidden", "revived", 1).as_bytes());
    let refusal = upgrade(&fixture.path(), &of_lines(), &marks[..1], &kept).expect_err("altered");
    assert!(matches!(refusal, LedgerError::Damaged { line: 3, .. }), "{refusal}");
}

/// A `void` and an `erased` behind the last entry, each chained well: by whoever can write the
/// file, with no secret, with another's, and, as the twin, with the right one.
#[test]
fn a_line_that_was_appended_without_the_secret_is_refused() {
    let fixture = Fixture::with(&every_act());
    let (whole, last) = (fixture.bytes(), *fixture.last());
    let erased = Act::Erased { person: pseudonym(3), erasure: Erasure::Everything, cutoff: None };
    for act in [Act::Void { from: 1 }, erased] {
        let entry = Entry::after(last.seq, &last.head, MADE, act);
        let forged = [entry.clone(), entry.clone().sealed(&MacKey::new(&[6; 32]))];
        for forged in forged {
            fixture.write(&[whole.clone(), forged.line().into_bytes()].concat());
            for mark in [None, Some(&last), Some(&fixture.positions[2])] {
                let refusal = Ledger::open(&fixture.path(), mark, &mac_key()).map(drop).expect_err("forged");
                assert!(matches!(refusal, LedgerError::Forged { line: 12, .. }), "{refusal}");
                assert!(refusal.to_string().contains("check who can write"), "{refusal}");
            }
            let faults = check(&fixture.path(), Some(&last), Some(&mac_key())).faults;
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].to_string().starts_with("line 12: entry 11 was not written by this"),
                "{faults:?}"
            );
        }
        fixture.write(&[whole.clone(), entry.sealed(&mac_key()).line().into_bytes()].concat());
        let (_, beyond, _) = Ledger::open(&fixture.path(), Some(&last), &mac_key()).expect("ours");
        assert_eq!(beyond.len(), 1);
        assert_eq!(check(&fixture.path(), Some(&last), Some(&mac_key())).faults, []);
    }
}

#[test]
fn another_installations_ledger_is_refused_at_line_1() {
    let fixture = Fixture::with(&every_act());
    let other = MacKey::new(&[6; 32]);
    let refusal =
        Ledger::open(&fixture.path(), Some(fixture.last()), &other).map(drop).expect_err("another's");
    assert!(matches!(refusal, LedgerError::Forged { line: 1, .. }), "{refusal}");
    let faults = check(&fixture.path(), None, Some(&other)).faults;
    assert!(faults[0].to_string().starts_with("line 1: the header was not written by this"), "{faults:?}");
    assert_eq!(faults.len(), 11, "{faults:?}");
}

/// Of a ledger that a database has seen all of, and of one that it has seen nothing of.
#[test]
fn a_flip_in_any_byte_is_refused_at_a_start() {
    let fixture = Fixture::with(&every_act());
    let whole = fixture.bytes();
    let begin = fixture.positions[0];
    // In place: to write the file anew for each is what would take the time.
    let file = File::options().write(true).open(fixture.path()).expect("a file");
    for at in 0..whole.len() {
        file.write_all_at(&[whole[at] ^ (1 << (at % 8))], at as u64).expect("room");
        let refused = |mark: &Position| Ledger::open(&fixture.path(), Some(mark), &mac_key()).is_err();
        assert!(refused(fixture.last()), "byte {at}");
        // Without its newline the last line is one that a crash left unfinished.
        assert!(at == whole.len() - 1 || refused(&begin), "byte {at}");
        file.write_all_at(&whole[at..=at], at as u64).expect("room");
    }
    assert_eq!(fixture.bytes(), whole);
    assert!(Ledger::open(&fixture.path(), Some(fixture.last()), &mac_key()).is_ok());
}

#[test]
fn a_copy_of_version_1_is_brought_over_as_its_ledger_was() {
    let (fixture, place) = (Fixture::new(), crate::common::folder());
    let copy = place.path().join("erasures.ledger");
    fixture.write(LINES_2.as_bytes());
    for lines in 1..=LINES_1.lines().count() {
        let old: String = LINES_1.split_inclusive('\n').take(lines).collect();
        fs::write(&copy, old).expect("a copy");
        let to = Destination::directory(place.path());
        to.follow_ledger(&fixture.path(), LINES_2.len() as u64).expect("it follows");
        assert_eq!(fs::read_to_string(&copy).expect("a copy"), LINES_2, "{lines} lines");
        // From there on it is followed as any other.
        fixture.write(format!("{LINES_2}{NEWER}").as_bytes());
        let added = to.follow_ledger(&fixture.path(), (LINES_2.len() + NEWER.len()) as u64);
        assert_eq!(added.expect("it follows"), NEWER.len() as u64);
        fixture.write(LINES_2.as_bytes());
    }
    // The twins: a copy that has more, or something else, is left as it is.
    let more = format!("{LINES_1}{}", "{\"seq\":5}\n".repeat(9));
    for other in [more, LINES_1.replacen("hidden", "revived", 1)] {
        fs::write(&copy, &other).expect("a copy");
        let to = Destination::directory(place.path());
        assert!(to.follow_ledger(&fixture.path(), LINES_2.len() as u64).is_err());
        assert_eq!(fs::read_to_string(&copy).expect("a copy"), other);
    }
}

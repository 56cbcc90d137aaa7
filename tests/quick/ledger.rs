//! The ledger of erasures: its file through faults and crashes, what a check finds in it, and
//! the rules by which a database makes good what it has not seen.

mod check;
mod faults;
mod file;
mod model;
mod orders;
mod replay_estimate;
mod sealed;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use usher::clock::Millis;
use usher::ledger::{Act, Entry, Ledger, MacKey, Names, Position, Pseudonym};
use usher::model::{Erasure, ProjectId};

use crate::common::folder;

/// When every ledger here is made.
const MADE: Millis = 1_795_557_300_000;

fn pseudonym(byte: u8) -> Pseudonym {
    Pseudonym([byte; 16])
}

/// Of every ledger here.
fn mac_key() -> MacKey {
    MacKey::new(&[5; 32])
}

/// One act of each kind, and of each kind of erasure.
fn every_act() -> Vec<Act> {
    let (request, name) = (pseudonym(1), pseudonym(2));
    let person = pseudonym(3);
    let erased = |erasure, cutoff| Act::Erased { person, erasure, cutoff };
    vec![
        Act::Scheduled { request, project: ProjectId(7), name, due: MADE + 1_000 },
        Act::Hidden { person },
        Act::Revived { person },
        erased(Erasure::Activity, Some(MADE)),
        erased(Erasure::Account, None),
        Act::Cancelled { request },
        Act::KeyRevoked { key: pseudonym(4) },
        Act::Void { from: 7 },
        erased(Erasure::Everything, None),
        Act::Begun { request },
    ]
}

/// A folder with a ledger in it, and its position after each append.
struct Fixture {
    folder: TempDir,
    /// The first is that of the header alone.
    positions: Vec<Position>,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = folder();
        let ledger =
            Ledger::create(&folder.path().join("erasures.ledger"), MADE, &mac_key()).expect("a ledger");
        Fixture { folder, positions: vec![ledger.position()] }
    }

    /// With an append for each of these acts, a second after the last.
    fn with(acts: &[Act]) -> Fixture {
        let mut fixture = Fixture::new();
        let (mut ledger, _, _) = Ledger::open(&fixture.path(), None, &mac_key()).expect("a ledger");
        for act in acts {
            let at = MADE + 1_000 * i64::try_from(fixture.positions.len()).expect("a number");
            fixture.positions.push(ledger.append(at, std::slice::from_ref(act)).expect("room"));
        }
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("erasures.ledger")
    }

    fn last(&self) -> &Position {
        self.positions.last().expect("a position")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("a file")
    }

    fn write(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).expect("room");
    }

    /// The lines of the file, newlines included.
    fn lines(&self) -> Vec<Vec<u8>> {
        self.bytes().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn write_lines(&self, lines: &[Vec<u8>]) {
        self.write(&lines.concat());
    }
}

fn entries(path: &Path) -> Vec<Entry> {
    Ledger::open(path, None, &mac_key()).expect("a ledger").1
}

/// The digests are the same in every version: an old ledger must fit a new program. These
/// were computed by another program.
#[test]
fn the_pseudonyms_of_people_names_and_keys_never_change() {
    let mut secret = [0; 32];
    (0..32).for_each(|n| secret[usize::from(n)] = n);
    let names = Names::new(&secret);
    assert_eq!(names.person(&[7; 16]).to_string(), "456241d8ec6b8ea26e53c40085982eea");
    let name = names.name(ProjectId(3), "ann@example.org");
    assert_eq!(name.to_string(), "5a1c69d28192a345f2f51d3551872964");
    assert_eq!(names.key(&[9; 32]).to_string(), "2bfcf4a976d95c15303fbb73ed543d9e");
    assert_eq!(Pseudonym::parse("5a1c69d28192a345f2f51d3551872964"), Some(name));
    for bad in ["", "5a", "5A1C69D28192A345F2F51D3551872964", "5a1c69d28192a345f2f51d355187296400"] {
        assert_eq!(Pseudonym::parse(bad), None, "{bad}");
    }
}

#[test]
fn pseudonyms_depend_on_secret_project_and_purpose() {
    let (names, others) = (Names::new(&[1; 32]), Names::new(&[2; 32]));
    assert_ne!(names.person(&[7; 16]), others.person(&[7; 16]));
    assert_ne!(names.name(ProjectId(1), "ann"), names.name(ProjectId(2), "ann"));
    // A name that is the bytes of an incarnation, or of a key's hash.
    let same = [b'x'; 32];
    let text = std::str::from_utf8(&same[8..24]).expect("a text");
    let project = ProjectId(i64::from_be_bytes([b'x'; 8]));
    let named = names.name(project, &text[..8]);
    assert_ne!(names.person(&[b'x'; 16]), named);
    assert_ne!(names.key(&same), names.name(project, &"x".repeat(24)));
    assert_ne!(Pseudonym::random().expect("random bytes"), Pseudonym::random().expect("random bytes"));
}

//! Appends on a disk that is full or does not answer.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use usher::ledger::{Act, Ledger, Medium, check};

use super::{Fixture, MADE, every_act, mac_key, pseudonym};

/// A disk in memory that fails when it is told to.
struct Faulty {
    bytes: Vec<u8>,
    /// It holds no more than this.
    room: Option<usize>,
    sync_fails: bool,
    cut_fails: bool,
}

/// The same, for the ledger and for the test.
#[derive(Clone)]
struct Disk(Rc<RefCell<Faulty>>);

impl Disk {
    fn set(&self, change: impl FnOnce(&mut Faulty)) {
        change(&mut self.0.borrow_mut());
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }
}

impl Medium for Disk {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        let offset = usize::try_from(offset).expect("a length");
        let end = (offset + bytes.len()).min(disk.room.unwrap_or(usize::MAX));
        let written = end.saturating_sub(offset);
        let length = disk.bytes.len().max(offset + written);
        disk.bytes.resize(length, 0);
        disk.bytes[offset..offset + written].copy_from_slice(&bytes[..written]);
        if written == bytes.len() { Ok(()) } else { Err(ErrorKind::StorageFull.into()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.0.borrow().sync_fails { Err(io::Error::other("the disk does not answer")) } else { Ok(()) }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        if disk.cut_fails {
            return Err(io::Error::other("the disk does not answer"));
        }
        disk.bytes.truncate(usize::try_from(length).expect("a length"));
        Ok(())
    }
}

/// Every place at which the disk may be full, with and without a cut that works at once: the
/// append says so, the position stays, and the next append makes a good ledger.
#[test]
fn a_failed_append_leaves_a_ledger_that_goes_on() {
    let fixture = Fixture::with(&every_act());
    let (start, bytes) = (*fixture.last(), fixture.bytes());
    let acts = [Act::Hidden { person: pseudonym(5) }, Act::Hidden { person: pseudonym(6) }];
    let full = (bytes.len()..bytes.len() + 470).step_by(17).map(|room| (Some(room), false));
    for (room, sync_fails) in full.chain([(None, true)]) {
        for cut_fails in [false, true] {
            let faulty = Faulty { bytes: bytes.clone(), room, sync_fails, cut_fails };
            let disk = Disk(Rc::new(RefCell::new(faulty)));
            let mut ledger = Ledger::on(disk.clone(), start, &mac_key());
            ledger.append(MADE, &acts).expect_err("it is full");
            assert_eq!(ledger.position(), start);
            if cut_fails {
                // Neither can the next one be written, nor does it count.
                disk.set(|disk| (disk.room, disk.sync_fails) = (None, false));
                ledger.append(MADE, &acts[..1]).expect_err("it cannot be cut");
                assert_eq!(ledger.position(), start);
            } else {
                assert_eq!(disk.bytes(), bytes, "with room for {room:?}");
            }
            disk.set(|disk| (disk.room, disk.sync_fails, disk.cut_fails) = (None, false, false));
            // Shorter than what the failed append may have left behind.
            let after = ledger.append(MADE, &acts[..1]).expect("room again");
            assert_eq!(after.seq, 11);
            fixture.write(&disk.bytes());
            let report = check(&fixture.path(), Some(&after), Some(&mac_key()));
            assert!(report.is_good(), "with room for {room:?}: {:?}", report.faults);
            assert_eq!(report.entries, 11);
        }
    }
}

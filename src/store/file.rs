//! The database file as bytes: what lies on the disk, whatever SQLite says of it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::kinds::Trees;
use super::layout::{self, MalformedPage, PAGE};
use crate::error::{Error, Result};

/// Pages read at once: 1 MiB.
const RUN: u32 = 256;

/// The open file. It is opened once and kept: POSIX drops a process's locks on a file
/// when any of its descriptors is closed, SQLite's too.
pub struct Pages(File);

impl Pages {
    pub fn open(path: &Path) -> Result<Pages> {
        File::open(path).map(Pages).map_err(Error::from_io)
    }

    /// How many pages the file has.
    pub fn count(&self) -> Result<u32> {
        let bytes = self.0.metadata().map_err(Error::from_io)?.len();
        u32::try_from(bytes / PAGE as u64).map_err(Error::internal)
    }

    /// Hands over some pages, in ascending order, each with its number; those past the end
    /// are left out.
    pub fn each(&self, numbers: &[u32], mut see: impl FnMut(u32, &[u8])) -> Result<()> {
        let mut buffer = Vec::new();
        let mut rest = numbers;
        while let Some(first) = rest.first().copied().filter(|first| *first > 0) {
            let run = (0..RUN).zip(rest).take_while(|(n, number)| **number == first + n).count();
            let (these, others) = rest.split_at(run);
            rest = others;
            buffer.resize(buffer.len().max(run * PAGE), 0);
            let bytes = &mut buffer[..run * PAGE];
            let read = read_up_to(&self.0, bytes, u64::from(first - 1) * PAGE as u64)?;
            for (number, page) in these.iter().zip(bytes[..read].chunks_exact(PAGE)) {
                see(*number, page);
            }
        }
        Ok(())
    }

    /// Whether something that is free in a page is not zero; see [`layout::is_stale`].
    pub fn is_stale(&self, number: u32, page: &[u8]) -> Result<bool, MalformedPage> {
        if self.is_of_tree(number, page) { layout::is_stale(page, number) } else { Ok(false) }
    }

    /// Whether a page of the file is of a b-tree.
    pub fn is_of_tree(&self, number: u32, page: &[u8]) -> bool {
        let read = |other: u32| {
            let mut bytes = vec![0; PAGE];
            let at = u64::from(other.checked_sub(1)?) * PAGE as u64;
            self.0.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
        };
        // A file of unknown length has pages of any number.
        Trees { pages: self.count().unwrap_or(u32::MAX), read: &read }.have(number, page)
    }

    /// Hands over the pages of a range of numbers.
    pub fn range(&self, numbers: std::ops::Range<u32>, see: impl FnMut(u32, &[u8])) -> Result<()> {
        self.each(&numbers.collect::<Vec<u32>>(), see)
    }

    /// Hands over each trunk of the freelist: its number and its leaves.
    pub fn trunks(&self, mut see: impl FnMut(u32, Vec<u32>)) -> Result<()> {
        let mut next = 0;
        self.each(&[1], |_, page| {
            next = u32::from_be_bytes([page[32], page[33], page[34], page[35]]);
        })?;
        // More trunks than pages: a circle.
        for _ in 0..self.count()? {
            if next == 0 {
                break;
            }
            let mut after = 0;
            self.each(&[next], |number, page| {
                if let Ok((trunk, leaves, _)) = layout::trunk(page) {
                    see(number, leaves);
                    after = trunk;
                }
            })?;
            next = after;
        }
        Ok(())
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], at + read as u64) {
            Ok(0) => break,
            Ok(some) => read += some,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::from_io(error)),
        }
    }
    Ok(read)
}

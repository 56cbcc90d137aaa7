//! A ZIP that is written as it is read: its files, with their sizes and digests.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::of_writing;
use crate::clock;
use crate::error::{Error, Result};

/// A file that was written into the ZIP.
pub struct Written {
    /// Below the one folder of the ZIP.
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// A ZIP that is being written.
pub struct Pack<'w> {
    zip: ZipWriter<StreamWriter<Fuse<'w>>>,
    is_cut: Rc<Cell<bool>>,
    folder: String,
    options: SimpleFileOptions,
    pub files: Vec<Written>,
}

/// Lets nothing more through once it is cut: a ZIP writer that is dropped writes an end, and one that broke
/// off has none.
struct Fuse<'w> {
    out: &'w mut dyn Write,
    is_cut: Rc<Cell<bool>>,
}

impl Write for Fuse<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_cut.get() { Ok(bytes.len()) } else { self.out.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_cut.get() { Ok(()) } else { self.out.flush() }
    }
}

/// A file of the ZIP while it is written.
pub struct Entry<'p, 'w> {
    zip: &'p mut ZipWriter<StreamWriter<Fuse<'w>>>,
    digest: Sha256,
    bytes: u64,
}

impl Write for Entry<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.zip.write(bytes)?;
        let taken = bytes.get(..written).unwrap_or(bytes);
        self.digest.update(taken);
        self.bytes += taken.len() as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> Pack<'w> {
    pub fn new(out: &'w mut dyn Write, at: clock::Millis) -> Pack<'w> {
        let is_cut = Rc::new(Cell::new(false));
        let zip = ZipWriter::new_stream(Fuse { out, is_cut: Rc::clone(&is_cut) });
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .large_file(true)
            .unix_permissions(0o600)
            .last_modified_time(zip_time(at));
        // No identifier is in any name: names end in mails and logs.
        let folder = format!("usher-access-{}-{:08x}", clock::date(at).replace('-', ""), fastrand::u32(..));
        Pack { zip, is_cut, folder, options, files: Vec::new() }
    }

    /// Writes a file; `write` returns how many rows are in it.
    pub fn file(&mut self, path: &str, write: impl FnOnce(&mut Entry<'_, 'w>) -> Result<u64>) -> Result<()> {
        let name = format!("{}/{path}", self.folder);
        self.zip.start_file(name, self.options).map_err(of_zip)?;
        let mut entry = Entry { zip: &mut self.zip, digest: Sha256::new(), bytes: 0 };
        let rows = write(&mut entry)?;
        let (bytes, sha256) = (entry.bytes, HEXLOWER.encode(&entry.digest.finalize()));
        self.files.push(Written { path: path.to_owned(), rows, bytes, sha256 });
        Ok(())
    }

    /// A file that is at hand as a whole.
    pub fn text(&mut self, path: &str, rows: u64, text: &str) -> Result<()> {
        self.file(path, |entry| {
            entry.write_all(text.as_bytes()).map_err(|error| of_writing(&error))?;
            Ok(rows)
        })
    }

    /// Ends it as one that broke off: without an end.
    pub fn cut(self) {
        self.is_cut.set(true);
    }

    pub fn finish(self) -> Result<()> {
        self.zip.finish().map_err(of_zip).map(drop)
    }
}

fn of_zip(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => of_writing(&error),
        error => Error::internal(error),
    }
}

/// ZIP knows the years 1980 to 2107.
fn zip_time(at: clock::Millis) -> DateTime {
    let text = clock::rfc3339(at);
    let numbers: Vec<u16> =
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let small = |n: usize| numbers.get(n).and_then(|number| u8::try_from(*number).ok()).unwrap_or(0);
    let year = numbers.first().copied().unwrap_or(0);
    DateTime::from_date_and_time(year, small(1), small(2), small(3), small(4), small(5)).unwrap_or_default()
}

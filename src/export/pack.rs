//! The ZIP that a person is given: pages to read, tables, the file that is read again, recordings, and what
//! says that all of it is there. It is written as it is read; no part of it lies on a disk.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::ndjson::Counts;
use super::{Export, FORMAT, Subject, VERSION, of_writing, pages, requests, stamp, tables};
use crate::clock;
use crate::error::{Error, Result};
use crate::model::User;

/// A file that was written into the ZIP.
pub struct Written {
    /// Below the one folder of the ZIP.
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    sha256: String,
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
    fn new(out: &'w mut dyn Write, at: clock::Millis) -> Pack<'w> {
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

    fn finish(self) -> Result<()> {
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

impl Export<'_> {
    /// The whole ZIP. [`Error::UserNotFound`] if the person is erased meanwhile: what was written until then
    /// has no end, and opens with no program as if it were whole.
    pub fn pack(&self, user: &User, subject: &Subject, out: &mut dyn Write) -> Result<()> {
        let mut pack = Pack::new(out, self.made_at);
        match self.fill(user, subject, &mut pack) {
            Ok(()) => pack.finish(),
            Err(error) => {
                pack.is_cut.set(true);
                Err(error)
            }
        }
    }

    fn fill(&self, user: &User, subject: &Subject, pack: &mut Pack) -> Result<()> {
        let mut counts = Counts::default();
        pack.file("data.ndjson", |entry| {
            counts = self.person(user, subject, entry)?;
            Ok(counts.lines())
        })?;
        tables::put(self, user, subject, pack)?;
        let recordings = self.put_recording_files(subject, pack)?;
        let months = pages::put_timeline(self, subject, pack)?;
        pages::put_information(self, pack)?;
        pack.file("requests.json", |entry| requests::write(self, user, subject, entry))?;
        pages::put_index(self, user, &counts, &months, recordings, pack)?;
        // A user erased meanwhile is not in a pack that says it is whole.
        self.store.read(|db| subject.branches(db))?;
        self.put_manifest(&counts, pack)
    }

    /// Each recording as its app sent it. Returns how many.
    fn put_recording_files(&self, subject: &Subject, pack: &mut Pack) -> Result<u64> {
        let (mut sessions, mut count) = (self.sessions(subject), 0);
        while let Some((_, session)) = sessions.next()? {
            let Some(content_type) = &session.recording_type else { continue };
            count += 1;
            let path = format!("recordings/{}.{}", session.id, ending(content_type));
            pack.file(&path, |entry| {
                let (mut pieces, mut rows) = (self.pieces(subject, &session), 0);
                while let Some(piece) = pieces.next()? {
                    entry.write_all(&piece.data).map_err(|error| of_writing(&error))?;
                    rows += 1;
                }
                Ok(rows)
            })?;
        }
        Ok(count)
    }

    fn put_manifest(&self, counts: &Counts, pack: &mut Pack) -> Result<()> {
        let counts: serde_json::Map<String, Value> =
            counts.all().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
        let file = |file: &Written| json!({ "path": file.path, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256 });
        let manifest = json!({
            "format": FORMAT,
            "version": VERSION,
            "madeAt": stamp(self.made_at),
            "cutOff": stamp(self.made_at),
            "counts": counts,
            "files": pack.files.iter().map(file).collect::<Vec<Value>>(),
            "complete": true,
        });
        let mut text = serde_json::to_string_pretty(&manifest).map_err(Error::internal)?;
        text.push('\n');
        pack.text("manifest.json", 1, &text)?;
        let sums: String =
            pack.files.iter().map(|file| format!("{}  {}\n", file.sha256, file.path)).collect();
        pack.text("SHA256SUMS", pack.files.len() as u64, &sums)
    }
}

/// How the name of a recording's file ends: what is known to be harmless, and nothing else, for the type is
/// the app's word.
fn ending(content_type: &str) -> &'static str {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/json" => "json",
        "application/gzip" => "gz",
        "video/webm" => "webm",
        "video/mp4" => "mp4",
        "text/plain" => "txt",
        _ => "bin",
    }
}

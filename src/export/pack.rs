//! The ZIP that a person is given: pages to read, tables, the file that is read again, recordings, and what
//! says that all of it is there. It is written as it is read; no part of it lies on a disk.

use std::io::Write;

use serde_json::{Value, json};

use super::ndjson::Counts;
use super::zip_file::{Pack, Written};
use super::{Export, FORMAT, Subject, VERSION, of_writing, pages, requests, stamp, tables};
use crate::error::{Error, Result};
use crate::model::User;

impl Export<'_> {
    /// The whole ZIP. [`Error::UserNotFound`] if the person is erased meanwhile: what was written until then
    /// has no end, and opens with no program as if it were whole.
    pub fn pack(&self, user: &User, subject: &Subject, out: &mut dyn Write) -> Result<()> {
        let mut pack = Pack::new(out, self.made_at);
        match self.fill(user, subject, &mut pack) {
            Ok(()) => pack.finish(),
            Err(error) => {
                pack.cut();
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

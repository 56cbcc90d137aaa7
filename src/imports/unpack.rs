//! What a file is packed in: gzip, or a ZIP of such files. Each text in it is handed over, read as it
//! comes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use zip::ZipArchive;

use super::text;
use super::understand::Stop;

/// Is given each file that is found inside, to be read.
type See<'a> = &'a mut dyn FnMut(Box<dyn Read + '_>) -> Result<(), Stop>;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZIP: &[u8] = b"PK\x03\x04";
/// What is not unpacked, and what can be done about it.
const OTHERS: [(&[u8], &str); 4] = [
    (b"PAR1", "it is a Parquet file: export JSON lines or CSV instead"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "it is packed with zstd: unpack it first (`zstd -d`), or pack it with gzip"),
    (b"BZh", "it is packed with bzip2: unpack it first (`bunzip2`), or pack it with gzip"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "it is packed with xz: unpack it first (`unxz`), or pack it with gzip"),
];
/// A packed file may be so much smaller than what is in it; more is a bomb. What is small may be.
const RATIO: u64 = 200;
const SMALL: u64 = 64 * 1024 * 1024;
const BUFFER: usize = 128 * 1024;

/// A file as it came.
pub enum Packed {
    File(File),
    /// Read once, from its beginning to its end.
    Stream(Box<dyn Read + Send>),
}

/// How much was read so far; shared with who shows it.
#[derive(Debug, Clone, Default)]
pub struct Gauge {
    packed: Arc<AtomicU64>,
    unpacked: Arc<AtomicU64>,
}

impl Gauge {
    /// Bytes of the file as it came.
    pub fn packed(&self) -> u64 {
        self.packed.load(Ordering::Relaxed)
    }
}

/// Counts what is read from a file.
struct Counted<R> {
    inner: R,
    gauge: Gauge,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.gauge.packed.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Stops what unpacks to far more than it was.
struct Bounded<R> {
    inner: R,
    gauge: Gauge,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        let more = u64::try_from(read).unwrap_or(0);
        let unpacked = self.gauge.unpacked.fetch_add(more, Ordering::Relaxed) + more;
        if unpacked > SMALL && unpacked / RATIO > self.gauge.packed() {
            return Err(io::Error::other("it unpacks to more than 200 times its size"));
        }
        Ok(read)
    }
}

/// Hands over each text of a file, unpacked and as UTF-8.
pub fn unpack(packed: Packed, gauge: &Gauge, see: See<'_>) -> Result<(), Stop> {
    match packed {
        Packed::File(mut file) => {
            let mut first = [0; 4];
            let read = text::fill(&mut file, &mut first).map_err(Stop::unreadable)?;
            file.rewind().map_err(Stop::unreadable)?;
            let counted = BufReader::with_capacity(BUFFER, Counted { inner: file, gauge: gauge.clone() });
            match first[..read] == *ZIP {
                true => entries(counted, gauge, see),
                false => layer(counted, gauge, see),
            }
        }
        Packed::Stream(stream) => {
            let counted = Counted { inner: stream, gauge: gauge.clone() };
            layer(BufReader::with_capacity(BUFFER, counted), gauge, see)
        }
    }
}

/// The files in a ZIP, by their names.
fn entries<R: Read + Seek>(zipped: R, gauge: &Gauge, see: See<'_>) -> Result<(), Stop> {
    let broken = |_: zip::result::ZipError| Stop::Unreadable("the ZIP is broken".to_owned());
    let mut archive = ZipArchive::new(zipped).map_err(broken)?;
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    let mut names = names.map_err(broken)?;
    // An access pack: the same is in it in other forms.
    if names.iter().any(|name| is_called(name, "data.ndjson")) {
        names.retain(|name| is_called(name, "data.ndjson"));
    } else {
        names.retain(|name| is_data(name));
    }
    names.sort_unstable();
    if names.is_empty() {
        return Err(Stop::Unreadable("the ZIP has no .json, .ndjson, .jsonl or .csv file in it".to_owned()));
    }
    for name in names {
        let entry = archive.by_name(&name).map_err(|_| {
            Stop::Unreadable(
                "the ZIP has a file that is encrypted, or packed otherwise than by deflate".into(),
            )
        })?;
        layer(BufReader::with_capacity(BUFFER, entry), gauge, see)?;
    }
    Ok(())
}

fn is_called(name: &str, file: &str) -> bool {
    name.rsplit('/').next() == Some(file)
}

/// Names are looked at alone: nothing is written under them.
fn is_data(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let is_hidden = name.rsplit('/').next().is_some_and(|file| file.starts_with('.'));
    // Of a Mac's own beside each file.
    let is_shadow = name.starts_with("__macosx/");
    !is_hidden
        && !is_shadow
        && [".json", ".ndjson", ".jsonl", ".csv", ".tsv"].iter().any(|end| name.ends_with(end))
}

/// A file that may be packed with gzip.
fn layer<R: BufRead>(mut reader: R, gauge: &Gauge, see: See<'_>) -> Result<(), Stop> {
    let first = reader.fill_buf().map_err(Stop::unreadable)?;
    if first.starts_with(GZIP) {
        let unpacked = Bounded { inner: MultiGzDecoder::new(reader), gauge: gauge.clone() };
        return plain(BufReader::with_capacity(BUFFER, unpacked), see);
    }
    if first.starts_with(ZIP) {
        let how = "it is a ZIP, which cannot be read as a stream: send what is in it, or use `usher import`";
        return Err(Stop::Unreadable(how.to_owned()));
    }
    plain(Bounded { inner: reader, gauge: gauge.clone() }, see)
}

fn plain<R: Read>(reader: R, see: See<'_>) -> Result<(), Stop> {
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let first = reader.fill_buf().map_err(Stop::unreadable)?;
    if let Some((_, why)) = OTHERS.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Err(Stop::Unreadable((*why).to_owned()));
    }
    see(text::utf8(reader).map_err(Stop::unreadable)?)
}

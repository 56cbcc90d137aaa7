//! A text that is a table: values between commas, semicolons, tabs or bars, with a row of names first.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, ReaderBuilder, Trim, WriterBuilder};
use serde_json::{Map, Value};

use super::lines::LINE_MAX;

/// What stands between values, the likeliest first.
const BETWEEN: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A row under the names of its columns.
pub struct Row {
    pub line: u64,
    pub offset: u64,
    pub values: Map<String, Value>,
    /// It has more values than there are names.
    pub is_too_long: bool,
    pub is_utf8: bool,
    /// As it would be written.
    pub raw: Option<Vec<u8>>,
}

/// A row that does not end is not read into memory.
struct Limited<R> {
    inner: R,
    read: Rc<Cell<usize>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > LINE_MAX {
            return Err(io::Error::other(
                "a row is longer than 1 MiB: a quoted value that begins before does not end",
            ));
        }
        let read = self.inner.read(into)?;
        self.read.set(self.read.get() + read);
        Ok(read)
    }
}

/// Hands over the first row's names, then each row.
pub fn each<E: From<io::Error>>(
    reader: impl Read,
    between: u8,
    wants_raw: bool,
    names: impl FnOnce(&[String]) -> Result<(), E>,
    mut see: impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let read = Rc::new(Cell::new(0));
    let limited = Limited { inner: reader, read: Rc::clone(&read) };
    let mut rows = ReaderBuilder::new()
        .delimiter(between)
        .flexible(true)
        .has_headers(true)
        .trim(Trim::Headers)
        .from_reader(limited);
    let broken = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::other("it is no table"),
    };
    let header = rows.byte_headers().map_err(broken)?.clone();
    let columns: Vec<String> =
        header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    names(&columns)?;
    let mut record = ByteRecord::new();
    read.set(0);
    while rows.read_byte_record(&mut record).map_err(broken)? {
        read.set(0);
        if record.iter().all(|value| value.trim_ascii().is_empty()) {
            continue;
        }
        let mut is_utf8 = true;
        let mut values = Map::new();
        for (name, value) in columns.iter().zip(&record) {
            is_utf8 &= std::str::from_utf8(value).is_ok();
            let value = String::from_utf8_lossy(value).trim().to_owned();
            // The first column of a name counts.
            if !name.is_empty() && !value.is_empty() && !values.contains_key(name) {
                values.insert(name.clone(), Value::String(value));
            }
        }
        see(Row {
            line: record.position().map_or(0, csv::Position::line),
            offset: rows.position().byte(),
            values,
            is_too_long: record.iter().skip(columns.len()).any(|value| !value.is_empty()),
            is_utf8,
            raw: wants_raw.then(|| written(&record, between)),
        })?;
    }
    Ok(())
}

/// A row as it is written, without the end of its line.
pub fn written(record: &ByteRecord, between: u8) -> Vec<u8> {
    let mut writer = WriterBuilder::new().delimiter(between).from_writer(Vec::new());
    // Into memory.
    let _ = writer.write_byte_record(record);
    let mut row = writer.into_inner().unwrap_or_default();
    while row.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        row.pop();
    }
    row
}

/// What stands between the values of a first line: what is there most often, outside quotes.
pub fn between(line: &str) -> u8 {
    let mut in_quotes = false;
    let mut counts = [0_usize; BETWEEN.len()];
    for byte in line.bytes() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            byte if !in_quotes => {
                if let Some(place) = BETWEEN.iter().position(|one| *one == byte) {
                    counts[place] += 1;
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    let place = counts.iter().position(|count| *count == most).unwrap_or(0);
    BETWEEN[place]
}

/// The values of one line.
pub fn values(line: &str, between: u8) -> Vec<String> {
    let mut reader = ReaderBuilder::new().delimiter(between).has_headers(false).from_reader(line.as_bytes());
    let mut record = ByteRecord::new();
    match reader.read_byte_record(&mut record) {
        Ok(true) => record.iter().map(|value| String::from_utf8_lossy(value).trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

//! Reading a file of a known form: its records, one after the other, each with what it says.

use std::io::{BufRead, BufReader, Cursor, Read};

use serde_json::Value;

use super::columns::{self, Kind, Map};
use super::fields::{Notes, Object, Says};
use super::lines::Piece;
use super::text::fill;
use super::understand::{Stop, Understand};
use super::unpack::{Gauge, Packed, unpack};
use super::{
    Source, amplitude, auth0, detect, document, lines, matomo, mixpanel, posthog, segment, table, users,
    usher,
};
use crate::people::imports::{Fault, Record};

/// How a file is read.
#[derive(Debug, Clone)]
pub struct Options {
    pub source: Source,
    /// Which columns of a table are what.
    pub map: Option<Map>,
    pub kind: Kind,
    /// Records keep their text.
    pub wants_raw: bool,
    /// People in the trash are taken, too.
    pub revive: bool,
    /// So many records are done.
    pub done: u64,
}

/// Told the row of names of a table.
pub type Head<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Stop>;

/// Hands over each record of a file that is not done yet. `head` is told the row of names of a table,
/// as it is written.
pub fn read(
    packed: Packed,
    gauge: &Gauge,
    options: &Options,
    head: Head,
    see: &mut dyn FnMut(Record) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut reading = Reading { options, number: 0, line: 0, offset: 0, understand: of(options), see };
    unpack(packed, gauge, &mut |text| reading.text(text, head))?;
    loop {
        let says = reading.understand.end();
        if matches!(&says, Ok(entries) if entries.is_empty()) {
            return Ok(());
        }
        let is_fault = says.is_err();
        // A number of its own: one that goes on after a kill passes over what was done.
        reading.number += 1;
        reading.hand_over(reading.line, reading.offset, says, Notes::default(), None)?;
        if is_fault {
            return Ok(());
        }
    }
}

fn of(options: &Options) -> Box<dyn Understand> {
    match options.source {
        Source::Usher => Box::new(usher::Reader::new(options.revive)),
        Source::Segment => Box::new(segment::read),
        Source::Posthog => Box::new(posthog::read),
        Source::Mixpanel => Box::new(mixpanel::Reader::default()),
        Source::Amplitude => Box::new(amplitude::Reader::default()),
        Source::Matomo => Box::new(matomo::read),
        Source::Auth0 => Box::new(auth0::read),
        Source::Users => Box::new(users::read),
        Source::Csv => {
            let (map, kind) = (options.map.clone(), options.kind);
            Box::new(move |record: Object, notes: &mut Notes| {
                columns::read(record, map.as_ref(), kind, notes)
            })
        }
    }
}

struct Reading<'a> {
    options: &'a Options,
    number: u64,
    line: u64,
    offset: u64,
    understand: Box<dyn Understand>,
    see: &'a mut dyn FnMut(Record) -> Result<(), Stop>,
}

impl Reading<'_> {
    /// Each text of a file is of the same source, in whichever of its forms.
    fn text(&mut self, mut text: Box<dyn Read + '_>, head: Head) -> Result<(), Stop> {
        let mut first = vec![0; detect::PEEK];
        let read = fill(&mut text, &mut first)?;
        first.truncate(read);
        let shape = detect::shape(&first);
        let reader = BufReader::with_capacity(128 * 1024, Cursor::new(first).chain(text));
        match shape {
            detect::Shape::Lines => lines::each(reader, |piece| self.json(&piece)),
            detect::Shape::Document => document::each(reader, |piece| self.json(&piece)),
            detect::Shape::Table(between) => self.table(reader, between, head),
            detect::Shape::Empty => Ok(()),
        }
    }

    fn table(&mut self, reader: impl BufRead, between: u8, head: Head) -> Result<(), Stop> {
        let options = self.options;
        let raw = options.wants_raw;
        let names = |columns: &[String]| {
            let record: csv::ByteRecord = columns.iter().map(String::as_bytes).collect();
            head(&table::written(&record, between))?;
            match &options.map {
                Some(map) => map.check(columns).map_err(Stop::Unreadable),
                None => Ok(()),
            }
        };
        table::each(reader, between, raw, names, |row| {
            self.number += 1;
            if self.number <= self.options.done && !self.understand.remembers() {
                return Ok(());
            }
            let mut notes = Notes::default();
            let says = match (row.is_utf8, row.is_too_long) {
                (false, _) => Err(Fault::new("", "bad_text", "is not UTF-8: save the file as UTF-8")),
                (_, true) => Err(Fault::new("", "bad_row", "has more values than the first row has names")),
                _ => self.understand.read(row.values, &mut notes),
            };
            self.hand_over(row.line, row.offset, says, notes, row.raw)
        })
    }

    fn json(&mut self, piece: &Piece) -> Result<(), Stop> {
        self.number += 1;
        if self.number <= self.options.done && !self.understand.remembers() {
            return Ok(());
        }
        let mut notes = Notes::default();
        let says = match piece.bytes {
            None => Err(Fault::new("", "too_long", "is longer than 1 MiB")),
            Some(bytes) => match serde_json::from_slice(bytes) {
                Ok(Value::Object(record)) => self.understand.read(record, &mut notes),
                Ok(_) => Err(Fault::new("", "bad_json", "must be a JSON object")),
                Err(_) if std::str::from_utf8(bytes).is_err() => {
                    Err(Fault::new("", "bad_text", "is not UTF-8"))
                }
                // Its words quote nothing; the line that it names is the record's own.
                Err(error) => {
                    let why = format!("is not JSON: wrong at column {}", error.column());
                    Err(Fault::new("", "bad_json", why))
                }
            },
        };
        let raw = piece.bytes.filter(|_| self.options.wants_raw).map(<[u8]>::to_vec);
        self.hand_over(piece.line, piece.offset, says, notes, raw)
    }

    fn hand_over(
        &mut self,
        line: u64,
        offset: u64,
        says: Says,
        notes: Notes,
        raw: Option<Vec<u8>>,
    ) -> Result<(), Stop> {
        (self.line, self.offset) = (line, offset);
        if self.number <= self.options.done {
            return Ok(());
        }
        let Notes { left_out, is_skipped } = notes;
        (self.see)(Record { number: self.number, line, offset, says, is_skipped, left_out, raw })
    }
}

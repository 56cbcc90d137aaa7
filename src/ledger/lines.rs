//! The lines of a file that may be damaged in any way, in bounded memory.

use std::io::{self, BufRead};

/// No line of a ledger is longer than this, newline included.
pub const LINE_MAX: usize = 512;

/// A line of the file.
pub struct Line {
    /// From 1.
    pub number: u64,
    /// Without the newline; of a line longer than [`LINE_MAX`], its beginning.
    pub bytes: Vec<u8>,
    /// Bytes that it takes in the file, newline included.
    pub length: u64,
    /// Whether there is a newline at its end.
    pub ended: bool,
}

impl Line {
    /// Longer than any line of a ledger.
    pub fn too_long(&self) -> bool {
        self.length > LINE_MAX as u64
    }
}

/// Reads a line after the other.
pub struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// From a reader whose next line has this number.
    pub fn from(reader: R, number: u64) -> Lines<R> {
        Lines { reader, number }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line { number: self.number, bytes: Vec::new(), length: 0, ended: false };
        while !line.ended {
            let held = self.reader.fill_buf()?;
            if held.is_empty() {
                break;
            }
            let end = held.iter().position(|byte| *byte == b'\n');
            let text = &held[..end.unwrap_or(held.len())];
            let room = LINE_MAX - line.bytes.len();
            line.bytes.extend_from_slice(&text[..text.len().min(room)]);
            line.ended = end.is_some();
            let taken = text.len() + usize::from(line.ended);
            line.length += taken as u64;
            self.reader.consume(taken);
        }
        self.number += 1;
        Ok((line.length > 0).then_some(line))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        self.read().transpose()
    }
}

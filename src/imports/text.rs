//! A text as UTF-8: without the mark that some programs put first, and out of UTF-16, which Excel writes.

use std::io::{self, BufRead, Read};

const MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The same text, as UTF-8. What is no UTF-8 is handed on as it is: its record tells of it.
pub fn utf8<'a, R: BufRead + 'a>(mut reader: R) -> io::Result<Box<dyn Read + 'a>> {
    let first = reader.fill_buf()?;
    let order = match (first.first(), first.get(1), first.get(2)) {
        (Some(0xff), Some(0xfe), _) => Some((u16::from_le_bytes as fn([u8; 2]) -> u16, 2)),
        (Some(0xfe), Some(0xff), _) => Some((u16::from_be_bytes as fn([u8; 2]) -> u16, 2)),
        // Without a mark: an ASCII character and a zero, either way round.
        (Some(one), Some(0), _) if *one != 0 => Some((u16::from_le_bytes as fn([u8; 2]) -> u16, 0)),
        (Some(0), Some(one), _) if *one != 0 => Some((u16::from_be_bytes as fn([u8; 2]) -> u16, 0)),
        _ => None,
    };
    match order {
        Some((read, mark)) => {
            reader.consume(mark);
            Ok(Box::new(Utf16 { inner: reader, read, half: None, out: Vec::new(), at: 0 }))
        }
        None => {
            if first.starts_with(MARK) {
                reader.consume(MARK.len());
            }
            Ok(Box::new(reader))
        }
    }
}

struct Utf16<R> {
    inner: R,
    read: fn([u8; 2]) -> u16,
    /// The first of two units that are one character.
    half: Option<u16>,
    out: Vec<u8>,
    at: usize,
}

impl<R: Read> Utf16<R> {
    /// Decodes some more. False: it is at its end.
    fn more(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 16 * 1024];
        let read = fill(&mut self.inner, &mut bytes)?;
        let units = bytes[..read].chunks_exact(2).map(|pair| (self.read)([pair[0], pair[1]]));
        let mut all: Vec<u16> = self.half.take().into_iter().chain(units).collect();
        let is_end = read < bytes.len();
        if !is_end && all.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            self.half = all.pop();
        }
        self.out.clear();
        self.at = 0;
        let text: String =
            char::decode_utf16(all).map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        self.out.extend_from_slice(text.as_bytes());
        Ok(!self.out.is_empty())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() && !self.more()? {
            return Ok(0);
        }
        let rest = &self.out[self.at..];
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        self.at += read;
        Ok(read)
    }
}

/// Fills what is there as far as the reader goes.
pub fn fill(reader: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

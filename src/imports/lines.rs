//! A text of one JSON object a line.

use std::io::{self, BufRead};

use memchr::memchr;

/// The longest line, in bytes: one more is a fault of that line alone.
pub const LINE_MAX: usize = 1024 * 1024;

/// A piece of a text, and where it was.
pub struct Piece<'a> {
    /// Where a person finds it.
    pub line: u64,
    /// Where it ends.
    pub offset: u64,
    /// None: it is too long.
    pub bytes: Option<&'a [u8]>,
}

/// Hands over each line that is not empty.
pub fn each<E: From<io::Error>>(
    mut reader: impl BufRead,
    mut see: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let (mut line, mut offset, mut buffer) = (0, 0, Vec::new());
    loop {
        buffer.clear();
        let (read, is_whole) = next(&mut reader, &mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        line += 1;
        offset += read;
        let bytes = trimmed(&buffer);
        if !is_whole {
            see(Piece { line, offset, bytes: None })?;
        } else if !bytes.is_empty() {
            see(Piece { line, offset, bytes: Some(bytes) })?;
        }
    }
}

/// Reads a line; how many bytes it had, and whether all of it is in the buffer.
fn next(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<(u64, bool)> {
    let (mut read, mut is_whole) = (0, true);
    loop {
        let part = match reader.fill_buf() {
            Ok(part) => part,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if part.is_empty() {
            return Ok((read, is_whole));
        }
        let end = memchr(b'\n', part);
        let taken = end.map_or(part.len(), |at| at + 1);
        if buffer.len() + taken > LINE_MAX + 2 {
            is_whole = false;
        }
        if is_whole {
            buffer.extend_from_slice(&part[..taken]);
        }
        reader.consume(taken);
        read += u64::try_from(taken).unwrap_or(0);
        if end.is_some() {
            return Ok((read, is_whole));
        }
    }
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii();
    // Somebody may have made lines out of a list.
    bytes.strip_suffix(b",").unwrap_or(bytes)
}

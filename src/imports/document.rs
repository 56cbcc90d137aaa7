//! A text that is one JSON list, or one object with a list in it: its elements, one after the other,
//! without the whole being in memory.

use std::io::{self, BufRead};

use super::lines::{LINE_MAX, Piece};

/// Lists of these names are read where the text is an object.
const LISTS: [&str; 5] = ["users", "data", "results", "visits", "events"];
/// A name in an object that is longer than this is none of them.
const NAME_MAX: usize = 32;

/// Where in the text the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    /// In the object, at so much depth in it.
    Outside(u32),
    /// In the list.
    List,
    /// In an element, at so much depth in it; 0: it is a number or word.
    Element(u32),
    After,
}

struct Scanner {
    place: Place,
    in_string: bool,
    escaped: bool,
    /// The last string at the top of the object.
    name: Vec<u8>,
    /// Whether the list is the text, not in an object.
    is_list: bool,
}

/// What a byte means.
enum Step {
    Nothing,
    /// It belongs to an element.
    Part,
    /// It ends one and belongs to it.
    Last,
    /// It ends one and does not.
    Behind,
}

/// Hands over each element of the list.
pub fn each<E: From<io::Error>>(
    mut reader: impl BufRead,
    mut see: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner =
        Scanner { place: Place::Before, in_string: false, escaped: false, name: Vec::new(), is_list: true };
    let (mut number, mut offset, mut element, mut is_whole) = (0, 0, Vec::new(), true);
    loop {
        let part = match reader.fill_buf() {
            Ok(part) => part,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if part.is_empty() {
            break;
        }
        let length = part.len();
        for byte in part {
            offset += 1;
            let step = scanner.step(*byte);
            if matches!(step, Step::Part | Step::Last) {
                is_whole &= element.len() < LINE_MAX;
                if is_whole {
                    element.push(*byte);
                }
            }
            if matches!(step, Step::Last | Step::Behind) {
                number += 1;
                see(Piece { line: number, offset, bytes: is_whole.then_some(&element) })?;
                element.clear();
                is_whole = true;
            }
        }
        reader.consume(length);
    }
    // It was cut off in the middle of one.
    if !element.is_empty() {
        see(Piece { line: number + 1, offset, bytes: is_whole.then_some(&element) })?;
    }
    Ok(())
}

impl Scanner {
    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            return self.in_string(byte);
        }
        match self.place {
            Place::Before => {
                match byte {
                    b'[' => self.place = Place::List,
                    b'{' => (self.place, self.is_list) = (Place::Outside(1), false),
                    _ => {}
                }
                Step::Nothing
            }
            Place::Outside(depth) => {
                match byte {
                    b'"' => {
                        self.in_string = true;
                        self.name.clear();
                    }
                    b'[' if depth == 1 && LISTS.iter().any(|list| list.as_bytes() == self.name) => {
                        self.place = Place::List;
                    }
                    b'{' | b'[' => self.place = Place::Outside(depth + 1),
                    b'}' | b']' => self.place = Place::Outside(depth.saturating_sub(1)),
                    _ => {}
                }
                Step::Nothing
            }
            Place::List => match byte {
                b']' => {
                    self.place = if self.is_list { Place::After } else { Place::Outside(1) };
                    Step::Nothing
                }
                b',' | b' ' | b'\t' | b'\r' | b'\n' => Step::Nothing,
                byte => self.begin(byte),
            },
            Place::Element(0) => match byte {
                b',' => {
                    self.place = Place::List;
                    Step::Behind
                }
                b']' => {
                    self.place = if self.is_list { Place::After } else { Place::Outside(1) };
                    Step::Behind
                }
                _ => Step::Part,
            },
            Place::Element(depth) => match byte {
                b'"' => {
                    self.in_string = true;
                    Step::Part
                }
                b'{' | b'[' => {
                    self.place = Place::Element(depth + 1);
                    Step::Part
                }
                b'}' | b']' if depth == 1 => {
                    self.place = Place::List;
                    Step::Last
                }
                b'}' | b']' => {
                    self.place = Place::Element(depth - 1);
                    Step::Part
                }
                _ => Step::Part,
            },
            Place::After => Step::Nothing,
        }
    }

    fn begin(&mut self, byte: u8) -> Step {
        self.in_string = byte == b'"';
        self.place = Place::Element(u32::from(matches!(byte, b'{' | b'[')));
        Step::Part
    }

    fn in_string(&mut self, byte: u8) -> Step {
        let is_end = byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && !self.escaped;
        self.in_string = !is_end;
        match self.place {
            Place::Element(_) => Step::Part,
            _ => {
                if !is_end && self.name.len() < NAME_MAX {
                    self.name.push(byte);
                }
                Step::Nothing
            }
        }
    }
}

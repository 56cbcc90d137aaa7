//! Batches as phones leave them in their files: cut off, one behind another, without a beginning,
//! with too many commas or too few. Each message that is whole is found; what is well-formed is
//! never read here.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::lenient;

/// The most messages of one request, and the most envelopes: no more of a broken body is looked for.
pub const MESSAGES_MAX: usize = 10_000;
/// The list in an envelope.
const LIST: &str = "batch";

/// What is around a list of messages, and the list.
#[derive(Debug, Default)]
pub struct Envelope<'a> {
    pub fields: BTreeMap<String, &'a RawValue>,
    /// None: one that is not whole.
    pub messages: Vec<Option<&'a RawValue>>,
}

/// What was wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wrong {
    pub commas: bool,
    pub joined: bool,
    pub no_beginning: bool,
    pub no_end: bool,
    /// Something stands there that is no JSON.
    pub strange: bool,
}

/// The envelopes of a text that is no JSON as a whole. None: it is JSON, or nothing can be taken.
pub fn envelopes(text: &str) -> Option<(Vec<Envelope<'_>>, Wrong)> {
    if serde_json::from_str::<&RawValue>(text).is_ok() {
        return None;
    }
    let mut reader = Reader {
        text,
        at: 0,
        place: Place::Outside,
        commas: 0,
        is_first: true,
        is_headless: false,
        lists: 0,
        found: Vec::new(),
        messages: 0,
        wrong: Wrong::default(),
    };
    reader.read();
    let Reader { found, wrong, lists, .. } = reader;
    if found.len() > MESSAGES_MAX {
        return None;
    }
    let messages = || found.iter().flat_map(|envelope| &envelope.messages);
    // Of nothing but commas nothing is lost.
    let is_empty = lists > 0 && messages().next().is_none() && !wrong.no_end && !wrong.strange;
    (is_empty || messages().any(Option::is_some)).then_some((found, wrong))
}

/// A field on which the envelopes agree. None: none has it, or they have different ones.
pub fn agreed<'a>(envelopes: &[Envelope<'a>], field: &str) -> Option<&'a RawValue> {
    let mut values = envelopes.iter().filter_map(|envelope| envelope.fields.get(field).copied());
    let first = values.next()?;
    values.all(|value| value.get() == first.get()).then_some(first)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// In an envelope.
    Fields,
    /// In an envelope's list.
    List,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    place: Place,
    /// Since the last message, or the beginning of the list.
    commas: usize,
    /// The list had no message so far.
    is_first: bool,
    /// Messages came that are in no list.
    is_headless: bool,
    lists: usize,
    found: Vec<Envelope<'a>>,
    /// In all that was found.
    messages: usize,
    wrong: Wrong,
}

impl<'a> Reader<'a> {
    /// Each step goes on by one character at least, and no part is read more than a few times.
    fn read(&mut self) {
        while let Some(first) = self.next() {
            if self.messages > MESSAGES_MAX || self.found.len() > MESSAGES_MAX {
                break;
            }
            match (first, self.place) {
                (b'{', Place::Outside) => self.outside(),
                (b'"', Place::Outside | Place::Fields) => self.field(),
                (b'}', Place::Fields) => {
                    self.at += 1;
                    self.place = Place::Outside;
                    self.begin_list();
                }
                (b']', Place::Outside | Place::List) => {
                    if self.place == Place::Outside {
                        self.headless();
                    }
                    self.wrong.commas |= self.commas > 0;
                    self.at += 1;
                    self.place = Place::Fields;
                    self.is_headless = false;
                }
                (_, Place::List) => self.element(),
                _ => self.strange(),
            }
        }
        self.wrong.no_end |= self.place != Place::Outside || self.is_headless;
    }

    /// The next byte that says something.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => {}
                b',' => self.commas += 1,
                0 => self.wrong.strange = true,
                byte => return Some(byte),
            }
            self.at += 1;
        }
    }

    fn begin_list(&mut self) {
        (self.commas, self.is_first) = (0, true);
    }

    fn envelope(&mut self) -> &mut Envelope<'a> {
        if self.found.is_empty() {
            self.open();
        }
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn open(&mut self) {
        self.wrong.joined |= !self.found.is_empty();
        self.found.push(Envelope::default());
        self.begin_list();
    }

    /// A list of which the beginning is missing.
    fn headless(&mut self) {
        if !self.is_headless {
            self.open();
            self.is_headless = true;
            self.lists += 1;
            self.wrong.no_beginning = true;
        }
    }

    fn push(&mut self, message: Option<&'a RawValue>) {
        self.wrong.commas |= self.commas != usize::from(!self.is_first);
        (self.commas, self.is_first) = (0, false);
        self.messages += 1;
        self.envelope().messages.push(message);
    }

    /// The value that begins here, if it is whole.
    fn value(&mut self) -> Option<&'a RawValue> {
        let mut values = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<&RawValue>();
        let value = values.next()?.ok()?;
        let end = self.at + values.byte_offset();
        // Of a number, more may have been cut off.
        if end == self.text.len() && value.get().ends_with(|last: char| last.is_ascii_digit()) {
            return None;
        }
        self.at = end;
        Some(value)
    }

    /// An envelope, or a message of a list without a beginning.
    fn outside(&mut self) {
        let Some(value) = self.value() else {
            if self.is_headless {
                return self.lose();
            }
            self.open();
            self.at += 1;
            self.place = Place::Fields;
            return;
        };
        let Some(fields) = fields(value) else { return self.wrong.strange = true };
        if !self.take_envelope(&fields) {
            if !fields.contains_key("type") {
                return self.wrong.strange = true;
            }
            self.headless();
            self.push(Some(value));
        }
    }

    /// False: it is none.
    fn take_envelope(&mut self, fields: &BTreeMap<String, &'a RawValue>) -> bool {
        let Some(list) = fields.get(LIST).copied().and_then(list) else { return false };
        self.wrong.no_end |= self.place != Place::Outside || self.is_headless;
        self.is_headless = false;
        self.place = Place::Outside;
        self.open();
        self.lists += 1;
        self.messages += list.len();
        let envelope = self.envelope();
        envelope.messages = list;
        envelope.fields.clone_from(fields);
        true
    }

    /// `"name":value` of an envelope.
    fn field(&mut self) {
        let Some(name) = self.value().and_then(|name| serde_json::from_str::<String>(name.get()).ok()) else {
            self.at = self.text.len();
            self.wrong.no_end = true;
            return;
        };
        if self.next() != Some(b':') {
            return self.wrong.strange = true;
        }
        self.at += 1;
        if self.place == Place::Outside {
            if !self.is_headless {
                self.open();
            }
            self.is_headless = false;
            self.wrong.no_beginning = true;
            self.place = Place::Fields;
        }
        let first = self.next();
        match self.value() {
            Some(value) => match list(value).filter(|_| name == LIST) {
                Some(list) => {
                    self.lists += 1;
                    self.messages += list.len();
                    self.envelope().messages.extend(list);
                }
                None => _ = self.envelope().fields.insert(name, value),
            },
            None if name == LIST && first == Some(b'[') => {
                self.at += 1;
                self.lists += 1;
                self.place = Place::List;
                self.begin_list();
            }
            None => self.skip(),
        }
    }

    /// What stands in a list.
    fn element(&mut self) {
        let Some(value) = self.value() else { return self.lose() };
        // The list before it was cut off, and the next envelope written behind it.
        let is_envelope = fields(value)
            .filter(|fields| !fields.contains_key("type"))
            .is_some_and(|fields| self.take_envelope(&fields));
        if !is_envelope {
            self.push(Some(value));
        }
    }

    /// A message that is not whole.
    fn lose(&mut self) {
        self.skip();
        self.push(None);
    }

    /// Goes behind something that is no JSON.
    fn skip(&mut self) {
        let rest = &self.text[self.at..];
        match rest.as_bytes().first() {
            Some(b'{' | b'[') => match closing(rest) {
                Some(length) => {
                    self.wrong.strange = true;
                    self.at += length;
                }
                None => {
                    self.wrong.no_end = true;
                    self.at = self.text.len();
                }
            },
            Some(b'"') => {
                self.wrong.strange = true;
                let end = 2 + lenient::end_of_string(&rest[1..]);
                self.wrong.no_end |= end > rest.len();
                self.at += end.min(rest.len());
            }
            Some(_) => self.strange(),
            None => {}
        }
    }

    fn strange(&mut self) {
        self.wrong.strange = true;
        let mut chars = self.text[self.at..].char_indices().skip(1);
        let end = chars.find(|(_, char)| "{}[]\",\0 \t\r\n".contains(*char)).map(|(at, _)| at);
        self.at = end.map_or(self.text.len(), |end| self.at + end);
    }
}

fn fields(value: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn list(value: &RawValue) -> Option<Vec<Option<&RawValue>>> {
    let list: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    Some(list.into_iter().map(Some).collect())
}

/// The length of what begins with a bracket, up to the one that closes it.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += 1 + lenient::end_of_string(&text[at + 1..]),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at.min(text.len()));
        }
    }
    None
}

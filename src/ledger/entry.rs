//! What is written down, and the lines it is written in.
//!
//! Each line is a JSON object with its fields in one order, without spaces, and a newline
//! after it. There is one way to write an entry: a line that says the same in another way
//! is refused, so that no byte of the file can change unnoticed. The chain value of an
//! entry is SHA-256 over the chain value before it and the line as it would be without its
//! last field; the header's is SHA-256 over its line.
//!
//! ```text
//! {"format":"usher-ledger","version":1,"ledger":"<32 hex>","at":1795557300000}
//! {"seq":1,"at":1795557301000,"act":"hidden","person":"<32 hex>","chain":"<64 hex>"}
//! ```

use std::fmt::Write;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{LedgerId, Pseudonym, unhex};
use crate::clock::Millis;
use crate::model::{Erasure, ProjectId};

/// The version of the format that this program writes, and the only one it reads.
const VERSION: u64 = 1;
const FORMAT: &str = "usher-ledger";

/// SHA-256 over everything up to a line.
pub type Chain = [u8; 32];

/// Something that a database must know though it is older.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A request bound to a name: erase whoever holds it when it falls due.
    Scheduled {
        /// Random.
        request: Pseudonym,
        project: ProjectId,
        name: Pseudonym,
        due: Millis,
    },
    /// That request was due and could not begin: it means this person, or nobody, whoever has the
    /// name later.
    Bound {
        request: Pseudonym,
        person: Option<Pseudonym>,
    },
    /// That request was withdrawn before it began.
    Cancelled {
        request: Pseudonym,
    },
    /// That request has begun; whom it took has an `Erased` of its own, which stands before.
    Begun {
        request: Pseudonym,
    },
    /// Hidden; 7 days run from the entry's time.
    Hidden {
        person: Pseudonym,
    },
    Revived {
        person: Pseudonym,
    },
    /// The account, the activity or everything; the cut-off is the activity's.
    Erased {
        person: Pseudonym,
        erasure: Erasure,
        cutoff: Option<Millis>,
    },
    KeyRevoked {
        key: Pseudonym,
    },
    /// Entries from `from` up to here never took effect: their transaction failed.
    Void {
        from: u64,
    },
}

/// An act, where it stands and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without gaps.
    pub seq: u64,
    pub at: Millis,
    pub act: Act,
    pub chain: Chain,
}

/// The file's first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub ledger: LedgerId,
    /// When the file was made.
    pub at: Millis,
}

impl Entry {
    /// The entry that follows the one with this number and chain value.
    pub fn after(seq: u64, chain: &Chain, at: Millis, act: Act) -> Entry {
        let mut entry = Entry { seq: seq + 1, at, act, chain: [0; 32] };
        entry.chain = entry.follow(chain);
        entry
    }

    /// The chain value that this entry has if it follows one with the chain value `before`.
    pub fn follow(&self, before: &Chain) -> Chain {
        Sha256::new().chain_update(before).chain_update(self.body()).finalize().into()
    }

    /// The entry as a line, newline included.
    pub fn line(&self) -> String {
        let mut line = self.body();
        line.pop();
        line.push_str(r#","chain":""#);
        line.push_str(&HEXLOWER.encode(&self.chain));
        line.push_str("\"}\n");
        line
    }

    /// The line without chain value and newline.
    fn body(&self) -> String {
        let mut body = format!(r#"{{"seq":{},"at":{},"act":"{}""#, self.seq, self.at, self.act.word());
        let mut field = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a String cannot fail.
            let _ = write!(body, r#","{name}":{value}"#);
        };
        match &self.act {
            Act::Scheduled { request, project, name, due } => {
                field("request", &quoted(request));
                field("project", project);
                field("name", &quoted(name));
                field("due", due);
            }
            Act::Bound { request, person } => {
                field("request", &quoted(request));
                if let Some(person) = person {
                    field("person", &quoted(person));
                }
            }
            Act::Cancelled { request } | Act::Begun { request } => field("request", &quoted(request)),
            Act::Hidden { person } | Act::Revived { person } => field("person", &quoted(person)),
            Act::Erased { person, erasure, cutoff } => {
                field("person", &quoted(person));
                field("erasure", &quoted(erasure.as_str()));
                if let Some(cutoff) = cutoff {
                    field("cutoff", cutoff);
                }
            }
            Act::KeyRevoked { key } => field("key", &quoted(key)),
            Act::Void { from } => field("from", from),
        }
        body.push('}');
        body
    }

    /// Reads a line, given without its newline. The error says what is wrong with it; the
    /// caller knows which line it is. Whether the chain value is right is not looked at:
    /// see [`Entry::follow`].
    pub fn parse(line: &[u8]) -> Result<Entry, String> {
        let mut fields = Fields::parse(line)?;
        let seq = fields.unsigned("seq")?;
        let at = fields.signed("at")?;
        let act = Act::parse(&mut fields)?;
        let chain = fields.hex("chain")?;
        fields.end()?;
        if seq == 0 {
            return Err("`seq` must be 1 or more".into());
        }
        if let Some(why) = act.fault(seq) {
            return Err(why.into());
        }
        let entry = Entry { seq, at, act, chain };
        if entry.line().as_bytes().strip_suffix(b"\n") != Some(line) {
            return Err("it is not written in the one way that an entry is written".into());
        }
        Ok(entry)
    }
}

impl Act {
    /// How the act is called in the file.
    pub fn word(&self) -> &'static str {
        match self {
            Act::Scheduled { .. } => "scheduled",
            Act::Bound { .. } => "bound",
            Act::Cancelled { .. } => "cancelled",
            Act::Begun { .. } => "begun",
            Act::Hidden { .. } => "hidden",
            Act::Revived { .. } => "revived",
            Act::Erased { .. } => "erased",
            Act::KeyRevoked { .. } => "key_revoked",
            Act::Void { .. } => "void",
        }
    }

    fn parse(fields: &mut Fields) -> Result<Act, String> {
        let word = fields.text("act")?;
        Ok(match word.as_str() {
            "scheduled" => Act::Scheduled {
                request: fields.pseudonym("request")?,
                project: ProjectId(fields.signed("project")?),
                name: fields.pseudonym("name")?,
                due: fields.signed("due")?,
            },
            "bound" => Act::Bound {
                request: fields.pseudonym("request")?,
                person: if fields.has("person") { Some(fields.pseudonym("person")?) } else { None },
            },
            "cancelled" => Act::Cancelled { request: fields.pseudonym("request")? },
            "begun" => Act::Begun { request: fields.pseudonym("request")? },
            "hidden" => Act::Hidden { person: fields.pseudonym("person")? },
            "revived" => Act::Revived { person: fields.pseudonym("person")? },
            "erased" => Act::Erased {
                person: fields.pseudonym("person")?,
                erasure: Erasure::parse(&fields.text("erasure")?)
                    .ok_or("`erasure` must be account, activity or everything")?,
                cutoff: if fields.has("cutoff") { Some(fields.signed("cutoff")?) } else { None },
            },
            "key_revoked" => Act::KeyRevoked { key: fields.pseudonym("key")? },
            "void" => Act::Void { from: fields.unsigned("from")? },
            _ => return Err(format!("`act` is none that this program knows: {word:?}")),
        })
    }

    /// Why this act cannot be the entry with this number, if it cannot.
    pub(super) fn fault(&self, seq: u64) -> Option<&'static str> {
        match self {
            Act::Erased { erasure: Erasure::Hide, .. } => {
                Some("`erasure` must be account, activity or everything")
            }
            Act::Erased { erasure: Erasure::Activity, cutoff: None, .. } => {
                Some("`cutoff` is missing: an erasure of activity has one")
            }
            Act::Erased { erasure: Erasure::Account | Erasure::Everything, cutoff: Some(_), .. } => {
                Some("`cutoff` stands at an erasure that has none")
            }
            Act::Void { from } if *from == 0 || *from >= seq => Some("`from` must be an earlier entry"),
            _ => None,
        }
    }
}

impl Header {
    /// The header as a line, newline included.
    pub fn line(&self) -> String {
        let Header { ledger, at } = self;
        format!("{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"ledger\":\"{ledger}\",\"at\":{at}}}\n")
    }

    /// The chain value that the first entry follows.
    pub fn hash(&self) -> Chain {
        Sha256::digest(self.line().trim_end_matches('\n')).into()
    }

    /// Reads a first line, given without its newline.
    pub fn parse(line: &[u8]) -> Result<Header, BadHeader> {
        let mut fields = Fields::parse(line)?;
        if fields.text("format")? != FORMAT {
            return Err(BadHeader::Other("`format` is not that of a ledger".into()));
        }
        let version = fields.unsigned("version")?;
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        let header = Header { ledger: LedgerId(fields.hex("ledger")?), at: fields.signed("at")? };
        fields.end()?;
        if header.line().as_bytes().strip_suffix(b"\n") != Some(line) {
            let what = "it is not written in the one way that a header is written";
            return Err(BadHeader::Other(what.into()));
        }
        Ok(header)
    }
}

/// Why a first line is no header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    #[error("`version` is {0}, and this program knows {VERSION} alone")]
    Version(u64),
    #[error("{0}")]
    Other(String),
}

impl From<String> for BadHeader {
    fn from(what: String) -> BadHeader {
        BadHeader::Other(what)
    }
}

fn quoted(value: impl std::fmt::Display) -> String {
    format!("\"{value}\"")
}

/// The fields of a line that were not read yet.
struct Fields(Map<String, Value>);

impl Fields {
    fn parse(line: &[u8]) -> Result<Fields, String> {
        serde_json::from_slice(line).map(Fields).map_err(|_| "it is not a JSON object".into())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn take(&mut self, name: &str) -> Result<Value, String> {
        self.0.remove(name).ok_or_else(|| format!("`{name}` is missing"))
    }

    fn signed(&mut self, name: &str) -> Result<i64, String> {
        self.take(name)?.as_i64().ok_or_else(|| format!("`{name}` must be a whole number"))
    }

    fn unsigned(&mut self, name: &str) -> Result<u64, String> {
        self.take(name)?.as_u64().ok_or_else(|| format!("`{name}` must be a whole number, not negative"))
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        match self.take(name)? {
            Value::String(text) => Ok(text),
            _ => Err(format!("`{name}` must be a text")),
        }
    }

    fn hex<const N: usize>(&mut self, name: &str) -> Result<[u8; N], String> {
        let text = self.text(name)?;
        unhex(&text).ok_or_else(|| format!("`{name}` must be {} lower-case hex digits", 2 * N))
    }

    fn pseudonym(&mut self, name: &str) -> Result<Pseudonym, String> {
        self.hex(name).map(Pseudonym)
    }

    /// An error if a field is left that nobody asked for.
    fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("it has a field that no such line has: {name:?}")),
        }
    }
}

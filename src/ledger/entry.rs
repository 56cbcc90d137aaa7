//! What is written down, and the lines it is written in.
//!
//! Each line is a JSON object with its fields in one order, without spaces, and a newline
//! after it. There is one way to write an entry: a line that says the same in another way
//! is refused, so that no byte of the file can change unnoticed. The chain value of an
//! entry is SHA-256 over the chain value before it and the line as it would be without its
//! last two fields; the header's is SHA-256 over its line as version 1 wrote it. So a ledger
//! that came from version 1 has the chain values that it had, and what names them fits.
//!
//! From version 2 on each line ends in a MAC over its chain value, and so over all that
//! stands before it: nobody without the store's secret can add a line, or make one up
//! ([`MacKey`]). Version 1 had no MAC; such a ledger is read where it is brought over, and
//! nowhere else.
//!
//! ```text
//! {"format":"usher-ledger","version":2,"ledger":"<32 hex>","at":1795557300000,"mac":"<64 hex>"}
//! {"seq":1,"at":1795557301000,"act":"hidden","person":"<32 hex>","chain":"<64 hex>","mac":"<64 hex>"}
//! ```
//!
//! An act that this program does not know was written by a newer one. That needs no new
//! version: the line carries its MAC, and a version that does not know the act refuses the ledger.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{LedgerId, MacKey, Pseudonym, unhex};
use crate::clock::Millis;
use crate::model::{AskedBy, Erasure, ProjectId};

/// The version of the format that this program writes.
pub const VERSION: u64 = 2;
/// The one before, without MACs, which is brought over to this one.
pub const UNSEALED: u64 = 1;
const FORMAT: &str = "usher-ledger";

/// SHA-256 over everything up to a line.
pub type Chain = [u8; 32];

/// Shows that a line was written with the store's secret; see [`MacKey`].
pub type Mac = [u8; 32];

/// Something that a database must know though it is older.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A request bound to a name: erase the user who has it when it falls due.
    Scheduled {
        /// Random.
        request: Pseudonym,
        project: ProjectId,
        name: Pseudonym,
        due: Millis,
    },
    /// That request was due and could not begin: it means this person, or nobody, whichever user has the
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
    /// Nothing of the person may be erased from now on.
    Held {
        person: Pseudonym,
        /// None: until it is released.
        until: Option<Millis>,
    },
    Released {
        person: Pseudonym,
    },
    /// The person's data is only kept from now on (GDPR Art. 18).
    Restricted {
        person: Pseudonym,
    },
    Unrestricted {
        person: Pseudonym,
    },
    /// As version 0.1 wrote [`Act::CredentialEnded`] of a key.
    KeyRevoked {
        key: Pseudonym,
    },
    /// Whatever lets somebody in, and does so no more: a key that was revoked, a secret that
    /// another has replaced. No older copy may take it again.
    CredentialEnded {
        credential: Pseudonym,
    },
    /// A secret that another has replaced ends then, or ended so. No older copy may take it from then
    /// on; what it was of goes on, with a secret that no older copy knows.
    CredentialEnds {
        credential: Pseudonym,
        until: Millis,
    },
    /// A name is kept out, for the sake of a subject: nothing is taken in of it.
    Suppressed {
        project: ProjectId,
        name: Pseudonym,
        subject: Pseudonym,
        /// None: until it is lifted.
        until: Option<Millis>,
        source: AskedBy,
    },
    /// What this source had kept out for the subject's sake is let in again: all names, or one.
    Unsuppressed {
        project: ProjectId,
        subject: Pseudonym,
        name: Option<Pseudonym>,
        source: AskedBy,
    },
    /// This ledger stands in the place of one that was lost, of which so many entries were
    /// known: what it had ordered is not in here.
    Anew {
        lost: LedgerId,
        seq: u64,
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
    /// None: of version 1.
    pub mac: Option<Mac>,
}

/// The file's first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub ledger: LedgerId,
    /// When the ledger was begun.
    pub at: Millis,
    /// None: of version 1.
    pub mac: Option<Mac>,
}

impl Entry {
    /// The entry that follows the one with this number and chain value; without a MAC.
    pub fn after(seq: u64, chain: &Chain, at: Millis, act: Act) -> Entry {
        let mut entry = Entry { seq: seq + 1, at, act, chain: [0; 32], mac: None };
        entry.chain = entry.follow(chain);
        entry
    }

    /// The same entry with its MAC.
    pub fn sealed(mut self, mac_key: &MacKey) -> Entry {
        self.mac = Some(mac_key.of(&self.chain));
        self
    }

    /// The chain value that this entry has if it follows one with the chain value `before`.
    pub fn follow(&self, before: &Chain) -> Chain {
        Sha256::new().chain_update(before).chain_update(self.body()).finalize().into()
    }

    /// The entry as a line, newline included.
    pub fn line(&self) -> String {
        let mut line = self.body();
        line.pop();
        line.push_str(CHAIN);
        line.push_str(&HEXLOWER.encode(&self.chain));
        line.push('"');
        push_end(&mut line, self.mac.as_ref());
        line
    }

    /// How long the line was in version 1, newline included.
    pub(super) fn unsealed_length(&self) -> u64 {
        (self.line().len() - self.mac.map_or(0, |_| MAC_LENGTH)) as u64
    }

    /// The line without chain value, MAC and newline.
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
            Act::Hidden { person }
            | Act::Revived { person }
            | Act::Released { person }
            | Act::Restricted { person }
            | Act::Unrestricted { person } => field("person", &quoted(person)),
            Act::Held { person, until } => {
                field("person", &quoted(person));
                if let Some(until) = until {
                    field("until", until);
                }
            }
            Act::Erased { person, erasure, cutoff } => {
                field("person", &quoted(person));
                field("erasure", &quoted(erasure.as_str()));
                if let Some(cutoff) = cutoff {
                    field("cutoff", cutoff);
                }
            }
            Act::KeyRevoked { key } => field("key", &quoted(key)),
            Act::CredentialEnded { credential } => field("credential", &quoted(credential)),
            Act::CredentialEnds { credential, until } => {
                field("credential", &quoted(credential));
                field("until", until);
            }
            Act::Suppressed { project, name, subject, until, source } => {
                field("project", project);
                field("name", &quoted(name));
                field("subject", &quoted(subject));
                if let Some(until) = until {
                    field("until", until);
                }
                field("source", &quoted(source.text()));
            }
            Act::Unsuppressed { project, subject, name, source } => {
                field("project", project);
                field("subject", &quoted(subject));
                if let Some(name) = name {
                    field("name", &quoted(name));
                }
                field("source", &quoted(source.text()));
            }
            Act::Anew { lost, seq } => {
                field("lost", &quoted(lost));
                field("entries", seq);
            }
            Act::Void { from } => field("from", from),
        }
        body.push('}');
        body
    }

    /// Reads a line, given without its newline. The error says what is wrong with it; the
    /// caller knows which line it is. Whether chain value and MAC are right is not looked at:
    /// see [`Entry::follow`] and [`MacKey::of`].
    pub fn parse(line: &[u8]) -> Result<Entry, String> {
        let mut fields = Fields::parse(line)?;
        let seq = fields.unsigned("seq")?;
        let at = fields.signed("at")?;
        let act = Act::parse(&mut fields)?;
        let chain = fields.hex("chain")?;
        let mac = fields.mac()?;
        fields.end()?;
        if seq == 0 {
            return Err("`seq` must be 1 or more".into());
        }
        if let Some(why) = act.fault(seq) {
            return Err(why.into());
        }
        let entry = Entry { seq, at, act, chain, mac };
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
            Act::Held { .. } => "held",
            Act::Released { .. } => "released",
            Act::Restricted { .. } => "restricted",
            Act::Unrestricted { .. } => "unrestricted",
            Act::KeyRevoked { .. } => "key_revoked",
            Act::CredentialEnded { .. } => "credential_ended",
            Act::CredentialEnds { .. } => "credential_ends",
            Act::Suppressed { .. } => "suppressed",
            Act::Unsuppressed { .. } => "unsuppressed",
            Act::Anew { .. } => "anew",
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
            "held" => Act::Held {
                person: fields.pseudonym("person")?,
                until: if fields.has("until") { Some(fields.signed("until")?) } else { None },
            },
            "released" => Act::Released { person: fields.pseudonym("person")? },
            "restricted" => Act::Restricted { person: fields.pseudonym("person")? },
            "unrestricted" => Act::Unrestricted { person: fields.pseudonym("person")? },
            "key_revoked" => Act::KeyRevoked { key: fields.pseudonym("key")? },
            "credential_ended" => Act::CredentialEnded { credential: fields.pseudonym("credential")? },
            "credential_ends" => Act::CredentialEnds {
                credential: fields.pseudonym("credential")?,
                until: fields.signed("until")?,
            },
            "suppressed" => Act::Suppressed {
                project: ProjectId(fields.signed("project")?),
                name: fields.pseudonym("name")?,
                subject: fields.pseudonym("subject")?,
                until: if fields.has("until") { Some(fields.signed("until")?) } else { None },
                source: fields.source()?,
            },
            "unsuppressed" => Act::Unsuppressed {
                project: ProjectId(fields.signed("project")?),
                subject: fields.pseudonym("subject")?,
                name: if fields.has("name") { Some(fields.pseudonym("name")?) } else { None },
                source: fields.source()?,
            },
            "anew" => Act::Anew { lost: LedgerId(fields.hex("lost")?), seq: fields.unsigned("entries")? },
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
    /// The first line of a ledger of this version.
    pub fn sealed(ledger: LedgerId, at: Millis, mac_key: &MacKey) -> Header {
        let mut header = Header { ledger, at, mac: None };
        header.mac = Some(mac_key.of(&header.hash()));
        header
    }

    /// The header as a line, newline included.
    pub fn line(&self) -> String {
        let mut line = self.body(if self.mac.is_some() { VERSION } else { UNSEALED });
        push_end(&mut line, self.mac.as_ref());
        line
    }

    /// How long the line was in version 1, newline included.
    pub(super) fn unsealed_length(&self) -> u64 {
        Header { mac: None, ..self.clone() }.line().len() as u64
    }

    fn body(&self, version: u64) -> String {
        let Header { ledger, at, .. } = self;
        format!(r#"{{"format":"{FORMAT}","version":{version},"ledger":"{ledger}","at":{at}"#)
    }

    /// The chain value that the first entry follows: the same in both versions.
    pub fn hash(&self) -> Chain {
        Sha256::digest(self.body(UNSEALED) + "}").into()
    }

    /// Reads a first line, given without its newline. Whether its MAC is right is not looked
    /// at.
    pub fn parse(line: &[u8]) -> Result<Header, BadHeader> {
        let mut fields = Fields::parse(line)?;
        if fields.text("format")? != FORMAT {
            return Err(BadHeader::Other("`format` is not that of a ledger".into()));
        }
        let version = fields.unsigned("version")?;
        if version != VERSION && version != UNSEALED {
            return Err(BadHeader::Version(version));
        }
        let (ledger, at) = (LedgerId(fields.hex("ledger")?), fields.signed("at")?);
        let header = Header { ledger, at, mac: fields.mac()? };
        fields.end()?;
        if header.line().as_bytes().strip_suffix(b"\n") != Some(line) {
            let what = "it is not written in the one way that a header is written";
            return Err(BadHeader::Other(what.into()));
        }
        Ok(header)
    }
}

/// How the last fields of an entry begin in its line.
const CHAIN: &str = r#","chain":""#;
const MAC: &str = r#","mac":""#;
/// Bytes that a MAC adds to a line.
const MAC_LENGTH: usize = MAC.len() + 64 + 1;

/// The end of a line behind its last field but the MAC.
fn push_end(line: &mut String, mac: Option<&Mac>) {
    if let Some(mac) = mac {
        line.push_str(MAC);
        line.push_str(&HEXLOWER.encode(mac));
        line.push('"');
    }
    line.push_str("}\n");
}

/// The act of a line that is whole and has its MAC, but is of an act that this program does not
/// know: a newer one wrote it. `before` is the chain value before it.
pub(super) fn newer_act(line: &[u8], before: &Chain, mac_key: &MacKey) -> Option<String> {
    let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let text = str::from_utf8(line).ok()?;
    let (body, _) = text.split_once(CHAIN)?;
    let text_of = |name: &str| fields.get(name).and_then(Value::as_str);
    let chain: Chain =
        Sha256::new().chain_update(before).chain_update(body).chain_update("}").finalize().into();
    let is_genuine = text_of("chain").and_then(unhex) == Some(chain)
        && text_of("mac").and_then(unhex) == Some(mac_key.of(&chain));
    is_genuine.then(|| text_of("act").unwrap_or_default().to_owned())
}

/// Why a first line is no header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    #[error("`version` is {0}, and this program knows {UNSEALED} and {VERSION}")]
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

    fn source(&mut self) -> Result<AskedBy, String> {
        let text = self.text("source")?;
        AskedBy::parse(&text).ok_or_else(|| "`source` is none that asks for it".into())
    }

    fn mac(&mut self) -> Result<Option<Mac>, String> {
        if self.has("mac") { self.hex("mac").map(Some) } else { Ok(None) }
    }

    /// An error if a field is left that nobody asked for.
    fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("it has a field that no such line has: {name:?}")),
        }
    }
}

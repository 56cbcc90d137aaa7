//! The ledger of erasures, held against what is known of it from elsewhere: its signed head,
//! receipts, the first lines of backups. Only what was signed counts.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use crate::archive;
use crate::clock::{self, Millis};
use crate::ledger::{Act, Chain, LedgerError, LedgerId, Looked, MacKey, look};
use crate::model::Origin;
use crate::proof::check::{BYTES_MAX, check_one};
use crate::proof::ledger_head::Head;
use crate::proof::receipt::{Receipt, of_file_name};
use crate::proof::signing::PublicKey;

/// All that was signed about ledgers, as far as it could be read and its signature was good.
#[derive(Debug, Clone, Default)]
pub struct Known {
    places: Vec<Place>,
    /// Each with the ledger's entry that it names.
    receipts: Vec<(Receipt, u64)>,
}

/// A place that a ledger had come to.
#[derive(Debug, Clone)]
struct Place {
    ledger: LedgerId,
    seq: u64,
    chain: Chain,
    at: Millis,
    /// Who says so, in words.
    by: String,
    /// The ledger was of version 2 then, at least.
    sealed: bool,
}

/// What stands in the ledger against what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    #[error(
        "the ledger of erasures is older than {by}: it ends with entry {end}, {last_at}, but {by} names entry \
         {seq}, {at}; users erased in between would come back. Put back its newest copy, from where backups are \
         copied to. To accept this one anyway, use `--ledger-head {end}`",
        last_at = clock::written(*last_at), at = clock::written(*at)
    )]
    Older { by: String, seq: u64, at: Millis, end: u64, last_at: Millis },
    #[error(
        "the ledger of erasures ends with entry {end}, {last_at}, but `--ledger-head` names entry {asked}: put \
         back its newest copy, from where backups are copied to",
        last_at = clock::written(*last_at)
    )]
    OlderThanAsked { asked: u64, end: u64, last_at: Millis },
    #[error(
        "the ledger of erasures is not the one that {by} names: entry {seq} differs; put back its newest copy, \
         from where backups are copied to"
    )]
    Another { by: String, seq: u64 },
    #[error(
        "the ledger of erasures is {found}, but {by} belongs to {named}; put that one back, from where backups \
         are copied to. If it is lost, use `usher serve --new-ledger` or `usher restore FILE --without-ledger`"
    )]
    Foreign { by: String, found: LedgerId, named: LedgerId },
    #[error(
        "the ledger of erasures contradicts the signed receipt {number}: the receipt proves an erasure that \
         entry {void} declares void. Put back the ledger's newest copy, from where backups are copied to, and \
         check who can write there"
    )]
    Voided { number: u64, void: u64 },
    #[error(
        "the ledger of erasures contradicts the signed receipt {number}: the receipt proves an erasure on {at} \
         that has no entry. Put back the ledger's newest copy, from where backups are copied to, and check who \
         can write there",
        at = clock::written(*at)
    )]
    NotOrdered { number: u64, at: Millis },
    #[error(transparent)]
    Refused(#[from] Held),
}

/// A ledger that does not read; see [`LedgerError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Held(String);

impl From<LedgerError> for Contradiction {
    fn from(refusal: LedgerError) -> Contradiction {
        Contradiction::Refused(Held(refusal.to_string()))
    }
}

impl Known {
    /// That of a signed head.
    pub fn head(&mut self, head: &Head) {
        self.places.push(Place {
            ledger: LedgerId(head.ledger.0),
            seq: head.seq,
            chain: head.chain.0,
            at: head.at,
            by: "the signed head in secrets/ledger.head".into(),
            sealed: true,
        });
    }

    /// That of a receipt whose signature was checked.
    pub fn receipt(&mut self, receipt: Receipt) {
        // One without its figures was handed out: it tells a chain value, and not whose.
        let Some(seq) = receipt.ledger.seq else { return };
        self.places.push(Place {
            ledger: LedgerId(receipt.ledger.id.0),
            seq,
            chain: receipt.ledger.head.0,
            at: receipt.done.completed_at,
            by: format!("receipt {}", receipt.place.unwrap_or(receipt.number)),
            sealed: receipt.version > 1,
        });
        self.receipts.push((receipt, seq));
    }

    /// Those of the receipts in a folder that this key signed.
    pub fn receipts_in(&mut self, folder: &Path, key: &PublicKey) {
        for (name, path) in files(folder) {
            if of_file_name(&name).is_some()
                && let Some(receipt) = small(&path).and_then(|bytes| check_one(&bytes, key).ok())
            {
                self.receipt(receipt);
            }
        }
    }

    /// Those of the backups in a folder whose first lines this key signed.
    pub fn backups_in(&mut self, folder: &Path, key: &PublicKey) {
        for (name, path) in files(folder) {
            if !name.ends_with(".backup") {
                continue;
            }
            let Ok(manifest) = archive::read_manifest(&path) else { continue };
            let place = super::backups::position(&manifest.ledger);
            if let Some(place) = place.filter(|_| manifest.is_signed_by(key)) {
                self.places.push(Place {
                    ledger: place.ledger,
                    seq: place.seq,
                    chain: place.head,
                    at: manifest.made_at,
                    by: format!("backup {name}"),
                    sealed: true,
                });
            }
        }
    }

    /// Who names version 2 of this ledger, if anybody does.
    pub fn names_sealed(&self, ledger: LedgerId) -> Option<&str> {
        let named = self.places.iter().find(|place| place.sealed && place.ledger == ledger);
        named.map(|place| place.by.as_str())
    }

    /// Receipts of a ledger.
    pub fn receipts_of(&self, ledger: LedgerId) -> impl Iterator<Item = &(Receipt, u64)> {
        self.receipts.iter().filter(move |(receipt, _)| receipt.ledger.id.0 == ledger.0)
    }

    /// Receipts of any other ledger.
    pub fn receipts_of_others(&self, ledgers: &[Option<LedgerId>]) -> impl Iterator<Item = &Receipt> {
        let is_ours = |receipt: &Receipt| ledgers.contains(&Some(LedgerId(receipt.ledger.id.0)));
        self.receipts.iter().map(|(receipt, _)| receipt).filter(move |receipt| !is_ours(receipt))
    }

    /// Reads the ledger, and holds it against all that is known: the first contradiction, if
    /// there is one. What is known of other ledgers says nothing of this one. `asked` is the
    /// number of the entry that somebody has decided to be the newest.
    pub fn check(&self, path: &Path, mac_key: &MacKey, asked: Option<u64>) -> Result<Looked, Contradiction> {
        let read = Read::of(path, mac_key, self)?;
        match read.contradictions(self, asked).into_iter().next() {
            Some(contradiction) => Err(contradiction),
            None => Ok(read.looked),
        }
    }

    /// The same, and all of the contradictions.
    pub fn contradictions(
        &self,
        path: &Path,
        mac_key: &MacKey,
    ) -> Result<(Looked, Vec<Contradiction>), LedgerError> {
        let read = Read::of(path, mac_key, self)?;
        let contradictions = read.contradictions(self, None);
        Ok((read.looked, contradictions))
    }
}

/// What of the ledger matters here.
struct Read {
    looked: Looked,
    /// At the places that are known.
    chains: BTreeMap<u64, Chain>,
    /// Where somebody was erased at that time, in that way: the first entry.
    erased: HashMap<(Millis, &'static str), u64>,
    /// Number and `from` of each.
    voids: Vec<(u64, u64)>,
}

impl Read {
    fn of(path: &Path, mac_key: &MacKey, known: &Known) -> Result<Read, LedgerError> {
        let wanted: BTreeMap<u64, ()> = known.places.iter().map(|place| (place.seq, ())).collect();
        let (mut chains, mut erased, mut voids) = (BTreeMap::new(), HashMap::new(), Vec::new());
        let looked = look(path, mac_key, &[], |entry, _| {
            if wanted.contains_key(&entry.seq) {
                chains.insert(entry.seq, entry.chain);
            }
            match &entry.act {
                Act::Erased { erasure, .. } => {
                    erased.entry((entry.at, erasure.as_str())).or_insert(entry.seq);
                }
                Act::Void { from } => voids.push((entry.seq, *from)),
                _ => {}
            }
        })?;
        chains.insert(0, looked.begin);
        Ok(Read { looked, chains, erased, voids })
    }

    fn contradictions(&self, known: &Known, asked: Option<u64>) -> Vec<Contradiction> {
        let (end, last_at) = (self.looked.end, self.looked.last_at);
        let mut found = Vec::new();
        if let Some(asked) = asked.filter(|asked| end.seq < *asked) {
            found.push(Contradiction::OlderThanAsked { asked, end: end.seq, last_at });
        }
        let mut ours: Vec<&Place> = known.places.iter().filter(|place| place.ledger == end.ledger).collect();
        // The newest says most.
        ours.sort_by_key(|place| std::cmp::Reverse(place.seq));
        for Place { by, seq, at, .. } in ours.iter().filter(|place| asked.is_none() && place.seq > end.seq) {
            found.push(Contradiction::Older { by: by.clone(), seq: *seq, at: *at, end: end.seq, last_at });
        }
        for place in ours.iter().filter(|place| place.seq <= end.seq) {
            if self.chains.get(&place.seq) != Some(&place.chain) {
                found.push(Contradiction::Another { by: place.by.clone(), seq: place.seq });
            }
        }
        for (receipt, seq) in known.receipts_of(end.ledger).filter(|(_, seq)| *seq <= end.seq) {
            found.extend(self.contradicts(receipt, *seq));
        }
        found
    }

    /// What is signed is never declared void: a void comes before anything else is entered.
    fn contradicts(&self, receipt: &Receipt, seq: u64) -> Option<Contradiction> {
        let number = receipt.place.unwrap_or(receipt.number);
        if let Some((void, _)) = self.voids.iter().find(|(void, from)| *void > seq && *from <= seq) {
            return Some(Contradiction::Voided { number, void: *void });
        }
        // What the ledger ordered is entered under the time at which it was ordered first.
        if receipt.asked.origin == Origin::Ledger {
            return None;
        }
        let at = receipt.done.began_at;
        let ordered = self.erased.get(&(at, receipt.asked.erasure.as_str()));
        ordered.is_none_or(|entry| *entry > seq).then_some(Contradiction::NotOrdered { number, at })
    }
}

/// That a signed head is one of this ledger, or of the one that it stands in the place of.
pub fn check_owner(head: &Head, looked: &Looked) -> Result<(), Contradiction> {
    let (named, found) = (LedgerId(head.ledger.0), looked.end.ledger);
    if named == found || looked.lost == Some(named) {
        return Ok(());
    }
    let by = "the signed head in secrets/ledger.head".to_owned();
    Err(Contradiction::Foreign { by, found, named })
}

/// What a receipt may have, and a little more.
fn small(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Plain files alone: a folder of copies is somebody else's, and a pipe in it would never end.
fn files(folder: &Path) -> impl Iterator<Item = (String, std::path::PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let plain = entries.filter(|entry| entry.metadata().is_ok_and(|about| about.is_file()));
    plain.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
}

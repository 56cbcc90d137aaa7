//! A fragment: the trace of a piece of somebody's data, by which a search finds that piece again.
//!
//! It is made of keyed digests alone: of the piece's first 8 bytes, by which a scan finds a candidate
//! at any offset, and of the whole, by which it makes sure. So it may wait in the database through a
//! kill, and says nothing of anybody without the secret.

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::model::JobId;

/// Shorter texts are not searched for: they are anybody's.
pub const SHORTEST: usize = 8;
/// A longer one is searched for in pieces, for a text may be cut by the end of a page.
const PIECE: usize = 32;
/// What is percent-encoded in addresses: all but RFC 3986's unreserved characters.
const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The two keys of the digests.
#[derive(Clone, Copy)]
pub struct SearchKey {
    word: [u8; 16],
    whole: [u8; 16],
}

/// A piece of what was somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fragment {
    pub word: i64,
    pub length: u8,
    pub digest: [u8; 16],
}

impl SearchKey {
    pub fn new(secret: [u8; 32]) -> SearchKey {
        let (mut word, mut whole) = ([0; 16], [0; 16]);
        word.copy_from_slice(&secret[..16]);
        whole.copy_from_slice(&secret[16..]);
        SearchKey { word, whole }
    }

    pub fn word(&self, bytes: [u8; SHORTEST]) -> i64 {
        SipHasher13::new_with_key(&self.word).hash(&bytes).cast_signed()
    }

    pub fn whole(&self, bytes: &[u8]) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.whole);
        std::hash::Hasher::write(&mut hasher, bytes);
        hasher.finish128().as_bytes()
    }

    /// The fragments of a value, in each form in which a program may write it: as it is,
    /// escaped as in JSON, percent-encoded.
    pub fn fragments(&self, value: &[u8], mut add: impl FnMut(Fragment)) {
        self.forms(value, |form| self.pieces(form, &mut add));
    }

    /// The forms in which a program may write a value.
    pub(super) fn forms(&self, value: &[u8], mut each: impl FnMut(&[u8])) {
        each(value);
        let Ok(text) = std::str::from_utf8(value) else { return };
        if let Ok(quoted) = serde_json::to_string(text)
            && quoted.len() > text.len() + 2
        {
            each(&quoted.as_bytes()[1..quoted.len() - 1]);
        }
        let encoded = percent_encoding::utf8_percent_encode(text, RESERVED).to_string();
        if encoded.len() > text.len() {
            each(encoded.as_bytes());
        }
    }

    /// Those of its bytes as they are.
    fn pieces(&self, value: &[u8], add: &mut impl FnMut(Fragment)) {
        for piece in value.chunks(PIECE) {
            // Runs of one byte are in every file: of one, only its end begins a piece.
            let run = piece.iter().take_while(|byte| **byte == piece[0]).count();
            let piece = &piece[run.saturating_sub(SHORTEST - 1)..];
            if tells(piece) {
                self.piece(piece).into_iter().for_each(&mut *add);
            }
        }
    }

    /// The fragment of one piece, whatever it is of. None: it is too short.
    pub fn piece(&self, piece: &[u8]) -> Option<Fragment> {
        let word = piece.first_chunk::<SHORTEST>()?;
        let length = u8::try_from(piece.len()).ok()?;
        Some(Fragment { word: self.word(*word), length, digest: self.whole(piece) })
    }
}

/// Whether bytes may be told from the numbers that SQLite writes into every file: of these, a
/// half and more are below the first printable character.
fn tells(piece: &[u8]) -> bool {
    piece.iter().filter(|byte| **byte < b' ').count() * 2 < piece.len()
}

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub struct SearchTarget {
    pub job: JobId,
    pub fragment: Fragment,
    /// Known to be there, in a row of the job's own: a search that does not find it proves
    /// nothing.
    pub planted: bool,
}

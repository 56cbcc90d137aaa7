//! Is this file a receipt that the given key signed, and nobody changed since?

use std::fmt;

use serde_json::Value;

use super::figures::{self, Figures};
use super::hex::Hex;
use super::receipt::{FIRST, FORMAT, Receipt, VERSION, signed_text};
use super::signing::PublicKey;
use super::{canonical, form};

/// No receipt is as large as this; what is, is not read.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a file is no good receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptFault {
    pub what: What,
    /// The fields that do not have the right form, as far as the file can be read.
    pub fields: Vec<form::FormatError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// More than [`BYTES_MAX`].
    TooLarge,
    /// It cannot be read at all.
    NotJson(canonical::CanonicalError),
    /// It can be read, but not one and the same text can be written of it.
    NotCanonical(canonical::CanonicalError),
    /// Whole and signed, but by this key.
    OtherKey(Hex<32>),
    /// No key signed these bytes.
    Signature,
    /// Signed by the key, but of this later version.
    Newer(u64),
    /// Signed by the key, but no receipt: [`ReceiptFault::fields`] says why.
    Form,
}

/// The receipt in these bytes, if they are canonical, of the right form, and signed by the
/// key. Whatever byte of a receipt is changed, this is a [`ReceiptFault`]. It may be one as it was handed
/// out, or the file in which the organisation keeps it with its figures; see
/// [`super::figures`].
pub fn check_one(bytes: &[u8], key: &PublicKey) -> Result<Receipt, ReceiptFault> {
    let bare = |what| ReceiptFault { what, fields: Vec::new() };
    if bytes.len() > BYTES_MAX {
        return Err(bare(What::TooLarge));
    }
    let (value, spelling) = canonical::read(bytes).map_err(|fault| bare(What::NotJson(fault)))?;
    let file = Parts::of(value);
    let value = &file.receipt;
    let mut fields = file.faults();
    if let Some(fault) = spelling {
        return Err(ReceiptFault { what: What::NotCanonical(fault), fields });
    }
    let named = value["key"].as_str().and_then(|text| text.parse::<Hex<32>>().ok());
    if !is_signed(value, key) {
        let what = match named {
            Some(other) if is_signed_by(value, other) => What::OtherKey(other),
            _ => What::Signature,
        };
        if what == What::Signature && named.is_some_and(|named| named != key.hex()) {
            fields.push(form::FormatError::new("key", "is not the key that was given"));
        }
        return Err(ReceiptFault { what, fields });
    }
    if named != Some(key.hex()) {
        fields.push(form::FormatError::new("key", "is not the key that signed it"));
    }
    let version = value["version"].as_u64().unwrap_or_default();
    if value["format"] == FORMAT && version > VERSION {
        return Err(bare(What::Newer(version)));
    }
    if !fields.is_empty() {
        return Err(ReceiptFault { what: What::Form, fields });
    }
    file.read()
}

/// The receipt in these bytes, signed by any key, if they are canonical and of the right form.
pub fn read_unsigned(bytes: &[u8]) -> Result<Receipt, ReceiptFault> {
    let (value, spelling) = canonical::read(bytes)
        .map_err(|fault| ReceiptFault { what: What::NotJson(fault), fields: Vec::new() })?;
    let file = Parts::of(value);
    let fields = file.faults();
    match spelling {
        Some(fault) => Err(ReceiptFault { what: What::NotCanonical(fault), fields }),
        None if !fields.is_empty() => Err(ReceiptFault { what: What::Form, fields }),
        None => file.read(),
    }
}

/// The figures in the bytes of a file, if it has some. They are not checked here.
pub fn figures(bytes: &[u8]) -> Option<Figures> {
    let (value, _) = canonical::read(bytes).ok()?;
    let (figures, _) = figures::parts(&value)?;
    serde_json::from_value(figures.clone()).ok()
}

/// A receipt, and its figures where they are beside it.
struct Parts {
    receipt: Value,
    figures: Option<Value>,
}

impl Parts {
    fn of(value: Value) -> Parts {
        match figures::parts(&value) {
            Some((figures, receipt)) => Parts { receipt: receipt.clone(), figures: Some(figures.clone()) },
            None => Parts { receipt: value, figures: None },
        }
    }

    fn faults(&self) -> Vec<form::FormatError> {
        let mut faults = form::faults(&self.receipt);
        if let Some(figures) = &self.figures {
            let wrong = form::faults_of_figures(figures);
            if wrong.is_empty() && self.receipt["figures"] != figures::hash(figures).to_string() {
                faults.push(form::FormatError::new("figures", "are not those that the receipt names"));
            }
            faults.extend(wrong);
        }
        faults
    }

    /// Of values that [`Parts::faults`] finds nothing wrong with.
    fn read(self) -> Result<Receipt, ReceiptFault> {
        let fault = |error: serde_json::Error| ReceiptFault {
            what: What::Form,
            fields: vec![form::FormatError::new("", &error.to_string())],
        };
        let receipt: Receipt = serde_json::from_value(self.receipt).map_err(fault)?;
        match self.figures {
            Some(figures) => {
                let figures: Figures = serde_json::from_value(figures).map_err(fault)?;
                Ok(figures.fill(receipt))
            }
            None if receipt.version == FIRST => Ok(Receipt { place: Some(receipt.number), ..receipt }),
            None => Ok(receipt),
        }
    }
}

fn is_signed(receipt: &Value, key: &PublicKey) -> bool {
    let signature = receipt["signature"].as_str().and_then(|text| text.parse().ok());
    signature.is_some_and(|signature| key.verify(signed_text(receipt).as_bytes(), &signature))
}

fn is_signed_by(receipt: &Value, key: Hex<32>) -> bool {
    PublicKey::from_bytes(&key.0).is_ok_and(|key| is_signed(receipt, &key))
}

impl fmt::Display for ReceiptFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::TooLarge => write!(f, "it is larger than any receipt, which has at most {BYTES_MAX} bytes"),
            What::NotJson(fault) | What::NotCanonical(fault) => fault.fmt(f),
            What::OtherKey(key) => write!(f, "it was signed by another key than the one given, by {key}"),
            What::Signature => {
                f.write_str("the signature is not valid: the receipt was changed after signing")
            }
            What::Newer(version) => {
                write!(f, "it is of version {version}; this Usher knows receipts up to version {VERSION}")
            }
            What::Form => f.write_str("it is signed, but it is no receipt"),
        }?;
        if !self.fields.is_empty() {
            f.write_str("; these fields are wrong: ")?;
            form::list(f, &self.fields)?;
        }
        Ok(())
    }
}

impl std::error::Error for ReceiptFault {}

//! The addresses that a key is good from: single ones and ranges.

use std::net::IpAddr;

use crate::edge::Network;
use crate::error::{Error, FieldError, Place, Result};

/// The longest list.
const MOST: usize = 32;

/// The one word of a list with which a key is good from nowhere: all that it had ended after the backup
/// that was restored.
pub const NOWHERE: &str = "nowhere";

/// The list as it is kept: each in the one way in which it is written, none twice.
/// [`Error::Invalid`] on `addresses[n]`, or on `addresses` for one that is too long.
pub fn parse(list: &[String]) -> Result<Vec<String>> {
    // It may be saved as it was found.
    if list == [NOWHERE] {
        return Ok(list.to_vec());
    }
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for (n, text) in list.iter().enumerate() {
        match text.parse::<Network>().map(|network| network.to_string()) {
            Ok(network) if good.contains(&network) => {}
            Ok(network) => good.push(network),
            Err(why) => {
                faults.push(FieldError::new(
                    Place::Body,
                    format!("addresses[{n}]"),
                    format!("must be {why}"),
                ));
            }
        }
    }
    if list.len() > MOST {
        faults = vec![FieldError::new(Place::Body, "addresses", format!("must be at most {MOST}"))];
    }
    if faults.is_empty() { Ok(good) } else { Err(Error::Invalid(faults)) }
}

/// As people write a list: by lines or commas.
pub fn split(text: &str) -> Vec<String> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Where a key is good from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    Everywhere,
    Ranges(Vec<Network>),
}

impl Allowed {
    /// Of a list as it is kept. A range that does not read is none, as [`NOWHERE`]: the key is not good from
    /// there.
    pub fn of(list: &[String]) -> Allowed {
        match list.is_empty() {
            true => Allowed::Everywhere,
            false => Allowed::Ranges(list.iter().filter_map(|text| text.parse().ok()).collect()),
        }
    }

    /// Whether it is good from this address; None is one that is not known.
    pub fn allows(&self, address: impl FnOnce() -> Option<IpAddr>) -> bool {
        match self {
            Allowed::Everywhere => true,
            Allowed::Ranges(ranges) => {
                address().is_some_and(|address| ranges.iter().any(|range| range.has(address)))
            }
        }
    }
}

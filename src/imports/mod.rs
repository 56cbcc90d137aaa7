//! Files that other products export, read record by record in constant memory: unpacked, taken apart,
//! and put into what the rules of `people::imports` take in. Nothing in here knows about SQL or HTTP.
//!
//! A file per source says how its records are understood; [`detect`] finds out whose a file is.

mod amplitude;
mod auth0;
mod columns;
mod detect;
mod document;
mod fields;
mod lines;
mod matomo;
mod mixpanel;
mod posthog;
mod read;
mod secret_values;
mod segment;
mod table;
mod text;
mod traits;
mod understand;
mod unpack;
mod users;
mod usher;

use std::fmt;
use std::str::FromStr;

pub use columns::{Kind, Map};
pub use detect::{Detected, PEEK, detect};
pub use read::{Options, read};
pub use understand::Stop;
pub use unpack::{Gauge, Packed};

/// The product that a file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Usher,
    Segment,
    Posthog,
    Mixpanel,
    Amplitude,
    Matomo,
    Auth0,
    Users,
    Csv,
}

impl Source {
    pub const ALL: [Source; 9] = [
        Source::Usher,
        Source::Segment,
        Source::Posthog,
        Source::Mixpanel,
        Source::Amplitude,
        Source::Matomo,
        Source::Auth0,
        Source::Users,
        Source::Csv,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Source::Usher => "usher",
            Source::Segment => "segment",
            Source::Posthog => "posthog",
            Source::Mixpanel => "mixpanel",
            Source::Amplitude => "amplitude",
            Source::Matomo => "matomo",
            Source::Auth0 => "auth0",
            Source::Users => "users",
            Source::Csv => "csv",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        Source::ALL.into_iter().find(|source| source.as_str() == text).ok_or_else(|| {
            let known = Source::ALL.map(Source::as_str).join(", ");
            format!("must be auto, {known}")
        })
    }
}

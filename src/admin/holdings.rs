//! What is held of a user, and what an erasure would do to it, as lines of a table. Which
//! tables there are, and their fates, come from the registry.

use super::page::capital;
use super::show::Count;
use crate::erasure::preview::{ErasureEffect, Outlook};
use crate::model::{Erasure, State, User};
use crate::people::find::Held;

/// How many rows of one table are about the user.
pub struct Line {
    pub label: String,
    pub note: &'static str,
    pub count: Count,
}

/// The same, with what would become of them.
pub struct FateLine {
    pub label: String,
    pub note: &'static str,
    pub count: Count,
    pub fate: &'static str,
}

pub fn lines(user: &User, held: &[Held]) -> Vec<Line> {
    let line = |held: &Held| Line { label: label(held), note: note(user, held), count: Count(held.rows) };
    held.iter().map(line).collect()
}

fn label(held: &Held) -> String {
    capital(held.label).trim_end_matches('.').to_owned()
}

fn note(user: &User, held: &Held) -> &'static str {
    match (held.table, user.state) {
        ("users", State::Detached) => "profile emptied",
        ("users", State::Erasing) => "emptied, deleted last",
        _ => "",
    }
}

/// The lines of a dry run, and how many rows go and stay.
pub fn fates(user: &User, erasure: Erasure, outlook: &[Outlook]) -> (Vec<FateLine>, Count, Count) {
    let goes = |outlook: &Outlook| outlook.fate != ErasureEffect::Stays;
    let lines = outlook.iter().map(|outlook| FateLine {
        label: label(&outlook.held),
        note: match outlook.fate {
            ErasureEffect::Cleared if outlook.held.rows > 0 => cleared(outlook),
            _ if outlook.held.table == "users" && erasure == Erasure::Activity && !goes(outlook) => {
                "counters reset to zero"
            }
            _ => note(user, &outlook.held),
        },
        count: Count(outlook.held.rows),
        fate: if goes(outlook) { "goes" } else { "stays" },
    });
    let sum = |which: bool| {
        Count(outlook.iter().filter(|line| goes(line) == which).map(|line| line.held.rows).sum())
    };
    (lines.collect(), sum(true), sum(false))
}

/// What of a row goes when the row itself stays.
fn cleared(outlook: &Outlook) -> &'static str {
    match outlook.held.table {
        "users" => "profile emptied",
        "jobs" => "identifier removed",
        _ => "personal data removed",
    }
}

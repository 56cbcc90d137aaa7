//! Who asked that somebody is kept out.

/// Each suppression stands for itself: a person is let in again when the last of them is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// Not known, from before it was kept: it ends with anybody's.
    Unknown,
    /// Regulations, which are about several people: one of them ends what another began.
    Regulations,
    /// A regulation of one person's own, by its number: it is withdrawn by itself.
    Regulation(i64),
    /// The app's switch of one user.
    Denylist,
    /// What the user prefers.
    Preference,
    /// Our own API and commands.
    Own,
}

const OF_REGULATION: &str = "regulation ";

impl AskedBy {
    /// As it is stored, and stands in the ledger.
    pub fn text(self) -> String {
        match self {
            AskedBy::Unknown => String::new(),
            AskedBy::Regulations => "regulations".to_owned(),
            AskedBy::Regulation(id) => format!("{OF_REGULATION}{id}"),
            AskedBy::Denylist => "denylist".to_owned(),
            AskedBy::Preference => "preference".to_owned(),
            AskedBy::Own => "own".to_owned(),
        }
    }

    pub fn parse(text: &str) -> Option<AskedBy> {
        Some(match text {
            "" => AskedBy::Unknown,
            "regulations" => AskedBy::Regulations,
            "denylist" => AskedBy::Denylist,
            "preference" => AskedBy::Preference,
            "own" => AskedBy::Own,
            text => AskedBy::Regulation(text.strip_prefix(OF_REGULATION)?.parse().ok()?),
        })
    }
}

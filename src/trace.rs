//! The request that is being served, as log lines and error bodies name it.

use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;

tokio::task_local! {
    static REQUEST: RequestId;
    static ACTOR: Cell<Actor>;
    static LEGAL_BASIS: Cell<LegalBasis>;
    static SOURCE: Cell<Option<Source>>;
}

/// Who does something. No end user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Actor {
    /// The program itself: the reaper, a job that fell due, the replay of the ledger.
    #[default]
    System,
    /// Whoever owns the directory, on the command line.
    Operator,
    /// An API key, by its number.
    Key(i64),
    /// An API key that stands where anybody can read it.
    PublicKey(i64),
    /// A project's public ingest token.
    Token,
    /// An admin in the pages, by its number.
    Admin(i64),
}

impl Actor {
    /// Who asks for what this runs for.
    pub fn current() -> Actor {
        ACTOR.try_with(Cell::get).unwrap_or_default()
    }

    /// Whether anybody may have the credential: what it says of people is not to be trusted.
    pub fn is_public(self) -> bool {
        matches!(self, Actor::Token | Actor::PublicKey(_))
    }

    /// The number of the key; 0 is the ingest token. None: no credential of the API.
    pub fn key_number(self) -> Option<i64> {
        match self {
            Actor::Key(id) | Actor::PublicKey(id) => Some(id),
            Actor::Token => Some(0),
            Actor::System | Actor::Operator | Actor::Admin(_) => None,
        }
    }

    /// It turned out who asks.
    pub fn is(self) {
        // Outside a request there is nobody to note it for.
        let _ = ACTOR.try_with(|actor| actor.set(self));
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::System => f.write_str("system"),
            Actor::Operator => f.write_str("operator"),
            Actor::Key(id) | Actor::PublicKey(id) => write!(f, "key {id}"),
            Actor::Token => f.write_str("ingest token"),
            Actor::Admin(id) => write!(f, "admin {id}"),
        }
    }
}

/// By what right an erasure is asked for, as the caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LegalBasis {
    #[default]
    Unstated,
    /// The person asks for it.
    Request,
    /// What it was kept for is over.
    Purpose,
    /// The person no longer consents.
    Consent,
    /// The person objects.
    Objection,
    /// It was unlawful to keep it.
    Unlawful,
    /// A law demands it.
    Duty,
}

impl LegalBasis {
    pub const ALL: [LegalBasis; 7] = [
        LegalBasis::Unstated,
        LegalBasis::Request,
        LegalBasis::Purpose,
        LegalBasis::Consent,
        LegalBasis::Objection,
        LegalBasis::Unlawful,
        LegalBasis::Duty,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            LegalBasis::Unstated => "unstated",
            LegalBasis::Request => "request",
            LegalBasis::Purpose => "purpose",
            LegalBasis::Consent => "consent",
            LegalBasis::Objection => "objection",
            LegalBasis::Unlawful => "unlawful",
            LegalBasis::Duty => "duty",
        }
    }

    pub fn parse(text: &str) -> Option<LegalBasis> {
        LegalBasis::ALL.into_iter().find(|legal_basis| legal_basis.as_str() == text)
    }

    /// As receipts and pages say it.
    pub fn words(self) -> &'static str {
        match self {
            LegalBasis::Unstated => "not stated",
            LegalBasis::Request => "request of the person (GDPR Art. 17)",
            LegalBasis::Purpose => "no longer needed for its purpose (GDPR Art. 17(1)(a))",
            LegalBasis::Consent => "consent withdrawn (GDPR Art. 17(1)(b))",
            LegalBasis::Objection => "objection of the person (GDPR Art. 17(1)(c))",
            LegalBasis::Unlawful => "it was unlawful to keep it (GDPR Art. 17(1)(d))",
            LegalBasis::Duty => "a legal duty to erase (GDPR Art. 17(1)(e))",
        }
    }

    /// It turned out by what right something is asked for.
    pub fn is(self) {
        let _ = LEGAL_BASIS.try_with(|legal_basis| legal_basis.set(self));
    }

    fn current() -> LegalBasis {
        LEGAL_BASIS.try_with(Cell::get).unwrap_or_default()
    }
}

/// Who asks, in which request, and by what right: what a write is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Who {
    pub actor: Actor,
    pub request: Option<RequestId>,
    pub legal_basis: LegalBasis,
    /// Where it comes from, with a public credential.
    pub source: Option<Source>,
}

/// Where something comes from with a public credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The project's number.
    pub project: i64,
    /// None: it is not known.
    pub address: Option<IpAddr>,
}

impl Source {
    /// It turned out that something comes from here, with a public credential.
    pub fn is(self) {
        let _ = SOURCE.try_with(|source| source.set(Some(self)));
    }
}

impl Who {
    pub fn current() -> Who {
        Who {
            actor: Actor::current(),
            request: RequestId::current(),
            legal_basis: LegalBasis::current(),
            source: SOURCE.try_with(Cell::get).unwrap_or_default(),
        }
    }

    /// Runs a future for who asks, beside the request itself.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        let noted =
            ACTOR.scope(Cell::new(self.actor), LEGAL_BASIS.scope(Cell::new(self.legal_basis), future));
        let noted = SOURCE.scope(Cell::new(self.source), noted);
        REQUEST.scope(self.request.unwrap_or_default(), noted).await
    }
}

/// The pattern of the route that a request took, for the log: its path has identifiers in it.
pub struct Pattern(pub &'static str);

/// 16 hex digits. Random, so that lines of several processes can be told apart; nothing
/// depends on nobody guessing one.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(u64);

impl RequestId {
    pub fn new() -> RequestId {
        RequestId(fastrand::u64(..))
    }

    /// Of the request this runs for; None in the background.
    pub fn current() -> Option<RequestId> {
        REQUEST.try_with(|id| *id).ok()
    }

    /// Runs a future, or a closure on any thread, on behalf of this request.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        Who { request: Some(self), ..Who::default() }.scope(future).await
    }

    pub fn sync_scope<T>(self, run: impl FnOnce() -> T) -> T {
        REQUEST.sync_scope(self, run)
    }
}

impl Default for RequestId {
    fn default() -> RequestId {
        RequestId::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

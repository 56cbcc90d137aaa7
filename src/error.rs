//! The one error. It names what went wrong in the product's own nouns; each API
//! words it in its own way, and so do the pages. Each of the two faces knows its HTTP
//! status in one place: [`crate::api::dialect::status`] and the pages' table of words.

use std::fmt;
use std::io::{self, ErrorKind};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no API key was given")]
    NoKey,
    #[error("the Authorization header is malformed")]
    MalformedKey,
    #[error("the API key is unknown or revoked")]
    UnknownKey,
    /// The key or role is good, but does not open this.
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("too many requests; try again in {retry_after} s")]
    RateLimited { retry_after: u64 },

    #[error("there is nothing at this path")]
    NoSuchRoute,
    /// `allow` lists the methods that this path takes.
    #[error("this path accepts {allow}")]
    MethodNotAllowed { allow: String },

    /// Fields with their faults; the request changed nothing.
    #[error("{}", Faults(.0))]
    Invalid(Vec<FieldError>),
    /// The body is not what its type says.
    #[error("the body is not valid JSON: {0}")]
    BadJson(String),
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body arrived too slowly")]
    TooSlow,

    #[error("there is no such project")]
    ProjectNotFound,
    /// `asked` is what the caller named, for APIs that say it back to them.
    #[error("there is no such user")]
    UserNotFound { asked: String },
    #[error("there is no such job")]
    JobNotFound,
    #[error("there is no such receipt")]
    ReceiptNotFound,
    #[error("there is no such session")]
    SessionNotFound,
    #[error("there is no such key")]
    KeyNotFound,
    /// Something that one API alone knows, by its name.
    #[error("there is no such {0}")]
    NotFound(&'static str),

    #[error("another user has this identifier")]
    IdentifierTaken,
    #[error("{what} called {name} already exists")]
    NameTaken { what: &'static str, name: String },
    #[error("this user is suppressed: nothing is stored for them")]
    Suppressed,
    /// A legal hold or a restriction keeps it from being erased.
    #[error("{0}")]
    Held(String),
    /// A job that is completed or cancelled cannot be cancelled.
    #[error("the job has already ended")]
    JobEnded,
    /// The name fits several things; nothing was done.
    #[error("{0}")]
    Ambiguous(String),
    /// The resource is in a state that does not allow this.
    #[error("{0}")]
    Conflict(&'static str),

    /// Too much to do: the same request may succeed later.
    #[error("{0}")]
    Unavailable(&'static str),
    /// No room for what is written: the same request may succeed once there is some.
    #[error("the disk is full")]
    DiskFull,
    /// The disk answered a read or a write with an error, and what; that is for the log alone. The same
    /// request may succeed later.
    #[error("{0}")]
    DiskFails(String),
    /// The program was started so that nothing is written: see `--read-only`.
    #[error("this instance was started read-only: nothing was changed")]
    ReadOnly,
    /// A part of the database does not read, and what it is. Nobody's request is at fault, and the same
    /// one fails again.
    #[error(
        "usher.db is damaged ({0}). Copy the data directory to another place before anything else. `usher verify` \
         shows what can be read, `usher restore` replaces it with a backup"
    )]
    Damaged(String),
    /// A fault of ours or of the machine; its text goes to the log alone.
    #[error("{0}")]
    Internal(String),
}

/// One field of a request and what is wrong with it.
#[derive(Debug, Clone)]
pub struct FieldError {
    pub place: Place,
    /// Path to the field, as the caller wrote it: `traits.email`, `limit`.
    pub field: String,
    /// The same as a JSON pointer, where the dots of a path would not tell it.
    pub pointer: Option<String>,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
    Body,
}

impl Error {
    pub fn invalid(place: Place, field: impl Into<String>, message: impl Into<String>) -> Error {
        Error::Invalid(vec![FieldError::new(place, field, message)])
    }

    pub fn user_not_found(asked: impl Into<String>) -> Error {
        Error::UserNotFound { asked: asked.into() }
    }

    /// What follows would meet it, too: not a fault of what was asked.
    pub fn is_of_the_store(&self) -> bool {
        matches!(
            self,
            Error::Internal(_)
                | Error::Unavailable(_)
                | Error::DiskFull
                | Error::DiskFails(_)
                | Error::ReadOnly
                | Error::Damaged(_)
        )
    }

    /// What the system says of a file that we keep: no room for it, or a disk that fails.
    pub fn of_file(what: &str, error: &io::Error) -> Error {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::DiskFull,
            ErrorKind::FileTooLarge => Error::DiskFails(format!(
                "{what}: the file cannot grow beyond the limit of this process (`ulimit -f`, LimitFSIZE= of systemd)"
            )),
            _ => Error::DiskFails(format!("{what}: {error}")),
        }
    }

    /// The same, of a file that the reader of the log need not know.
    pub fn from_io(error: io::Error) -> Error {
        Error::of_file("a file of the data directory", &error)
    }

    pub fn internal(why: impl fmt::Display) -> Error {
        Error::Internal(why.to_string())
    }
}

impl FieldError {
    pub fn new(place: Place, field: impl Into<String>, message: impl Into<String>) -> FieldError {
        FieldError { place, field: field.into(), pointer: None, message: message.into() }
    }
}

/// Several faults in one sentence.
struct Faults<'a>(&'a [FieldError]);

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            let sep = if n == 0 { "" } else { "; " };
            write!(f, "{sep}{}: {}", fault.field, fault.message)?;
        }
        Ok(())
    }
}

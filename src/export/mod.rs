//! What is held, taken along: of one person, or of all people of a project.
//!
//! An export is written while it is read. No read is long, one stretch of rows is in memory at a time, and
//! what comes in after its beginning is not in it. Who is erased meanwhile is not read any further: the
//! export of a person breaks off, before what says that it is whole.

pub mod contents;
pub mod lines;
pub mod links;
pub mod ndjson;
mod pack;
mod pages;
mod read;
mod requests;
pub mod tables;
mod zip_file;

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::model::{Incarnation, Project, ProjectId, State, User, UserId};
use crate::people::subjects::{self, Subject as Whom};
use crate::people::{find, person};
use crate::projects;
use crate::store::jobs::Bounds;
use crate::store::{Db, NormalTx, Store, Tx, audit, data_inventory, export as rows, users};

/// The version of the format, which stands in its first line.
pub const VERSION: i64 = 1;
/// What the first line calls the format.
pub const FORMAT: &str = "usher-export";

/// An export that has begun: rows with higher numbers than in `ends` came later.
pub struct Export<'a> {
    store: &'a Store,
    project: Project,
    made_at: Millis,
    ends: Bounds,
}

impl<'a> Export<'a> {
    pub fn begin(store: &'a Store, project: Project, now: Millis) -> Result<Export<'a>> {
        let ends = store.read(data_inventory::ends)?;
        Ok(Export { store, project, made_at: now, ends })
    }

    fn end(&self, table: &str) -> i64 {
        self.ends.get(table).copied().unwrap_or(0)
    }
}

/// A person whose rows are read, as it was when that began.
pub struct Subject {
    id: UserId,
    incarnation: Incarnation,
    state: State,
    activity_erased_at: Option<Millis>,
    pub name: Name,
}

/// By what all lines of a person go: its identifier or, if it has none, an anonymous id.
pub struct Name {
    /// The field that has it.
    pub field: &'static str,
    pub text: String,
    /// None of its own is left: it goes by a number.
    pub is_drawn: bool,
}

impl Subject {
    /// [`Error::UserNotFound`] for who can be given nothing: neither live nor in the trash.
    pub fn of(db: &Db, user: &User) -> Result<Subject> {
        if !matches!(user.state, State::Live | State::Hidden) {
            return Err(Error::user_not_found(user.id.to_string()));
        }
        Ok(Subject {
            id: user.id,
            incarnation: user.incarnation,
            state: user.state,
            activity_erased_at: user.activity_erased_at,
            name: Name::of(db, user)?,
        })
    }

    /// The rows that are the person's now, as a merge may still go on; each with the instant after which they
    /// are to be seen. [`Error::UserNotFound`] if the person, or its activity, was erased since, or was moved
    /// to the trash: nothing more is to be read.
    fn branches(&self, db: &Db) -> Result<Vec<(UserId, Millis)>> {
        let is_same = |user: &User| {
            user.incarnation == self.incarnation
                && user.state == self.state
                && user.activity_erased_at == self.activity_erased_at
        };
        let user = users::by_id(db, None, self.id)?.filter(is_same);
        let user = user.ok_or_else(|| Error::user_not_found(self.id.to_string()))?;
        users::branches(db, user.id, user.activity_since())
    }
}

impl Name {
    fn of(db: &Db, user: &User) -> Result<Name> {
        if let Some(identifier) = &user.identifier {
            return Ok(Name { field: "userId", text: identifier.clone(), is_drawn: false });
        }
        let own = rows::aliases(db, user.id, "")?.into_iter().next().map(|alias| alias.anonymous_id);
        let is_drawn = own.is_none();
        let text = own.unwrap_or_else(|| format!("usher-{}", user.id));
        Ok(Name { field: "anonymousId", text, is_drawn })
    }

    /// A line of the person, of a type.
    fn line(&self, kind: &str) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("type".to_owned(), kind.into());
        line.insert(self.field.to_owned(), self.text.as_str().into());
        line
    }
}

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// To be read by the person: a ZIP with pages and tables, and the lines as well.
    Zip,
    /// To be read again: a line of JSON for each row.
    Ndjson,
}

impl Form {
    /// As the audit log says it.
    fn words(self) -> &'static str {
        match self {
            Form::Zip => "ZIP",
            Form::Ndjson => "NDJSON",
        }
    }

    /// As what a browser keeps it. No name is in it.
    pub fn disposition(self) -> &'static str {
        match self {
            Form::Zip => "attachment; filename=\"access.zip\"",
            Form::Ndjson => "attachment; filename=\"access.ndjson\"",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Form::Zip => "application/zip",
            Form::Ndjson => "application/x-ndjson",
        }
    }
}

/// Somebody whose data is about to be given out, which is written down.
#[derive(Debug, Clone)]
pub struct Person {
    pub project: Project,
    pub user: User,
}

impl Person {
    /// A live user of a project, or one in its trash. What cannot be written down is not given.
    /// [`Error::UserNotFound`].
    pub fn take(tx: &NormalTx, project: ProjectId, id: UserId, form: Form) -> Result<Person> {
        let user = find::get_hidden_too_by_id(tx, project, id, tx.now())?;
        let project = projects::get(tx, project)?;
        note_person(tx, &user, form.words())?;
        Ok(Person { project, user })
    }

    /// Writes all of it. [`Error::UserNotFound`] if the person is erased meanwhile: what was written then is
    /// not whole, and says so by having no end.
    pub fn write(self, store: &Store, now: Millis, form: Form, out: &mut dyn Write) -> Result<()> {
        let export = Export::begin(store, self.project, now)?;
        let subject = store.read(|db| Subject::of(db, &self.user))?;
        let outcome = match form {
            Form::Zip => export.pack(&self.user, &subject, out),
            Form::Ndjson => export.person(&self.user, &subject, out).map(drop),
        };
        match &outcome {
            // Who has gone away is no fault.
            Ok(()) | Err(Error::Unavailable(_)) => {}
            Err(error) => log::warn!("an export was broken off: {error}"),
        }
        outcome
    }
}

/// The person whom a caller means. Who has no name that tells them apart is found by id.
/// [`Error::UserNotFound`]; else as [`subjects::resolve`].
pub fn whom(tx: &Tx, project: ProjectId, whom: &Whom) -> Result<User> {
    match whom {
        Whom::Id(id) => find::get_hidden_too_by_id(tx, project, *id, tx.now()),
        whom => subjects::resolve(tx, project, whom)?.user.ok_or_else(|| Error::user_not_found("")),
    }
}

/// Writes down that somebody takes along what is held of a person. What cannot be written down is not given.
pub fn note_person(tx: &NormalTx, user: &User, how: &str) -> Result<()> {
    let entry = audit::Entry {
        action: "export user",
        subject: Some(person::pseudonym(tx, user)),
        project: Some(user.project),
        reason: Some(how),
        ..audit::Entry::default()
    };
    audit::append(tx, &entry)
}

/// The same for a list of people, which shows one line of each: of a project, or of all.
pub fn note_list(tx: &NormalTx, project: Option<ProjectId>, people: usize) -> Result<()> {
    let reason = format!("{people} users");
    let entry =
        audit::Entry { action: "export list", project, reason: Some(&reason), ..audit::Entry::default() };
    audit::append(tx, &entry)
}

/// The same for a whole project.
pub fn note_project(tx: &NormalTx, project: &Project) -> Result<()> {
    let entry =
        audit::Entry { action: "export project", project: Some(project.id), ..audit::Entry::default() };
    audit::append(tx, &entry)
}

/// Writes all live people of a project as NDJSON.
pub fn write_project(
    store: &Store,
    project: Project,
    now: Millis,
    out: &mut dyn Write,
) -> Result<ndjson::Counts> {
    Export::begin(store, project, now)?.everybody(out)
}

/// What is said where nobody takes the rest.
pub const GONE: Error = Error::Unavailable("nobody reads the export any more");

/// A fault of what an export is written to.
pub fn of_writing(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => GONE,
        _ => Error::of_file("the export", error),
    }
}

/// A time in a file.
fn stamp(at: Millis) -> Value {
    clock::rfc3339_millis(at).into()
}

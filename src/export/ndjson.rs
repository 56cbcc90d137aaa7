//! The file that is read again: a line of JSON for each row, after one that says what it is, before one that
//! says that it is whole.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::Map;

use super::lines::{self, Line};
use super::read::session_name;
use super::{Export, FORMAT, Subject, VERSION, of_writing, stamp};
use crate::error::{Error, Result};
use crate::model::{SessionId, User};
use crate::store::erased_identifiers::Named;
use crate::store::export::Alias;
use crate::store::sessions;
use crate::store::suppressions::Suppression;
use crate::store::users::Direction;

/// Names of sessions that are remembered, so that each event need not look for its own.
const NAMES: usize = 1_000;

/// How many lines of which kind were written; all of them stand in the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub users: u64,
    pub aliases: u64,
    pub sessions: u64,
    pub recordings: u64,
    pub events: u64,
    pub conversations: u64,
    pub messages: u64,
    pub suppressions: u64,
    /// People who were erased, or left the project's list otherwise, while they were read.
    pub erased_meanwhile: u64,
}

impl Counts {
    /// Lines of the file, with its first and its last.
    pub fn lines(&self) -> u64 {
        2 + self.all().into_iter().map(|(_, count)| count).sum::<u64>()
    }

    /// By the words of the file.
    pub fn all(&self) -> [(&'static str, u64); 8] {
        [
            ("users", self.users),
            ("aliases", self.aliases),
            ("sessions", self.sessions),
            ("recordings", self.recordings),
            ("events", self.events),
            ("conversations", self.conversations),
            ("messages", self.messages),
            ("suppressions", self.suppressions),
        ]
    }
}

/// Where the lines go.
struct Lines<'w> {
    out: &'w mut dyn Write,
    counts: Counts,
}

impl Lines<'_> {
    fn put(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(Error::internal)?;
        text.push(b'\n');
        self.out.write_all(&text).map_err(|error| of_writing(&error))
    }
}

impl Export<'_> {
    /// One person. [`Error::UserNotFound`] if it is erased meanwhile: then the last line is missing.
    pub fn person(&self, user: &User, subject: &Subject, out: &mut dyn Write) -> Result<Counts> {
        let mut lines = Lines { out, counts: Counts::default() };
        lines.put(&self.first_line("user"))?;
        self.put_person(user, subject, &mut lines)?;
        self.finish(lines)
    }

    /// All live people of the project.
    pub fn everybody(&self, out: &mut dyn Write) -> Result<Counts> {
        let mut lines = Lines { out, counts: Counts::default() };
        lines.put(&self.first_line("project"))?;
        let mut people = self.people();
        while let Some(user) = people.next()? {
            let subject = self.store.read(|db| Subject::of(db, &user))?;
            match self.put_person(&user, &subject, &mut lines) {
                Err(Error::UserNotFound { .. }) => lines.counts.erased_meanwhile += 1,
                outcome => outcome?,
            }
        }
        self.finish(lines)
    }

    fn first_line(&self, scope: &str) -> Line {
        let mut line = Map::new();
        line.insert("format".to_owned(), FORMAT.into());
        line.insert("version".to_owned(), VERSION.into());
        line.insert("madeAt".to_owned(), stamp(self.made_at));
        line.insert("project".to_owned(), self.project.key.as_str().into());
        line.insert("scope".to_owned(), scope.into());
        line
    }

    /// Who was erased before everything was read is not told of by a file that says it is whole.
    fn finish(&self, mut lines: Lines) -> Result<Counts> {
        let mut line = Map::new();
        line.insert("type".to_owned(), "end".into());
        for (name, count) in lines.counts.all() {
            line.insert(name.to_owned(), count.into());
        }
        if lines.counts.erased_meanwhile > 0 {
            line.insert("erasedMeanwhile".to_owned(), lines.counts.erased_meanwhile.into());
        }
        lines.put(&line)?;
        lines.out.flush().map_err(|error| of_writing(&error))?;
        Ok(lines.counts)
    }

    fn put_person(&self, user: &User, subject: &Subject, lines: &mut Lines) -> Result<()> {
        let name = &subject.name;
        // The row itself may be gone since it was read.
        self.store.read(|db| subject.branches(db))?;
        lines.put(&lines::user(name, user))?;
        lines.counts.users += 1;
        for suppression in self.suppressions(user, subject)? {
            lines.put(&lines::suppression(name, &suppression))?;
            lines.counts.suppressions += 1;
        }
        if name.is_drawn {
            let drawn = Alias {
                anonymous_id: name.text.clone(),
                created_at: user.created_at,
                is_trusted: true,
                is_shared: false,
            };
            lines.put(&lines::alias(name, &drawn))?;
            lines.counts.aliases += 1;
        }
        let mut aliases = self.aliases(subject);
        while let Some(alias) = aliases.next()? {
            lines.put(&lines::alias(name, &alias))?;
            lines.counts.aliases += 1;
        }
        let mut sessions = self.sessions(subject);
        while let Some((called, session)) = sessions.next()? {
            lines.put(&lines::session(name, &called, &session))?;
            lines.counts.sessions += 1;
        }
        self.put_recordings(subject, lines)?;
        self.put_events(subject, lines)?;
        self.put_conversations(subject, lines)?;
        // Rows that vanished while the last stretch was read are noticed here.
        self.store.read(|db| subject.branches(db)).map(drop)
    }

    fn put_recordings(&self, subject: &Subject, lines: &mut Lines) -> Result<()> {
        let mut sessions = self.sessions(subject);
        while let Some((called, session)) = sessions.next()? {
            let Some(content_type) = &session.recording_type else { continue };
            let mut pieces = self.pieces(subject, &session);
            while let Some(piece) = pieces.next()? {
                lines.put(&lines::recording(&subject.name, &called, content_type, &piece))?;
                lines.counts.recordings += 1;
            }
        }
        Ok(())
    }

    fn put_events(&self, subject: &Subject, lines: &mut Lines) -> Result<()> {
        let mut events = self.events(subject, Direction::Ascending);
        let mut names = SessionNames::default();
        while let Some(event) = events.next()? {
            let called = names.of(self, event.session)?;
            lines.put(&lines::event(&subject.name, called, &event))?;
            lines.counts.events += 1;
        }
        Ok(())
    }

    fn put_conversations(&self, subject: &Subject, lines: &mut Lines) -> Result<()> {
        let mut conversations = self.conversations(subject);
        while let Some(conversation) = conversations.next()? {
            lines.put(&lines::conversation(&subject.name, &conversation))?;
            lines.counts.conversations += 1;
            let mut messages = self.messages(subject, &conversation);
            while let Some(message) = messages.next()? {
                lines.put(&lines::message(&subject.name, &conversation, &message))?;
                lines.counts.messages += 1;
            }
        }
        Ok(())
    }

    /// By the person's own name; where it goes by the name of an anonymous id, by that.
    pub(super) fn suppressions(&self, user: &User, subject: &Subject) -> Result<Vec<Suppression>> {
        let named: Vec<Named> = match &user.identifier {
            Some(identifier) => vec![Named::Identifier(identifier)],
            None => vec![Named::Anonymous(&subject.name.text), Named::Claimed(&subject.name.text)],
        };
        self.store.read(|db| {
            let mut found = Vec::new();
            for named in named {
                found.extend(self.store.suppressions_of(db, self.project.id, named, self.made_at)?);
            }
            Ok(found)
        })
    }
}

/// What the sessions are called of which events were read last.
#[derive(Default)]
pub(super) struct SessionNames(BTreeMap<SessionId, Option<String>>);

impl SessionNames {
    /// None: it belongs to no session, or that is gone.
    pub fn of(&mut self, export: &Export, session: Option<SessionId>) -> Result<Option<&str>> {
        let Some(id) = session else { return Ok(None) };
        if !self.0.contains_key(&id) {
            if self.0.len() >= NAMES {
                self.0.clear();
            }
            let called = export.store.read(|db| {
                let end = export.end("sessions");
                let session = sessions::by_id(db, id)?.filter(|session| session.id.0 <= end);
                session.map(|session| session_name(db, &session)).transpose()
            })?;
            self.0.insert(id, called);
        }
        Ok(self.0.get(&id).and_then(Option::as_deref))
    }
}

//! What an export of ours has beside people and events: as it was, under the names that it had.

use super::{Conversation, Counts, Link, Piece, Said as Message, Span};
use crate::clock::{DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{Dropped, ProjectId, Received, Said, User};
use crate::people::late::{self, Speaks};
use crate::people::subject::Subject;
use crate::people::suppressions::{Policy, Source};
use crate::people::{admission, holder, merge, registration, suppressions};
use crate::store::users::Activity;
use crate::store::{Tx, aliases, interactions, messages, recordings, sessions, users as rows};

/// The person a record is about, if they are taken in; created if need be.
fn whose(tx: &Tx, project: ProjectId, subject: &Subject, at: Millis) -> Result<Received<User>> {
    let subject = match admission::receive(tx, project, subject, Said::at(at), Speaks::OfThePast)? {
        Ok(subject) => subject,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let user = registration::ensure(tx, project, &subject)?;
    Ok(if at > user.activity_since() { Ok(user) } else { Err(Dropped::Late) })
}

/// An anonymous id of a person.
pub(super) fn name(tx: &Tx, project: ProjectId, link: &Link, counts: &mut Counts) -> Result<Received<()>> {
    let Link { subject, name, at, .. } = link;
    let said = at.map_or(Said::Nothing, Said::at);
    for judged in [subject, &Subject { identifier: None, anonymous_id: Some(name.clone()) }] {
        if let Err(dropped) = late::check(tx, project, judged, said, Speaks::OfThePast)? {
            return Ok(Err(dropped));
        }
    }
    let known = holder::alias_holder(tx, project, name.as_str())?;
    if suppressions::covers_anonymous(tx, project, name.as_str())? {
        return Ok(Err(Dropped::Suppressed));
    }
    let Some(user) = holder::meant(tx, project, subject)? else {
        return Err(Error::invalid(Place::Body, "userId", "names no user of an earlier line"));
    };
    if known.as_ref().is_some_and(|known| known.id == user.id) {
        counts.duplicates += 1;
    } else {
        match &subject.identifier {
            Some(identifier) => {
                merge::unite(tx, project, name, identifier)?;
                let held = holder::alias_holder(tx, project, name.as_str())?;
                if held.is_none_or(|held| held.id != user.id) {
                    return Err(Error::invalid(Place::Body, "alias", "is another user's"));
                }
            }
            // Another name of a visitor who has none but such names.
            None if known.is_none() && holder::holder(tx, project, name.as_str())?.is_none() => {
                registration::link(tx, project, name, user.id)?;
            }
            None => return Err(Error::invalid(Place::Body, "alias", "is another user's")),
        }
        if !link.is_trusted {
            aliases::distrust(tx, project, name.as_str())?;
        }
    }
    if link.is_shared {
        aliases::note_shared(tx, project, name.as_str())?;
    }
    at.map_or(Ok(()), |at| aliases::date_back(tx, project, name.as_str(), at)).map(Ok)
}

/// A session, with its whole length.
pub(super) fn session(tx: &Tx, project: ProjectId, span: &Span, counts: &mut Counts) -> Result<Received<()>> {
    let (from, to) = (span.started_at, span.ended_at);
    if to < from {
        return Err(Error::invalid(Place::Body, "endedAt", "must not be before startedAt"));
    }
    super::times::checked(tx, Some(from))?;
    let user = match whose(tx, project, &span.subject, from)? {
        Ok(user) => user,
        Err(dropped) => return Ok(Err(dropped)),
    };
    if named(tx, &user, span.name.as_str())?.is_some() {
        counts.duplicates += 1;
        return Ok(Ok(()));
    }
    let (from, to) = (from.min(tx.now()), to.min(tx.now()));
    let id = sessions::insert(tx, &user, Some(span.name.as_str()), from, &span.device)?;
    sessions::extend(tx, id, to)?;
    let opened = Activity { sessions: 1, events: 0, first: Some(from), last: Some(from) };
    rows::add_activity(tx, user.id, opened)?;
    counts.sessions += 1;
    Ok(Ok(()))
}

fn named(tx: &Tx, user: &User, name: &str) -> Result<Option<crate::model::Session>> {
    for (member, since) in rows::branches(tx, user.id, user.activity_since())? {
        if let Some(session) = sessions::named(tx, member, name, since, user.project)? {
            return Ok(Some(session));
        }
    }
    Ok(None)
}

/// A piece of a recording, under its own number.
pub(super) fn recording(
    tx: &Tx,
    project: ProjectId,
    piece: &Piece,
    counts: &mut Counts,
) -> Result<Received<()>> {
    let user = match whose(tx, project, &piece.subject, piece.at)? {
        Ok(user) => user,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let Some(session) = named(tx, &user, piece.session.as_str())? else {
        return Err(Error::invalid(Place::Body, "sessionId", "names no session of an earlier line"));
    };
    if recordings::has(tx, session.id, piece.seq)? {
        counts.duplicates += 1;
        return Ok(Ok(()));
    }
    if session.recording_type.as_ref().is_some_and(|known| *known != piece.content_type) {
        return Err(Error::invalid(Place::Body, "contentType", "must be that of the pieces before it"));
    }
    recordings::insert(tx, (session.id, session.user), piece.seq, piece.at.min(tx.now()), &piece.data)?;
    let added = i64::try_from(piece.data.len()).map_err(Error::internal)?;
    sessions::add_recording(tx, session.id, &piece.content_type, added)?;
    counts.others += 1;
    Ok(Ok(()))
}

/// A conversation, under its own handle.
pub(super) fn conversation(
    tx: &Tx,
    project: ProjectId,
    said: &Conversation,
    counts: &mut Counts,
) -> Result<Received<()>> {
    let user = match whose(tx, project, &said.subject, said.created_at)? {
        Ok(user) => user,
        Err(dropped) => return Ok(Err(dropped)),
    };
    if let Some(known) = interactions::by_handle(tx, said.handle)? {
        return match rows::members(tx, user.id)?.contains(&known.user) {
            true => {
                counts.duplicates += 1;
                Ok(Ok(()))
            }
            false => Err(Error::invalid(Place::Body, "conversationId", "is another user's")),
        };
    }
    let mut made = interactions::insert(tx, user.id, said.handle, &said.agent, said.created_at)?;
    made.name.clone_from(&said.name);
    made.updated_at = said.updated_at;
    interactions::update(tx, &made)?;
    counts.others += 1;
    Ok(Ok(()))
}

/// A message, under its own handle.
pub(super) fn message(
    tx: &Tx,
    project: ProjectId,
    said: &Message,
    counts: &mut Counts,
) -> Result<Received<()>> {
    let user = match whose(tx, project, &said.subject, said.created_at)? {
        Ok(user) => user,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let within = interactions::by_handle(tx, said.conversation)?;
    let members = rows::members(tx, user.id)?;
    let Some(mut within) = within.filter(|known| members.contains(&known.user)) else {
        return Err(Error::invalid(
            Place::Body,
            "conversationId",
            "names no conversation of an earlier line",
        ));
    };
    if let Some((known, _)) = messages::by_handle(tx, said.handle)? {
        return match known.interaction == within.id {
            true => {
                counts.duplicates += 1;
                Ok(Ok(()))
            }
            false => Err(Error::invalid(Place::Body, "messageId", "is in another conversation")),
        };
    }
    messages::insert_as_it_was(
        tx,
        &within,
        (said.handle, said.parent, said.depth),
        &said.content,
        said.created_at.min(tx.now()),
    )?;
    within.message_count += 1;
    interactions::update(tx, &within)?;
    counts.others += 1;
    Ok(Ok(()))
}

/// Someone is kept out here, too. Who is so already stays so as they are.
pub(super) fn suppression(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    until: Option<Millis>,
    reason: Option<&str>,
    counts: &mut Counts,
) -> Result<Received<()>> {
    let Some(name) = subject.identifier.as_ref().or(subject.anonymous_id.as_ref()) else {
        return Err(registration::nobody_named());
    };
    let policy = match until {
        None => Policy::Forever,
        Some(until) if until <= tx.now() => {
            counts.skipped += 1;
            return Ok(Ok(()));
        }
        // Days are whole: nobody is let in before.
        Some(until) => {
            let days = (until - tx.now()).div_euclid(DAY) + 1;
            suppressions::days(Place::Body, "until", days)?
        }
    };
    if suppressions::is_suppressed(tx, project, name.as_str())? {
        counts.duplicates += 1;
        return Ok(Ok(()));
    }
    suppressions::add_for(tx, project, Source::Own, name, policy)?;
    suppressions::note_reason(tx, project, name, reason)?;
    counts.others += 1;
    Ok(Ok(()))
}

/// Activity up to then was erased where the person came from: what is dated before stays out here.
pub(super) fn activity_erased(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    at: Millis,
) -> Result<Received<()>> {
    let Some(user) = holder::meant(tx, project, subject)? else { return Ok(Ok(())) };
    // Never where there is activity of that time: erasing is another verb.
    let is_open = user.first_seen.is_none_or(|first| first > at);
    if is_open && user.activity_erased_at.is_none_or(|known| known < at) && at <= tx.now() {
        rows::set_activity_erased(tx, user.id, at)?;
    }
    Ok(Ok(()))
}

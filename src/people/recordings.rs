//! Recordings of sessions: opaque bytes of one type, appended piece by piece.

use crate::error::{Error, Place, Result};
use crate::model::{Dropped, ProjectId, Repair, Session, SessionId};
use crate::people::{activity, public, repairs, suppressions};
use crate::store::{Db, NormalTx, Tx, recordings, sessions};

/// Bytes in a row: a chunk of an erasure takes many of them within its time.
const PIECE: usize = 64 * 1024;

/// The session that a caller names by id or by its client's name for it.
/// [`Error::SessionNotFound`] if there is none, [`Error::Ambiguous`] if there are two.
pub fn find_session(db: &Db, project: ProjectId, name: &str) -> Result<Session> {
    if let Ok(id) = name.parse() {
        match activity::session(db, project, SessionId(id)) {
            Err(Error::SessionNotFound) => {}
            found => return found.map(|(session, _)| session),
        }
    }
    let named = sessions::by_external_id(db, project, name)?;
    one_of(db, project, &named)
}

/// Of several sessions of one name the one that has a recording: what somebody else opens under the
/// same name neither gets its pieces nor stops them.
fn one_of(db: &Db, project: ProjectId, named: &[Session]) -> Result<Session> {
    let mut begun = named.iter().filter(|session| session.recording_type.is_some());
    let chosen = match (named, begun.next(), begun.next()) {
        ([only], _, _) => only,
        (_, Some(begun), None) => begun,
        ([], _, _) => return Err(Error::SessionNotFound),
        ([first, second, ..], _, _) => {
            let message = format!("two sessions have this name; use an id: {}, {}", first.id, second.id);
            return Err(Error::Ambiguous(message));
        }
    };
    activity::session(db, project, chosen.id).map(|(session, _)| session)
}

/// The same for a piece: a public credential means none of the sessions to which it may add nothing.
fn find_recordable(tx: &Tx, project: ProjectId, name: &str) -> Result<Session> {
    if !tx.who().actor.is_public() || name.parse::<i64>().is_ok_and(|id| is_there(tx, project, id)) {
        return find_session(tx, project, name);
    }
    let mut named = Vec::new();
    for session in sessions::by_external_id(tx, project, name)? {
        if public::may_record(tx, &session)? {
            named.push(session);
        }
    }
    one_of(tx, project, &named)
}

fn is_there(db: &Db, project: ProjectId, id: i64) -> bool {
    activity::session(db, project, SessionId(id)).is_ok()
}

/// Appends to a session's recording. [`Error::TooLarge`] if it would outgrow `limit`
/// bytes, [`Error::Invalid`] if what is there is of another type. None: nothing is taken in of the
/// session's user, or a public credential may not add to this session, or there is none.
pub fn append(
    tx: &NormalTx,
    project: ProjectId,
    name: &str,
    content_type: &str,
    data: &[u8],
    limit: usize,
) -> Result<Option<Session>> {
    let session = match find_recordable(tx, project, name) {
        Ok(session) if public::may_record(tx, &session)? => session,
        // A public credential is not told whose sessions there are.
        Ok(_) | Err(Error::SessionNotFound | Error::Ambiguous(_)) if tx.who().actor.is_public() => {
            repairs::note(tx, project, Repair::dropped(Dropped::NotPublic))?;
            return Ok(None);
        }
        outcome => outcome?,
    };
    if suppressions::check_user(tx, &activity::session(tx, project, session.id)?.1)?.is_err() {
        return Ok(None);
    }
    let is_public = tx.who().actor.is_public();
    // Another client of the same credential may have opened it: what is in it is not told, either.
    let refuse = |error: Error| match is_public {
        true => repairs::note(tx, project, Repair::dropped(Dropped::NotPublic)).map(|()| None),
        false => Err(error),
    };
    if session.recording_type.as_ref().is_some_and(|known| known != content_type) {
        let message = "must be the type that the recording began with";
        return refuse(Error::invalid(Place::Header, "Content-Type", message));
    }
    let known = usize::try_from(session.recording_bytes).map_err(Error::internal)?;
    if known.saturating_add(data.len()) > limit {
        return refuse(Error::TooLarge { limit });
    }
    for piece in data.chunks(PIECE) {
        recordings::append(tx, session.id, session.user, piece)?;
    }
    let added = i64::try_from(data.len()).map_err(Error::internal)?;
    sessions::add_recording(tx, session.id, content_type, added)?;
    Ok(Some(Session {
        recording_type: Some(content_type.to_owned()),
        recording_bytes: session.recording_bytes + added,
        ..session
    }))
}

/// A recording that is read piece by piece.
pub struct Recording {
    pub content_type: String,
    /// Bytes of the whole.
    pub bytes: u64,
    session: SessionId,
    read_to: i64,
}

/// The recording of a session. [`Error::SessionNotFound`] if there is none.
pub fn open(db: &Db, project: ProjectId, name: &str) -> Result<Recording> {
    let session = find_session(db, project, name)?;
    let content_type = session.recording_type.ok_or(Error::SessionNotFound)?;
    let bytes = u64::try_from(session.recording_bytes).map_err(Error::internal)?;
    Ok(Recording { content_type, bytes, session: session.id, read_to: 0 })
}

impl Recording {
    /// The next piece. None: it has no more, or was erased.
    pub fn next(&mut self, db: &Db) -> Result<Option<Vec<u8>>> {
        let Some((seq, data)) = recordings::next(db, self.session, self.read_to)? else { return Ok(None) };
        self.read_to = seq;
        Ok(Some(data))
    }
}

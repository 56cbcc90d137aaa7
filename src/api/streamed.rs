//! A list of all users, for APIs without pages, and a recording: written while they are read.
//! However long the list is, one stretch of it is in memory at a time, and the next is read
//! once the client has taken the last.
//!
//! No read is long: erasing goes on beside the list, and a user that was erased before its
//! stretch is read is not in it. A fault in the middle ends the connection: the client sees
//! a body that is cut off, never a shorter list.

use actix_web::HttpResponse;
use actix_web::body::{MessageBody, SizedStream};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;

use super::dialect::Answer;
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::{ProjectId, User, UserId};
use crate::people::listings;
use crate::people::listings::Stretch;
use crate::people::recordings::Recording;
use crate::trace::RequestId;

/// `{"data":[…]}` with the project's live users that have an identifier, the newest first,
/// each as `show` has it; None leaves it out. The first stretch is read before anything is
/// answered, so that a fault in it is an error like any other.
pub async fn users<F>(app: &App, project: ProjectId, show: F) -> Answer
where
    F: Fn(&User) -> Option<Value> + 'static,
{
    let first = read(app, project, None).await?;
    let request = RequestId::current().unwrap_or_default();
    let list = List { app: app.clone(), project, show, request, at: Place::First(first), any: false };
    let body = stream::try_unfold(list, |mut list| async move {
        let text = list.write().await;
        if let Err(error) = &text {
            list.request.sync_scope(|| log::error!("a list of users was broken off: {error}"));
        }
        text.map(|text| text.map(|text| (text, list)))
    });
    Ok(HttpResponse::Ok().content_type("application/json").streaming(body))
}

/// A list that is being written.
struct List<F> {
    app: App,
    project: ProjectId,
    show: F,
    request: RequestId,
    at: Place,
    /// Some user was written.
    any: bool,
}

/// How far it is.
enum Place {
    First(Stretch),
    Below(UserId),
    End,
}

impl<F: Fn(&User) -> Option<Value>> List<F> {
    /// The next piece of the body. None: it is whole.
    async fn write(&mut self) -> Result<Option<Bytes>> {
        let mut text = String::new();
        let stretch = match std::mem::replace(&mut self.at, Place::End) {
            Place::First(stretch) => {
                text.push_str(r#"{"data":["#);
                stretch
            }
            Place::Below(id) => read(&self.app, self.project, Some(id)).await?,
            Place::End => return Ok(None),
        };
        for user in stretch.users.iter().filter_map(|user| (self.show)(user)) {
            if std::mem::replace(&mut self.any, true) {
                text.push(',');
            }
            text.push_str(&user.to_string());
        }
        match stretch.next {
            Some(id) => self.at = Place::Below(id),
            None => text.push_str("]}"),
        }
        Ok(Some(text.into()))
    }
}

async fn read(app: &App, project: ProjectId, below: Option<UserId>) -> Result<Stretch> {
    app.read_aside(move |db| listings::stretch(db, project, below)).await
}

/// A recording's bytes, read piece by piece as the client takes them. One that is erased
/// meanwhile breaks off.
pub fn recording(app: &App, recording: Recording) -> impl MessageBody + 'static {
    let (bytes, request) = (recording.bytes, RequestId::current().unwrap_or_default());
    let from = (app.clone(), recording, bytes);
    let pieces = stream::try_unfold(from, move |(app, mut recording, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = app.read_aside(move |db| Ok((recording.next(db)?, recording)));
        match read.await {
            Ok((Some(mut piece), recording)) => {
                // What was appended meanwhile is not of the length that was told.
                piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - u64::try_from(piece.len()).unwrap_or(left);
                Ok(Some((Bytes::from(piece), (app, recording, left))))
            }
            Ok((None, _)) => Err(Error::SessionNotFound),
            Err(error) => {
                request.sync_scope(|| log::error!("a recording was broken off: {error}"));
                Err(error)
            }
        }
    });
    SizedStream::new(bytes, Box::pin(pieces))
}

//! What users say in their conversations with agents. Nobody answers here: a reply of an
//! agent would be made elsewhere.

use crate::error::{Error, Place, Result};
use crate::model::{Handle, Interaction, Message, Received, Said, User};
use crate::people::callers::Caller;
use crate::people::{interactions, profile};
use crate::secrets;
use crate::store::{Db, NormalTx, Tx, interactions as conversations, messages};

/// The longest message, in bytes.
pub const CONTENT_MAX: usize = 32 * 1024;
const NOT_FOUND: Error = Error::NotFound("message");

/// A message that is to be added.
#[derive(Debug, Clone)]
pub struct New {
    pub interaction: Handle,
    pub parent: Option<Handle>,
    pub content: String,
}

/// An interaction's messages behind one, the newest first, and whether there are more.
/// [`Error::NotFound`] if the user has no such interaction, [`Error::Invalid`] on `after`
/// if that has no such message.
pub fn list(
    db: &Db,
    caller: &Caller,
    interaction: Handle,
    after: Option<Handle>,
    limit: u32,
) -> Result<(Vec<Message>, bool)> {
    let interaction = interactions::get(db, caller, interaction)?;
    let after = match after {
        Some(handle) => Some(within(db, &interaction, handle)?.ok_or_else(|| {
            Error::invalid(Place::Query, "after", "must be the id of a message of this interaction")
        })?),
        None => None,
    };
    let mut found = messages::page(db, interaction.id, after.map(|after| after.id), limit + 1)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    Ok((found, more))
}

/// Adds a message; a user in the trash stays there. [`Error::NotFound`] if the user has no
/// such interaction, or that no such parent. Who does not exist has no interaction, so
/// nobody is told who does.
pub fn create(tx: &NormalTx, caller: &Caller, new: &New) -> Result<Message> {
    if new.content.is_empty() {
        return Err(Error::invalid(Place::Body, "content", "must not be empty"));
    }
    if new.content.len() > CONTENT_MAX {
        return Err(Error::invalid(Place::Body, "content", "must have at most 32768 bytes"));
    }
    let handle = secrets::handle()?;
    // A caller that nobody vouches for is told the same of what is stored and of what is not.
    let told = |depth: i64| -> Result<i64> {
        Ok(if caller.is_vouched_for(tx)? { depth } else { i64::from(new.parent.is_some()) })
    };
    let (mut interaction, parent, user) = match place(tx, caller, new) {
        Ok(Ok(place)) => place,
        // A caller that nobody vouches for is not told whose interactions there are, nor who was
        // erased or is suppressed: answered as any other, and kept nowhere.
        outcome => {
            match outcome {
                Err(Error::NotFound(_) | Error::UserNotFound { .. }) if !caller.is_vouched_for(tx)? => {}
                Err(Error::UserNotFound { .. }) => return Err(Error::NotFound("interaction")),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
            let (id, content, parent) = (tx.next_id(), new.content.clone(), new.parent);
            return Ok(Message {
                id,
                handle,
                interaction: 0,
                parent,
                depth: told(depth_below(tx, new.parent)?)?,
                content,
                created_at: tx.now(),
            });
        }
    };
    let message = messages::insert(tx, &interaction, handle, parent.as_ref(), &new.content)?;
    interaction.message_count += 1;
    interaction.updated_at = message.created_at.max(interaction.updated_at);
    conversations::update(tx, &interaction)?;
    profile::record_activity(tx, &user, Said::Nothing)?;
    Ok(Message { depth: told(message.depth)?, ..message })
}

/// How deep a message below this one lies.
fn depth_below(db: &Db, parent: Option<Handle>) -> Result<i64> {
    let Some(parent) = parent else { return Ok(0) };
    Ok(messages::by_handle(db, parent)?.map_or(1, |(parent, _)| parent.depth + 1))
}

/// Where a message goes: its interaction, the message before it, and the user.
fn place(tx: &Tx, caller: &Caller, new: &New) -> Result<Received<(Interaction, Option<Message>, User)>> {
    let user = match caller.known_writer(tx)? {
        Ok(user) => user,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let interaction = interactions::find(tx, &user, new.interaction)?;
    let parent = match new.parent {
        Some(handle) => Some(within(tx, &interaction, handle)?.ok_or(NOT_FOUND)?),
        None => None,
    };
    Ok(Ok((interaction, parent, user)))
}

/// The user's message with this handle, and that of its interaction. [`Error::NotFound`] if
/// the user has none.
pub fn get(db: &Db, caller: &Caller, handle: Handle) -> Result<(Message, Handle)> {
    let user = caller.reader(db)?;
    let (message, interaction) = messages::by_handle(db, handle)?.ok_or(NOT_FOUND)?;
    match interactions::find(db, &user, interaction) {
        Ok(_) => Ok((message, interaction)),
        Err(Error::NotFound(_)) => Err(NOT_FOUND),
        Err(error) => Err(error),
    }
}

fn within(db: &Db, interaction: &Interaction, handle: Handle) -> Result<Option<Message>> {
    let found = messages::by_handle(db, handle)?.map(|(message, _)| message);
    Ok(found.filter(|message| message.interaction == interaction.id))
}

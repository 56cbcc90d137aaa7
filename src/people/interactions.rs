//! Conversations of users with AI agents: begun, listed, named, deleted. The agents are the
//! app's; here they are ids.

use crate::clock::Millis;
use crate::error::{Error, Place, Result};
use crate::model::{Handle, Identifier, Interaction, Said, User, UserId};
use crate::people::callers::Caller;
use crate::people::{find, holds, person, profile, suppressions};
use crate::secrets;
use crate::store::interactions::Page;
use crate::store::{Db, ErasingTx, NormalTx, Tx, interactions, messages, users as rows};

/// Messages taken by one statement when an interaction is deleted.
const ROWS: u32 = 250;
/// The longest name, in characters.
const NAME_MAX: usize = 1_024;
const NOT_FOUND: Error = Error::NotFound("interaction");

/// Which interactions, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    pub agent: Option<Identifier>,
    /// Those behind this one.
    pub after: Option<Handle>,
    pub limit: u32,
}

/// The user's interactions, and whether there are more. [`Error::Invalid`] on `after` if the
/// user has no such interaction. It may read all of the user's: for scans.
pub fn list(db: &Db, caller: &Caller, listing: &Listing) -> Result<(Vec<Interaction>, bool)> {
    let user = caller.reader(db)?;
    let after =
        listing.after.map(|handle| find(db, &user, handle)).transpose().map_err(|error| match error {
            Error::NotFound(_) => Error::invalid(Place::Query, "after", "must be the id of an interaction"),
            error => error,
        })?;
    let agent = listing.agent.as_ref().map(Identifier::as_str);
    let page = Page { agent, after: after.as_ref(), limit: listing.limit + 1 };
    let mut found = Vec::new();
    for (member, since) in rows::branches(db, user.id, user.activity_since())? {
        found.extend(interactions::page(db, member, since, &page)?);
    }
    // Rows that are still moving in are the user's as well.
    found.iter_mut().for_each(|interaction| interaction.user = user.id);
    found.sort_by_key(|interaction| std::cmp::Reverse((interaction.created_at, interaction.id)));
    let more = found.len() > listing.limit as usize;
    found.truncate(listing.limit as usize);
    Ok((found, more))
}

/// Begins one. The user is created if need be; one in the trash stays there. With it, whose
/// it is: None for who is not to know since when the user is known.
pub fn create(tx: &NormalTx, caller: &Caller, agent: &Identifier) -> Result<(Interaction, Option<UserId>)> {
    let handle = secrets::handle()?;
    let Ok(user) = caller.writer(tx)? else {
        // Answered as any other, and kept nowhere.
        let at = tx.now();
        let interaction = Interaction {
            id: tx.next_id(),
            handle,
            user: UserId(0),
            agent: agent.as_str().to_owned(),
            name: String::new(),
            message_count: 0,
            created_at: at,
            updated_at: at,
        };
        if !caller.is_vouched_for(tx)? {
            return Ok((interaction, None));
        }
        let known = find::get_hidden_too(tx, caller.project, caller.external_id.as_str(), at);
        return Ok((interaction, Some(known.map_or_else(|_| UserId(tx.next_id()), |user| user.id))));
    };
    profile::record_activity(tx, &user, Said::Nothing)?;
    // What is begun now is later than any erasure of what was there.
    let at = tx.now().max(user.activity_since().saturating_add(1));
    let interaction = interactions::insert(tx, user.id, handle, agent.as_str(), at)?;
    Ok((interaction, caller.is_vouched_for(tx)?.then_some(user.id)))
}

/// The user's interaction with this handle. [`Error::NotFound`] if the user has none.
pub fn get(db: &Db, caller: &Caller, handle: Handle) -> Result<Interaction> {
    find(db, &caller.reader(db)?, handle)
}

/// Gives it a name; None leaves it as it is. [`Error::Invalid`] on `name`.
pub fn rename(tx: &NormalTx, caller: &Caller, handle: Handle, name: Option<&str>) -> Result<Interaction> {
    if let Some(name) = name
        && (name.chars().count() > NAME_MAX || name.chars().any(char::is_control))
    {
        let message = "must have at most 1024 characters and no control characters";
        return Err(Error::invalid(Place::Body, "name", message));
    }
    let user = caller.reader(tx)?;
    let mut interaction = find(tx, &user, handle)?;
    if suppressions::check_user(tx, &user)?.is_err() {
        return Err(Error::Suppressed);
    }
    if let Some(name) = name
        && name != interaction.name
    {
        name.clone_into(&mut interaction.name);
        interaction.updated_at = tx.now().max(interaction.updated_at);
        interactions::update(tx, &interaction)?;
    }
    Ok(interaction)
}

/// Deletes it and all its messages: gone for everybody at once, and rows that do not go at
/// once go behind the requests.
pub fn delete(tx: &ErasingTx, caller: &Caller, handle: Handle) -> Result<Interaction> {
    let user = caller.reader(tx)?;
    let interaction = find(tx, &user, handle)?;
    holds::check(tx, &user)?;
    interactions::mark_deleted(tx, interaction.id)?;
    person::append_to_audit_log(tx, &user, "delete interaction")?;
    take(tx, interaction.id)?;
    tx.wake_worker();
    Ok(interaction)
}

/// Takes some rows of deleted interactions. False: there are none.
pub fn chunk(tx: &Tx) -> Result<bool> {
    let Some(id) = interactions::deleted(tx)? else { return Ok(false) };
    take(tx, id)?;
    Ok(true)
}

fn take(tx: &Tx, id: i64) -> Result<()> {
    if messages::take(tx, id, ROWS)? < ROWS as usize {
        interactions::delete(tx, id)?;
    }
    Ok(())
}

/// The user's interaction that was begun since its activity was erased last.
pub fn find(db: &Db, user: &User, handle: Handle) -> Result<Interaction> {
    let mut found = interactions::by_handle(db, handle)?.ok_or(NOT_FOUND)?;
    let branches = rows::branches(db, user.id, user.activity_since())?;
    let is_theirs = |(member, since): &(UserId, Millis)| *member == found.user && found.created_at > *since;
    if !branches.iter().any(is_theirs) {
        return Err(NOT_FOUND);
    }
    found.user = user.id;
    Ok(found)
}

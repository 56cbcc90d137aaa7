//! What users and AI agents say to each other.

use super::UserId;
use crate::clock::Millis;

/// The name of an interaction or a message for callers: random, so that nobody can guess it.
pub type Handle = [u8; 16];

/// A conversation of a user with an agent.
#[derive(Debug, Clone)]
pub struct Interaction {
    /// In the order in which they were begun.
    pub id: i64,
    pub handle: Handle,
    pub user: UserId,
    /// The app's own id of the agent.
    pub agent: String,
    /// Empty: it was given none.
    pub name: String,
    pub message_count: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// What a user said in an interaction.
#[derive(Debug, Clone)]
pub struct Message {
    /// In the order in which they were said.
    pub id: i64,
    pub handle: Handle,
    /// [`Interaction::id`].
    pub interaction: i64,
    /// The message before it. None: it begins the conversation.
    pub parent: Option<Handle>,
    /// How many messages lie between it and the beginning.
    pub depth: i64,
    pub content: String,
    pub created_at: Millis,
}

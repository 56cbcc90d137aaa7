//! A user as a line of a list, and what the pages call a user.

use std::collections::HashMap;

use super::project_names::name;
use super::show::{Count, Time, plain};
use crate::clock::Millis;
use crate::model::{ProjectId, State, User, UserId};

pub struct Row {
    pub id: UserId,
    pub identifier: Option<String>,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub project: String,
    pub sessions: Count,
    pub events: Count,
    pub last_seen: Option<Time>,
    pub state: &'static str,
    pub state_label: &'static str,
}

pub fn row(user: &User, names: &HashMap<ProjectId, String>, now: Millis) -> Row {
    Row {
        id: user.id,
        identifier: user.identifier.as_deref().map(plain),
        display_name: user.name().as_deref().map(plain),
        email: user.profile.email.as_deref().map(plain),
        project: name(names, user.project),
        sessions: Count(user.session_count),
        events: Count(user.event_count),
        last_seen: user.last_seen.map(|at| Time::new(at, now)),
        state: user.state.as_str(),
        state_label: state_label(user.state),
    }
}

/// A state as the pages say it.
pub fn state_label(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Hidden => "in trash",
        State::Waiting => "waiting for erasure",
        State::Detached => "account deleted, activity kept",
        State::Erasing => "being erased",
        State::Merged => "merged",
    }
}

/// What the pages call a user: its name, its identifier, or its number.
pub fn heading(user: &User) -> String {
    let known = user.name().or_else(|| user.identifier.clone());
    known.map_or_else(|| format!("{} {}", nameless(user.state), user.id), |text| plain(&text))
}

/// What a user without an identifier is: one who never had any, or who had.
pub fn nameless(state: State) -> &'static str {
    match state {
        State::Live | State::Hidden => "anonymous",
        State::Waiting | State::Detached | State::Erasing | State::Merged => "user",
    }
}

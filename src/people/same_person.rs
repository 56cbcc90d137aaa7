//! Who may be the same person: users with the same e-mail, in this project and in others.

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::find::{Field, Find};
use crate::model::{ProjectId, User};
use crate::people::search::{self, Among, Asked, Depth, Filter, How, Named};
use crate::store::Db;

/// So many are found.
const MOST: usize = 20;
/// Projects that are looked into: some probes each.
const PROJECTS_MAX: usize = 100;

/// Users of these projects who have one of the user's e-mails, whether as their e-mail, a second
/// one or the identifier. They are compared as a search does: in any case, and without spaces and accents
/// where the names are in memory. A suggestion alone: nothing acts on it.
///
/// Restricted users are found for those who may erase them.
pub fn find(
    db: &Db,
    names: &Find,
    user: &User,
    projects: &[ProjectId],
    finds_restricted: bool,
    now: Millis,
) -> Result<Vec<User>> {
    let profile = &user.profile;
    let identifier = user.identifier.as_ref().filter(|identifier| identifier.contains('@'));
    let mut texts: Vec<&str> = [profile.email.as_ref(), profile.claimed_email.as_ref(), identifier]
        .into_iter()
        .flatten()
        .map(|text| text.trim())
        .collect();
    // Each costs a look at all names in memory: one that differs in case alone finds the same.
    texts.sort_unstable_by_key(|text| text.to_lowercase());
    texts.dedup_by_key(|text| text.to_lowercase());
    let mut found: Vec<User> = Vec::new();
    for text in texts.into_iter().filter(|text| search::check(text).is_ok()) {
        let asked = Asked {
            projects: projects.iter().copied().take(PROJECTS_MAX).collect(),
            text: text.to_owned(),
            ids: Vec::new(),
            filter: Filter { state: Among::Both, ..Filter::default() },
            after: None,
            limit: MOST,
            depth: Depth::Parts,
            finds_restricted,
        };
        let matches = match search::search(db, names, &asked, now) {
            Err(Error::Unavailable(_)) => continue,
            matches => matches?.users,
        };
        for one in matches {
            let is_known = one.user.id == user.id || found.iter().any(|other| other.id == one.user.id);
            if !is_known && one.by.iter().any(|(named, how)| *how == How::Whole && is_address(*named)) {
                found.push(one.user);
            }
        }
    }
    found.truncate(MOST);
    Ok(found)
}

fn is_address(named: Named) -> bool {
    matches!(named, Named::Field(Field::Email | Field::ClaimedEmail | Field::Identifier))
}

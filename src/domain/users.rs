//! A user's life up to its deletion: registered, found, changed, hidden, revived.
//!
//! A user hidden for 7 days or more is gone for every verb here, whether or not the
//! reaper has come by; a verb that needs its names takes them from it. Only the reaper erases it.

use crate::clock::Millis;
use crate::domain::late::Speaks;
use crate::domain::{
    binding, erase, late, merge, placeholders, public, references, repairs, suppressions, waiting,
};
use crate::error::{Error, Place, Result};
use crate::ledger::{Act, Pseudonym};
use crate::model::{
    Identifier, Origin, Profile, ProfileChange, ProjectId, REVIVABLE, Received, Repair, Said, State, User,
    UserId,
};
use crate::proof::receipt::{self, Token};
pub use crate::store::holdings::Held;
pub use crate::store::pages::{Key, Paging, Position, Trial};
use crate::store::tombstones::{self, Named};
use crate::store::users::Activity;
pub use crate::store::users::{Direction, Field, Filter, Listing};
use crate::store::{Db, Tx, aliases, audit, holdings, jobs, pages, projects, sessions, users};

/// What a registration found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nobody,
    Hidden,
    Live,
}

/// The live user with this identifier. [`Error::UserNotFound`] if there is none.
pub fn get(db: &Db, project: ProjectId, identifier: &str) -> Result<User> {
    users::by_identifier(db, project, identifier)?
        .filter(|user| user.state == State::Live)
        .ok_or_else(|| Error::user_not_found(identifier))
}

/// The live user with this id. [`Error::UserNotFound`] if there is none.
pub fn get_by_id(db: &Db, project: ProjectId, id: UserId) -> Result<User> {
    users::by_id(db, Some(project), id)?
        .filter(|user| user.state == State::Live)
        .ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// The live or revivable user with this identifier.
pub fn get_hidden_too(db: &Db, project: ProjectId, identifier: &str, now: Millis) -> Result<User> {
    users::by_identifier(db, project, identifier)?
        .filter(|user| !user.is_expired(now))
        .ok_or_else(|| Error::user_not_found(identifier))
}

/// The live or revivable user with this id.
pub fn get_hidden_too_by_id(db: &Db, project: ProjectId, id: UserId, now: Millis) -> Result<User> {
    users::by_id(db, Some(project), id)?
        .filter(|user| user.state == State::Live || user.is_revivable(now))
        .ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// The live user with this id, or what is left of one whose account is gone and whose
/// activity stays. [`Error::UserNotFound`] if there is neither.
pub fn get_detached_too_by_id(db: &Db, project: ProjectId, id: UserId) -> Result<User> {
    users::by_id(db, Some(project), id)?
        .filter(|user| matches!(user.state, State::Live | State::Detached))
        .ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// The live users of a listing. It may read the whole project: for scans.
pub fn list(db: &Db, listing: &Listing) -> Result<Vec<User>> {
    users::list(db, listing)
}

/// The live users of a listing, and how many it has on all its pages. It reads the whole
/// project: for scans.
pub fn list_counted(db: &Db, listing: &Listing) -> Result<(Vec<User>, i64)> {
    Ok((users::list(db, listing)?, users::count(db, listing)?))
}

/// A stretch of the list of all users of a project.
pub struct Stretch {
    pub users: Vec<User>,
    /// The next stretch lies below this id. None: this is the last one.
    pub next: Option<UserId>,
}

/// So many users are read for a stretch.
const STRETCH: u32 = 250;

/// The live users with an identifier among the next few below an id, the newest first. A new
/// user has a higher id than every other, so a list that was begun never meets it.
pub fn stretch(db: &Db, project: ProjectId, below: Option<UserId>) -> Result<Stretch> {
    let mut found = users::newest(db, project, below.unwrap_or(UserId(i64::MAX)), STRETCH)?;
    let next = found.last().map(|user| user.id).filter(|_| found.len() == STRETCH as usize);
    found.retain(|user| user.identifier.is_some());
    Ok(Stretch { users: found, next })
}

/// Up to `limit` live users behind a position. It may read the whole project: for scans.
pub fn page(
    db: &Db,
    paging: &Paging,
    after: Option<&Position>,
    limit: u32,
    trial: Trial,
) -> Result<Vec<User>> {
    pages::page(db, paging, after, limit, trial)
}

/// How many live users there are on all pages. It reads the whole project: for scans.
pub fn count(db: &Db, paging: &Paging, trial: Trial) -> Result<i64> {
    pages::count(db, paging, trial)
}

/// Creates the user, or restores it, or updates it: whatever it takes. Dropped if it is suppressed.
pub fn put(
    tx: &Tx,
    project: ProjectId,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<Received<(User, Found)>> {
    change.check()?;
    if let Err(dropped) = admit(tx, project, &Subject::named(identifier))? {
        return Ok(Err(dropped));
    }
    let known = holder(tx, project, identifier.as_str())?;
    if let Err(dropped) = public::may_describe(tx, project, known.as_ref())? {
        return Ok(Err(dropped));
    }
    match known {
        Some(user) => {
            let found = if user.state == State::Hidden { Found::Hidden } else { Found::Live };
            Ok(Ok((apply(tx, user, change)?, found)))
        }
        None => Ok(Ok((register(tx, project, identifier, change)?, Found::Nobody))),
    }
}

/// Creates the user, or restores it. Dropped if it is suppressed. [`Error::IdentifierTaken`] if it
/// is live.
pub fn create(
    tx: &Tx,
    project: ProjectId,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<Received<User>> {
    change.check()?;
    if let Err(dropped) = admit(tx, project, &Subject::named(identifier))? {
        return Ok(Err(dropped));
    }
    match holder(tx, project, identifier.as_str())? {
        Some(user) if user.state == State::Live => Err(Error::IdentifierTaken),
        Some(user) => apply(tx, user, change).map(Ok),
        None => register(tx, project, identifier, change).map(Ok),
    }
}

/// What [`create`] would have made of a user who is kept out: for an answer that must not tell that
/// nothing was. [`Error::IdentifierTaken`] as there.
pub fn as_if_created(
    tx: &Tx,
    project: ProjectId,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<User> {
    match holder(tx, project, identifier.as_str())? {
        Some(user) if user.state == State::Live => Err(Error::IdentifierTaken),
        Some(user) => as_if_edited(tx, user, change),
        None => Ok(User {
            id: UserId(tx.next_id()),
            project,
            incarnation: [0; 16],
            state: State::Live,
            identifier: Some(identifier.as_str().to_owned()),
            profile: change.apply(&Profile { live_mode: true, ..Profile::default() })?,
            created_at: tx.now(),
            updated_at: tx.now(),
            first_seen: None,
            last_seen: None,
            session_count: 0,
            event_count: 0,
            deleted_at: None,
            freed_identifier: None,
            hidden_as: None,
            activity_erased_at: None,
        }),
    }
}

/// The same of what [`rename`] would have made. [`Error::IdentifierTaken`] as there.
pub fn as_if_renamed(tx: &Tx, mut user: User, identifier: &Identifier) -> Result<User> {
    let holder = holder(tx, user.project, identifier.as_str())?;
    if holder.is_some_and(|holder| holder.id != user.id) {
        return Err(Error::IdentifierTaken);
    }
    user.identifier = Some(identifier.as_str().to_owned());
    Ok(user)
}

/// The same of what [`edit`] would have made.
pub fn as_if_edited(tx: &Tx, mut user: User, change: &ProfileChange) -> Result<User> {
    let profile = public::applied(tx, &user, change)?;
    if profile != user.profile || user.state == State::Hidden {
        user.updated_at = tx.now();
    }
    user.profile = profile;
    user.state = State::Live;
    Ok(user)
}

/// Updates the user, restoring it. Dropped if it is suppressed. [`Error::UserNotFound`] if there is
/// none to restore.
pub fn update(
    tx: &Tx,
    project: ProjectId,
    identifier: &str,
    change: &ProfileChange,
) -> Result<Received<User>> {
    change.check()?;
    edit(tx, get_hidden_too(tx, project, identifier, tx.now())?, change)
}

/// Writes what an API says of a user that it has found, and restores it. Dropped if the user is
/// suppressed.
pub fn edit(tx: &Tx, user: User, change: &ProfileChange) -> Result<Received<User>> {
    if let Err(dropped) = suppressions::check_user(tx, &user)? {
        return Ok(Err(dropped));
    }
    apply(tx, user, change).map(Ok)
}

/// The same, but a hidden user stays hidden.
pub fn amend(tx: &Tx, user: User, change: &ProfileChange) -> Result<Received<User>> {
    if let Err(dropped) = suppressions::check_user(tx, &user)? {
        return Ok(Err(dropped));
    }
    write(tx, user, change).map(Ok)
}

/// Writes a change to a live or revivable user, who is live from then on. A public credential
/// restores nobody: with one, a user in the trash stays there.
pub fn apply(tx: &Tx, user: User, change: &ProfileChange) -> Result<User> {
    let mut user = write(tx, user, change)?;
    if user.state == State::Hidden && tx.who().actor.is_public() {
        repairs::note(tx, user.project, Repair::of("", "user stays in the trash"))?;
    } else if user.state == State::Hidden {
        users::set_state(tx, user.id, State::Live, None)?;
        enter(tx, &user, |person| Act::Revived { person })?;
        note(tx, &user, "revive")?;
        user.state = State::Live;
        user.deleted_at = None;
        user.updated_at = tx.now();
    }
    Ok(user)
}

/// Writes a change to a live or revivable user; a hidden one stays hidden. The caller has asked whether
/// anything is taken in of the user.
pub(super) fn write(tx: &Tx, mut user: User, change: &ProfileChange) -> Result<User> {
    let profile = public::applied(tx, &user, change)?;
    if profile != user.profile {
        user.profile = profile;
        user.updated_at = tx.now();
        users::update(tx, &user)?;
    }
    Ok(user)
}

/// Gives a live user another identifier. What was sent under the old one and comes in
/// late is dropped, as after an erasure: it must not make a second user of this one.
/// Dropped if the user is suppressed, or would be under the new one: else a suppression would end
/// with a name. [`Error::IdentifierTaken`] if another live or hidden user has it.
pub fn rename(tx: &Tx, mut user: User, identifier: &Identifier) -> Result<Received<User>> {
    if user.identifier.as_deref() == Some(identifier.as_str()) {
        return Ok(Ok(user));
    }
    for subject in [Subject::of(&user), Subject::named(identifier)] {
        if let Err(dropped) = suppressions::check(tx, user.project, &subject)? {
            return Ok(Err(dropped));
        }
    }
    if holder(tx, user.project, identifier.as_str())?.is_some() {
        return Err(Error::IdentifierTaken);
    }
    if let Some(old) = user.identifier.replace(identifier.as_str().to_owned()) {
        tombstones::bury(tx, user.project, Named::Identifier(&old))?;
        // A job that waits was meant for this person; ones that ended are scrubbed by name.
        for job in jobs::waiting_for(tx, user.project, &old)? {
            let name = tx.names().name(user.project, identifier.as_str());
            let request = Pseudonym(job.receipt);
            tx.enter(Act::Scheduled { request, project: user.project, name, due: job.start_at });
            binding::enter_again(tx, &job)?;
        }
        jobs::rename(tx, user.project, &old, identifier.as_str())?;
    }
    references::recall(tx, user.project, identifier.as_str())?;
    user.updated_at = tx.now();
    users::update(tx, &user)?;
    // Whoever came under the new name already is the same person from now on.
    visitor_named(tx, user.project, identifier.as_str())?;
    merge::with_namesake(tx, &user).map(Ok)
}

/// Hides a live user for 7 days. The caller has found it live. The token is of the receipt that
/// there will be after these.
pub fn hide(tx: &Tx, user: &User) -> Result<Token> {
    let user = &merge::with_namesake(tx, user)?;
    users::set_state(tx, user.id, State::Hidden, Some(tx.now()))?;
    enter(tx, user, |person| Act::Hidden { person })?;
    let entry = audit::Entry {
        action: "hide",
        subject: Some(pseudonym(tx, user)),
        project: Some(user.project),
        reason: Some(receipt::right(Origin::Request, tx.who().ground)),
        ..audit::Entry::default()
    };
    audit::note(tx, &entry)?;
    // The reaper has one more to wait for.
    tx.wake_worker();
    Ok(erase::token_of_hidden(tx, user))
}

/// Brings a hidden user back as it was. [`Error::UserNotFound`] if it is not hidden, or
/// has been for 7 days.
pub fn restore(tx: &Tx, id: UserId) -> Result<User> {
    let user = users::by_id(tx, None, id)?.filter(|user| user.is_revivable(tx.now()));
    let user = user.ok_or_else(|| Error::user_not_found(id.to_string()))?;
    apply(tx, user, &ProfileChange::default())
}

/// Writes an act on a user down in the ledger: for each registration that makes it up.
pub fn enter(tx: &Tx, user: &User, act: impl Fn(Pseudonym) -> Act) -> Result<()> {
    for incarnation in users::incarnations(tx, user)? {
        tx.enter(act(tx.names().person(&incarnation)));
    }
    Ok(())
}

/// Writes an act on a user down in the audit log.
pub fn note(tx: &Tx, user: &User, action: &str) -> Result<()> {
    let subject = Some(pseudonym(tx, user));
    audit::note(tx, &audit::Entry { action, subject, project: Some(user.project), ..audit::Entry::default() })
}

/// Names a registration in the audit log.
pub fn pseudonym(tx: &Tx, user: &User) -> [u8; 16] {
    tx.keyed("audit subject", &[&user.incarnation])[..16].try_into().unwrap_or_default()
}

/// Whom a message is about: a named user, an anonymous one, or both ids of one.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    pub identifier: Option<Identifier>,
    pub anonymous_id: Option<Identifier>,
}

impl Subject {
    /// Who is known by identifier.
    pub fn named(identifier: &Identifier) -> Subject {
        Subject { identifier: Some(identifier.clone()), anonymous_id: None }
    }

    /// A user that was found, by its identifier.
    pub(super) fn of(user: &User) -> Subject {
        let identifier = user.identifier.as_deref();
        let identifier = identifier.and_then(|name| Identifier::parse(Place::Body, "userId", name).ok());
        Subject { identifier, anonymous_id: None }
    }

    /// Who is known by an anonymous id alone.
    pub(super) fn anonymous(anonymous_id: Identifier) -> Subject {
        Subject { identifier: None, anonymous_id: Some(anonymous_id) }
    }

    /// As what the name may have been kept by which it is judged.
    pub(super) fn judged_as(&self) -> Vec<Named<'_>> {
        match (&self.identifier, &self.anonymous_id) {
            (Some(name), _) => Named::as_identifier(name.as_str()).into(),
            (None, Some(name)) => Named::as_anonymous(name.as_str()).into(),
            (None, None) => Vec::new(),
        }
    }

    /// Under the identifier of a person, where an anonymous id by itself is one.
    fn by_identifier(mut self, tx: &Tx, project: ProjectId) -> Result<Subject> {
        if let (None, Some(name)) = (&self.identifier, &self.anonymous_id)
            && holder(tx, project, name.as_str())?.is_some()
        {
            self.identifier = self.anonymous_id.take();
        }
        Ok(self)
    }

    /// The name by which it is told whether a message comes too late.
    pub fn judged_by(&self) -> Option<&str> {
        self.identifier.as_ref().or(self.anonymous_id.as_ref()).map(Identifier::as_str)
    }

    /// The same without a name that stands for nobody, if another is left.
    fn without_placeholders(&self, tx: &Tx, project: ProjectId) -> Result<Subject> {
        let (Some(identifier), Some(anonymous_id)) = (&self.identifier, &self.anonymous_id) else {
            return Ok(self.clone());
        };
        let mut subject = self.clone();
        if placeholders::is_one(tx, project, identifier)? {
            repairs::note(tx, project, Repair::of("userId", "placeholder id"))?;
            subject.identifier = None;
        } else if placeholders::is_one(tx, project, anonymous_id)? {
            repairs::note(tx, project, Repair::of("anonymousId", "placeholder id"))?;
            subject.anonymous_id = None;
        }
        Ok(subject)
    }
}

/// Whether a message is taken in, and whom it is about. In the order in which it may be dropped:
/// too late, suppressed.
pub fn receive(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    said: Said,
    speaks: Speaks,
) -> Result<Received<Subject>> {
    if subject.judged_by().is_none() {
        return Err(nobody_named());
    }
    let subject = subject.without_placeholders(tx, project)?.by_identifier(tx, project)?;
    if said.believed(tx.now()) != said {
        repairs::note(tx, project, Repair::of("", "time in the future"))?;
    }
    if let Err(dropped) = late::check(tx, project, &subject, said, speaks)? {
        return Ok(Err(dropped));
    }
    Ok(admit(tx, project, &subject)?.map(|()| subject))
}

/// Whether anything is taken in of whom a subject names: they are not kept out, and the credential may
/// register them if nobody has the name.
fn admit(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Received<()>> {
    match suppressions::check(tx, project, subject)? {
        Ok(()) => public::may_register(tx, project, subject),
        dropped => Ok(dropped),
    }
}

/// The live or hidden user whom a message is about, by whichever name, if there is one.
pub fn meant(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Option<User>> {
    match (&subject.identifier, &subject.anonymous_id) {
        (Some(identifier), _) => holder(tx, project, identifier.as_str()),
        (None, Some(anonymous_id)) => match holder(tx, project, anonymous_id.as_str())? {
            Some(user) => Ok(Some(user)),
            None => alias_holder(tx, project, anonymous_id.as_str()),
        },
        (None, None) => Ok(None),
    }
}

/// Takes in what a client says about a user: creates, restores, updates, and, when both ids are
/// given, makes the anonymous user part of the named one, unless it is somebody else's.
pub fn identify(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    change: &ProfileChange,
    said: impl Into<Said>,
) -> Result<Received<User>> {
    let said = said.into();
    change.check()?;
    let subject = match receive(tx, project, subject, said, Speaks::ForThePerson)? {
        Ok(subject) => subject,
        Err(dropped) => return Ok(Err(dropped)),
    };
    if let Err(dropped) = public::may_describe(tx, project, meant(tx, project, &subject)?.as_ref())? {
        return Ok(Err(dropped));
    }
    let user = match (&subject.identifier, &subject.anonymous_id) {
        (Some(identifier), Some(anonymous_id)) => merge::unite(tx, project, anonymous_id, identifier)?,
        _ => ensure(tx, project, &subject)?,
    };
    let user = apply(tx, user, change)?;
    touch(tx, &user, said)?;
    Ok(Ok(user))
}

/// Takes in what a client says of a user without saying who it is: creates and updates, but
/// restores and merges nobody.
pub fn describe(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    change: &ProfileChange,
    said: impl Into<Said>,
) -> Result<Received<User>> {
    let said = said.into();
    change.check()?;
    let subject = match receive(tx, project, subject, said, Speaks::OfActivity)? {
        Ok(subject) => subject,
        Err(dropped) => return Ok(Err(dropped)),
    };
    // Asked before anybody is created for it.
    if let Err(dropped) = public::may_describe(tx, project, meant(tx, project, &subject)?.as_ref())? {
        return Ok(Err(dropped));
    }
    let user = ensure(tx, project, &subject)?;
    let user = write(tx, user, change)?;
    touch(tx, &user, said)?;
    Ok(Ok(user))
}

/// The live or hidden user a message is about, created if need be; hidden ones stay
/// hidden.
pub fn ensure(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<User> {
    match (&subject.identifier, &subject.anonymous_id) {
        (Some(identifier), _) => match holder(tx, project, identifier.as_str())? {
            Some(user) => Ok(user),
            None => insert(tx, project, Some(identifier), &ProfileChange::default()),
        },
        (None, Some(anonymous_id)) => match meant(tx, project, subject)? {
            Some(user) => Ok(user),
            None => {
                let user = insert(tx, project, None, &ProfileChange::default())?;
                references::recall(tx, project, anonymous_id.as_str())?;
                aliases::link(tx, project, anonymous_id.as_str(), user.id)?;
                Ok(user)
            }
        },
        (None, None) => Err(nobody_named()),
    }
}

/// Notes that the user did something, at a time or now. What it did before its activity
/// was erased is not noted.
pub fn touch(tx: &Tx, user: &User, said: Said) -> Result<()> {
    let at = said.time().unwrap_or(tx.now()).min(tx.now());
    if at <= user.activity_since() {
        return Ok(());
    }
    if user.last_seen.is_none_or(|last| last < at) || user.first_seen.is_none_or(|first| at < first) {
        let activity = Activity { first: Some(at), last: Some(at), ..Activity::default() };
        users::add_activity(tx, user.id, activity)?;
    }
    Ok(())
}

/// The live or revivable user with this identifier. From one that is hidden for too long the names
/// are taken, so that they are free.
pub fn holder(tx: &Tx, project: ProjectId, identifier: &str) -> Result<Option<User>> {
    let user = users::by_identifier(tx, project, identifier)?;
    unless_expired(tx, user)
}

/// The same by anonymous id.
pub fn alias_holder(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<Option<User>> {
    let Some(id) = aliases::user(tx, project, anonymous_id)? else { return Ok(None) };
    let user = users::by_id(tx, Some(project), id)?;
    unless_expired(tx, user)
}

fn unless_expired(tx: &Tx, user: Option<User>) -> Result<Option<User>> {
    match user {
        Some(user) if user.is_expired(tx.now()) => {
            waiting::free(tx, &user)?;
            Ok(None)
        }
        other => Ok(other),
    }
}

/// A new live user, or the visitor of this very name, who is live from then on. The caller has found
/// nobody with the identifier.
fn register(tx: &Tx, project: ProjectId, identifier: &Identifier, change: &ProfileChange) -> Result<User> {
    let user = insert(tx, project, Some(identifier), change)?;
    apply(tx, user, &ProfileChange::default())
}

/// The visitor whose anonymous id becomes an identifier has it from now on, and stays in the trash if it
/// is there. An identified person keeps such an anonymous id only on the word of a key that is not
/// public. The caller has found nobody with the identifier.
pub(super) fn take_name(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<Option<User>> {
    let name = identifier.as_str();
    let Some(mut visitor) = visitor_named(tx, project, name)? else { return Ok(None) };
    visitor.identifier = Some(name.to_owned());
    visitor.updated_at = tx.now();
    users::update(tx, &visitor)?;
    references::recall(tx, project, name)?;
    Ok(Some(visitor))
}

/// The visitor of a name that becomes an identifier; an identified person loses it where a public
/// credential alone said that it is theirs.
fn visitor_named(tx: &Tx, project: ProjectId, name: &str) -> Result<Option<User>> {
    let Some(holder) = alias_holder(tx, project, name)? else { return Ok(None) };
    if holder.identifier.is_none() {
        return Ok(Some(holder));
    }
    if aliases::trusted_user(tx, project, name)? != Some(holder.id) {
        aliases::release(tx, project, name)?;
    }
    Ok(None)
}

/// A new live user, or the visitor of this very name. The caller has found nobody with the identifier.
pub fn insert(
    tx: &Tx,
    project: ProjectId,
    identifier: Option<&Identifier>,
    change: &ProfileChange,
) -> Result<User> {
    let profile = change.apply(&Profile { live_mode: true, ..Profile::default() })?;
    if let Some(identifier) = identifier
        && let Some(visitor) = take_name(tx, project, identifier)?
    {
        return write(tx, visitor, change);
    }
    if let Some(identifier) = identifier {
        references::recall(tx, project, identifier.as_str())?;
    }
    tx.note_registration()?;
    users::insert(tx, project, identifier.map(Identifier::as_str), &profile)
}

/// The error for a message that names no user.
pub fn nobody_named() -> Error {
    Error::invalid(Place::Body, "userId", "userId or anonymousId is required")
}

/// Sessions of a user: how many, the first start and the last.
#[derive(Debug, Clone, Copy)]
pub struct Stats {
    pub sessions: i64,
    /// Without sessions: the first and last time it was seen, or was registered.
    pub first: Millis,
    pub last: Millis,
}

pub fn stats(db: &Db, user: &User) -> Result<Stats> {
    let mut span = None;
    for (member, since) in users::branches(db, user.id, user.activity_since())? {
        if let Some((first, last)) = sessions::span(db, member, since)? {
            let (earlier, later) = span.unwrap_or((first, last));
            span = Some((first.min(earlier), last.max(later)));
        }
    }
    let (first, last) = span.unwrap_or_else(|| {
        let first = user.first_seen.unwrap_or(user.created_at);
        (first, user.last_seen.unwrap_or(first))
    });
    Ok(Stats { sessions: user.session_count, first, last })
}

/// So many users of a project with one e-mail are found.
const FOUND_MAX: u32 = 100;

/// How the admin pages find somebody: by identifier, id (in any API's form), anonymous
/// id, or e-mail; each is one probe. Live and revivable users of every project.
pub fn find(db: &Db, projects: &[ProjectId], text: &str, ids: &[UserId], now: Millis) -> Result<Vec<User>> {
    let mut found = Vec::new();
    for project in projects {
        found.extend(users::by_identifier(db, *project, text)?);
        if let Some(id) = aliases::user(db, *project, text)? {
            found.extend(users::by_id(db, Some(*project), id)?);
        }
        for id in ids {
            found.extend(users::by_id(db, Some(*project), *id)?);
        }
        found.extend(users::by_email(db, *project, text, FOUND_MAX)?);
        found.extend(users::by_claimed_email(db, *project, text, FOUND_MAX)?);
    }
    found.retain(|user| user.state == State::Live || user.is_revivable(now));
    let mut seen = std::collections::HashSet::new();
    found.retain(|user| seen.insert(user.id));
    Ok(found)
}

/// Whom an erasure means by a name: the live or revivable user with this identifier, else the one
/// of whom this anonymous id is a part. An identified user is meant by an anonymous id only if a
/// key that is not public said that it is theirs: anybody can plant an id on somebody else with a
/// public one, and have their own erased.
pub fn named(tx: &Tx, project: ProjectId, name: &str) -> Result<Option<User>> {
    if let Some(user) = holder(tx, project, name)? {
        return Ok(Some(user));
    }
    let Some(user) = alias_holder(tx, project, name)? else { return Ok(None) };
    let meant = user.identifier.is_none() || aliases::trusted_user(tx, project, name)? == Some(user.id);
    Ok(meant.then_some(user))
}

/// Live and revivable users, of one project or of all, below an id; the newest first. It
/// looks at everybody who is hidden: for scans.
pub fn newest(
    db: &Db,
    project: Option<ProjectId>,
    below: Option<UserId>,
    limit: u32,
    now: Millis,
) -> Result<Vec<User>> {
    let below = below.unwrap_or(UserId(i64::MAX));
    let projects = match project {
        Some(project) => vec![project],
        None => projects::list(db)?.into_iter().map(|project| project.id).collect(),
    };
    let mut found = users::newest_hidden(db, project, now - REVIVABLE, below, limit)?;
    for project in projects {
        found.extend(users::newest(db, project, below, limit)?);
    }
    found.sort_by_key(|user| std::cmp::Reverse(user.id));
    found.truncate(limit as usize);
    Ok(found)
}

/// Revivable users of all projects, the next to be reaped first; `after` is the last one
/// seen, and since when it is hidden.
pub fn trash(db: &Db, after: Option<(Millis, UserId)>, limit: u32, now: Millis) -> Result<Vec<User>> {
    let expired = (now - REVIVABLE, UserId(i64::MAX));
    users::in_trash(db, after.map_or(expired, |after| after.max(expired)), limit)
}

/// What is held under an id, whatever its state: a live or revivable user, what is left
/// of one whose account is gone, or of one that is being erased. An anonymous user that
/// was merged is whom it was merged into. [`Error::UserNotFound`] if nothing is held, or
/// it was hidden for 7 days, or its project is deleted.
pub fn held(db: &Db, id: UserId, now: Millis) -> Result<User> {
    let mut user = users::by_id(db, None, id)?;
    if user.as_ref().is_some_and(|user| user.state == State::Merged)
        && let Some(into) = users::merged_into(db, id)?
    {
        user = users::by_id(db, None, into)?;
    }
    let user = user.filter(|user| !user.is_expired(now));
    let user = user.ok_or_else(|| Error::user_not_found(id.to_string()))?;
    match projects::by_id(db, user.project)? {
        Some(_) => Ok(user),
        None => Err(Error::user_not_found(id.to_string())),
    }
}

/// How many rows of each table are about a user. It reads an index entry a row: for scans.
pub fn inventory(db: &Db, user: &User) -> Result<Vec<Held>> {
    holdings::inventory(db, user, &users::members(db, user.id)?)
}

/// The user's anonymous ids, `limit` at most.
pub fn anonymous_ids(db: &Db, user: &User, limit: u32) -> Result<Vec<String>> {
    aliases::of(db, user.id, limit)
}

/// Erases whom a caller means by a name, hidden or live; what the person is to be handed. [`Error::UserNotFound`] if it
/// means nobody.
pub fn erase_by_identifier(
    tx: &Tx,
    project: ProjectId,
    identifier: &str,
    kind: crate::model::Erasure,
    origin: Origin,
) -> Result<Token> {
    let user = named(tx, project, identifier)?.ok_or_else(|| Error::user_not_found(identifier))?;
    let job = erase::begin(tx, &user, kind, origin)?;
    Ok(erase::token(tx, &job, &user))
}

//! Legal holds and restrictions. Of whom is held nothing is erased before the hold is released or ends:
//! what is asked for is refused, what falls due waits. Whose data is restricted (GDPR Art. 18) is kept from
//! the trash's end, scheduled erasures and those of many, and stands in no list; what is asked for about
//! this one person works as for anybody.
//!
//! Every erasure asks [`blocks`], in one place; a replay does not, for what the ledger orders was allowed
//! when it was entered. What waits is found by the rows of holds themselves: nothing has to be woken.

use crate::clock::{Millis, rfc3339};
use crate::error::{Error, Place, Result};
use crate::ledger::{Act, Holding, PersonOrders, Restricting};
use crate::model::{Erasure, Origin, ProjectId, State, User, UserId};
use crate::people::subjects::Subject;
use crate::people::{erasures, person, subjects};
pub use crate::store::holds::Hold;
use crate::store::{Db, ErasingTx, Tx, audit, data_inventory, holds as rows, projects, users};
use crate::trace::LegalBasis;

/// The longest reason, in characters.
const REASON_MAX: usize = 1_000;

/// Why nothing of a person may be erased now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    Hold,
    Restriction,
}

impl Block {
    /// As an answer says it.
    pub fn words(self) -> &'static str {
        match self {
            Block::Hold => {
                "this user is under a legal hold: it cannot be erased until the hold is released or ends"
            }
            Block::Restriction => {
                "the processing of this user's data is restricted: it cannot be erased until the restriction is lifted"
            }
        }
    }

    /// [`Error::Held`], for what was asked for and cannot be done.
    pub fn error(self) -> Error {
        Error::Held(self.words().to_owned())
    }
}

/// What keeps an erasure of the user from beginning now. A restriction keeps from it what nobody asked for
/// about this one person: the reaper, and what is scheduled, unless the person asked for that.
pub fn blocks(tx: &Tx, user: &User, origin: Origin, legal_basis: LegalBasis) -> Result<Option<Block>> {
    let is_restricted = user.restricted_at.is_some();
    match origin {
        Origin::Ledger => Ok(None),
        _ if is_held(tx, user.id)? => Ok(Some(Block::Hold)),
        Origin::Reaper if is_restricted => Ok(Some(Block::Restriction)),
        Origin::Schedule if is_restricted && legal_basis != LegalBasis::Request => {
            Ok(Some(Block::Restriction))
        }
        Origin::Reaper | Origin::Schedule | Origin::Request | Origin::Page => Ok(None),
    }
}

/// [`Error::Held`] if the user is held.
pub fn check(tx: &Tx, user: &User) -> Result<()> {
    match is_held(tx, user.id)? {
        true => Err(Block::Hold.error()),
        false => Ok(()),
    }
}

/// A hold that has ended counts until a trusted clock says so.
fn is_held(tx: &Tx, user: UserId) -> Result<bool> {
    Ok(rows::of(tx, user)?.iter().any(|hold| is_on(tx, hold)))
}

fn is_on(tx: &Tx, hold: &Hold) -> bool {
    hold.until.is_none_or(|until| until > tx.now() || !tx.trusts_clock())
}

/// [`Error::Held`] if somebody of a project is kept from being erased, with how many they are.
pub fn check_project(tx: &Tx, project: ProjectId) -> Result<()> {
    let now = if tx.trusts_clock() { tx.now() } else { Millis::MIN };
    let said = match rows::count(tx, project, now)? {
        (0, 0) => return Ok(()),
        (held, 0) => format!("users under a legal hold: {held}"),
        (0, restricted) => format!("users whose processing is restricted: {restricted}"),
        (held, restricted) => {
            format!("users under a legal hold: {held}, and whose processing is restricted: {restricted}")
        }
    };
    let why = "this project cannot be deleted before the holds are released and the restrictions are lifted";
    Err(Error::Held(format!("{why} ({said})")))
}

/// A deleted project has none: what has ended is not looked at any more.
pub fn forget_project(tx: &Tx, project: ProjectId) -> Result<()> {
    rows::forget_project(tx, project)
}

/// What keeps a user.
#[derive(Debug, Clone)]
pub struct Kept {
    pub user: User,
    /// The hold that lasts longest.
    pub hold: Option<Hold>,
}

/// Users of a project behind an id who are held or restricted, those among them whose 7 days in the trash
/// are over; the oldest first.
pub fn list(db: &Db, project: ProjectId, after: UserId, limit: u32) -> Result<Vec<Kept>> {
    let people = rows::people(db, project, after, limit)?;
    people.into_iter().map(|user| kept(db, user)).collect()
}

/// What keeps this user, if anything does.
pub fn kept(db: &Db, user: User) -> Result<Kept> {
    let hold = rows::of(db, user.id)?.into_iter().next();
    Ok(Kept { user, hold })
}

/// The user with this id, who may be held. One whose 7 days are over is here for who keeps them alone.
/// [`Error::UserNotFound`].
pub fn whom(db: &Db, project: Option<ProjectId>, id: UserId, now: Millis) -> Result<Kept> {
    let not_found = || Error::user_not_found(id.to_string());
    let mut user = users::by_id(db, project, id)?.ok_or_else(not_found)?;
    if user.state == State::Merged
        && let Some(into) = users::merged_into(db, id)?
    {
        user = users::by_id(db, project, into)?.ok_or_else(not_found)?;
    }
    if user.state == State::Erasing || projects::by_id(db, user.project)?.is_none() {
        return Err(not_found());
    }
    let kept = kept(db, user)?;
    let is_kept = kept.hold.is_some() || kept.user.restricted_at.is_some();
    if kept.user.is_expired(now) && !is_kept { Err(not_found()) } else { Ok(kept) }
}

/// Whom a command means. [`Error::UserNotFound`]; else as [`subjects::resolve`].
pub fn named(tx: &Tx, project: ProjectId, whom: &Subject) -> Result<UserId> {
    match whom {
        // Also one whose 7 days are over.
        Subject::Id(id) => Ok(*id),
        whom => {
            let meant = subjects::resolve(tx, project, whom)?.user;
            meant.map(|user| user.id).ok_or_else(|| Error::user_not_found(""))
        }
    }
}

/// Holds a user from now on. Who is held already is from now on held like this. [`Error::Invalid`] on
/// `until` or `reason`; [`Error::UserNotFound`].
pub fn hold(
    tx: &ErasingTx,
    project: Option<ProjectId>,
    id: UserId,
    until: Option<Millis>,
    reason: Option<&str>,
) -> Result<Kept> {
    let Kept { user, .. } = whom(tx, project, id, tx.now())?;
    if until.is_some_and(|until| until <= tx.now()) {
        return Err(Error::invalid(Place::Body, "until", "must be in the future"));
    }
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    let is_bad = |reason: &str| reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control);
    if reason.is_some_and(is_bad) {
        let why = "must have at most 1000 characters and no control characters";
        return Err(Error::invalid(Place::Body, "reason", why));
    }
    rows::remove(tx, user.id)?;
    let hold = Hold { user: user.id, created_at: tx.now(), until, reason: reason.map(str::to_owned) };
    rows::insert(tx, user.project, &hold)?;
    enter_hold(tx, &user, until)?;
    // The reason is the person's, and the log's rows stay.
    let said = until.map(|until| format!("until {}", rfc3339(until)));
    note(tx, &user, "hold", said.as_deref())?;
    kept(tx, user)
}

/// Ends the hold on a user: what waits for it begins. [`Error::NotFound`] if they are not held.
pub fn release(tx: &ErasingTx, project: Option<ProjectId>, id: UserId) -> Result<User> {
    let Kept { user, .. } = whom(tx, project, id, tx.now())?;
    if rows::remove(tx, user.id)? == 0 {
        return Err(Error::NotFound("hold"));
    }
    person::append_to_ledger(tx, &user, |person| Act::Released { person })?;
    note(tx, &user, "release hold", None)?;
    resume(tx, user.id)?;
    Ok(user)
}

/// The user's data is only kept from now on. Who is restricted already stays so.
/// [`Error::UserNotFound`].
pub fn restrict(tx: &ErasingTx, project: Option<ProjectId>, id: UserId) -> Result<Kept> {
    let Kept { user, .. } = whom(tx, project, id, tx.now())?;
    if user.restricted_at.is_none() {
        users::set_restricted(tx, user.id, Some(tx.now()))?;
        person::append_to_ledger(tx, &user, |person| Act::Restricted { person })?;
        note(tx, &user, "restrict", None)?;
    }
    whom(tx, project, user.id, tx.now())
}

/// Ends the restriction. [`Error::NotFound`] if there is none.
pub fn unrestrict(tx: &ErasingTx, project: Option<ProjectId>, id: UserId) -> Result<User> {
    let Kept { user, .. } = whom(tx, project, id, tx.now())?;
    if user.restricted_at.is_none() {
        return Err(Error::NotFound("restriction"));
    }
    users::set_restricted(tx, user.id, None)?;
    person::append_to_ledger(tx, &user, |person| Act::Unrestricted { person })?;
    note(tx, &user, "lift restriction", None)?;
    tx.wake_worker();
    Ok(user)
}

fn enter_hold(tx: &Tx, user: &User, until: Option<Millis>) -> Result<()> {
    // The worker has an end to wait for.
    tx.wake_worker();
    person::append_to_ledger(tx, user, |person| Act::Held { person, until })
}

fn note(tx: &Tx, user: &User, action: &str, reason: Option<&str>) -> Result<()> {
    let subject = Some(person::pseudonym(tx, user));
    let entry =
        audit::Entry { action, subject, project: Some(user.project), reason, ..audit::Entry::default() };
    audit::append(tx, &entry)
}

/// Ends a hold whose time is over. False: there is none. The ledger knows the end already.
pub fn end_due(tx: &Tx) -> Result<bool> {
    if !tx.trusts_clock() {
        return Ok(false);
    }
    let Some(id) = rows::first_ended(tx, tx.now())? else { return Ok(false) };
    rows::remove_ended(tx, id)?;
    if let Some(user) = users::by_id(tx, None, id)?
        && user.state != State::Erasing
    {
        note(tx, &user, "hold ended", None)?;
        resume(tx, id)?;
    }
    Ok(true)
}

/// When the next hold ends, by a clock that is trusted.
pub fn next_end(db: &Db, trusts_clock: bool) -> Result<Option<Millis>> {
    if trusts_clock { rows::next_end(db) } else { Ok(None) }
}

/// What waited for the hold begins: jobs and the reaper find it by themselves. What a visitor had done
/// before the user's activity was erased came to the user while held, and leaves now.
fn resume(tx: &Tx, id: UserId) -> Result<()> {
    tx.wake_worker();
    let Some(user) = users::by_id(tx, None, id)? else { return Ok(()) };
    let Some(erased_at) = user.activity_erased_at else { return Ok(()) };
    if is_held(tx, id)? || user.state == State::Erasing {
        return Ok(());
    }
    for member in users::members(tx, id)? {
        if data_inventory::any_left(tx, member, Erasure::Activity, Some(erased_at))? {
            return erasures::begin_before(tx, &user, erased_at);
        }
    }
    Ok(())
}

/// Whether a visitor and a user who become one may not lose what one of them did.
pub fn keeps_either(tx: &Tx, one: &User, other: &User) -> Result<bool> {
    Ok(is_held(tx, one.id)? || is_held(tx, other.id)?)
}

/// A visitor has become part of a user: what keeps either of them keeps both, also in an older copy, in
/// which they stand apart.
pub fn carry_over(tx: &Tx, visitor: &User, user: &User) -> Result<()> {
    rows::relink(tx, visitor.id, user.id)?;
    if let Some(longest) = rows::of(tx, user.id)?.first() {
        enter_hold(tx, user, longest.until)?;
    }
    let since = [visitor.restricted_at, user.restricted_at].into_iter().flatten().min();
    if since.is_some() {
        users::set_restricted(tx, user.id, since)?;
        person::append_to_ledger(tx, user, |person| Act::Restricted { person })?;
    }
    Ok(())
}

/// Does again what the ledger orders for a user. True: there was something to do. A hold that had another
/// reason in the copy keeps that.
pub fn replay(tx: &Tx, id: UserId, orders: &PersonOrders) -> Result<bool> {
    let user = users::by_id(tx, None, id)?;
    let is_there = |user: &User| !matches!(user.state, State::Erasing | State::Merged);
    let Some(user) = user.filter(is_there) else { return Ok(false) };
    if projects::by_id(tx, user.project)?.is_none() {
        return Ok(false);
    }
    let mut changed = false;
    let known = rows::of(tx, id)?;
    match orders.hold {
        Some((at, Holding::Held { until })) if known.iter().all(|known| known.until != until) => {
            rows::remove(tx, id)?;
            let reason = known.into_iter().find_map(|known| known.reason);
            rows::insert(tx, user.project, &Hold { user: id, created_at: at, until, reason })?;
            changed = true;
        }
        Some((_, Holding::Released)) if !known.is_empty() => {
            rows::remove(tx, id)?;
            resume(tx, id)?;
            changed = true;
        }
        _ => {}
    }
    let restricted_at = match orders.restriction {
        Some((at, Restricting::Restricted)) => user.restricted_at.or(Some(at)),
        Some((_, Restricting::Unrestricted)) => None,
        None => user.restricted_at,
    };
    if restricted_at != user.restricted_at {
        users::set_restricted(tx, id, restricted_at)?;
        changed = true;
    }
    if changed {
        tx.wake_worker();
    }
    Ok(changed)
}

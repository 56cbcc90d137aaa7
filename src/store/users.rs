//! Users' rows.

use const_format::formatcp;

use super::erased_identifiers::Named;
use super::row::Row;
use super::value::{Value, odd_row, params};
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Attributes, Incarnation, Profile, ProjectId, State, User, UserId};
use crate::trace::LegalBasis;

pub(super) const COLUMNS: &str = "id, project_id, incarnation, state, identifier, email, first_name, last_name, \
    display_name, avatar_url, country, city, live_mode, attributes, extra, created_at, updated_at, \
    first_seen, last_seen, session_count, event_count, deleted_at, activity_erased_at, claimed_email, freed_at, \
    freed_identifier, hidden_as, restricted_at";

/// As the lists of many have it: whose data is only kept is in none. Through an index of these few, so that
/// an index that has all a list needs goes on having it.
pub(super) const NOT_RESTRICTED: &str = "id NOT IN (SELECT id FROM users WHERE restricted_at IS NOT NULL)";

pub(super) fn read(row: &Row) -> Result<User> {
    let freed_at: Option<Millis> = row.get(24)?;
    let state = match State::parse(row.text(3)?) {
        Some(State::Hidden) if freed_at.is_some() => State::Waiting,
        state => state.ok_or_else(odd_row)?,
    };
    Ok(User {
        id: UserId(row.get(0)?),
        project: ProjectId(row.get(1)?),
        incarnation: row.get(2)?,
        state,
        identifier: row.get(4)?,
        profile: Profile {
            email: row.get(5)?,
            first_name: row.get(6)?,
            last_name: row.get(7)?,
            display_name: row.get(8)?,
            avatar_url: row.get(9)?,
            country: row.get(10)?,
            city: row.get(11)?,
            claimed_email: row.get(23)?,
            live_mode: row.get(12)?,
            attributes: attributes(row.text(13)?)?,
            extra: attributes(row.text(14)?)?,
        },
        created_at: row.get(15)?,
        updated_at: row.get(16)?,
        first_seen: row.get(17)?,
        last_seen: row.get(18)?,
        session_count: row.get(19)?,
        event_count: row.get(20)?,
        deleted_at: row.get(21)?,
        hidden_as: row.get(26)?,
        freed_identifier: row.get(25)?,
        activity_erased_at: row.get(22)?,
        restricted_at: row.get(27)?,
    })
}

fn attributes(text: &str) -> Result<Attributes> {
    if text == "{}" {
        return Ok(Attributes::new());
    }
    serde_json::from_str(text).map_err(|_| odd_row())
}

fn json(map: &Attributes) -> Result<String> {
    serde_json::to_string(map).map_err(Error::internal)
}

/// The live or hidden user with this identifier.
pub fn by_identifier(db: &Db, project: ProjectId, identifier: &str) -> Result<Option<User>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM users WHERE identifier = ?1 AND project_id = ?2");
    db.row(sql, params![identifier, project.0], read)
}

/// Whether the user who has this name is hidden, and was so at `then` already.
pub fn is_hidden_since(db: &Db, project: ProjectId, named: Named, then: Millis) -> Result<bool> {
    let (sql, name) = match named {
        Named::Identifier(name) => (
            "SELECT 1 FROM users
             WHERE identifier = ?1 AND project_id = ?2 AND state = 'hidden' AND deleted_at <= ?3",
            name,
        ),
        Named::Anonymous(name) | Named::Claimed(name) => (
            "SELECT 1 FROM aliases JOIN users ON users.id = aliases.user_id
             WHERE anonymous_id = ?1 AND aliases.project_id = ?2 AND state = 'hidden' AND deleted_at <= ?3",
            name,
        ),
    };
    Ok(db.row(sql, params![name, project.0, then], |_| Ok(()))?.is_some())
}

/// The user with this id, in whatever state; of this project, if one is given.
pub fn by_id(db: &Db, project: Option<ProjectId>, id: UserId) -> Result<Option<User>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    let user = db.row(sql, params![id.0], read)?;
    Ok(user.filter(|user| project.is_none_or(|project| user.project == project)))
}

/// Live and hidden users of a project with this e-mail, in any letter case; `limit` at most.
pub fn by_email(db: &Db, project: ProjectId, email: &str, limit: u32) -> Result<Vec<User>> {
    // NOT NULL is said, for SQLite does not conclude it from lower(), and without it the
    // index, which has no row without an e-mail, is passed over for the whole table.
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM users
         WHERE email IS NOT NULL AND lower(email) = lower(?1) AND project_id = ?2 LIMIT ?3"
    );
    db.rows(sql, params![email, project.0, limit], read)
}

/// The same by an e-mail that a public credential gave for them.
pub fn by_claimed_email(db: &Db, project: ProjectId, email: &str, limit: u32) -> Result<Vec<User>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM users
         WHERE claimed_email IS NOT NULL AND lower(claimed_email) = lower(?1) AND project_id = ?2 LIMIT ?3"
    );
    db.rows(sql, params![email, project.0, limit], read)
}

/// A name by which users are ordered in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Identifier,
    Email,
    ClaimedEmail,
}

/// Live and hidden users of a project whose name of a kind begins with a text, e-mails in any letter case;
/// `limit` at most.
pub fn beginning_with(db: &Db, project: ProjectId, key: Key, text: &str, limit: u32) -> Result<Vec<User>> {
    const RANGE: &str = ">= lower(?1) AND";
    let sql = match key {
        Key::Identifier => formatcp!(
            "SELECT {COLUMNS} FROM users WHERE identifier >= ?1 AND identifier < ?2 AND project_id = ?3 LIMIT ?4"
        ),
        Key::Email => formatcp!(
            "SELECT {COLUMNS} FROM users WHERE email IS NOT NULL AND lower(email) {RANGE}
                 lower(email) < lower(?2) AND project_id = ?3 LIMIT ?4"
        ),
        Key::ClaimedEmail => formatcp!(
            "SELECT {COLUMNS} FROM users WHERE claimed_email IS NOT NULL AND lower(claimed_email) {RANGE}
                 lower(claimed_email) < lower(?2) AND project_id = ?3 LIMIT ?4"
        ),
    };
    // No text has a letter behind this one.
    db.rows(sql, params![text, format!("{text}\u{10ffff}"), project.0, limit], read)
}

/// A new live user. The caller has seen to it that the identifier is free. [`Error::ProjectNotFound`] in a
/// project that was deleted meanwhile.
pub fn insert(tx: &Tx, project: ProjectId, identifier: Option<&str>, profile: &Profile) -> Result<User> {
    let mut incarnation: Incarnation = [0; 16];
    getrandom::fill(&mut incarnation).map_err(Error::internal)?;
    let id = UserId(tx.next_id());
    let made = tx.execute(
        "INSERT INTO users (id, project_id, incarnation, state, identifier, email, first_name, last_name,
             display_name, avatar_url, country, city, live_mode, attributes, extra, created_at, updated_at,
             claimed_email)
         SELECT ?1, ?2, ?3, 'live', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15, ?16
         WHERE EXISTS (SELECT 1 FROM projects WHERE id = ?2 AND deleted_at IS NULL)",
        params![
            id.0,
            project.0,
            incarnation,
            identifier,
            profile.email,
            profile.first_name,
            profile.last_name,
            profile.display_name,
            profile.avatar_url,
            profile.country,
            profile.city,
            profile.live_mode,
            json(&profile.attributes)?,
            json(&profile.extra)?,
            tx.now(),
            profile.claimed_email,
        ],
    )?;
    if made == 0 {
        return Err(Error::ProjectNotFound);
    }
    Ok(User {
        id,
        project,
        incarnation,
        state: State::Live,
        identifier: identifier.map(str::to_owned),
        profile: profile.clone(),
        created_at: tx.now(),
        updated_at: tx.now(),
        first_seen: None,
        last_seen: None,
        session_count: 0,
        event_count: 0,
        deleted_at: None,
        hidden_as: None,
        freed_identifier: None,
        activity_erased_at: None,
        restricted_at: None,
    })
}

/// Writes identifier, profile and `updated_at` back.
pub fn update(tx: &Tx, user: &User) -> Result<()> {
    let profile = &user.profile;
    tx.execute(
        "UPDATE users SET identifier = ?2, email = ?3, first_name = ?4, last_name = ?5, display_name = ?6,
             avatar_url = ?7, country = ?8, city = ?9, live_mode = ?10, attributes = ?11, extra = ?12,
             updated_at = ?13, claimed_email = ?14
         WHERE id = ?1",
        params![
            user.id.0,
            user.identifier,
            profile.email,
            profile.first_name,
            profile.last_name,
            profile.display_name,
            profile.avatar_url,
            profile.country,
            profile.city,
            profile.live_mode,
            json(&profile.attributes)?,
            json(&profile.extra)?,
            user.updated_at,
            profile.claimed_email,
        ],
    )?;
    Ok(())
}

/// The user is known since then. It moves back alone.
pub fn set_created(tx: &Tx, id: UserId, at: Millis) -> Result<()> {
    tx.execute("UPDATE users SET created_at = min(created_at, ?2) WHERE id = ?1", params![id.0, at])?;
    Ok(())
}

/// A new user is known since then, and as of then.
pub fn set_known_since(tx: &Tx, id: UserId, at: Millis) -> Result<()> {
    let sql =
        "UPDATE users SET created_at = min(created_at, ?2), updated_at = min(updated_at, ?2) WHERE id = ?1";
    tx.execute(sql, params![id.0, at])?;
    Ok(())
}

/// Moves the user to a state; `deleted_at` goes with it, and so does by what right.
pub fn set_state(tx: &Tx, id: UserId, state: State, deleted_at: Option<Millis>) -> Result<()> {
    let legal_basis = if state == State::Hidden { tx.who().legal_basis } else { LegalBasis::Unstated };
    tx.execute(
        "UPDATE users SET state = ?2, deleted_at = ?3, updated_at = ?4, hidden_ground = ?5, freed_at = NULL,
             hidden_as = NULL
         WHERE id = ?1",
        params![id.0, state.as_str(), deleted_at, tx.now(), legal_basis.as_str()],
    )?;
    Ok(())
}

/// By what right a hidden user was hidden.
pub fn hidden_ground(tx: &Tx, id: UserId) -> Result<LegalBasis> {
    let sql = "SELECT hidden_ground FROM users WHERE id = ?1";
    let legal_basis =
        tx.row(sql, params![id.0], |row| LegalBasis::parse(row.text(0)?).ok_or_else(odd_row))?;
    Ok(legal_basis.unwrap_or_default())
}

/// From now on `id` is no user of its own: its rows move to `into`.
pub fn set_merged(tx: &Tx, id: UserId, into: UserId) -> Result<()> {
    tx.execute("UPDATE users SET state = 'merged', merged_into = ?2 WHERE id = ?1", params![id.0, into.0])?;
    Ok(())
}

/// Activity up to `at` is no longer the user's.
pub fn set_activity_erased(tx: &Tx, id: UserId, at: Millis) -> Result<()> {
    tx.execute("UPDATE users SET activity_erased_at = ?2 WHERE id = ?1", params![id.0, at])?;
    Ok(())
}

/// What an event adds to a user's counters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    pub sessions: i64,
    pub events: i64,
    /// Oldest and newest time in it.
    pub first: Option<Millis>,
    pub last: Option<Millis>,
}

/// Without a newest time the index of when users were last seen is left alone.
pub fn add_activity(tx: &Tx, id: UserId, activity: Activity) -> Result<()> {
    const COUNTERS: &str = "session_count = max(0, session_count + ?2), event_count = max(0, event_count + ?3), \
        first_seen = coalesce(min(first_seen, ?4), first_seen, ?4)";
    match activity.last {
        Some(last) => tx.execute(
            formatcp!(
                "UPDATE users SET {COUNTERS}, last_seen = coalesce(max(last_seen, ?5), last_seen, ?5)
                 WHERE id = ?1"
            ),
            params![id.0, activity.sessions, activity.events, activity.first, last],
        )?,
        None => tx.execute(
            formatcp!("UPDATE users SET {COUNTERS} WHERE id = ?1"),
            params![id.0, activity.sessions, activity.events, activity.first],
        )?,
    };
    Ok(())
}

/// What taking in activity asks of somebody who has a name.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub id: UserId,
    pub is_live: bool,
    pub last_seen: Option<Millis>,
    pub activity_erased_at: Option<Millis>,
}

fn standing(row: &Row) -> Result<Standing> {
    Ok(Standing {
        id: UserId(row.get(0)?),
        is_live: row.text(1)? == State::Live.as_str(),
        last_seen: row.get(2)?,
        activity_erased_at: row.get(3)?,
    })
}

/// The standing of the user with this identifier.
pub fn standing_by_identifier(db: &Db, project: ProjectId, identifier: &str) -> Result<Option<Standing>> {
    let sql = "SELECT id, state, last_seen, activity_erased_at FROM users
               WHERE identifier = ?1 AND project_id = ?2";
    db.row(sql, params![identifier, project.0], standing)
}

/// The same by anonymous id.
pub fn standing_by_alias(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<Option<Standing>> {
    let sql = "SELECT users.id, state, last_seen, activity_erased_at
               FROM aliases JOIN users ON users.id = aliases.user_id AND users.project_id = aliases.project_id
               WHERE anonymous_id = ?1 AND aliases.project_id = ?2";
    db.row(sql, params![anonymous_id, project.0], standing)
}

/// Whether anonymous users' rows are still moving to the user.
pub fn has_others(db: &Db, id: UserId) -> Result<bool> {
    let sql = "SELECT 1 FROM users WHERE merged_into = ?1 LIMIT 1";
    Ok(db.row(sql, params![id.0], |_| Ok(()))?.is_some())
}

/// Removes the row itself. What refers to it must be gone.
pub fn delete(tx: &Tx, id: UserId) -> Result<()> {
    tx.execute("DELETE FROM users WHERE id = ?1", params![id.0])?;
    Ok(())
}

/// The user itself, and the anonymous users whose rows are still moving to it.
pub fn members(db: &Db, id: UserId) -> Result<Vec<UserId>> {
    let mut members = vec![id];
    let sql = "SELECT id FROM users WHERE merged_into = ?1";
    members.extend(db.rows(sql, params![id.0], |row| Ok(UserId(row.get(0)?)))?);
    Ok(members)
}

/// The registrations that make the user up: its own, and those of visitors merged into it.
pub fn incarnations(db: &Db, user: &User) -> Result<Vec<Incarnation>> {
    let mut incarnations = vec![user.incarnation];
    let sql = "SELECT incarnation FROM merged_visitors WHERE user_id = ?1";
    incarnations.extend(db.rows(sql, params![user.id.0], |row| row.get::<Incarnation>(0))?);
    Ok(incarnations)
}

/// Hands over every registration that is held, and whose it is now.
pub fn each_registration(db: &Db, mut see: impl FnMut(UserId, &Incarnation)) -> Result<()> {
    let sql = "SELECT id, incarnation FROM users UNION ALL SELECT user_id, incarnation FROM merged_visitors";
    db.each(sql, params![], |row| {
        see(UserId(row.get(0)?), &row.get(1)?);
        Ok(())
    })
}

/// Hands over every identifier that is held.
pub fn each_identifier(db: &Db, mut see: impl FnMut(ProjectId, &str)) -> Result<()> {
    db.each("SELECT project_id, identifier FROM users WHERE identifier IS NOT NULL", params![], |row| {
        see(ProjectId(row.get(0)?), &row.get::<String>(1)?);
        Ok(())
    })
}

/// Notes that a visitor is part of the user from now on.
pub fn note_merged(tx: &Tx, visitor: &User, into: UserId) -> Result<()> {
    tx.execute(
        "INSERT INTO merged_visitors (incarnation, user_id, merged_at) VALUES (?1, ?2, ?3)",
        params![visitor.incarnation, into.0, tx.now()],
    )?;
    Ok(())
}

/// The members of a user whose activity is to be seen after `since`, each with the instant
/// after which its own is.
pub fn branches(db: &Db, id: UserId, since: Millis) -> Result<Vec<(UserId, Millis)>> {
    let mut branches = vec![(id, since)];
    let sql = "SELECT id, activity_erased_at FROM users WHERE merged_into = ?1";
    branches.extend(db.rows(sql, params![id.0], |row| {
        let own: Option<Millis> = row.get(1)?;
        Ok((UserId(row.get(0)?), own.map_or(since, |own| own.max(since))))
    })?);
    Ok(branches)
}

/// Some merged user whose rows have not all moved, and where they go. While an erasure
/// takes rows of either of the two, the others wait, so that none escapes it.
pub fn merging(db: &Db) -> Result<Option<(UserId, UserId)>> {
    let sql = "SELECT m.id, m.merged_into FROM users m JOIN users u ON u.id = m.merged_into
               WHERE m.merged_into IS NOT NULL AND u.state <> 'erasing'
                   AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.user_id IN (m.id, m.merged_into)
                                   AND jobs.status IN ('running', 'failed') AND jobs.step = 'erasing')
               LIMIT 1";
    db.row(sql, params![], |row| Ok((UserId(row.get(0)?), UserId(row.get(1)?))))
}

/// Nobody was hidden later than now: the clock was set back. Returns how many were.
pub fn cut_hidden(tx: &Tx) -> Result<usize> {
    tx.execute(
        "UPDATE users SET hidden_as = coalesce(hidden_as, deleted_at), deleted_at = ?1
         WHERE state = 'hidden' AND deleted_at > ?1",
        params![tx.now()],
    )
}

/// Hidden users of all projects but deleted ones, the longest hidden first, those who wait among them; `after`
/// is the last one seen.
pub fn in_trash(db: &Db, (at, id): (Millis, UserId), limit: u32) -> Result<Vec<User>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM users WHERE state = 'hidden' AND (deleted_at, id) > (?1, ?2)
             AND project_id IN (SELECT id FROM projects WHERE deleted_at IS NULL) AND {NOT_RESTRICTED}
         ORDER BY deleted_at, id LIMIT ?3"
    );
    db.rows(sql, params![at, id.0, limit], read)
}

/// Live users of a project below an id, the newest first.
pub fn newest(db: &Db, project: ProjectId, below: UserId, limit: u32) -> Result<Vec<User>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM users WHERE state = 'live' AND project_id = ?1 AND id < ?2 AND {NOT_RESTRICTED}
         ORDER BY id DESC LIMIT ?3"
    );
    db.rows(sql, params![project.0, below.0, limit], read)
}

/// Users, of one project or of all, below an id, that were hidden after `since`; the
/// newest first. It looks at everybody who is hidden: for scans.
pub fn newest_hidden(
    db: &Db,
    project: Option<ProjectId>,
    since: Millis,
    below: UserId,
    limit: u32,
) -> Result<Vec<User>> {
    // With + the id's own order is no use: else all live users are walked for the few hidden.
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM users
         WHERE state = 'hidden' AND freed_at IS NULL AND deleted_at > ?2 AND (?1 IS NULL OR project_id = ?1)
             AND +id < ?3 AND project_id IN (SELECT id FROM projects WHERE deleted_at IS NULL)
             AND restricted_at IS NULL
         ORDER BY +id DESC LIMIT ?4"
    );
    db.rows(sql, params![project.map(|project| project.0), since, below.0, limit], read)
}

/// How many are hidden, or wait, since this instant or longer.
pub fn count_hidden_until(db: &Db, at: Millis) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM users WHERE state = 'hidden' AND deleted_at <= ?1";
    Ok(db.row(sql, params![at], |row| row.get(0))?.unwrap_or_default())
}

/// Who may be reaped: nobody who is held, or whose data is only kept.
const MAY_LEAVE: &str = "state = 'hidden' AND restricted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.user_id = users.id)";

/// The user that has been hidden longest, of those that may be reaped.
pub fn first_hidden(db: &Db) -> Result<Option<User>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM users WHERE {MAY_LEAVE} ORDER BY deleted_at, id LIMIT 1");
    db.row(sql, params![], read)
}

/// When the user that has been hidden longest was hidden, of those that may be reaped.
pub fn hidden_since(db: &Db) -> Result<Option<Millis>> {
    let sql = formatcp!("SELECT deleted_at FROM users WHERE {MAY_LEAVE} ORDER BY deleted_at LIMIT 1");
    db.row(sql, params![], |row| row.get(0))
}

/// The person's data is only kept since then, or no longer only kept.
pub fn set_restricted(tx: &Tx, id: UserId, since: Option<Millis>) -> Result<()> {
    tx.execute("UPDATE users SET restricted_at = ?2 WHERE id = ?1", params![id.0, since])?;
    Ok(())
}

/// A column by which lists are filtered and ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Id,
    Identifier,
    Email,
    FirstName,
    LastName,
    DisplayName,
    /// As it is shown: see [`User::name`].
    Name,
    Country,
    City,
    LiveMode,
    CreatedAt,
    UpdatedAt,
    FirstSeen,
    LastSeen,
    SessionCount,
}

impl Field {
    pub(super) fn column(self) -> &'static str {
        match self {
            Field::Id => "id",
            Field::Identifier => "identifier",
            Field::Email => "email",
            Field::FirstName => "first_name",
            Field::LastName => "last_name",
            Field::DisplayName => "display_name",
            Field::Name => NAME,
            Field::Country => "country",
            Field::City => "city",
            Field::LiveMode => "live_mode",
            Field::CreatedAt => "created_at",
            Field::UpdatedAt => "updated_at",
            Field::FirstSeen => "first_seen",
            Field::LastSeen => "last_seen",
            Field::SessionCount => "session_count",
        }
    }
}

/// A condition of a list. What is compared with a field that a user lacks does not hold.
#[derive(Debug, Clone)]
pub enum Filter {
    TextIs(Field, String),
    /// In any letter case (ASCII).
    TextIsAlike(Field, String),
    /// In any letter case (ASCII).
    TextContains(Field, String),
    /// The whole of it, in any letter case (ASCII): `*` stands for any characters, `?` for one.
    TextFits(Field, String),
    NumberIs(Field, i64),
    AtLeast(Field, i64),
    AtMost(Field, i64),
    Above(Field, i64),
    Below(Field, i64),
    /// The user lacks it.
    Missing(Field),
    /// One of these.
    Among(Vec<UserId>),
    /// Not anonymous.
    Identified,
    Not(Box<Filter>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// Which live users, in which order. Equal ones are ordered by id.
#[derive(Debug, Clone)]
pub struct Listing {
    pub project: ProjectId,
    pub filters: Vec<Filter>,
    pub order: Vec<(Field, Direction)>,
    pub limit: u32,
    pub offset: u32,
}

/// The live users of a listing. Reads the whole project if no index helps: for scans.
pub fn list(db: &Db, listing: &Listing) -> Result<Vec<User>> {
    let (condition, mut values) = listing.condition();
    let mut order: Vec<String> = Vec::new();
    let mut by_id = Direction::Descending;
    for (field, direction) in &listing.order {
        by_id = *direction;
        order.push(format!("{} {}", field.column(), direction.sql()));
    }
    if !listing.order.iter().any(|(field, _)| *field == Field::Id) {
        order.push(format!("id {}", by_id.sql()));
    }
    values.push(Value::from(i64::from(listing.limit)));
    values.push(Value::from(i64::from(listing.offset)));
    let n = values.len();
    let sql = format!(
        "SELECT {COLUMNS} FROM users WHERE {condition} ORDER BY {} LIMIT ?{} OFFSET ?{n}",
        order.join(", "),
        n - 1
    );
    db.rows(&sql, &values, read)
}

/// How many users a listing has in all. Reads every one of them: for scans.
pub fn count(db: &Db, listing: &Listing) -> Result<i64> {
    let (condition, values) = listing.condition();
    let sql = format!("SELECT COUNT(*) FROM users WHERE {condition}");
    Ok(db.row(&sql, &values, |row| row.get(0))?.unwrap_or_default())
}

impl Direction {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        }
    }
}

impl Listing {
    fn condition(&self) -> (String, Vec<Value<'static>>) {
        let mut sql = format!("state = 'live' AND project_id = ?1 AND {NOT_RESTRICTED}");
        let mut values = vec![Value::from(self.project.0)];
        for filter in &self.filters {
            sql.push_str(" AND ");
            sql.push_str(&filter.sql(&mut values));
        }
        (sql, values)
    }
}

/// Where a merged user's rows go.
pub fn merged_into(db: &Db, id: UserId) -> Result<Option<UserId>> {
    let sql = "SELECT merged_into FROM users WHERE id = ?1";
    Ok(db.row(sql, params![id.0], |row| row.get::<Option<i64>>(0))?.flatten().map(UserId))
}

pub(super) const NAME: &str = "coalesce(display_name, CASE WHEN first_name IS NULL THEN last_name
    WHEN last_name IS NULL THEN first_name ELSE first_name || ' ' || last_name END)";

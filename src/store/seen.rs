//! Users by when they were seen.

use super::users::{COLUMNS, NAME, read};
use super::value::Value;
use super::{Db, users::Direction};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{ProjectId, User, UserId};

/// A stretch of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from: Millis,
    /// None: until now. Not the same as the time of the request: who does something while
    /// the list is read would be seen after it, and be missing.
    pub to: Option<Millis>,
}

/// What a list is ordered by. Users without it come last, equal ones are ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// When the user was last seen in the period.
    Seen,
    /// The name as it is shown: see [`User::name`].
    Name,
    Identifier,
    Country,
}

/// A user who was seen in a period, in few bytes.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub user: UserId,
    /// When it was last seen in the period.
    pub at: Millis,
    /// Its activity is visible only after this instant.
    pub since: Millis,
}

/// Of a period without end: `last_seen` is in it, whatever it is, and has an index.
const SEEN_OPEN: &str = "last_seen";

/// Of a period in the past: who was seen after it, too, may have been seen in it. Events of
/// an anonymous user that is being merged count as they do in [`super::users::branches`].
const SEEN_CLOSED: &str = "CASE WHEN last_seen <= ?3 THEN last_seen ELSE coalesce(
    (SELECT max(at) FROM (
        SELECT (SELECT max(at) FROM events WHERE user_id = users.id
                AND at >= ?2 AND at <= ?3 AND at > coalesce(users.activity_erased_at, ?2 - 1)) AS at
        UNION ALL
        SELECT max(moving.at) FROM users AS part JOIN events AS moving ON moving.user_id = part.id
        WHERE part.merged_into = users.id AND moving.at >= ?2 AND moving.at <= ?3
            AND moving.at > coalesce(users.activity_erased_at, ?2 - 1)
            AND moving.at > coalesce(part.activity_erased_at, ?2 - 1))),
    CASE WHEN first_seen >= ?2 THEN first_seen END) END";

/// The live users that were seen in the period, each with when. For scans.
pub fn list(
    db: &Db,
    project: ProjectId,
    period: Period,
    (column, direction): (Column, Direction),
    (limit, offset): (u32, u32),
) -> Result<Vec<(User, Millis)>> {
    let order = by(column, direction);
    let (source, mut values) = seen(COLUMNS, project, period);
    values.extend([Value::from(i64::from(limit)), Value::from(i64::from(offset))]);
    let sql = format!(
        "SELECT {COLUMNS}, seen FROM ({source}) WHERE seen IS NOT NULL ORDER BY {order} LIMIT ?4 OFFSET ?5"
    );
    db.rows(&sql, &values, |row| Ok((read(row)?, row.get("seen")?)))
}

fn by(column: Column, direction: Direction) -> String {
    let column = match column {
        Column::Seen => "seen",
        Column::Name => NAME,
        Column::Identifier => "identifier",
        Column::Country => "country",
    };
    let direction = direction.sql();
    format!("{column} {direction} NULLS LAST, id {direction}")
}

/// All of them. For scans.
pub fn marks(
    db: &Db,
    project: ProjectId,
    period: Period,
    (column, direction): (Column, Direction),
) -> Result<Vec<Mark>> {
    let (source, values) = seen(COLUMNS, project, period);
    let sql = format!(
        "SELECT id, seen, activity_erased_at FROM ({source}) WHERE seen IS NOT NULL ORDER BY {}",
        by(column, direction)
    );
    db.rows(&sql, &values, |row| {
        Ok(Mark {
            user: UserId(row.get(0)?),
            at: row.get(1)?,
            since: row.get::<Option<Millis>>(2)?.unwrap_or(Millis::MIN),
        })
    })
}

fn seen(columns: &str, project: ProjectId, period: Period) -> (String, Vec<Value<'static>>) {
    let seen = if period.to.is_some() { SEEN_CLOSED } else { SEEN_OPEN };
    let sql = format!(
        "SELECT {columns}, {seen} AS seen FROM users
         WHERE state = 'live' AND project_id = ?1 AND last_seen >= ?2 AND first_seen <= ?3"
    );
    let to = period.to.unwrap_or(Millis::MAX);
    (sql, vec![Value::from(project.0), Value::from(period.from), Value::from(to)])
}

//! A project's live users page by page. A page begins behind the user with which the last
//! one ended: rows that come in meanwhile shift nothing, and where an index has the order,
//! the thousandth page costs what the first one does.

use serde::{Deserialize, Serialize};

use super::Db;
use super::users::{self, COLUMNS, Direction, Field, Filter, Listing};
use super::value::Value;
use crate::error::{Error, Result};
use crate::model::{ProjectId, User, UserId};

/// Rows that are looked at in one go when each is to be tried by the caller.
const CHUNK: u32 = 250;

/// Which live users, in which order. Equal ones are ordered by id, in the direction of the
/// last field.
#[derive(Debug, Clone)]
pub struct Paging {
    pub project: ProjectId,
    pub filter: Filter,
    pub order: Vec<(Field, Direction)>,
}

/// What cannot be asked of the database about a user.
pub type Trial<'a> = Option<&'a dyn Fn(&User) -> bool>;

/// Where a user stands in an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Its value of each field of the order.
    pub keys: Vec<Key>,
    pub id: UserId,
}

/// A value by which users are ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    Number(i64),
    Text(String),
    /// The user lacks it. Such users come first; last when descending.
    Missing,
}

impl Paging {
    pub fn position(&self, user: &User) -> Position {
        Position { keys: self.order.iter().map(|(field, _)| field.of(user)).collect(), id: user.id }
    }

    /// The fields of the order and, last, the id, which no two users share.
    fn whole_order(&self) -> Vec<(Field, Direction)> {
        let last = self.order.last().map_or(Direction::Ascending, |(_, direction)| *direction);
        self.order.iter().copied().chain([(Field::Id, last)]).collect()
    }
}

/// Up to `limit` users behind `after` that hold the filter and, if there is one, the trial.
/// May read every row of the project: for scans.
pub fn page(
    db: &Db,
    paging: &Paging,
    after: Option<&Position>,
    limit: u32,
    trial: Trial,
) -> Result<Vec<User>> {
    let Some(holds) = trial else { return stretch(db, paging, after, limit) };
    let mut found = Vec::new();
    let mut after = after.cloned();
    loop {
        let users = stretch(db, paging, after.as_ref(), CHUNK)?;
        let was_last = users.len() < CHUNK as usize;
        after = users.last().map(|user| paging.position(user));
        for user in users.into_iter().filter(|user| holds(user)) {
            found.push(user);
            if found.len() == limit as usize {
                return Ok(found);
            }
        }
        if was_last {
            return Ok(found);
        }
    }
}

/// How many there are on all pages. Reads every one of them: for scans.
pub fn count(db: &Db, paging: &Paging, trial: Trial) -> Result<i64> {
    let Some(holds) = trial else {
        let Paging { project, filter, .. } = paging.clone();
        let listing = Listing { project, filters: vec![filter], order: Vec::new(), limit: 0, offset: 0 };
        return users::count(db, &listing);
    };
    // In the order of the ids, which needs no sorting.
    let by_id = Paging { order: Vec::new(), ..paging.clone() };
    let mut after = None;
    let mut count = 0;
    loop {
        let users = stretch(db, &by_id, after.as_ref(), CHUNK)?;
        count += users.iter().filter(|user| holds(user)).count();
        if users.len() < CHUNK as usize {
            return i64::try_from(count).map_err(Error::internal);
        }
        after = users.last().map(|user| by_id.position(user));
    }
}

/// The next users that hold the filter.
fn stretch(db: &Db, paging: &Paging, after: Option<&Position>, limit: u32) -> Result<Vec<User>> {
    let order = paging.whole_order();
    let parts = after.map_or_else(|| vec![Part::default()], |after| behind(&order, after));
    let mut found: Vec<User> = Vec::new();
    for part in parts {
        let wanted = limit as usize - found.len();
        if wanted == 0 {
            break;
        }
        found.extend(part.read(db, paging, &order, wanted)?);
    }
    Ok(found)
}

/// A part of the order that one range of an index holds.
#[derive(Default)]
struct Part {
    /// In all of it the first fields of the order have these values,
    same: Vec<Key>,
    /// and the next field lies so.
    next: Option<Next>,
}

enum Next {
    Beyond(Key),
    Missing,
    Present,
}

/// All that lies behind a position, in order: first where all fields but the last are
/// equal, then where all but the last two are, and so on. As one condition, with OR between
/// them, it would be read from the beginning of the order each time.
fn behind(order: &[(Field, Direction)], after: &Position) -> Vec<Part> {
    let mut keys = after.keys.clone();
    keys.push(Key::Number(after.id.0));
    let mut parts = Vec::new();
    for (n, key) in keys.iter().enumerate().rev() {
        let mut lies = |next: Next| parts.push(Part { same: keys[..n].to_vec(), next: Some(next) });
        match (key, order[n].1) {
            (Key::Missing, Direction::Ascending) => lies(Next::Present),
            (Key::Missing, Direction::Descending) => {}
            (key, Direction::Ascending) => lies(Next::Beyond(key.clone())),
            (key, Direction::Descending) => {
                lies(Next::Beyond(key.clone()));
                lies(Next::Missing);
            }
        }
    }
    parts
}

impl Part {
    fn read(self, db: &Db, paging: &Paging, order: &[(Field, Direction)], limit: usize) -> Result<Vec<User>> {
        let mut values = vec![Value::from(paging.project.0)];
        let mut which = format!(
            "state = 'live' AND project_id = ?1 AND {} AND {}",
            users::NOT_RESTRICTED,
            paging.filter.sql(&mut values)
        );
        let rest = self.same.len();
        for (key, (field, _)) in self.same.into_iter().zip(order) {
            which.push_str(" AND ");
            which.push_str(&key.test(field.column(), "=", &mut values));
        }
        if let Some((next, (field, direction))) = self.next.zip(order.get(rest)) {
            let sign = if *direction == Direction::Ascending { ">" } else { "<" };
            which.push_str(" AND ");
            which.push_str(&match next {
                Next::Beyond(key) => key.test(field.column(), sign, &mut values),
                Next::Missing => format!("{} IS NULL", field.column()),
                Next::Present => format!("{} IS NOT NULL", field.column()),
            });
        }
        let order: Vec<String> = order[rest..]
            .iter()
            .map(|(field, direction)| format!("{} {}", field.column(), direction.sql()))
            .collect();
        let order = order.join(", ");
        values.push(Value::from(i64::try_from(limit).map_err(Error::internal)?));
        // Where no index has the order, the ids alone are sorted: with whole rows in the sorter
        // it took more than twice as long.
        let sql = format!(
            "SELECT {COLUMNS} FROM users WHERE id IN
                 (SELECT id FROM users WHERE {which} ORDER BY {order} LIMIT ?{})
             ORDER BY {order}",
            values.len()
        );
        db.rows(&sql, &values, users::read)
    }
}

impl Key {
    fn test(self, column: &str, sign: &str, values: &mut Vec<Value<'static>>) -> String {
        let value = match self {
            Key::Missing => return format!("{column} IS NULL"),
            Key::Number(number) => Value::from(number),
            Key::Text(text) => Value::from(text),
        };
        values.push(value);
        format!("{column} {sign} ?{}", values.len())
    }
}

impl Field {
    /// The user's value of it.
    pub fn of(self, user: &User) -> Key {
        let profile = &user.profile;
        let text = |text: &Option<String>| text.clone().map_or(Key::Missing, Key::Text);
        let number = |number: Option<i64>| number.map_or(Key::Missing, Key::Number);
        match self {
            Field::Id => Key::Number(user.id.0),
            Field::Identifier => text(&user.identifier),
            Field::Email => text(&profile.email),
            Field::FirstName => text(&profile.first_name),
            Field::LastName => text(&profile.last_name),
            Field::DisplayName => text(&profile.display_name),
            Field::Name => text(&user.name()),
            Field::Country => text(&profile.country),
            Field::City => text(&profile.city),
            Field::LiveMode => Key::Number(profile.live_mode.into()),
            Field::CreatedAt => Key::Number(user.created_at),
            Field::UpdatedAt => Key::Number(user.updated_at),
            Field::FirstSeen => number(user.first_seen),
            Field::LastSeen => number(user.last_seen),
            Field::SessionCount => Key::Number(user.session_count),
        }
    }
}

//! Which attributes there are. Nobody declares them, so it is read off the users.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Result;
use crate::model::ProjectId;
use crate::store::Db;
use crate::store::pages::{self, Paging};
use crate::store::users::{Direction, Field, Filter};

/// Users read at a time.
const CHUNK: u32 = 500;
/// Names beyond this many are not told.
const NAMES_MAX: usize = 5_000;

/// What the values of an attribute are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    Flag,
    /// Lists, objects, or not the same with every user.
    Other,
}

/// The attributes of the newest users, so many of them, and what their values are. Reads
/// each of these users: for scans.
pub fn in_use(db: &Db, project: ProjectId, newest: u32) -> Result<BTreeMap<String, Shape>> {
    let order = vec![(Field::Id, Direction::Descending)];
    let paging = Paging { project, filter: Filter::Identified, order };
    let mut shapes = BTreeMap::new();
    let mut after = None;
    for _ in 0..newest.div_ceil(CHUNK) {
        let users = pages::page(db, &paging, after.as_ref(), CHUNK, None)?;
        after = users.last().map(|user| paging.position(user));
        for (name, value) in users.into_iter().flat_map(|user| user.profile.attributes) {
            note(&mut shapes, name, shape(&value));
        }
        if after.is_none() {
            break;
        }
    }
    Ok(shapes)
}

fn note(shapes: &mut BTreeMap<String, Shape>, name: String, shape: Shape) {
    let is_full = shapes.len() >= NAMES_MAX;
    match shapes.get_mut(&name) {
        Some(known) if *known == shape => {}
        Some(known) => *known = Shape::Other,
        None if is_full => {}
        None => drop(shapes.insert(name, shape)),
    }
}

fn shape(value: &Value) -> Shape {
    match value {
        Value::String(_) => Shape::Text,
        Value::Number(_) => Shape::Number,
        Value::Bool(_) => Shape::Flag,
        _ => Shape::Other,
    }
}

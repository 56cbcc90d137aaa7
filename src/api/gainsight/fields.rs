//! A user's fields as Gainsight PX names them: of what kind each is, where it is kept, how
//! it reads in a body, and what stands in an answer for one that was never told.
//!
//! Source: the vendor's API description (Swagger), `User` and `Location`. What it marks as
//! read-only is ignored in a body, as a field that nobody knows is.

use serde_json::{Map, Value, json};

use super::cells::{self, Kind};
use crate::api::dialect::Object;
use crate::api::dialect::repairs::Repairs;
use crate::model::{ProfileChange, User};
use crate::people::listings::{Field as Column, Key};

pub struct Field {
    /// Dots lead into objects: `location.city`.
    pub name: &'static str,
    pub kind: Kind,
    pub home: Home,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Home {
    Column(Column),
    /// In the profile's `extra`, under its name.
    Extra,
    /// The same, but until it is told, the first time the user was seen.
    FirstVisit,
    /// Made from the registration's random number: who comes back has the same, who is
    /// registered anew another.
    Registration,
    /// Nothing is ever inferred from an address on the network, so it is never told.
    Nowhere,
}

pub const USER_TYPES: &[&str] = &["USER", "LEAD", "VISITOR", "EMPTY_USER_TYPE"];
const GENDERS: &[&str] = &["EMPTY_GENDER", "MALE", "FEMALE", "OTHER"];

const fn field(name: &'static str, kind: Kind, home: Home) -> Field {
    Field { name, kind, home }
}

const fn text(name: &'static str) -> Field {
    field(name, Kind::Text, Home::Extra)
}

const fn column(name: &'static str, kind: Kind, column: Column) -> Field {
    field(name, kind, Home::Column(column))
}

const fn inferred(name: &'static str) -> Field {
    field(name, Kind::Text, Home::Nowhere)
}

/// All but the custom attributes.
pub static FIELDS: &[Field] = &[
    field("aptrinsicId", Kind::Text, Home::Registration),
    column("identifyId", Kind::Text, Column::Identifier),
    // "Synonym for identifyId, output only".
    column("id", Kind::Text, Column::Identifier),
    field("type", Kind::Choice(USER_TYPES), Home::Extra),
    field("gender", Kind::Choice(GENDERS), Home::Extra),
    column("email", Kind::Text, Column::Email),
    column("firstName", Kind::Text, Column::FirstName),
    column("lastName", Kind::Text, Column::LastName),
    column("lastSeenDate", Kind::Time, Column::LastSeen),
    field("signUpDate", Kind::Time, Home::Extra),
    field("firstVisitDate", Kind::Time, Home::FirstVisit),
    text("title"),
    text("phone"),
    field("score", Kind::Integer, Home::Extra),
    text("role"),
    text("subscriptionId"),
    text("accountId"),
    column("numberOfVisits", Kind::Integer, Column::SessionCount),
    text("location.countryName"),
    column("location.countryCode", Kind::Text, Column::Country),
    text("location.stateName"),
    text("location.stateCode"),
    column("location.city", Kind::Text, Column::City),
    text("location.street"),
    text("location.postalCode"),
    text("location.continent"),
    text("location.regionName"),
    text("location.timeZone"),
    field("location.coordinates.latitude", Kind::Decimal, Home::Extra),
    field("location.coordinates.longitude", Kind::Decimal, Home::Extra),
    field("propertyKeys", Kind::Texts, Home::Extra),
    column("createDate", Kind::Time, Column::CreatedAt),
    column("lastModifiedDate", Kind::Time, Column::UpdatedAt),
    field("globalUnsubscribe", Kind::Flag, Home::Extra),
    text("sfdcContactId"),
    field("lastVisitedUserAgentData", Kind::Objects, Home::Extra),
    inferred("lastInferredLocation.countryName"),
    inferred("lastInferredLocation.countryCode"),
    inferred("lastInferredLocation.stateName"),
    inferred("lastInferredLocation.stateCode"),
    inferred("lastInferredLocation.city"),
    inferred("lastInferredLocation.street"),
    inferred("lastInferredLocation.postalCode"),
    inferred("lastInferredLocation.continent"),
    inferred("lastInferredLocation.regionName"),
    inferred("lastInferredLocation.timeZone"),
    field("lastInferredLocation.coordinates.latitude", Kind::Decimal, Home::Nowhere),
    field("lastInferredLocation.coordinates.longitude", Kind::Decimal, Home::Nowhere),
];

/// The user with every field, told or not.
pub fn user_json(user: &User) -> Value {
    let mut body = Map::new();
    for field in FIELDS {
        put(&mut body, field.name, field.value(user));
    }
    body.insert("customAttributes".into(), Value::Object(user.profile.attributes.clone()));
    Value::Object(body)
}

fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((outer, rest)) = name.split_once('.') else {
        map.insert(name.to_owned(), value);
        return;
    };
    if let Value::Object(inner) = map.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
        put(inner, rest, value);
    }
}

impl Kind {
    /// What stands for nothing told.
    fn untold(self) -> Value {
        match self {
            Kind::Text => json!(""),
            Kind::Choice(choices) => json!(choices.first()),
            Kind::Integer | Kind::Time => json!(0),
            Kind::Decimal => json!(0.0),
            Kind::Flag => json!(false),
            Kind::Texts | Kind::Objects => json!([]),
        }
    }

    /// As the vendor types attributes; it has four types.
    pub fn attribute_type(self) -> &'static str {
        match self {
            Kind::Text | Kind::Choice(_) | Kind::Texts | Kind::Objects => "STRING",
            Kind::Integer | Kind::Decimal => "NUMBER",
            Kind::Time => "DATE_TIME",
            Kind::Flag => "BOOLEAN",
        }
    }
}

impl Field {
    pub fn value(&self, user: &User) -> Value {
        let told = || user.profile.extra.get(self.name).cloned();
        let value = match self.home {
            Home::Column(column) => key_json(column.of(user)),
            Home::Extra => told(),
            Home::FirstVisit => told().or_else(|| key_json(Column::FirstSeen.of(user))),
            Home::Registration => Some(json!(uuid(user))),
            Home::Nowhere => None,
        };
        value.unwrap_or_else(|| self.kind.untold())
    }

    /// Whether a body may set it; what may not be set is ignored.
    fn is_told(&self) -> bool {
        match self.home {
            Home::Extra | Home::FirstVisit => true,
            Home::Column(column) => destination(column, &mut ProfileChange::default()).is_some(),
            Home::Registration | Home::Nowhere => false,
        }
    }
}

fn key_json(key: Key) -> Option<Value> {
    match key {
        Key::Number(number) => Some(json!(number)),
        Key::Text(text) => Some(json!(text)),
        Key::Missing => None,
    }
}

/// The registration's random number, in a UUID's form.
fn uuid(user: &User) -> String {
    let hex = data_encoding::HEXLOWER.encode(&user.incarnation);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What a body tells of a user: absent fields stay as they are; null, and what stands for
/// nothing in an answer, empty them. A field that is not of its kind is left out, alone.
pub fn change(body: &Object, repairs: &mut Repairs) -> ProfileChange {
    let mut change = ProfileChange::default();
    for field in FIELDS.iter().filter(|field| field.is_told()) {
        match find(&body.0, field.name) {
            Ok(None) => {}
            Ok(Some(value)) => match cells::read(field.kind, value) {
                Ok(value) => tell(&mut change, field, value),
                Err(reason) => repairs.note(field.name, reason),
            },
            Err(name) => repairs.note(name, cells::NO_OBJECT),
        }
    }
    change.set = cells::object(body, "customAttributes", repairs);
    change
}

/// The value under a dotted name; null in an object's place is null in each of its fields,
/// an empty list is an object without fields. Err: the name of what should have been an object.
fn find<'a>(body: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a Value>, &'static str> {
    let mut map = body;
    let mut from = 0;
    while let Some(dot) = name[from..].find('.').map(|dot| from + dot) {
        match map.get(&name[from..dot]) {
            Some(Value::Object(inner)) => map = inner,
            Some(Value::Null) => return Ok(Some(&Value::Null)),
            Some(Value::Array(list)) if list.is_empty() => return Ok(None),
            Some(_) => return Err(&name[..dot]),
            None => return Ok(None),
        }
        from = dot + 1;
    }
    Ok(map.get(&name[from..]))
}

fn tell(change: &mut ProfileChange, field: &Field, value: Value) {
    // A user that is put back as it was read is told nothing by it.
    let value = if value == field.kind.untold() { Value::Null } else { value };
    match field.home {
        Home::Column(column) => {
            if let Some(slot) = destination(column, change) {
                *slot = Some(value.as_str().map(str::to_owned));
            }
        }
        _ => drop(change.extra.insert(field.name.to_owned(), value)),
    }
}

/// Where a change to a column goes; None: a body does not change it.
fn destination(column: Column, change: &mut ProfileChange) -> Option<&mut Option<Option<String>>> {
    Some(match column {
        Column::Email => &mut change.email,
        Column::FirstName => &mut change.first_name,
        Column::LastName => &mut change.last_name,
        Column::Country => &mut change.country,
        Column::City => &mut change.city,
        _ => return None,
    })
}

//! Auth0's export of users: JSON lines or a table.

use serde_json::Value;

use super::fields::{self, Notes, Object, Says, id, required, time};
use super::{traits, users};
use crate::people::imports::{Entry, Person};
use crate::people::subject::Subject;

pub fn read(mut record: Object, notes: &mut Notes) -> Says {
    let identifier = id(&record, "user_id")?.ok_or_else(|| required("user_id"))?;
    let (created_at, updated_at) = (time(&record, "created_at")?, time(&record, "updated_at")?);
    let last_seen = time(&record, "last_login")?;
    for field in ["user_id", "created_at", "updated_at", "last_login"] {
        record.remove(field);
    }
    // What the app keeps with the account: beside the account's own fields, which go before it.
    for (name, value) in fields::object(&record, "user_metadata") {
        record.entry(name).or_insert(value);
    }
    record.remove("user_metadata");
    record
        .retain(|_, value| !value.is_null() && value.as_str() != Some("") && *value != Value::Array(vec![]));
    let person = Person {
        subject: Subject::named(&identifier),
        change: traits::change(record, notes),
        at: updated_at.or_else(|| users::newest([created_at, last_seen, None])),
        created_at,
        first_seen: None,
        last_seen,
        is_activity: false,
    };
    Ok(vec![Entry::Person(Box::new(person))])
}

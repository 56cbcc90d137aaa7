//! What is said of a person, put into the profile's own fields where they have one.

use serde_json::Value;

use super::fields::{Notes, Object};
use super::secret_values::{About, plain};
use crate::forms;
use crate::model::ProfileChange;

/// The change that some named values are: those that have a place of their own, and the rest.
pub fn change(traits: Object, notes: &mut Notes) -> ProfileChange {
    let mut change = ProfileChange::default();
    for (name, value) in notes.without_secrets(traits, About::Person) {
        let field = match plain(&name).as_str() {
            "email" | "emailaddress" | "primaryemailaddress" | "mail" | "useremail" => &mut change.email,
            "firstname" | "givenname" | "fname" => &mut change.first_name,
            "lastname" | "familyname" | "surname" | "lname" => &mut change.last_name,
            "name" | "displayname" | "fullname" => &mut change.display_name,
            "avatar" | "avatarurl" | "picture" | "photourl" | "imageurl" | "profileimageurl" => {
                &mut change.avatar_url
            }
            "country" | "countrycode" => &mut change.country,
            "city" => &mut change.city,
            _ => {
                change.set.insert(name, value);
                continue;
            }
        };
        match value {
            Value::String(text) if field.is_none() => *field = Some(Some(forms::cleaned(&text).into_owned())),
            Value::Null if field.is_none() => *field = Some(None),
            // Not a text, or said twice: kept under its own name.
            value => _ = change.set.insert(name, value),
        }
    }
    if let Some(Value::Object(address)) = change.set.get("address") {
        let part = |name| address.get(name).and_then(Value::as_str).map(|text| Some(text.to_owned()));
        let (country, city) = (part("country"), part("city"));
        change.country = change.country.or(country);
        change.city = change.city.or(city);
    }
    change
}

//! What is never taken out of a file: passwords in any form, and what opens something.

use serde_json::{Map, Value};

/// A name with one of these in it, without regard to letter case, spaces and underscores.
const INSIDE: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "kennwort",
    "hashedpass",
    "secret",
    "credential",
    "totp",
    "otpauth",
    "apikey",
    "privatekey",
    "backupcode",
    "recoverycode",
    "accesskey",
    "creditcard",
    "cardnumber",
    "mfainfo",
];
/// A name that ends with one of these.
const AT_THE_END: [&str; 8] =
    ["token", "tokens", "tokenvalue", "salt", "salts", "cvv", "hashedpin", "sessioncookie"];

/// What the fields are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// In an account, `hash` and the like are what a password's is called.
    Person,
    /// In an event they are a part of an address, or a program's version.
    Event,
}

/// Whether a field of this name is never taken.
pub fn is_secret(name: &str, about: About) -> bool {
    let name = plain(name);
    about == About::Person
        && matches!(
            name.as_str(),
            "hash" | "pwd" | "pw" | "pass" | "pin" | "otp" | "mfa" | "ssn" | "digest" | "jwt"
        )
        || INSIDE.iter().any(|word| name.contains(word))
        || AT_THE_END.iter().any(|word| name.ends_with(word))
}

/// A name as it is compared: small letters and digits.
pub fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Removes them from values and from objects in them; returns how many there were. An empty one counts
/// for nothing, but goes, too.
pub fn remove(values: &mut Map<String, Value>, about: About) -> u64 {
    let mut removed = 0;
    values.retain(|name, value| {
        if is_secret(name, about) {
            let is_empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
            removed += u64::from(!is_empty);
            return false;
        }
        removed += within(value, about);
        true
    });
    removed
}

fn within(value: &mut Value, about: About) -> u64 {
    match value {
        Value::Object(map) => remove(map, about),
        Value::Array(list) => list.iter_mut().map(|value| within(value, about)).sum(),
        _ => 0,
    }
}

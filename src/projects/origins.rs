//! Origins: the sites whose pages may send to a project. An empty list is every site.

use crate::edge;
use crate::error::{Error, FieldError, Place, Result};

/// The longest list.
pub const MAX: usize = 100;

/// A list as it is kept: in lower case, without ports that go without saying, each once.
/// [`Error::Invalid`] on `origins`, naming each entry that is none by its place.
pub fn parse(list: &[String]) -> Result<Vec<String>> {
    if list.len() > MAX {
        return Err(Error::invalid(Place::Body, "origins", format!("must have at most {MAX} entries")));
    }
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for (index, text) in list.iter().enumerate() {
        match origin(text) {
            Some(origin) if !good.contains(&origin) => good.push(origin),
            Some(_) => {}
            None => {
                let why = "must be scheme://host or scheme://host:port, without a path";
                faults.push(FieldError::new(Place::Body, format!("origins[{index}]"), why));
            }
        }
    }
    if faults.is_empty() { Ok(good) } else { Err(Error::Invalid(faults)) }
}

/// The entries of a text in which commas or white space stand between them.
pub fn split(text: &str) -> Vec<String> {
    let entries = text.split(|c: char| c == ',' || c.is_whitespace());
    entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Whether a list lets a page of this origin send. A page without one that it would tell,
/// `null`, is on no list.
pub fn allows(list: &[String], origin: &str) -> bool {
    list.is_empty() || self::origin(origin).is_some_and(|origin| list.contains(&origin))
}

/// One origin, in the form in which it is kept. Any scheme: apps in a web view have their
/// own, such as `capacitor://localhost`.
fn origin(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let (scheme, host) = text.split_once("://")?;
    let scheme_is_good = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let host = match scheme {
        "http" | "https" => edge::bare(scheme, host),
        _ => host,
    };
    (scheme_is_good && scheme.len() <= 32 && edge::is_authority(host)).then(|| format!("{scheme}://{host}"))
}

//! Paths: which pattern fits one, and which words belong to whom.

/// What follows `/v1/` in Segment's, RudderStack's and Customer.io's paths.
pub const SEGMENTS: [&str; 18] = [
    "batch", "identify", "track", "page", "screen", "group", "alias", "merge", "import", "projects", "b",
    "i", "t", "p", "s", "g", "a", "m",
];

/// What follows `/v1/` in PX's paths, besides `users`, which it shares; served or not.
pub const GAINSIGHTS: [&str; 9] =
    ["events", "admin", "accounts", "user", "segment", "feature", "articles", "kcbot", "survey"];

/// Whether a path has the segments of a pattern; a name in braces takes any but none.
pub fn fits(pattern: &str, path: &str) -> bool {
    compare(pattern, path, |our, their| our == their)
}

/// The same for a path of a vendor's, whose words a client may have percent-encoded: the
/// vendor's server decodes first and looks for its own words then.
pub fn is_literal(pattern: &str, path: &str) -> bool {
    compare(pattern, path, |our, their| percent_encoding::percent_decode_str(their).eq(our.bytes()))
}

fn compare(pattern: &str, path: &str, is_same: impl Fn(&str, &str) -> bool) -> bool {
    let (mut ours, mut theirs) = (pattern.split('/'), path.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(our), Some(their))
                if is_same(our, their) || (our.starts_with('{') && !their.is_empty()) => {}
            _ => return false,
        }
    }
}

/// Sorts patterns: one with a word comes before one with a name in that place.
pub fn rank(pattern: &str) -> Vec<bool> {
    pattern.split('/').map(|segment| segment.starts_with('{')).collect()
}

/// The path without doubled slashes and without one at its end. None: it has neither.
pub fn tidied(path: &str) -> Option<String> {
    if !path.contains("//") && !path.ends_with('/') {
        return None;
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    Some(segments.fold(String::new(), |path, segment| path + "/" + segment))
}

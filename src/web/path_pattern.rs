//! Patterns of paths: segments, of which those in braces are names for what stands there.

/// Whether a path has the segments of a pattern; a name in braces takes any but none.
pub fn fits(pattern: &str, path: &str) -> bool {
    compare(pattern, path, |our, their| our == their)
}

/// The same for a path of a vendor's, whose words a client may have percent-encoded: the
/// vendor's server decodes first and looks for its own words then.
pub fn is_literal(pattern: &str, path: &str) -> bool {
    compare(pattern, path, |our, their| percent_encoding::percent_decode_str(their).eq(our.bytes()))
}

/// What stands in a path where its pattern has `{name}`, as it came. None: the pattern has no such name.
pub fn segment<'a>(pattern: &str, path: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = pattern.split('/').zip(path.split('/'));
    pairs
        .find(|(pattern, _)| pattern.strip_prefix('{').and_then(|p| p.strip_suffix('}')) == Some(name))
        .map(|(_, segment)| segment)
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

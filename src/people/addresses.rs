//! The parts of a page's address.

/// Origin, path and hash of an address, as far as it has them. The query is none of them.
pub fn split(url: &str) -> (Option<String>, Option<String>, Option<String>) {
    let (rest, hash) = url.find('#').map_or((url, ""), |at| url.split_at(at));
    let hash = (hash.len() > 1).then(|| hash.to_owned());
    let rest = rest.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = rest.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        // Other clients also send addresses without origin.
        return (None, rest.starts_with('/').then(|| rest.to_owned()), hash);
    };
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    // What stands before an @ is for signing in, and no part of an origin.
    let host = host.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.contains(char::is_whitespace) {
        return (None, None, None);
    }
    let (scheme, host) = (scheme.to_lowercase(), host.to_lowercase());
    // A port that goes without saying is not part of it.
    let usual = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    (Some(format!("{scheme}://{host}")), Some(path.to_owned()), hash)
}

/// The host of an address, without a port. None: it has none.
pub fn host(url: &str) -> Option<String> {
    let (origin, _, _) = split(url);
    let host = origin?.split_once("://")?.1.to_owned();
    // What follows the last colon outside of brackets is a port.
    let end = host.rfind(':').filter(|at| host.rfind(']').is_none_or(|closed| closed < *at));
    Some(host[..end.unwrap_or(host.len())].to_owned())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The value of a parameter of an address's query, decoded; the first if there are several.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split('#').next()?.split_once('?')?;
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| decode(key) == name)
        .map(|(_, value)| decode(value))
}

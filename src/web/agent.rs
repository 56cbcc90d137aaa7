//! What a `User-Agent` says of the system, the browser and the kind of device.

use woothee::parser::Parser;

/// A longer text is no browser's.
const LONGEST: usize = 1_024;
/// What the parser says of what it does not know.
const UNKNOWN: &str = "UNKNOWN";

/// What can be told; the rest stays open.
#[derive(Debug, Default)]
pub struct Agent {
    pub os: Option<String>,
    pub browser: Option<String>,
    /// The parser's word for the kind of device.
    pub category: Option<String>,
}

/// Reads a `User-Agent`.
pub fn read(agent: &str) -> Agent {
    if agent.len() > LONGEST {
        return Agent::default();
    }
    let Some(found) = Parser::new().parse(agent) else { return Agent::default() };
    let known = |text: &str| (!text.is_empty() && text != UNKNOWN).then(|| text.to_owned());
    Agent { os: known(found.os), browser: known(found.name), category: known(found.category) }
}

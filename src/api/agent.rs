//! What a `User-Agent` says of the system, the browser and the kind of device. The text itself is
//! not kept.

use woothee::parser::Parser;

use crate::model::Device;

/// A longer text is no browser's.
const LONGEST: usize = 1_024;
/// What the parser says of what it does not know.
const UNKNOWN: &str = "UNKNOWN";

/// What can be told; the rest stays open.
pub fn device(agent: &str) -> Device {
    if agent.len() > LONGEST {
        return Device::default();
    }
    let Some(found) = Parser::new().parse(agent) else { return Device::default() };
    let known = |text: &str| (!text.is_empty() && text != UNKNOWN).then(|| text.to_owned());
    let device = match found.category {
        "pc" => Some("desktop"),
        "smartphone" | "mobilephone" => Some("mobile"),
        "appliance" => Some("appliance"),
        "crawler" => Some("bot"),
        _ => None,
    };
    Device {
        os: known(found.os),
        browser: known(found.name),
        device: device.map(str::to_owned),
        country: None,
    }
}

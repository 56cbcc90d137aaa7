//! What a `User-Agent` says of the system, the browser and the kind of device. The text itself is
//! not kept.

use crate::model::Device;
use crate::web::agent;

/// What can be told; the rest stays open.
pub fn device(agent: &str) -> Device {
    let found = agent::read(agent);
    let device = found.category.as_deref().and_then(|category| match category {
        "pc" => Some("desktop"),
        "smartphone" | "mobilephone" => Some("mobile"),
        "appliance" => Some("appliance"),
        "crawler" => Some("bot"),
        _ => None,
    });
    Device { os: found.os, browser: found.browser, device: device.map(str::to_owned), country: None }
}

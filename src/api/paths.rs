//! Which words of a path belong to which vendor.

/// What follows `/v1/` in Segment's, RudderStack's and Customer.io's paths.
pub const SEGMENTS: [&str; 18] = [
    "batch", "identify", "track", "page", "screen", "group", "alias", "merge", "import", "projects", "b",
    "i", "t", "p", "s", "g", "a", "m",
];

/// What follows `/v1/` in PX's paths, besides `users`, which it shares; served or not.
pub const GAINSIGHTS: [&str; 9] =
    ["events", "admin", "accounts", "user", "segment", "feature", "articles", "kcbot", "survey"];

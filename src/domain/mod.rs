//! The rules, one verb a function, used through its module: `users::identify`,
//! `erase::begin`, `jobs::step`. Nothing in here knows about HTTP or SQL.

pub mod activity;
pub mod admins;
pub mod attributes;
pub mod audit;
pub mod erase;
pub mod jobs;
pub mod keys;
pub mod merge;
pub mod origins;
pub mod projects;
pub mod reap;
pub mod receipts;
pub mod recordings;
pub mod references;
pub mod replay;
pub mod secrets;
pub mod seen;
pub mod users;

//! The rules, one verb a function, used through its module: `users::identify`,
//! `erase::begin`, `jobs::step`. Nothing in here knows about HTTP or SQL.

pub mod activity;
pub mod addresses;
pub mod admins;
pub mod attributes;
pub mod audit;
pub mod callers;
pub mod conditions;
pub mod denylist;
pub mod erase;
pub mod history;
pub mod interactions;
pub mod jobs;
pub mod keys;
pub mod late;
pub mod merge;
pub mod messages;
pub mod origins;
pub mod placeholders;
pub mod projects;
pub mod public;
pub mod reap;
pub mod reasons;
pub mod receipts;
pub mod recordings;
pub mod references;
pub mod regulations;
pub mod repairs;
pub mod replay;
pub mod secrets;
pub mod seen;
pub mod subjects;
pub mod suppressions;
pub mod users;
pub mod visitors;
pub mod visits;

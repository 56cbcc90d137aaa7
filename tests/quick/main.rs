//! The tests that need nothing: no process, no socket, no program that has to be installed. They are
//! through in seconds, and the first to run: `cargo test --test quick`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod edge;
mod export_contents;
mod imports;
mod kinds;
mod layers;
mod layout;
mod ledger;
mod map;
mod metrics_text;
mod proof;
mod recorder;
mod registry;
mod repair_reasons;
mod scanner;
mod schema_check;
mod search_scope;
mod test_names;
mod test_run;

//! Usher, from the outside: over a real socket, on a fresh file, with a clock that moves
//! when it is told to.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod alloy;
mod browser;
mod cli;
mod clients;
mod gainsight;
mod harness;
mod kills;
mod layers;
mod ledger;
mod life;
mod load;
mod native;
mod openreplay;
mod process;
mod proficient;
mod registry;
mod routes;
mod seeds;
mod segment;
mod vemetric;

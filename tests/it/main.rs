//! Usher, from the outside: over a real socket, on a fresh file, with a clock that moves
//! when it is told to.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod alloy;
mod browser;
mod cli;
mod clients;
mod directory;
mod domain;
mod erasure;
mod full_disk;
mod gainsight;
mod harness;
mod ingestion;
mod kills;
mod kills_proof;
mod layers;
mod layout;
mod ledger;
mod life;
mod lives;
mod load;
mod lookups;
mod merging;
mod merging_erasures;
mod native;
mod native_proofs;
mod openreplay;
mod openreplay_jobs;
mod openreplay_projects;
mod output;
mod printed;
mod process;
mod proficient;
mod proof;
mod registry;
mod replay;
mod restore;
mod restore_kills;
mod restore_owner;
mod routes;
mod searches;
mod seeds;
mod segment;
mod segment_messages;
mod segment_random;
mod unsearched;
mod upkeep;
mod vault;
mod vemetric;
mod verify;

//! Usher: a self-hosted home for an app's end users, that can delete them.
//!
//! The rooms, from the ground up; each may use only those above it in this list
//! (`tests/it/layers.rs` holds that): `clock`, `error`, `edge`, `model`, `bell`, `owner`, `disk`, `metrics`, `tls`; `ledger`, the
//! file of erasures; `proof`, receipts and chains; `vault`, backups as files; `trace`, who
//! asks; `store`, all SQL; `domain`, the rules; `app`, the handle that handlers hold; `web`, what
//! both faces share of HTTP; `api` and `admin`, the two faces; `worker`, the background thread; `server`, `config`, `cli`, wiring.

// These panic where nobody reads what is printed; see `cli::out`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod bell;
pub mod clock;
pub mod disk;
pub mod edge;
pub mod error;
pub mod files;
pub mod metrics;
pub mod model;
pub mod owner;
pub mod tls;
pub mod trace;

pub mod ledger;
pub mod proof;
pub mod vault;

pub mod store;

pub mod domain;

pub mod app;
pub mod keyring;
pub mod quota;

pub mod web;

pub mod admin;
pub mod api;

pub mod worker;

pub mod cli;
pub mod config;
pub mod data_dir;
pub mod server;

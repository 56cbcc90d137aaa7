//! Usher: a self-hosted home for an app's end users, that can delete them.
//!
//! The rooms, from the ground up; each may use only those above it in this list, or in its own row
//! (`tests/quick/layers.rs` holds that). `docs/architecture.md` is the map, with the ways through them:
//!
//! | room | what is in it |
//! |---|---|
//! | `atomic_file`, `clock`, `error`, `edge`, `model`, `forms`, `worker_signal`, `files`, `owner`, `disk`, `metrics`, `tls`, `trace`, `secrets` | small things that many need |
//! | `ledger` | the append-only file of what was ordered: erasures, suppressions, ends of credentials |
//! | `proof` | receipts, the audit log's chain, signatures |
//! | `archive` | backups as files: packed, encrypted, listed, copied, unpacked |
//! | `find` | the names of all users in memory, searched by any part of them |
//! | `store` | the database: all SQL, the one writing thread, overwriting, searching |
//! | `projects` | apps whose users are kept apart |
//! | `access` | who may do what: admins, roles, sign-ins, keys, rate limits |
//! | `people` | users and what they do: taken in, found, changed, merged, kept out |
//! | `erasure` | the trash, deletions, their jobs, proofs and receipts, the replay after a restore |
//! | `export` | what is held, taken along: of a person or a project, as NDJSON or as a ZIP to read; links to it |
//! | `imports` | the files that other products export, read record by record |
//! | `app` | the handle that handlers, pages, commands and the worker hold |
//! | `prove` | the proof of erasures: overwriting, searching, the receipt |
//! | `backup` | backups made, scheduled and pruned |
//! | `web` | what `api` and `admin` share of HTTP |
//! | `api`, `admin` | the vendors' APIs and our own; the pages |
//! | `docs` | the reference of the APIs: OpenAPI documents and pages, made from the table of routes |
//! | `worker` | the background threads |
//! | `data_dir` | what lies in a data directory, and that one process holds it |
//! | `start` | an app put together from a data directory, with the checks of every start |
//! | `restore` | a backup in the place of the database |
//! | `inspect` | a whole data directory checked, changing nothing |
//! | `server`, `config`, `cli` | HTTP and the command line |
//!
//! In `projects`, `access`, `people` and `erasure` stand the rules, one verb a function, used through its
//! module: `identify::identify`, `trash::hide`, `erasure::begin`. They know nothing of HTTP or SQL. Which priority
//! the writer gives a verb stands in its signature: see [`store::TxOf`].

// These panic where nobody reads what is printed; see `cli::out`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod atomic_file;
pub mod clock;
pub mod disk;
pub mod edge;
pub mod error;
pub mod files;
pub mod forms;
pub mod metrics;
pub mod model;
pub mod owner;
pub mod secrets;
pub mod tls;
pub mod trace;
pub mod worker_signal;

pub mod archive;
pub mod find;
pub mod ledger;
pub mod proof;

pub mod store;

pub mod access;
pub mod erasure;
pub mod people;
pub mod projects;

pub mod export;
pub mod imports;

pub mod app;

pub mod backup;
pub mod prove;

pub mod web;

pub mod admin;
pub mod api;

pub mod docs;

pub mod worker;

pub mod data_dir;
pub mod inspect;
pub mod restore;
pub mod start;

pub mod cli;
pub mod config;
pub mod server;

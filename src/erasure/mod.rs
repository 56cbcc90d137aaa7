//! Deletions: the trash, jobs that take rows, the proof and its receipt, and the replay of the ledger
//! on an older copy of the database.

pub mod begin;
pub mod delete_rows;
pub mod jobs;
pub mod preview;
pub mod project_deletion;
pub mod receipts;
pub mod regulations;
pub mod replay;
pub mod step;
pub mod timekeeping;
pub mod token;
pub mod trash;

pub use begin::{
    begin, begin_again, begin_for, begin_or_wait, by_identifier, may_begin, start, with_switches,
};

//! What can be shown to an outsider: a signed receipt of each erasure, the chain that the
//! receipts make, and the chain that the rows of the audit log make.
//!
//! Nothing in here knows about HTTP or SQL. Nothing that it writes names a person: a
//! receipt holds a salted hash of the identifier, and the salt is the person's alone; a row
//! of the audit log holds a keyed pseudonym.

pub mod audit;
pub mod canonical;
pub mod chain;
pub mod check;
pub mod draft;
pub mod figures;
pub mod form;
pub mod hex;
pub mod ledger_head;
pub mod receipt;
pub mod receipts;
pub mod signing;

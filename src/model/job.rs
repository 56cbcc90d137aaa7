//! An erasure as a job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Erasure, JobId, ProjectId, UserId};
use crate::clock::Millis;
use crate::trace::LegalBasis;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    Scheduled,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl JobStatus {
    pub const ALL: [JobStatus; 5] = [
        JobStatus::Scheduled,
        JobStatus::Running,
        JobStatus::Completed,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Scheduled => "scheduled",
            JobStatus::Running => "running",
            JobStatus::Completed => "completed",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<JobStatus> {
        JobStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Where a running job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Rows leave.
    Erasing,
    /// Rows are gone; the pages they lay on are cleaned.
    Scrubbing,
    /// The files are searched for the person's data.
    Verifying,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Erasing => "erasing",
            Step::Scrubbing => "scrubbing",
            Step::Verifying => "verifying",
        }
    }

    pub fn parse(text: &str) -> Option<Step> {
        [Step::Erasing, Step::Scrubbing, Step::Verifying].into_iter().find(|step| step.as_str() == text)
    }
}

/// 16 random bytes that name a receipt, and in the ledger a scheduled request.
pub type ReceiptId = [u8; 16];

/// Who caused a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A deletion asked for by identifier, due at the next midnight.
    Schedule,
    /// A deletion asked for over an API, begun at once.
    Request,
    /// A deletion asked for in the admin pages, begun at once.
    Page,
    /// Seven days hidden.
    Reaper,
    /// Erased before: a database from before that was put back.
    Ledger,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Schedule => "schedule",
            Origin::Request => "request",
            Origin::Page => "page",
            Origin::Reaper => "reaper",
            Origin::Ledger => "ledger",
        }
    }

    pub fn parse(text: &str) -> Option<Origin> {
        [Origin::Schedule, Origin::Request, Origin::Page, Origin::Reaper, Origin::Ledger]
            .into_iter()
            .find(|origin| origin.as_str() == text)
    }
}

/// An erasure that takes, or may take, more than one transaction.
#[derive(Debug, Clone)]
pub struct Job {
    /// In the installation. What a project is told is its number.
    pub id: JobId,
    /// In its project.
    pub number: i64,
    pub project: ProjectId,
    pub erasure: Erasure,
    pub origin: Origin,
    pub legal_basis: LegalBasis,
    pub status: JobStatus,
    /// The identifier it was asked for, until it completes; then `erased:<12 hex>`.
    pub reference: String,
    /// Whose rows it takes, once begun. None: it found nobody.
    pub user: Option<UserId>,
    /// An [`Erasure::Activity`] takes what happened up to here.
    pub cutoff: Option<Millis>,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub start_at: Millis,
    pub finished_at: Option<Millis>,
    pub attempts: i64,
    /// After a fault: not before this.
    pub retry_at: Option<Millis>,
    pub error: Option<String>,
    /// Rows it had before it at its beginning, and rows it took.
    pub rows_total: i64,
    pub rows_erased: i64,
    /// Rows it took, by table.
    pub counts: BTreeMap<String, i64>,
    /// While it runs.
    pub step: Option<Step>,
    pub receipt: ReceiptId,
    /// SHA-256 of a salt that only the person was given, and the person's name.
    pub subject: Option<[u8; 32]>,
    /// Keyed digest of the registration.
    pub pseudonym: Option<[u8; 16]>,
    pub begun_at: Option<Millis>,
    pub erased_at: Option<Millis>,
    pub scrubbed_at: Option<Millis>,
    /// Times that values of the person were found in rows of others, and left.
    pub mentions: i64,
    /// The receipt's place among all receipts.
    pub receipt_no: Option<i64>,
    /// It was due and could not begin: since then whom it means is settled.
    pub bound_at: Option<Millis>,
    /// None, once it is bound: nobody.
    pub bound_user: Option<UserId>,
    /// Its number in the project.
    pub receipt_number: Option<i64>,
    /// When the person came, until it is completed.
    pub came_at: Option<Millis>,
    /// The last row of each table that there was when it was asked for. None: it did not wait.
    pub bounds: Option<BTreeMap<String, i64>>,
    /// Rows it took that came after it was asked for, by table; they are in `counts`, too.
    pub later: BTreeMap<String, i64>,
}

impl Job {
    /// Counts rows of a table that it took.
    pub fn count(&mut self, table: &str, rows: usize) {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        if rows > 0 {
            *self.counts.entry(table.to_owned()).or_default() += rows;
            self.rows_erased += rows;
        }
    }

    /// Says of rows that it took that they came after it was asked for.
    pub fn count_later(&mut self, table: &str, rows: i64) {
        if rows > 0 {
            *self.later.entry(table.to_owned()).or_default() += rows;
        }
    }

    /// Due, and not begun.
    pub fn is_overdue(&self, now: Millis) -> bool {
        self.status == JobStatus::Scheduled && self.start_at <= now
    }
}

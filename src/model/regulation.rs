//! Requests about several people at once, as privacy tools send them.

use super::{Handle, JobStatus, ProjectId};
use crate::clock::Millis;

/// What a regulation asks for. The words are those of the API that has most of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegulationKind {
    SuppressOnly,
    Unsuppress,
    SuppressWithDelete,
    SuppressWithDeleteInternal,
    DeleteOnly,
    DeleteInternal,
    DeleteArchiveOnly,
}

impl RegulationKind {
    pub const ALL: [RegulationKind; 7] = [
        RegulationKind::SuppressOnly,
        RegulationKind::Unsuppress,
        RegulationKind::SuppressWithDelete,
        RegulationKind::SuppressWithDeleteInternal,
        RegulationKind::DeleteOnly,
        RegulationKind::DeleteInternal,
        RegulationKind::DeleteArchiveOnly,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            RegulationKind::SuppressOnly => "SUPPRESS_ONLY",
            RegulationKind::Unsuppress => "UNSUPPRESS",
            RegulationKind::SuppressWithDelete => "SUPPRESS_WITH_DELETE",
            RegulationKind::SuppressWithDeleteInternal => "SUPPRESS_WITH_DELETE_INTERNAL",
            RegulationKind::DeleteOnly => "DELETE_ONLY",
            RegulationKind::DeleteInternal => "DELETE_INTERNAL",
            RegulationKind::DeleteArchiveOnly => "DELETE_ARCHIVE_ONLY",
        }
    }

    pub fn parse(text: &str) -> Option<RegulationKind> {
        RegulationKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The people are kept out from then on.
    pub fn suppresses(self) -> bool {
        matches!(
            self,
            RegulationKind::SuppressOnly
                | RegulationKind::SuppressWithDelete
                | RegulationKind::SuppressWithDeleteInternal
        )
    }

    /// What is held of the people goes.
    pub fn erases(self) -> bool {
        !matches!(self, RegulationKind::SuppressOnly | RegulationKind::Unsuppress)
    }
}

/// A regulation without its people.
#[derive(Debug, Clone)]
pub struct Regulation {
    /// In the order in which they came.
    pub id: i64,
    pub handle: Handle,
    /// None: an organisation's key asked, for several projects.
    pub project: Option<ProjectId>,
    pub kind: RegulationKind,
    /// It was asked for one person, and can be withdrawn.
    pub is_single: bool,
    pub created_at: Millis,
    pub withdrawn_at: Option<Millis>,
}

/// One of a regulation's people, in one project.
#[derive(Debug, Clone)]
pub struct Regulated {
    pub project: ProjectId,
    /// The suppression that it made, as long as that lasts.
    pub digest: Option<Vec<u8>>,
    pub stand_in: String,
    /// The erasure, if there was somebody to erase.
    pub job: Option<RegulatedJob>,
}

/// How far an erasure is that a regulation began.
#[derive(Debug, Clone)]
pub struct RegulatedJob {
    pub status: JobStatus,
    pub reference: String,
    pub finished_at: Option<Millis>,
}

/// How far a regulation is: all of its people together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Waiting,
    Running,
    Finished,
    PartlyFailed,
    Failed,
}

//! What the next page says about what was just done. It travels in a cookie as a word and
//! a number, never as text, so that nobody can put words into our pages.

use crate::clock::Millis;
use crate::model::{Erasure, JobId, UserId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flash {
    SignedOut,
    Hidden(UserId),
    Restored,
    Held,
    Released,
    Restricted,
    Unrestricted,
    /// What is erased, and the job that takes the rows.
    Erasing(Erasure, JobId),
    Cancelled(JobId),
    Retried(JobId),
    /// The token of a job's person.
    HandedOver(JobId),
    ProjectCreated,
    ProjectRenamed,
    ProjectDeleted,
    OriginsSet,
    SettingsSaved,
    KeyRevoked,
    KeyChanged,
    OldSecretsEnded,
    TokenRotated,
    ClockConfirmed,
    SignInEnded,
    OtherSignInsEnded,
    PasswordChanged,
    SecondFactorOff,
    UserEdited,
    AdminChanged,
    AdminRemoved,
    PasswordSet,
}

/// The same, for a template.
pub struct FlashView {
    pub tone: &'static str,
    pub text: String,
    pub undo: Option<Undo>,
}

pub struct Undo {
    pub action: String,
    pub label: &'static str,
}

impl Flash {
    /// As the cookie has it.
    pub fn written(&self) -> String {
        match self {
            Flash::SignedOut => "signed-out".into(),
            Flash::Hidden(user) => format!("hidden.{user}"),
            Flash::Restored => "restored".into(),
            Flash::Held => "held".into(),
            Flash::Released => "released".into(),
            Flash::Restricted => "restricted".into(),
            Flash::Unrestricted => "unrestricted".into(),
            Flash::Erasing(erasure, job) => format!("{}.{job}", erasure.as_str()),
            Flash::Cancelled(job) => format!("cancelled.{job}"),
            Flash::Retried(job) => format!("retried.{job}"),
            Flash::HandedOver(job) => format!("handed-over.{job}"),
            Flash::ProjectCreated => "project-created".into(),
            Flash::ProjectRenamed => "project-renamed".into(),
            Flash::ProjectDeleted => "project-deleted".into(),
            Flash::OriginsSet => "origins-set".into(),
            Flash::SettingsSaved => "settings-saved".into(),
            Flash::KeyRevoked => "key-revoked".into(),
            Flash::KeyChanged => "key-changed".into(),
            Flash::OldSecretsEnded => "old-secrets-ended".into(),
            Flash::TokenRotated => "token-rotated".into(),
            Flash::ClockConfirmed => "clock-confirmed".into(),
            Flash::SignInEnded => "sign-in-ended".into(),
            Flash::OtherSignInsEnded => "other-sign-ins-ended".into(),
            Flash::PasswordChanged => "password-changed".into(),
            Flash::SecondFactorOff => "second-factor-off".into(),
            Flash::UserEdited => "user-edited".into(),
            Flash::AdminChanged => "admin-changed".into(),
            Flash::AdminRemoved => "admin-removed".into(),
            Flash::PasswordSet => "password-set".into(),
        }
    }

    /// Reads what [`Flash::written`] wrote.
    pub fn read(text: &str) -> Option<Flash> {
        let (word, number) = text.split_once('.').unwrap_or((text, ""));
        let number: Option<Millis> = number.parse().ok();
        Some(match (word, number) {
            ("signed-out", None) => Flash::SignedOut,
            ("hidden", Some(user)) => Flash::Hidden(UserId(user)),
            ("restored", None) => Flash::Restored,
            ("held", None) => Flash::Held,
            ("released", None) => Flash::Released,
            ("restricted", None) => Flash::Restricted,
            ("unrestricted", None) => Flash::Unrestricted,
            ("cancelled", Some(job)) => Flash::Cancelled(JobId(job)),
            ("retried", Some(job)) => Flash::Retried(JobId(job)),
            ("handed-over", Some(job)) => Flash::HandedOver(JobId(job)),
            ("project-created", None) => Flash::ProjectCreated,
            ("project-renamed", None) => Flash::ProjectRenamed,
            ("project-deleted", None) => Flash::ProjectDeleted,
            ("origins-set", None) => Flash::OriginsSet,
            ("settings-saved", None) => Flash::SettingsSaved,
            ("key-revoked", None) => Flash::KeyRevoked,
            ("key-changed", None) => Flash::KeyChanged,
            ("old-secrets-ended", None) => Flash::OldSecretsEnded,
            ("token-rotated", None) => Flash::TokenRotated,
            ("clock-confirmed", None) => Flash::ClockConfirmed,
            ("sign-in-ended", None) => Flash::SignInEnded,
            ("other-sign-ins-ended", None) => Flash::OtherSignInsEnded,
            ("password-changed", None) => Flash::PasswordChanged,
            ("second-factor-off", None) => Flash::SecondFactorOff,
            ("user-edited", None) => Flash::UserEdited,
            ("admin-changed", None) => Flash::AdminChanged,
            ("admin-removed", None) => Flash::AdminRemoved,
            ("password-set", None) => Flash::PasswordSet,
            (word, Some(job)) => Flash::Erasing(Erasure::parse(word)?, JobId(job)),
            _ => return None,
        })
    }

    pub fn view(self) -> FlashView {
        let text = match self {
            Flash::SignedOut => "You are signed out.".into(),
            Flash::Hidden(_) => "The user is in the trash.".into(),
            Flash::Restored => "The user is restored with the full history.".into(),
            Flash::Held => "The user is under a legal hold.".into(),
            Flash::Released => "The hold is released. Deletions that waited for it begin now.".into(),
            Flash::Restricted => "The processing of the user's data is restricted.".into(),
            Flash::Unrestricted => {
                "The restriction is lifted. Deletions that waited for it begin now.".into()
            }
            Flash::Erasing(Erasure::Account, job) => {
                format!("Account deleted, activity kept (job {job}).")
            }
            Flash::Erasing(Erasure::Activity, job) => {
                format!("The activity is no longer in the API. Deleting data (job {job}).")
            }
            Flash::Erasing(_, job) => {
                format!("The user is no longer in the API. Deleting data (job {job}).")
            }
            Flash::Cancelled(job) => format!("Job {job} is cancelled."),
            Flash::Retried(job) => format!("Job {job} is running again."),
            Flash::HandedOver(_) => "The token is marked as handed over and no longer shown.".into(),
            Flash::ProjectCreated => "Project created.".into(),
            Flash::ProjectRenamed => "Project renamed.".into(),
            Flash::ProjectDeleted => "Project deleted. Its users are being erased: see Jobs.".into(),
            Flash::OriginsSet => "The allowed origins are saved.".into(),
            Flash::SettingsSaved => "The settings are saved.".into(),
            Flash::KeyRevoked => "The key is revoked.".into(),
            Flash::KeyChanged => "The key is changed.".into(),
            Flash::OldSecretsEnded => "The previous secrets have ended.".into(),
            Flash::TokenRotated => "The project has a new ingest token.".into(),
            Flash::ClockConfirmed => "The clock is confirmed and trusted.".into(),
            Flash::SignInEnded => "That browser is signed out.".into(),
            Flash::OtherSignInsEnded => "All other browsers are signed out.".into(),
            Flash::PasswordChanged => "The password is changed. All other browsers are signed out.".into(),
            Flash::SecondFactorOff => "The second factor is off.".into(),
            Flash::UserEdited => "The profile is saved.".into(),
            Flash::AdminChanged => "The admin is changed.".into(),
            Flash::AdminRemoved => "The admin is removed.".into(),
            Flash::PasswordSet => "The password is set. Sign in with it.".into(),
        };
        let undo = match self {
            Flash::Hidden(user) => {
                Some(Undo { action: format!("/admin/users/{user}/restore"), label: "Undo" })
            }
            _ => None,
        };
        FlashView { tone: "ok", text, undo }
    }
}

//! The request that is being served, as log lines and error bodies name it.

use std::fmt;

tokio::task_local! {
    static REQUEST: RequestId;
}

/// The pattern of the route that a request took, for the log: its path has identifiers in it.
pub struct Pattern(pub &'static str);

/// 16 hex digits. Random, so that lines of several processes can be told apart; nothing
/// depends on nobody guessing one.
#[derive(Clone, Copy)]
pub struct RequestId(u64);

impl RequestId {
    pub fn new() -> RequestId {
        RequestId(fastrand::u64(..))
    }

    /// Of the request this runs for; None in the background.
    pub fn current() -> Option<RequestId> {
        REQUEST.try_with(|id| *id).ok()
    }

    /// Runs a future, or a closure on any thread, on behalf of this request.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        REQUEST.scope(self, future).await
    }

    pub fn sync_scope<T>(self, run: impl FnOnce() -> T) -> T {
        REQUEST.sync_scope(self, run)
    }
}

impl Default for RequestId {
    fn default() -> RequestId {
        RequestId::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

//! The id of the request that is being served, for log lines and error bodies.

use std::fmt;
use std::sync::Arc;

tokio::task_local! {
    static REQUEST: RequestId;
}

/// 16 random hex digits.
#[derive(Clone)]
pub struct RequestId(Arc<str>);

impl RequestId {
    pub fn new() -> RequestId {
        let mut random = [0; 8];
        // An id that repeats does no harm.
        let _ = getrandom::fill(&mut random);
        RequestId(data_encoding::HEXLOWER.encode(&random).into())
    }

    /// Of the request this runs for; None in the background.
    pub fn current() -> Option<RequestId> {
        REQUEST.try_with(RequestId::clone).ok()
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
        f.write_str(&self.0)
    }
}

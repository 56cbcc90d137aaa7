//! What a write comes before and after. A verb says it in its signature: `tx: &ErasingTx`. Its callers get
//! that priority, and a closure that mixes two does not compile:
//!
//! ```
//! # use usher::{app::App, erasure::jobs, error::Result, model::JobId};
//! async fn retry(app: App, id: JobId) -> Result<()> {
//!     app.write(move |tx| jobs::retry(tx, id).map(drop)).await
//! }
//! ```
//! ```compile_fail
//! # use usher::{app::App, erasure::jobs, error::Result, model::JobId, projects};
//! async fn both(app: App, id: JobId) -> Result<()> {
//!     app.write(move |tx| {
//!         projects::create(tx, "a name", "web")?;
//!         jobs::retry(tx, id).map(drop)
//!     })
//!     .await
//! }
//! ```

use std::marker::PhantomData;
use std::ops::Deref;

use super::Tx;

/// In the order in which the writer takes them up, but for [`WritePriority::Erasing`], which waits
/// with the normal ones and is the only one taken while the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WritePriority {
    Normal,
    /// It erases, or lets somebody in no more, or says that a backup was made.
    Erasing,
    /// Behind all requests.
    Background,
}

pub trait Priority: 'static {
    const PRIORITY: WritePriority;
}

pub struct Normal;
pub struct Erasing;
pub struct Background;

impl Priority for Normal {
    const PRIORITY: WritePriority = WritePriority::Normal;
}

impl Priority for Erasing {
    const PRIORITY: WritePriority = WritePriority::Erasing;
}

impl Priority for Background {
    const PRIORITY: WritePriority = WritePriority::Background;
}

/// A transaction of a priority. What is common to several verbs takes the bare [`Tx`].
pub struct TxOf<'t, 'a, P> {
    tx: &'t Tx<'a>,
    priority: PhantomData<P>,
}

pub type NormalTx<'t, 'a> = TxOf<'t, 'a, Normal>;
pub type ErasingTx<'t, 'a> = TxOf<'t, 'a, Erasing>;
pub type BackgroundTx<'t, 'a> = TxOf<'t, 'a, Background>;

impl<'t, 'a, P: Priority> TxOf<'t, 'a, P> {
    pub(super) fn of(tx: &'t Tx<'a>) -> Self {
        TxOf { tx, priority: PhantomData }
    }
}

impl<'a, P> Deref for TxOf<'_, 'a, P> {
    type Target = Tx<'a>;

    fn deref(&self) -> &Tx<'a> {
        self.tx
    }
}

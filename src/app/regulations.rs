//! A request about many people, in writes of a few people each: the writes of others come in
//! between.

use super::App;
use crate::erasure::regulations;
use crate::erasure::regulations::{Seen, Whole};
use crate::error::{Error, Result};
use crate::model::{Handle, Identifier, Project, RegulationKind};
use crate::projects;
use crate::proof::receipt::Token;
use crate::store::ErasingTx;
use crate::trace::Who;

/// So many people of one write. Each takes some half a millisecond.
const PEOPLE: usize = 40;

impl App {
    /// Does what is asked for all of the people, then remembers it: it is shown once it is done for
    /// each of them. It goes on to its end though nobody waits for the answer any more; where it
    /// fails, what was done before stays done, and the same asked again does the rest. The token is of
    /// the receipt, where one person is erased in one project.
    pub async fn regulate(
        &self,
        whole: Whole,
        kind: RegulationKind,
        people: Vec<Identifier>,
    ) -> Result<(Handle, Option<Token>)> {
        let app = self.clone();
        to_its_end(async move {
            let mut done = Vec::new();
            for project in app.read(|db| whole.projects(db))? {
                for part in people.chunks(PEOPLE) {
                    let part = part.to_vec();
                    let write = move |tx: &ErasingTx| regulations::carry_out(tx, project, kind, &part);
                    done.extend(app.write(write).await?);
                }
            }
            app.write(move |tx| regulations::enter(tx, whole, kind, &done)).await
        })
        .await
    }

    /// The same with a regulation for each of them and each place, that can be withdrawn by itself;
    /// and all projects there are.
    pub async fn regulate_each(
        &self,
        places: Vec<Whole>,
        kind: RegulationKind,
        people: Vec<Identifier>,
    ) -> Result<(Vec<Seen>, Vec<Project>)> {
        let app = self.clone();
        to_its_end(async move {
            let mut seen = Vec::new();
            for whole in places {
                for part in people.chunks(PEOPLE) {
                    let part = part.to_vec();
                    let write = move |tx: &ErasingTx| regulations::request_each(tx, whole, kind, &part);
                    seen.extend(app.write(write).await?);
                }
            }
            Ok((seen, app.read(projects::list)?))
        })
        .await
    }
}

/// Runs it for who asks, also when the request is given up meanwhile.
async fn to_its_end<T, F>(run: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    tokio::spawn(Who::current().scope(run)).await.map_err(Error::internal)?
}

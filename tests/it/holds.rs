//! Legal holds and restrictions: nobody who is held is erased in any way, and what waited runs when the
//! hold is over. Each way has its twin: without a hold it erases.

mod erasing;
mod native;
mod random;
mod restoring;
mod restricted;

use serde_json::{Value, json};
use tempfile::TempDir;
use usher::model::{State, UserId};

use crate::harness::{Reply, Server};

/// Holds a user over the native API.
pub fn hold(server: &Server, id: UserId, body: Value) -> Reply {
    let path = format!("/api/users/{id}/hold");
    server.post(&path).bearer(&server.project().all).json(body).send()
}

pub fn release(server: &Server, id: UserId) {
    let path = format!("/api/users/{id}/hold");
    server.delete(&path).bearer(&server.project().all).send().expect(204);
}

pub fn restrict(server: &Server, id: UserId) {
    let path = format!("/api/users/{id}/restriction");
    server.post(&path).bearer(&server.project().all).json(json!({})).send().expect(200);
}

pub fn unrestrict(server: &Server, id: UserId) {
    let path = format!("/api/users/{id}/restriction");
    server.delete(&path).bearer(&server.project().all).send().expect(204);
}

/// In which state a user's row is; none: it is gone.
pub fn state(server: &Server, id: UserId) -> Option<State> {
    let sql = "SELECT state, freed_at IS NOT NULL FROM users WHERE id = ?1";
    let read = |row: &rusqlite::Row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?));
    let found = server.sqlite().query_row(sql, [id.0], read).ok();
    found.and_then(|(state, is_free)| match State::parse(&state) {
        Some(State::Hidden) if is_free => Some(State::Waiting),
        state => state,
    })
}

/// A copy of the database as it is, to be put back later.
pub fn copy(server: &Server) -> TempDir {
    let aside = tempfile::tempdir().expect("a directory");
    let path = aside.path().join("usher.db");
    server.sqlite().execute("VACUUM INTO ?1", [path.to_string_lossy()]).expect("a copy");
    aside
}

/// The same server on the copy, with the ledger as it is now.
pub fn put_back(server: Server, copied: &TempDir) -> Server {
    let now = server.clock.now();
    let dir = server.stop();
    std::fs::copy(copied.path().join("usher.db"), dir.path().join("usher.db")).expect("put back");
    for beside in ["usher.db-wal", "usher.db-shm"] {
        _ = std::fs::remove_file(dir.path().join(beside));
    }
    Server::on_older(dir, now)
}

//! Which clock is in force. The rules alone are in `tests/quick/clock.rs`; what they do to
//! people in `lives` and `names`; starts and restores in `starts`; who is told, and who confirms, in
//! `confirming`.

mod confirming;
mod lives;
mod names;
mod scheduled;
mod starts;

use usher::clock::{Clock, Millis};
use usher::erasure::{jobs, trash};
use usher::model::{Job, JobId, State, User, UserId};
use usher::people::{find, users};
use usher::store::NormalTx;

use crate::common::GRACE;
use crate::harness::{Server, named};

/// Hides a live user.
fn hide(server: &Server, name: &'static str) -> UserId {
    let project = server.project().id;
    server.write(move |tx| {
        let user = find::get(tx, project, name)?;
        trash::hide(tx, &user).map(|_| user.id)
    })
}

fn schedule(server: &Server, name: &'static str) -> JobId {
    let (project, name) = (server.project().id, named(name));
    server.write(move |tx| jobs::schedule(tx, project, &name)).id
}

fn job(server: &Server, id: JobId) -> Job {
    server.read(|db| jobs::get(db, None, id))
}

/// A row, whatever its state. None: it is gone.
fn row(server: &Server, id: UserId) -> Option<User> {
    server.read(|db| usher::store::users::by_id(db, None, id))
}

fn state(server: &Server, id: UserId) -> Option<State> {
    row(server, id).map(|user| user.state)
}

/// Registers, restores or updates a user, as a server does: who that is.
fn put(server: &Server, name: &str) -> UserId {
    let (project, name) = (server.project().id, named(name));
    server
        .write(move |tx: &NormalTx| users::create_or_update(tx, project, &name, &Default::default()))
        .expect("taken")
        .0
        .id
}

/// A server on the same directory at another time.
fn again(server: Server, now: Millis) -> Server {
    let dir = server.stop();
    Server::over(dir, |options| options.clock = Clock::manual(now))
}

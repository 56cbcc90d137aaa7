//! What must hold, whatever happened.

use usher::ledger::Seen;
use usher::model::State;

use super::truth::Promise;
use super::world::{Row, World};

impl World {
    pub fn check(&self) -> Result<(), String> {
        for row in &self.db.rows {
            self.check_row(row).map_err(|why| format!("{why}: {row:?}"))?;
        }
        for (request, promise) in &self.truth.requests {
            let waits = self.db.waiting.contains_key(request);
            match promise {
                Promise::Open if !waits => {
                    return Err(format!("the accepted request {request} is forgotten"));
                }
                Promise::Ended if waits => return Err(format!("the request {request} has ended and waits")),
                _ => {}
            }
        }
        if let Some(request) = self.db.waiting.keys().find(|key| !self.truth.requests.contains_key(key)) {
            return Err(format!("nobody asked for the request {request}"));
        }
        for (key, revoked) in &self.db.keys {
            match (revoked, self.truth.revoked.contains(key)) {
                (false, true) => return Err(format!("the revoked key {key} works")),
                (true, false) => return Err(format!("the good key {key} is revoked")),
                _ => {}
            }
        }
        Ok(())
    }

    fn check_row(&self, row: &Row) -> Result<(), &'static str> {
        let known: Vec<_> = row.people.iter().map(|person| self.truth.of(*person)).collect();
        let erased = known.iter().any(|known| known.erased);
        let account_erased = known.iter().any(|known| known.account_erased);
        match row.state {
            State::Erasing if !erased => return Err("somebody living was erased"),
            State::Live | State::Hidden | State::Detached if erased => return Err("somebody erased is back"),
            State::Detached if !account_erased => return Err("a living account was erased"),
            State::Live | State::Hidden if account_erased => return Err("an erased account is back"),
            State::Live if known.iter().any(|known| known.seen != Seen::Live) => {
                return Err("somebody hidden is live");
            }
            State::Hidden => {
                let seen = row.hidden_since.map(Seen::HiddenSince);
                if known.iter().any(|known| Some(known.seen) != seen) {
                    return Err("somebody is hidden that was not, or since another time");
                }
            }
            _ => {}
        }
        for deed in row.deeds.iter().filter(|_| row.state != State::Erasing) {
            match (deed.gone, self.truth.of(deed.of).cutoff >= Some(deed.at)) {
                (false, true) => return Err("erased activity is back"),
                (true, false) => return Err("activity is gone that was not erased"),
                _ => {}
            }
        }
        Ok(())
    }
}

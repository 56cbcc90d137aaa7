//! Which clock is in force: begun at the start, kept up by the worker, confirmed by somebody.

use super::App;
use crate::clock::{BELIEVED, Clock, Known, MINUTE, Millis, Standing, written};
use crate::erasure::timekeeping;
use crate::erasure::timekeeping::Sign;
use crate::error::{Error, Result};
use crate::ledger::Entry;
use crate::proof::receipts::Receipts;
use crate::store::{Store, maintenance, sign_of_life};

/// What was written and logged last.
#[derive(Default)]
pub(super) struct Kept {
    sign: Option<Sign>,
    /// None: the clock was trusted, and nothing was said.
    standing: Option<Standing>,
}

/// Watches the clocks from now on, against the last sign of life. After a restore that is the
/// latest of what the backup, the ledger and the receipts say. Returns it, if it is to be written
/// before rows are dated by a clock that may be wrong.
pub(super) fn begin(
    store: &Store,
    clock: &Clock,
    grace: Millis,
    unseen: &[Entry],
    receipts: &Receipts,
) -> Result<Option<Millis>> {
    let (stored, restored, trace) = store.read(|db| {
        let known = sign_of_life::known(db)?;
        Ok((known, maintenance::done_at(db, maintenance::RESTORED)?, sign_of_life::latest_trace(db)?))
    })?;
    let unbelieved = stored.sign.filter(|sign| !BELIEVED.contains(sign));
    let mut known = Known { sign: believed(stored.sign).or(trace), ..stored };
    if let Some(sign) = unbelieved {
        // Nothing says what time it was: the earliest makes the clock wait out its grace.
        let instead = *known.sign.get_or_insert(*BELIEVED.start());
        log::warn!(
            "the last sign of life says {}, which no clock shows that is right: it is not believed, and {} is \
             gone by instead",
            shown(sign),
            written(instead)
        );
    }
    if restored.is_some() || !unseen.is_empty() {
        let last = receipts.numbered(receipts.last().number).and_then(|listed| listed.read().ok());
        let receipt = last.map(|stored| stored.receipt.done.completed_at);
        let ledger = unseen.iter().map(|entry| entry.at).max();
        let others = [restored, ledger, receipt].into_iter().filter_map(believed).max();
        known.sign = known.sign.max(others);
    }
    clock.begin(grace, known);
    Ok(known.sign.filter(|_| grace > 0 && known.sign != stored.sign))
}

fn believed(at: Option<Millis>) -> Option<Millis> {
    at.filter(|at| BELIEVED.contains(at))
}

/// A time that may lie past all calendars.
fn shown(at: Millis) -> String {
    match written(at) {
        text if text.is_empty() => format!("{at} ms since 1970"),
        text => text,
    }
}

impl App {
    /// Which clock is in force, and why.
    pub fn time_standing(&self) -> Standing {
        self.clock().read().standing
    }

    /// Writes the sign of life each minute, cuts what lies ahead of a clock that was set back, and
    /// logs when another clock is in force. May be called at any time.
    pub fn keep_time(&self) -> Result<()> {
        let reading = self.clock().read();
        let owed = self.clock().owes_cut();
        let sign = Sign::of(&reading);
        let is_due = {
            let mut kept = self.kept();
            say(&mut kept, reading.standing);
            sign.filter(|sign| kept.sign.is_none_or(|last| is_due(last, *sign)))
        };
        if owed.is_none() && is_due.is_none() {
            return Ok(());
        }
        let cut = self.write_blocking(move |tx| {
            if let Some(sign) = sign {
                timekeeping::note(tx, sign)?;
            }
            owed.map(|_| timekeeping::cut(tx)).transpose()
        })?;
        if let Some(cut) = cut.filter(|cut| *cut != timekeeping::Cut::default()) {
            log::warn!("the clock was set back: {cut:?}");
        }
        if let Some(owed) = owed {
            self.clock().note_cut(owed);
        }
        if sign.is_some() {
            self.kept().sign = sign;
        }
        Ok(())
    }

    /// Somebody says that the wall clock is right: it is followed from now on. What was in force
    /// before, if that was another.
    pub fn confirm_clock(&self) -> Result<Option<Standing>> {
        let before = self.time_standing();
        if before.is_trusted() {
            return Ok(None);
        }
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        self.clock().confirm();
        let words = before.to_string();
        self.write_blocking(move |tx| timekeeping::confirm(tx, &words))?;
        self.keep_time()?;
        self.worker_signal().ring();
        Ok(Some(before))
    }
}

/// Writes down what a start goes by.
pub(super) fn note_begun(app: &App, sign: Option<Millis>) -> Result<()> {
    let Some(sign) = sign else { return Ok(()) };
    app.write_blocking(move |tx| timekeeping::begin(tx, sign))
}

/// Signs are a minute apart, or of another kind, or from before the clock was set back.
fn is_due(last: Sign, next: Sign) -> bool {
    match (last, next) {
        (Sign::Trusted(last), Sign::Trusted(next)) => next < last || next - last >= MINUTE,
        (Sign::Waited(last), Sign::Waited(next)) => {
            next.so_far < last.so_far || next.so_far - last.so_far >= MINUTE
        }
        _ => true,
    }
}

/// Logs another standing than the last one, once.
fn say(kept: &mut Kept, standing: Standing) {
    let said = kept.standing.take();
    match (said, standing.is_trusted()) {
        (None, true) => {}
        (Some(_), true) => log::info!("{standing}: erasures that wait for it go on"),
        (said, false) => {
            if said.is_none_or(|said| !said.is_like(standing)) {
                log::warn!(
                    "{standing}. Until then the trash, schedules and pruning wait. If the clock is right, `usher \
                     clock confirm` or the button in the pages says so"
                );
            }
            kept.standing = Some(standing);
        }
    }
}

//! How far a long command is: on standard error, beside its answer.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::out;

/// What a command says while it is at work.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// What it does now: a line.
    Now(String),
    /// So much of so much is done.
    Done(u64, u64),
}

/// Told how far it is. An error ends the act there.
pub type Progress<'a> = &'a dyn Fn(Step) -> anyhow::Result<()>;

/// A line for each step; on a terminal a bar under them, which appears with the first figure.
#[derive(Default)]
pub struct ProgressBar(OnceLock<indicatif::ProgressBar>);

impl ProgressBar {
    pub fn show(&self, step: Step) {
        match step {
            Step::Now(what) => self.say(&what),
            Step::Done(done, all) if stderr().is_terminal() => self.bar(all).set_position(done),
            Step::Done(..) => {}
        }
    }

    fn say(&self, what: &str) {
        match self.0.get() {
            Some(bar) => bar.println(what),
            // Where nobody reads it, the work goes on.
            None => drop(out::aside(&format!("{what}\n"))),
        }
    }

    fn bar(&self, all: u64) -> &indicatif::ProgressBar {
        self.0.get_or_init(|| {
            let bar = indicatif::ProgressBar::new(all);
            let style = indicatif::ProgressStyle::with_template(
                "{bar:32} {percent:>3} %  {human_pos} of {human_len}  {eta}",
            );
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        })
    }

    pub fn clear(&self) {
        if let Some(bar) = self.0.get() {
            bar.finish_and_clear();
        }
    }
}

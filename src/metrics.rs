//! Figures in the text format of Prometheus, and the counts of requests among them.
//!
//! A label holds a method, the pattern of a route, a class of statuses or a word of ours: never a
//! path, a project or a key.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets that latencies are counted in, in microseconds, and as they are written
/// in seconds.
const BUCKETS: [(u128, &str); 12] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
];

/// Classes of statuses, by their first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What was answered since the start.
#[derive(Default)]
pub struct Requests {
    answers: Mutex<BTreeMap<Route, Answers>>,
    /// Bodies that had to be read leniently.
    lenient: AtomicU64,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    pattern: Cow<'static, str>,
    method: &'static str,
}

#[derive(Clone, Copy, Default)]
struct Answers {
    by_class: [u64; CLASSES.len()],
    /// Of each bucket alone; the last is past all bounds.
    by_time: [u64; BUCKETS.len() + 1],
    time: Duration,
}

impl Requests {
    /// Counts an answer. `pattern` is the route's, `took` the time until the answer began.
    pub fn note(&self, method: &'static str, pattern: Cow<'static, str>, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        let bucket = BUCKETS.iter().position(|(bound, _)| took.as_micros() <= *bound);
        let mut held = self.held();
        let answers = held.entry(Route { pattern, method }).or_default();
        answers.by_class[class] += 1;
        answers.by_time[bucket.unwrap_or(BUCKETS.len())] += 1;
        answers.time += took;
    }

    /// Counts a body that is no good JSON and is read for what can be understood of it.
    pub fn note_lenient(&self) {
        self.lenient.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes them down.
    pub fn write(&self, to: &mut Text) {
        let held = self.held().clone();
        to.family(
            "usher_requests_total",
            Kind::Counter,
            "Answers, by the route's pattern, method and status.",
        );
        for (Route { pattern, method }, answers) in &held {
            for (class, count) in CLASSES.iter().zip(answers.by_class).filter(|(_, count)| *count > 0) {
                let labels = [("method", *method), ("route", pattern), ("status", class)];
                to.sample("usher_requests_total", &labels, count);
            }
        }
        let help = "Time until an answer began, in seconds, by the route's pattern and method.";
        to.family("usher_request_duration_seconds", Kind::Histogram, help);
        for (Route { pattern, method }, answers) in &held {
            let mut sum = 0;
            let bounds = BUCKETS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
            for (bound, count) in bounds.zip(answers.by_time) {
                sum += count;
                let labels = [("method", *method), ("route", pattern), ("le", bound)];
                to.sample("usher_request_duration_seconds_bucket", &labels, sum);
            }
            let labels = [("method", *method), ("route", pattern.as_ref())];
            to.sample("usher_request_duration_seconds_sum", &labels, answers.time.as_secs_f64());
            to.sample("usher_request_duration_seconds_count", &labels, sum);
        }
        let help = "Readings of bodies that are no good JSON, for what can be understood of them.";
        to.one("usher_lenient_readings_total", Kind::Counter, help, self.lenient.load(Ordering::Relaxed));
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Route, Answers>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a family of figures is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the next start.
    Counter,
    Gauge,
    Histogram,
}

/// The text: families, each with its samples.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Begins a family. Its samples follow before the next one begins.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A figure of the family that was begun last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (n, (label, held)) in labels.iter().enumerate() {
            let held = held.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let before = if n == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{held}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// A family of one figure without labels.
    pub fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    pub fn finish(self) -> String {
        self.0
    }
}

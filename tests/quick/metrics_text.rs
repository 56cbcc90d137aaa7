//! The text format of `/metrics`.

use std::time::Duration;

use usher::metrics::{Kind, Requests, Text};

use crate::common::figures::read;

#[test]
fn a_latency_at_a_bound_is_in_its_bucket_and_one_past_it_is_not() {
    let requests = Requests::default();
    for micros in [1_000, 1_001, 10_000_000, 10_000_001] {
        requests.note("GET", "/a".into(), 200, Duration::from_micros(micros));
    }
    let mut to = Text::default();
    requests.write(&mut to);
    let figures = read(&to.finish());
    let bucket = |le: &str| {
        figures[&format!("usher_request_duration_seconds_bucket{{method=\"GET\",route=\"/a\",le=\"{le}\"}}")]
    };
    let counts = ["0.001", "0.0025", "2.5", "10", "+Inf"].map(bucket);
    assert_eq!(counts, [1.0, 2.0, 2.0, 3.0, 4.0]);
}

#[test]
fn labels_and_help_are_escaped() {
    let mut to = Text::default();
    to.family("a", Kind::Gauge, "one\\two\nthree");
    to.sample("a", &[("b", "\"c\\\n")], 1.5);
    assert_eq!(to.finish(), "# HELP a one\\\\two\\nthree\n# TYPE a gauge\na{b=\"\\\"c\\\\\\n\"} 1.5\n");
}

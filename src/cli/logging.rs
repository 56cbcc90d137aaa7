//! Log lines: time, level, place, the request they belong to, what happened.

use std::io::Write;

use crate::trace::RequestId;

/// `RUST_LOG` as usual; `level` unless it is set.
pub fn start(level: &str) {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .format(|out, record| {
            let time = out.timestamp_millis();
            let (level, target, text) = (record.level(), record.target(), record.args());
            match RequestId::current() {
                Some(request) => writeln!(out, "{time} {level:<5} {request} {target} {text}"),
                None => writeln!(out, "{time} {level:<5} {:<16} {target} {text}", "-"),
            }
        })
        .init();
}

//! Log lines: time, level, place, the request they belong to, what happened. As text for people, or a
//! JSON object a line for programs that collect them.

use std::io::Write;

use clap::ValueEnum;
use serde_json::json;

use crate::trace::RequestId;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// `RUST_LOG` as usual; `level` unless it is set.
pub fn start(level: &str, format: Format) {
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level));
    match format {
        Format::Text => builder.format(|out, record| {
            let time = out.timestamp_millis();
            let (level, target, text) = (record.level(), record.target(), record.args());
            match RequestId::current() {
                Some(request) => writeln!(out, "{time} {level:<5} {request} {target} {text}"),
                None => writeln!(out, "{time} {level:<5} {:<16} {target} {text}", "-"),
            }
        }),
        Format::Json => builder.format(|out, record| {
            let line = json!({
                "time": out.timestamp_millis().to_string(),
                "level": record.level().as_str(),
                "request": RequestId::current().map(|request| request.to_string()),
                "target": record.target(),
                "message": record.args().to_string(),
            });
            // A line break in a message is escaped: a line is one object.
            writeln!(out, "{line}")
        }),
    };
    builder.init();
}

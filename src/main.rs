#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match usher::cli::run() {
        Ok(code) => code,
        Err(error) => {
            // Where it cannot be said, the exit code says it.
            let _ = writeln!(std::io::stderr(), "usher: {error:#}");
            ExitCode::FAILURE
        }
    }
}

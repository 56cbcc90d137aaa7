//! What each command's help shows: its own flags, not those of all the others.
//!
//! The flags of a server are taken by every command, for what opens a database needs most of them and
//! finds them in the environment. A help that listed them all each time would be read by nobody.

use clap::parser::ValueSource;
use clap::{Command, CommandFactory, FromArgMatches};

use super::{Cli, DEMO};

/// Whose flags are all shown: it is they that serve.
const SERVER: &str = "serve";

/// Flags of a server that other commands have a use for, beside [`EVERYWHERE`].
const ALSO: [(&str, &[&str]); 2] =
    [("backup", &["backup_copy", "backup_command"]), ("health", &["listen", "tls_cert"])];

/// Shown at every command that does something.
const EVERYWHERE: &str = "data";

const WITHOUT_A_COMMAND: &str =
    "Without a command, usher runs `usher serve`. See `usher help serve` for its flags.
Run `usher help COMMAND` or `usher COMMAND --help` for details.";

/// Reads the command line. Where it is wrong, or asks for help, the process ends here.
pub fn parse() -> Cli {
    let matches = command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // A directory of its own, also where the environment names the one of the real users.
    let is_named = matches.value_source("data") == Some(ValueSource::CommandLine);
    if matches.subcommand_name() == Some("demo") && !is_named {
        cli.config.data = DEMO.into();
    }
    cli
}

fn command() -> Command {
    let mut all = Cli::command().after_help(WITHOUT_A_COMMAND);
    // From here on each command has its own copy of the flags that all of them take.
    all.build();
    let own = |arg: clap::Arg| {
        let is_of_help = matches!(arg.get_id().as_str(), "help" | "version");
        if is_of_help { arg } else { arg.hide(true) }
    };
    all.mut_subcommands(|command| match command.get_name() {
        SERVER => command,
        _ => narrowed(command),
    })
    .mut_args(own)
}

/// A command, and those under it, with its own flags in its help.
fn narrowed(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let also = ALSO.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, also)| *also);
    let is_a_group = command.has_subcommands();
    command.mut_subcommands(narrowed).mut_args(|arg| {
        let id = arg.get_id().as_str();
        if name == "demo" && id == EVERYWHERE {
            return arg.default_value(DEMO).hide_env(true);
        }
        let is_shown = !arg.is_global_set() || !is_a_group && id == EVERYWHERE || also.contains(&id);
        if is_shown || id == "help" { arg } else { arg.hide(true) }
    })
}

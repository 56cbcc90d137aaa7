//! Working on a data directory in which nothing is written: see `--read-only`.

use anyhow::bail;

use super::control_command::ControlCommand;
use super::{ProgressBar, directory, doctor, limits, settings};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::inspect;
use crate::start;
use crate::store::Access;
use crate::trace::Actor;

/// Holds the directory, which must be there, beside others that read.
pub fn hold(config: &Config) -> anyhow::Result<DataDir> {
    directory::must_be(&config.data)?;
    if config.accept_loss {
        bail!("--accept-loss changes data: use it without --read-only");
    }
    let Some(data) = DataDir::look(&config.data)? else {
        bail!(
            "an Usher server is using {} and writes there: run the command without --read-only, or stop the server first",
            config.data.display()
        );
    };
    Ok(data)
}

/// Opens what is in the directory, with the checks of every start.
pub fn open(data: &DataDir, config: &Config) -> anyhow::Result<App> {
    limits::check(config.workers())?;
    start::open_read_only(data, &settings(config), Clock::system())
}

/// Acts on such a directory, as far as that needs no writing.
pub fn perform(config: &Config, act: &ControlCommand, bar: &ProgressBar) -> anyhow::Result<Vec<String>> {
    let data = hold(config)?;
    match act {
        ControlCommand::Verify => inspect::offline(data.path(), Access::ReadOnly),
        ControlCommand::Doctor => doctor::offline(data.path(), config),
        ControlCommand::Backup { .. } | ControlCommand::Demo { .. } => {
            bail!("this command changes data: run it without --read-only")
        }
        _ => act.perform(&open(&data, config)?.by(Actor::Operator), &|step| {
            bar.show(step);
            Ok(())
        }),
    }
}

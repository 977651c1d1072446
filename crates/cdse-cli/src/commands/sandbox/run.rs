//! `cdse sandbox run`: one command with a service of its own.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use clap::Args;

use super::service::{Behaviour, environment, throw_away_folder};
use crate::process::child::Relay;
use crate::report::fail::{Fail, Result};

#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    behaviour: Behaviour,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (sandbox, _) = self.behaviour.start()?;
        let state = throw_away_folder()?;
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Fail::usage("a command is missing"));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        // What the caller has set would win over what is set here.
        let ours = |name: &OsString| name.to_string_lossy().starts_with("CDSE_") && name != "CDSE_LOG";
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.envs(environment(&sandbox, state.path()));
        Relay::new()?.start(&mut command)?.wait(&|stop| stop())
    }
}

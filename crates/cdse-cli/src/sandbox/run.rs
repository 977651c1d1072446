//! `cdse sandbox run`: one command with a service of its own.

use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, ExitCode, ExitStatus};

use clap::Args;

use super::{Behaviour, environment, throw_away_folder};
use crate::fail::{Fail, Result};

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
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CDSE_") && name != "CDSE_LOG")
        {
            command.env_remove(name);
        }
        command.envs(environment(&sandbox, state.path()));
        match command.spawn() {
            Ok(child) => wait(child),
            Err(error) => {
                let exit = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
                let why = format!("{} could not be started: {error}", program.to_string_lossy());
                Err(Fail::other(why).exit_with(exit))
            }
        }
    }
}

/// Waits for the command. Signals are its business: those that a terminal sends reach it anyway, the others are passed on.
#[cfg(unix)]
fn wait(mut child: Child) -> Result<ExitCode> {
    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]) {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let passed_on = match signal {
                    SIGTERM => Some(Signal::TERM),
                    SIGHUP => Some(Signal::HUP),
                    _ => None,
                };
                if let (Some(pid), Some(signal)) = (pid, passed_on) {
                    let _ = kill_process(pid, signal);
                }
            }
        });
    }
    child.wait().map(code).map_err(|error| Fail::other(format!("the command was lost: {error}")))
}

#[cfg(not(unix))]
fn wait(mut child: Child) -> Result<ExitCode> {
    child.wait().map(code).map_err(|error| Fail::other(format!("the command was lost: {error}")))
}

fn code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(255));
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

//! `cdse sandbox`: the embedded identity service.

mod code;
mod demo;
mod ending;
mod run;
mod serve;
mod service;

use std::process::ExitCode;

use clap::Subcommand;

use crate::report::fail::Result;

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Serve until interrupted; print the environment to use it
    #[command(after_help = serve::HELP)]
    Serve(serve::Serve),
    /// Run a command with its own service, and return its exit code
    Run(run::Run),
    /// Print the one-time code of a user of the service that runs
    Code(code::Code),
    /// Show the main job, from login to logout, with the service's own counters
    Demo(demo::Demo),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Run(run) => run.run(),
            Self::Code(code) => code.run(),
            Self::Demo(demo) => demo.run(),
        }
    }
}

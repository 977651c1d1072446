//! `cdse completions`, and the answers to a shell that the printed script has ask for them.

use std::env;

use clap::builder::PossibleValuesParser;
use clap_complete::env::{Bash, CompleteEnv, Fish, Powershell, Shells, Zsh};

use crate::report::fail::{Fail, Result};
use crate::report::name::program;
use crate::report::output;

/// A name of this program's own: a `COMPLETE` that is set for another one must not keep a job from working.
const VARIABLE: &str = "CDSE_COMPLETE";
const SHELLS: Shells<'static> = Shells(&[&Bash, &Zsh, &Fish, &Powershell]);

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// Shell that will read the script
    #[arg(value_parser = PossibleValuesParser::new(SHELLS.names()))]
    shell: String,
}

impl Command {
    pub(crate) fn run(&self) -> Result<()> {
        let mut script = Vec::new();
        let (name, program) = (program(), program());
        SHELLS
            .completer(&self.shell)
            .map_or(Ok(()), |shell| shell.write_registration(VARIABLE, name, program, program, &mut script))
            .map_err(|error| Fail::other(format!("the script could not be made: {error}")))?;
        output::stdout(&String::from_utf8_lossy(&script))
    }
}

/// Whether a shell asked; it has its answer then.
pub(crate) fn answer(command: impl Fn() -> clap::Command) -> Result<bool> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let answered = CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .shells(SHELLS)
        .completer(program())
        .try_complete(env::args_os(), env::current_dir().ok().as_deref());
    // A name that is not known is not repeated: it may be anything.
    answered.map_err(|_| {
        Fail::usage(format!("{VARIABLE} names no shell that is known here: unset it"))
            .hint("`cdse completions SHELL` prints a script that sets it when it is needed")
    })
}

//! What a command works with: the arguments of every command, and the environment.

use cdse_credentials::input::check_expanded;
use cdse_credentials::{Environment, Mode, Selection, Session, Source, StateFolder, Stored, StoredSessions};

use crate::args::global::Global;
use crate::process::terminal::Terminal;
use crate::report::fail::{Fail, Result};
use crate::report::output;

/// One call of the program.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) selection: Selection,
    pub(crate) environment: Environment,
}

impl Call {
    /// Reads the environment; an argument wins over its variable.
    pub(crate) fn of(global: &Global) -> Result<Self> {
        let mut environment = Environment::read()?;
        if let Some(path) = &global.ca_bundle {
            check_expanded(path).map_err(|why| Fail::usage(format!("--ca-bundle: {} {why}", path.display())))?;
        }
        environment.ca_bundle.clone_from(&global.ca_bundle);
        environment.timeout = global.timeout;
        environment.no_input |= global.no_input;
        environment.password_command = environment.password_command.map(|command| command.within(global.timeout));
        let selection = Selection { profile: global.profile.clone(), netrc: global.netrc };
        Ok(Self { selection, environment })
    }

    /// The session of the credential that wins.
    pub(crate) fn open(&self, mode: Mode) -> Result<Session> {
        let session = Session::open(&self.selection, &self.environment, mode)?;
        session.warnings().iter().for_each(|warning| output::warn(warning));
        Ok(session)
    }

    /// The winner, and its session if there is one; nothing is renewed.
    pub(crate) fn find(&self) -> Result<(Source, Option<Session>)> {
        let (source, session) = Session::find(&self.selection, &self.environment, Mode::Inspect)?;
        session.iter().flat_map(Session::warnings).for_each(|warning| output::warn(warning));
        Ok((source, session))
    }

    /// Said before the command, `--profile` is not seen by the parser's own rule.
    pub(crate) fn check_all(&self, all: bool) -> Result<()> {
        match &self.selection.profile {
            Some(_) if all => Err(Fail::usage("--all and --profile cannot be used together")),
            _ => Ok(()),
        }
    }

    pub(crate) fn state(&self) -> Result<StateFolder> {
        Ok(StateFolder::of(&self.environment)?)
    }

    /// Every session that is stored here.
    pub(crate) fn stored(&self) -> Result<Vec<Stored>> {
        let found = StoredSessions::find(&self.state()?, &self.environment)?;
        found.warnings.iter().for_each(|warning| output::warn(warning));
        Ok(found.sessions)
    }

    /// The terminal, unless nothing may be asked.
    pub(crate) fn terminal(&self) -> Option<Terminal> {
        Terminal::open(self.environment.no_input)
    }
}

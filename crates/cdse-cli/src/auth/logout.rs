//! `cdse auth logout`: end the session at the service, then remove it here, in any case.

use std::process::ExitCode;

use cdse_auth::{Grant, TokenStore};

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::{Fail, Result, one_line};
use crate::profile::{Name, Profile};
use crate::session::Session;
use crate::source::{self, Source};
use crate::state::StateFolder;
use crate::{output, signals};

pub(crate) fn run(global: &Global, environment: &Environment) -> Result<ExitCode> {
    let source = source::choose(global, environment)?;
    if source == Source::AccessToken {
        return Err(Fail::usage("CDSE_ACCESS_TOKEN is nobody's session here: there is nothing to log out")
            .hint("unset CDSE_ACCESS_TOKEN to log out the session that is stored"));
    }
    let profile = Pointer::of(&source, environment)?;
    let Some(session) = Session::of(&source, environment)? else {
        return Ok(nothing_to_do(&source));
    };
    let has_tokens = match &session.store {
        Some(store) => store.load().map_err(|error| session.explain(error))?.is_some(),
        None => false,
    };
    if !has_tokens {
        profile.as_ref().map_or(Ok(()), Pointer::forget)?;
        return Ok(nothing_to_do(&source));
    }
    signals::protect(&session.manager);
    let unfinished = signals::hold_the_end();
    let ended = session.manager.logout();
    if ended.is_ok() || session.store.as_ref().is_some_and(|store| store.load().is_ok_and(|tokens| tokens.is_none())) {
        profile.as_ref().map_or(Ok(()), Pointer::forget)?;
    }
    drop(unfinished);
    ended.map_err(|error| session.explain(error))?;
    let slot = session.manager.as_async().slot();
    let who = match &session.username {
        Some(name) => name.clone(),
        None if slot.grant == Grant::ClientCredentials => format!("client {}", slot.client_id),
        None => "the session".to_owned(),
    };
    output::note(&format!("logged out: {} ({})", one_line(&who), source.describe()));
    if source.can_log_in() {
        output::note(&format!(
            "note: the credentials are still in the {}, and the next use logs in again",
            source.describe()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn nothing_to_do(source: &Source) -> ExitCode {
    output::note(&format!("not logged in ({}): nothing to do", source.describe()));
    ExitCode::SUCCESS
}

/// The profile as it was when the command began.
struct Pointer<'a> {
    name: &'a Name,
    state: StateFolder,
    before: Option<Profile>,
}

impl<'a> Pointer<'a> {
    /// `None` where no profile leads to the session.
    fn of(source: &'a Source, environment: &Environment) -> Result<Option<Self>> {
        let Some(name) = source.profile() else { return Ok(None) };
        let state = StateFolder::of(environment)?;
        let before = Profile::load(&state, name)?;
        Ok(Some(Self { name, state, before }))
    }

    /// Removes it, unless it has come to point to another session meanwhile.
    fn forget(&self) -> Result<()> {
        if Profile::load(&self.state, self.name)? == self.before {
            Profile::remove(&self.state, self.name)?;
        }
        Ok(())
    }
}

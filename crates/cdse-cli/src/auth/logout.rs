//! `cdse auth logout`: end the session at the service, then remove it here, in any case.

use std::process::ExitCode;

use cdse_auth::{Grant, TokenStore};

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::{Fail, Result};
use crate::profile::Profile;
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
    let Some(session) = Session::of(&source, environment)? else {
        return Ok(nothing_to_do(&source));
    };
    let has_tokens = match &session.store {
        Some(store) => store.load().map_err(|error| session.explain(error))?.is_some(),
        None => false,
    };
    if !has_tokens {
        forget_profile(&source, environment)?;
        return Ok(nothing_to_do(&source));
    }
    signals::protect(&session.manager);
    let ended = session.manager.logout();
    if ended.is_ok() || session.store.as_ref().is_some_and(|store| store.load().is_ok_and(|tokens| tokens.is_none())) {
        forget_profile(&source, environment)?;
    }
    ended.map_err(|error| session.explain(error))?;
    let slot = session.manager.as_async().slot();
    let who = match &session.username {
        Some(name) => name.clone(),
        None if slot.grant == Grant::ClientCredentials => format!("client {}", slot.client_id),
        None => "the session".to_owned(),
    };
    output::note(&format!("logged out: {who} ({})", source.describe()));
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

fn forget_profile(source: &Source, environment: &Environment) -> Result<()> {
    if let Some(name) = source.profile() {
        Profile::remove(&StateFolder::of(environment)?, name)?;
    }
    Ok(())
}

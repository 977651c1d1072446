//! Which credential wins.

use crate::active::Active;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::listing::profiles;
use crate::manager::slot;
use crate::name::Name;
use crate::profile::Profile;
use crate::source::{Selection, Source};
use crate::state::StateFolder;

/// The winner of the chain, [`Source::Netrc`] aside: that one is used only where the profile has no session.
///
/// # Errors
///
/// [`Error::InvalidConfig`] for half of a pair of variables, unless something above it wins, and where there is no state
/// folder, or no session that `CDSE_SESSION` names; [`Error::Auth`] if the choice of `cdse auth switch`, or, with `CDSE_SESSION`,
/// the folder of the profiles cannot be read.
pub fn winner(selection: &Selection, environment: &Environment) -> Result<Source> {
    if let Some(name) = &selection.profile {
        return Ok(Source::Profile(name.clone()));
    }
    if environment.access_token.is_some() {
        return Ok(Source::AccessToken);
    }
    if environment.refresh_token.is_some() {
        return Ok(Source::RefreshToken);
    }
    let has_password = environment.password.is_some() || environment.password_command.is_some();
    let client = (environment.client_id.is_some(), environment.client_secret.is_some());
    let user = (environment.username.is_some(), has_password);
    for (source, first, second, given) in [
        (Source::Client, "CDSE_CLIENT_ID", "CDSE_CLIENT_SECRET", client),
        (Source::User, "CDSE_USERNAME", "CDSE_PASSWORD", user),
    ] {
        match given {
            (true, true) => return Ok(source),
            (true, false) => return Err(half(first, second)),
            (false, true) => return Err(half(second, first)),
            (false, false) => {}
        }
    }
    match &environment.session {
        Some(id) if environment.profile.is_none() => of_session(id, environment),
        _ => profile_in_use(selection, environment).map(Source::Profile),
    }
}

/// The stored session with this slot, by a profile that points to it or by where it is.
fn of_session(id: &str, environment: &Environment) -> Result<Source> {
    let state = StateFolder::of(environment)?;
    let in_use = profile_in_use(&Selection::default(), environment).ok();
    let mut names = profiles(&state)?;
    names.sort_by_key(|name| Some(name) != in_use.as_ref());
    let points_to_it = |name: &Name| {
        let profile = Profile::load(&state, name).ok().flatten();
        profile.is_some_and(|profile| slot(&profile.pointer(), &profile.identity_url).is_ok_and(|slot| slot.id() == id))
    };
    if let Some(name) = names.into_iter().find(points_to_it) {
        return Ok(Source::Profile(name));
    }
    let file = state.sessions().join(format!("{id}.json"));
    #[cfg(feature = "keyring")]
    if !file.exists() && state.in_keyring(id).lock_path().exists() {
        return Ok(Source::KeyringSecret(id.to_owned()));
    }
    if file.exists() {
        return Ok(Source::SessionFile(file));
    }
    let message = "CDSE_SESSION names a session that is not stored here any more";
    Err(Error::invalid("CDSE_SESSION", message).with_hint("unset it, or start a new `cdse exec`"))
}

/// The profile of a call: the one that is selected, else that of `CDSE_PROFILE`, else what `cdse auth switch` chose, else
/// `default`.
///
/// # Errors
///
/// [`Error::InvalidConfig`] where there is no state folder; [`Error::Auth`] if the choice cannot be read.
pub fn profile_in_use(selection: &Selection, environment: &Environment) -> Result<Name> {
    if let Some(name) = selection.profile.as_ref().or(environment.profile.as_ref()) {
        return Ok(name.clone());
    }
    Ok(Active::of(&StateFolder::of(environment)?).load()?.unwrap_or_default())
}

fn half(given: &str, missing: &str) -> Error {
    Error::invalid(missing, format!("{given} is set and {missing} is not: set both or neither"))
}

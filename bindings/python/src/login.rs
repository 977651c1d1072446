//! The login of the command line, from Python.

use std::time::Duration;

use cdse_auth::{AuthProvider as _, DEFAULT_CLIENT_ID, Grant, PasswordAuth};
use cdse_credentials::{Environment, Name, Profile, Selection, StateFolder, StoreKind, for_login, profile_in_use};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::{of_credentials, raise};
use crate::wait::wait;

/// Longer than this a person does not look at a login that gets nowhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a session as `auth login` does, in a file, and points the profile to it: every program of this user has it then.
#[pyfunction]
pub(crate) fn log_in(
    py: Python<'_>,
    username: String,
    password: String,
    code: Option<String>,
    profile: Option<&str>,
) -> PyResult<()> {
    let selection = selection(profile)?;
    let (mut environment, state, name) =
        py.detach(|| target(&selection)).map_err(|error| of_credentials(py, &error))?;
    environment.timeout.get_or_insert(PATIENCE);
    let provider = PasswordAuth::new(username.clone(), password);
    let provider = match code {
        Some(code) => provider.with_code(code),
        None => provider,
    };
    let (realm, subject) = (environment.realm(), provider.subject());
    let stored = Profile::new(realm, DEFAULT_CLIENT_ID, Grant::Password, Some(username), subject, StoreKind::File);
    let (manager, _) = py
        .detach(|| for_login(provider, &environment, &state, StoreKind::File, false))
        .map_err(|error| of_credentials(py, &error))?;
    let manager = manager.as_async();
    wait(py, manager.login())?.map_err(|error| raise(py, &error))?;
    // Before the profile points to it, it is in the store.
    wait(py, manager.settle())?.map_err(|error| raise(py, &error))?;
    py.detach(|| stored.save(&state, &name)).map_err(|error| of_credentials(py, &error))
}

pub(crate) fn selection(profile: Option<&str>) -> PyResult<Selection> {
    let profile = profile.map(Name::parse).transpose().map_err(PyValueError::new_err)?;
    Ok(Selection { profile, ..Selection::default() })
}

fn target(selection: &Selection) -> cdse_credentials::Result<(Environment, StateFolder, Name)> {
    let environment = Environment::read()?;
    environment.check_realm()?;
    let state = StateFolder::of(&environment)?;
    let name = profile_in_use(selection, &environment)?;
    Ok((environment, state, name))
}

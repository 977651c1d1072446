//! The profile that is meant when nobody names one: what `cdse auth switch` chose.

use std::path::PathBuf;

use cdse_auth::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::private_file;
use crate::profile::Name;
use crate::state::StateFolder;

const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Active {
    schema: u32,
    profile: String,
}

/// `None` if nobody has chosen.
pub(crate) fn load(state: &StateFolder) -> Result<Option<Name>, Error> {
    let path = path(state);
    let Some(text) = private_file::read(&path)? else { return Ok(None) };
    let active = serde_json::from_slice::<Active>(&text).ok().filter(|active| active.schema <= SCHEMA);
    match active.and_then(|active| Name::parse(&active.profile).ok()) {
        Some(name) => Ok(Some(name)),
        None => {
            let why = format!("{} cannot be understood: remove it, or `cdse auth switch NAME`", path.display());
            Err(Error::new(ErrorKind::StoreDamaged, why))
        }
    }
}

pub(crate) fn save(state: &StateFolder, name: &Name) -> Result<(), Error> {
    let text = serde_json::json!({ "schema": SCHEMA, "profile": name.as_str() });
    private_file::write(&path(state), format!("{text}\n").as_bytes())
}

/// After a logout of the chosen profile nobody has chosen.
pub(crate) fn forget(state: &StateFolder, name: &Name) -> Result<(), Error> {
    // A choice that cannot be read is not this profile.
    if load(state).is_ok_and(|active| active.as_ref() == Some(name)) {
        private_file::remove(&path(state))?;
    }
    Ok(())
}

fn path(state: &StateFolder) -> PathBuf {
    state.path().join("active.json")
}

//! The state folder: one file per session under `sessions/`, and the profiles that point to them under `profiles/`.

use std::path::{Path, PathBuf};

use cdse_auth::{FileTokenStore, Slot};

use crate::environment::Environment;
use crate::fail::{Fail, Result};

#[derive(Clone, Debug)]
pub(crate) struct StateFolder(PathBuf);

impl StateFolder {
    /// Where it is. Nothing is created or read.
    pub(crate) fn of(environment: &Environment) -> Result<Self> {
        // A relative path in either of these means nothing (XDG Base Directory Specification).
        let absolute = |path: &Option<PathBuf>| path.clone().filter(|path| path.is_absolute());
        let folder = match &environment.state_dir {
            Some(folder) => std::path::absolute(folder)
                .map_err(|error| Fail::usage(format!("CDSE_STATE_DIR cannot be used: {error}")))?,
            None => absolute(&environment.xdg_state_home)
                .or_else(|| absolute(&environment.home).map(|home| home.join(OWN_PLACE)))
                .map(|place| place.join("cdse"))
                .ok_or_else(|| Fail::usage("there is no home folder to keep a session in: set CDSE_STATE_DIR"))?,
        };
        Ok(Self(folder))
    }

    pub(crate) fn session(&self, slot: &Slot) -> FileTokenStore {
        FileTokenStore::new(self.sessions().join(format!("{}.json", slot.id())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }

    pub(crate) fn profiles(&self) -> PathBuf {
        self.0.join("profiles")
    }
}

/// The platform's place for state, below the home folder.
const OWN_PLACE: &str = if cfg!(target_os = "macos") {
    "Library/Application Support"
} else if cfg!(windows) {
    r"AppData\Local"
} else {
    ".local/state"
};

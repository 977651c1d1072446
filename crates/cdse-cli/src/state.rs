//! The state folder: one file per session under `sessions/`, and the profiles that point to them under `profiles/`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cdse_auth::{FileTokenStore, Slot, TokenStore};
use cdse_keyring::KeyringTokenStore;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::fail::{Fail, Result};

/// Where a session's tokens are kept. Its lock is in the state folder in any case.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreKind {
    /// A file of the state folder
    #[default]
    File,
    /// The keyring of the desktop session (Secret Service)
    Keyring,
}

impl StoreKind {
    pub(crate) fn is_file(&self) -> bool {
        *self == Self::File
    }

    pub(crate) fn describe(self) -> &'static str {
        if self.is_file() { "a file" } else { "the keyring" }
    }

    pub(crate) fn other(self) -> Self {
        if self.is_file() { Self::Keyring } else { Self::File }
    }
}

/// How long somebody who is asked to unlock the keyring has for it.
const UNLOCKING: Duration = Duration::from_secs(60);

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

    /// The store of a slot. Only a command that somebody sits in front of has the keyring ask to be unlocked.
    pub(crate) fn session(&self, slot: &Slot, kind: StoreKind, somebody: bool) -> Arc<dyn TokenStore> {
        let id = slot.id();
        if kind.is_file() {
            return Arc::new(FileTokenStore::new(self.sessions().join(format!("{id}.json"))));
        }
        let who = slot.subject.as_deref().unwrap_or(&slot.client_id);
        let store = self.in_keyring(&id).with_label(format!("cdse: {who}"));
        Arc::new(if somebody { store.with_unlock_prompt(UNLOCKING) } else { store })
    }

    /// The secret of the slot with this id.
    pub(crate) fn in_keyring(&self, id: &str) -> KeyringTokenStore {
        KeyringTokenStore::new(self.sessions(), id)
    }

    /// Whether the keyring has ever held the slot's session.
    pub(crate) fn was_in_keyring(&self, slot: &Slot) -> bool {
        self.in_keyring(&slot.id()).lock_path().exists()
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

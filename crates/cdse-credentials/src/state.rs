//! The state folder: one file per session under `sessions/`, and the profiles that point to them under `profiles/`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cdse_auth::store::RecordStore as _;
use cdse_auth::{ErrorKind, FileTokenStore, Grant, Slot, TokenSet, TokenStore};
use cdse_files::PrivateFile;
#[cfg(feature = "keyring")]
use cdse_keyring::KeyringTokenStore;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::input::check_expanded;

/// Where a session's tokens are kept. Its lock is in the state folder in any case.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreKind {
    /// A file of the state folder.
    #[default]
    File,
    /// The keyring of the desktop session (Secret Service).
    Keyring,
    /// A store that a newer version knows.
    #[serde(other, skip_serializing)]
    Other,
}

impl StoreKind {
    /// Whether it is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        *self == Self::File
    }

    /// For messages: "a file", "the keyring".
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Keyring => "the keyring",
            Self::Other => "a store of a newer version",
        }
    }

    /// The one of the two that this one is not.
    #[must_use]
    pub fn opposite(self) -> Self {
        if self.is_file() { Self::Keyring } else { Self::File }
    }
}

/// How long the user has to unlock the keyring when it asks.
#[cfg(feature = "keyring")]
const UNLOCKING: Duration = Duration::from_secs(60);

/// The folder that holds sessions and profiles: `CDSE_STATE_DIR`, else `cdse` in `XDG_STATE_HOME` or in the system's usual
/// place below the home folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// Where it is. Nothing is created or read.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] for a variable that names no folder of its own, and where there is no home folder.
    pub fn of(environment: &Environment) -> Result<Self> {
        let expanded = |name: &str, path: &PathBuf| {
            let shown = path.display();
            check_expanded(path).map_err(|why| Error::invalid(name, format!("{name} ({shown}) {why}")))
        };
        if let Some(folder) = &environment.state_dir {
            const NAME: &str = "CDSE_STATE_DIR";
            expanded(NAME, folder)?;
            if !folder.is_absolute() {
                let message = format!("{NAME} is a relative path ({}): use an absolute path", folder.display());
                return Err(Error::invalid(NAME, message));
            }
            return Ok(Self(folder.clone()));
        }
        if let Some(place) = &environment.xdg_state_home {
            expanded("XDG_STATE_HOME", place)?;
            // Any other relative path means nothing there (XDG Base Directory Specification).
            if place.is_absolute() {
                return Ok(Self(place.join("cdse")));
            }
        }
        environment.home.as_ref().map(|home| Self(home.join(OWN_PLACE).join("cdse"))).ok_or_else(|| {
            let message =
                "there is no home folder to keep a session in, neither in HOME nor in the system's list of users";
            Error::invalid("HOME", message)
                .with_hint("set CDSE_STATE_DIR; client credentials and CDSE_ACCESS_TOKEN do without a folder")
        })
    }

    /// The store of a slot. With `may_unlock` the keyring asks its user to unlock it, who has 60 s for that.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`] for a store that this version, or this build, does not know.
    pub fn session(&self, slot: &Slot, kind: StoreKind, may_unlock: bool) -> Result<Arc<dyn TokenStore>> {
        let id = slot.id();
        match kind {
            StoreKind::File => Ok(Arc::new(FileTokenStore::new(self.sessions().join(format!("{id}.json"))))),
            #[cfg(feature = "keyring")]
            StoreKind::Keyring => {
                let who = slot.subject.as_deref().unwrap_or(&slot.client_id);
                let store = self.in_keyring(&id).with_label(format!("cdse: {who}"));
                Ok(Arc::new(if may_unlock { store.with_unlock_prompt(UNLOCKING) } else { store }))
            }
            _ => {
                let _ = may_unlock;
                let message = format!("the session is kept in {}, which this program does not know", kind.describe());
                Err(cdse_auth::Error::new(ErrorKind::StoreNewer, message).with_hint("update this program").into())
            }
        }
    }

    /// The secret of the slot with this id.
    #[cfg(feature = "keyring")]
    pub(crate) fn in_keyring(&self, id: &str) -> KeyringTokenStore {
        KeyringTokenStore::new(self.sessions(), id)
    }

    /// Whether the keyring has ever held the slot's session.
    #[cfg(feature = "keyring")]
    #[must_use]
    pub fn was_in_keyring(&self, slot: &Slot) -> bool {
        self.in_keyring(&slot.id()).lock_path().exists()
    }

    /// Does what a login does, with nothing in it: creates the folders, takes a lock, writes, syncs and renames. Nothing of it
    /// stays. Returns warnings.
    ///
    /// # Errors
    ///
    /// The login's.
    pub fn try_out(&self) -> Result<Vec<String>> {
        let folders = [self.sessions(), self.profiles()];
        let new: Vec<PathBuf> = {
            let all = folders.iter().flat_map(|folder| folder.ancestors());
            all.filter(|folder| folder.symlink_metadata().is_err()).map(Path::to_owned).collect()
        };
        let name = format!(".doctor-{}.json", std::process::id());
        let [session, profile] = folders.map(|folder| folder.join(&name));
        let tried = try_files(&session, &profile);
        for file in [session.with_extension("json.lock"), session, profile] {
            let _ = std::fs::remove_file(file);
        }
        // Each folder before those above it; one in which somebody has stored something meanwhile stays.
        for folder in new {
            let _ = std::fs::remove_dir(folder);
        }
        tried
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of the session files and of all locks.
    #[must_use]
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }

    /// The folder of the profiles.
    #[must_use]
    pub fn profiles(&self) -> PathBuf {
        self.0.join("profiles")
    }
}

fn try_files(session: &Path, profile: &Path) -> Result<Vec<String>> {
    // In the order in which a login comes by them, so that the first error is the login's.
    let file = PrivateFile::new(profile);
    file.read()?;
    file.replace(b"{}\n")?;
    let slot = Slot { token_url: String::new(), client_id: String::new(), grant: Grant::Password, subject: None };
    let store = FileTokenStore::new(session);
    let _guard = store.try_guard(&slot)?;
    // As long as a session is.
    store.save(&TokenSet::new("x".repeat(3000), Duration::from_secs(60))?)?;
    if store.load()?.is_none() {
        let message = format!("what was written to {} was not there afterwards", session.display());
        return Err(cdse_auth::Error::new(ErrorKind::StoreUnusable, message).into());
    }
    Ok(store.take_warnings().iter().map(ToString::to_string).collect())
}

/// The platform's place for state, below the home folder.
const OWN_PLACE: &str = if cfg!(target_os = "macos") {
    "Library/Application Support"
} else if cfg!(windows) {
    r"AppData\Local"
} else {
    ".local/state"
};

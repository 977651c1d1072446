//! The state folder: one file per session under `sessions/`, and the profiles that point to them under `profiles/`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cdse_auth::store::RecordStore as _;
use cdse_auth::{FileTokenStore, Grant, Slot, TokenSet, TokenStore};
use cdse_keyring::KeyringTokenStore;
use serde::{Deserialize, Serialize};

use crate::environment::{Environment, check_expanded};
use crate::fail::{Fail, Result, one_line};
use crate::private_file;

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
        let expanded = |name: &str, path: &PathBuf| {
            let shown = one_line(&path.to_string_lossy());
            check_expanded(path).map_err(|why| Fail::usage(format!("{name} is {shown}: it {why}")))
        };
        if let Some(folder) = &environment.state_dir {
            expanded("CDSE_STATE_DIR", folder)?;
            if !folder.is_absolute() {
                let shown = one_line(&folder.to_string_lossy());
                let why = format!("CDSE_STATE_DIR is {shown}, which is another folder in each working folder");
                return Err(Fail::usage(format!("{why}: write the whole path")));
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
        let folder = environment.home.as_ref().map(|home| home.join(OWN_PLACE).join("cdse")).ok_or_else(|| {
            Fail::usage(
                "there is no home folder to keep a session in, neither in HOME nor in the system's list of users",
            )
            .hint("set CDSE_STATE_DIR; client credentials and CDSE_ACCESS_TOKEN do without a folder")
        })?;
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

    /// Does what a login does, with nothing in it: makes the folders, takes a lock, writes, syncs and renames. Nothing of it
    /// stays. Says what was noticed.
    pub(crate) fn try_out(&self) -> Result<Vec<String>> {
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

fn try_files(session: &Path, profile: &Path) -> Result<Vec<String>> {
    // In the order in which a login comes by them, so that the first error is the login's.
    private_file::read(profile)?;
    private_file::write(profile, b"{}\n")?;
    let slot = Slot { token_url: String::new(), client_id: String::new(), grant: Grant::Password, subject: None };
    let store = FileTokenStore::new(session);
    let _guard = store.try_guard(&slot)?;
    // As long as a session is.
    store.save(&TokenSet::new("x".repeat(3000), Duration::from_secs(60))?)?;
    if store.load()?.is_none() {
        return Err(Fail::other(format!("what was written to {} was not there afterwards", session.display())));
    }
    Ok(store.take_warnings())
}

/// The platform's place for state, below the home folder.
const OWN_PLACE: &str = if cfg!(target_os = "macos") {
    "Library/Application Support"
} else if cfg!(windows) {
    r"AppData\Local"
} else {
    ".local/state"
};

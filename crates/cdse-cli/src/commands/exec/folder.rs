//! The folder of one run: what it keeps there is for its program alone.

use std::fs;
use std::path::{Path, PathBuf};

use cdse_credentials::{Environment, StateFolder};
use cdse_files::{Lock, PrivateFile};

use crate::report::fail::{Fail, Result};

const TRIES: u32 = 10;

/// A folder that only this user can read; it is gone with this value. What a run leaves that is killed is removed by a later
/// one, and until then holds a token that ends within minutes.
pub(super) struct Folder {
    path: PathBuf,
    lock_path: PathBuf,
    /// As long as it is held the folder is in use.
    _lock: Lock,
}

impl Folder {
    /// In the state folder, else in the user's runtime folder (`XDG_RUNTIME_DIR`), which is gone with the user's last login,
    /// else among the temporary files.
    pub(super) fn new(environment: &Environment) -> Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime =
            runtime.filter(|folder| folder.is_absolute() && folder.is_dir()).map(|folder| folder.join("cdse"));
        let state = StateFolder::of(environment).ok().map(|state| state.path().join("run"));
        let temporary = std::env::temp_dir().join(format!("cdse-{}", user()));
        let mut why = None;
        let places: Vec<PathBuf> = state.into_iter().chain(runtime).chain([temporary]).collect();
        places.iter().for_each(|place| remove_leftovers(place));
        for place in &places {
            match Self::below(place) {
                Ok(folder) => return Ok(folder),
                Err(fail) => why = Some(fail),
            }
        }
        Err(why.unwrap_or_else(|| Fail::other("there is no place for the token's files")))
    }

    fn below(place: &Path) -> Result<Self> {
        for nth in 0..TRIES {
            // In a container the same process id is used again and again.
            let path = place.join(format!("exec-{}-{nth}", std::process::id()));
            let file = PrivateFile::new(&path).in_own_folder();
            let Some(lock) = file.try_lock()? else { continue };
            // Somebody who looked for leftovers may have taken the lock file away before it was locked.
            if !file.lock_path().exists() {
                continue;
            }
            let mut folder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
            let made = folder.create(&path);
            let folder = Self { path, lock_path: file.lock_path(), _lock: lock };
            return match made {
                Ok(()) => Ok(folder),
                Err(error) => Err(Fail::other(format!("{} cannot be created: {error}", folder.path.display()))),
            };
        }
        Err(Fail::other(format!("no folder can be made in {}", place.display())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path, &self.lock_path);
    }
}

/// Where nobody holds the lock, its run is over.
fn remove_leftovers(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let lock_path = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with("exec-");
        if !is_ours || lock_path.extension() != Some("lock".as_ref()) {
            continue;
        }
        let path = lock_path.with_extension("");
        if let Ok(Some(lock)) = PrivateFile::new(&path).in_own_folder().try_lock() {
            remove(&path, &lock_path);
            drop(lock);
        }
    }
}

/// The lock file last: while it is there, somebody comes back for the rest.
fn remove(path: &Path, lock_path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {}
        _ => {
            let _ = fs::remove_file(lock_path);
        }
    }
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn user() -> &'static str {
    "exec"
}

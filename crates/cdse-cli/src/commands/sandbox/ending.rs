//! The signals that end a sandbox: what it leaves in the file system is cleared away first.

use crate::report::fail::{Fail, Result};

#[cfg(unix)]
pub(super) struct Ending(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Ending {
    pub(super) fn catch() -> Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let heeded =
            [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !crate::process::signals::is_ignored(*signal));
        signal_hook::iterator::Signals::new(heeded)
            .map(Self)
            .map_err(|error| Fail::other(format!("signals cannot be caught: {error}")))
    }

    /// The number of the signal that came.
    pub(super) fn wait(mut self) -> i32 {
        self.0.forever().next().unwrap_or(0)
    }
}

#[cfg(not(unix))]
pub(super) struct Ending;

#[cfg(not(unix))]
impl Ending {
    pub(super) fn catch() -> Result<Self> {
        Ok(Self)
    }

    pub(super) fn wait(self) -> i32 {
        crate::process::signals::wait_for_the_end()
    }
}

/// When a signal comes, the folder is removed and the process ends.
pub(super) fn clear_away(folder: std::path::PathBuf) -> Result<()> {
    let ending = Ending::catch()?;
    std::thread::spawn(move || {
        let signal = ending.wait();
        let _ = std::fs::remove_dir_all(folder);
        std::process::exit(128 + signal);
    });
    Ok(())
}

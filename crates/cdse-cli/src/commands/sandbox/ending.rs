//! The signals that end a sandbox: what it leaves in the file system is cleared away first.

use crate::process::signals;
use crate::report::fail::{Fail, Result};

/// Catches them from now on. What it returns waits for one, and tells its number.
#[cfg(unix)]
pub(super) fn catch() -> Result<impl FnOnce() -> i32 + Send> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let signals = signal_hook::iterator::Signals::new(signals::heeded([SIGHUP, SIGINT, SIGTERM]));
    let mut signals = signals.map_err(|error| Fail::other(format!("signals cannot be caught: {error}")))?;
    Ok(move || signals.forever().next().unwrap_or(0))
}

#[cfg(not(unix))]
pub(super) fn catch() -> Result<impl FnOnce() -> i32 + Send> {
    Ok(|| -> i32 { signals::wait_for_the_end() })
}

/// When a signal comes, the folder is removed and the process ends.
pub(super) fn clear_away(folder: std::path::PathBuf) -> Result<()> {
    let wait = catch()?;
    std::thread::spawn(move || {
        let signal = wait();
        let _ = std::fs::remove_dir_all(folder);
        std::process::exit(128 + signal);
    });
    Ok(())
}

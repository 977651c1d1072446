//! What differs from system to system, one file each.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub(crate) use other::*;

#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
pub(crate) use mounts::unfit as unfit_file_system;

/// Elsewhere nobody knows.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unfit_file_system(_: &std::path::Path) -> Option<String> {
    None
}

/// A sleep that a machine's own sleep may lengthen, and so a short one.
#[expect(clippy::disallowed_methods, reason = "this is the clock that is injected")]
fn nap(length: std::time::Duration) {
    std::thread::sleep(length.min(std::time::Duration::from_secs(60)));
}

//! What differs from system to system, one file each.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub use other::*;

#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
pub(crate) use mounts::unfit as unfit_file_system;

/// Elsewhere there is no list of mounts to read.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unfit_file_system(_: &std::path::Path) -> Option<(String, &'static str)> {
    None
}

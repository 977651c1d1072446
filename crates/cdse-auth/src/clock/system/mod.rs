//! The system's clocks, one file for each kind of system.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub(crate) use other::*;

/// A sleep that a machine's own sleep may lengthen, and so a short one.
#[expect(clippy::disallowed_methods, reason = "this is the clock that is injected")]
fn nap(length: std::time::Duration) {
    std::thread::sleep(length.min(std::time::Duration::from_secs(60)));
}

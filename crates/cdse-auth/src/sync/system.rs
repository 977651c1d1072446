//! The system's.

use std::time::Duration;

pub(crate) use arc_swap::ArcSwapOption;
pub(crate) use pollster::block_on;
pub(crate) use std::sync::atomic::AtomicBool;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

use super::lock;

/// Starts a thread that nobody joins.
///
/// # Errors
///
/// When the system has no thread left (`EAGAIN`).
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Waits for a notification, but no longer than `length`.
pub(crate) fn wait_for<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>, length: Duration) -> MutexGuard<'a, T> {
    changed.wait_timeout(guard, length).map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard)
}

/// Rests for about `length`.
pub(crate) fn rest(length: Duration) {
    let (never, changed) = (Mutex::new(()), Condvar::new());
    drop(wait_for(&changed, lock(&never), length));
}

//! The system's.

use std::cell::Cell;
use std::sync::TryLockError;
use std::time::Duration;

pub(crate) use pollster::block_on;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use try_lock::TryLock;

use super::given::AtomicU64;
use super::{Ordering, lock};

/// Starts a thread that nobody joins.
///
/// # Errors
///
/// When the system has no thread left (`EAGAIN`).
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Locks if nobody has it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Ok(guard) => Some(guard),
    }
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

/// Counts the threads that ask: each has one number for life.
#[inline(always)]
pub(crate) fn thread_number() -> usize {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    thread_local!(static NUMBER: Cell<Option<usize>> = const { Cell::new(None) });
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let next = NEXT.fetch_add(1, Ordering::Relaxed) as usize;
            number.set(Some(next));
            next
        })
    })
}

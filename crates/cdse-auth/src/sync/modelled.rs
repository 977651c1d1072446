//! A model checker's: every use of a lock is a moment at which another thread may go on. In between, memory is
//! sequentially consistent.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError};
use std::time::Duration;

pub(crate) use shuttle::future::block_on;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8};
use shuttle::thread::yield_now;

pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    shuttle::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T: ?Sized>(shuttle::sync::Mutex<T>);

/// It knows its mutex: a wait that ends by itself takes it again.
pub(crate) struct MutexGuard<'a, T: ?Sized> {
    guard: Option<shuttle::sync::MutexGuard<'a, T>>,
    mutex: &'a Mutex<T>,
}

// A model checker's threads take turns on one of the system's.
thread_local!(static RELEASES: Cell<bool> = const { Cell::new(false) });

/// Whether the thread that runs is giving a lock back. Whatever another thread may do right after that it may do just as
/// well at the next use of a lock: nothing in between is seen by others.
#[must_use]
pub fn is_releasing() -> bool {
    RELEASES.get()
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        RELEASES.set(true);
        drop(self.guard.take());
        RELEASES.set(false);
    }
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard { guard: Some(guard), mutex: self })
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().unwrap_or_else(|| unreachable!("given back on drop only"))
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().unwrap_or_else(|| unreachable!("given back on drop only"))
    }
}

#[derive(Debug)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<'a, T>(&self, mut held: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let guard = held.guard.take().map(|guard| self.0.wait(guard).unwrap_or_else(PoisonError::into_inner));
        Ok(MutexGuard { guard, mutex: held.mutex })
    }
}

/// No time passes by itself: whoever waits for some looks again when nobody else can go on.
pub(crate) fn wait_for<'a, T>(_: &Condvar, guard: MutexGuard<'a, T>, _: Duration) -> MutexGuard<'a, T> {
    let mutex = guard.mutex;
    drop(guard);
    yield_now();
    super::lock(mutex)
}

pub(crate) fn rest(_: Duration) {
    yield_now();
}

/// A lock that nobody waits for.
#[derive(Debug, Default)]
pub(crate) struct TryLock<T>(Mutex<T>);

impl<T> TryLock<T> {
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        try_lock(&self.0)
    }
}

pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let guard = mutex.0.try_lock().ok()?;
    Some(MutexGuard { guard: Some(guard), mutex })
}

/// Counts the threads, from nothing in each run.
pub(crate) fn thread_number() -> usize {
    usize::from(shuttle::current::me())
}

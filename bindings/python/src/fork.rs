//! A process that was forked begins anew: it has none of the library's threads, and its locks may be held for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Weak};

use cdse_auth::TokenManager;
use pyo3::prelude::*;

use crate::lock;
use crate::manager::Made;
use crate::wait::wait;

/// Goes up in the child of a fork. What was made in another epoch is not touched any more.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// What this process has made. It is locked with the interpreter held, as a fork is made, and so never inherited locked.
static LIVE: Mutex<Vec<Weak<Made>>> = Mutex::new(Vec::new());

/// Managers that Python has dropped while they renewed a token. It is locked as `LIVE` is.
static LEFT: Mutex<Vec<(u64, TokenManager)>> = Mutex::new(Vec::new());

pub(crate) fn epoch() -> u64 {
    EPOCH.load(Ordering::Relaxed)
}

pub(crate) fn remember(made: Weak<Made>) {
    let mut live = lock(&LIVE);
    live.retain(|known| known.strong_count() > 0);
    live.push(made);
}

/// Python is done with a manager of this process: what it has begun is waited for at the end all the same.
pub(crate) fn leave(manager: TokenManager, gave_up: bool) {
    // Not `status()`, which looks into the store and may wait for it.
    if !gave_up && manager.waiting().is_none() {
        return;
    }
    let before = std::mem::take(&mut *lock(&LEFT));
    // Not under the lock: what they are made of may run Python code when they go.
    let is_over = |of: u64, known: &TokenManager| of == epoch() && known.waiting().is_none();
    let mut left: Vec<_> = before.into_iter().filter(|(of, known)| !is_over(*of, known)).collect();
    left.push((epoch(), manager));
    lock(&LEFT).append(&mut left);
}

/// For `os.register_at_fork`.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// For the end of the interpreter: waits until running renewals are saved.
#[pyfunction]
pub(crate) fn settle_all(py: Python<'_>) {
    let live: Vec<_> = lock(&LIVE).iter().filter_map(Weak::upgrade).collect();
    let live = live.iter().filter(|made| made.is_of_this_process()).map(|made| made.manager().clone());
    let left = std::mem::take(&mut *lock(&LEFT));
    let (left, inherited): (Vec<_>, Vec<_>) = left.into_iter().partition(|(of, _)| *of == epoch());
    std::mem::forget(inherited);
    for manager in live.chain(left.into_iter().map(|(_, manager)| manager)) {
        // A second Ctrl-C ends the wait; an error is told to nobody here.
        if wait(py, manager.settle()).is_err() {
            return;
        }
    }
}

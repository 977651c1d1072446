//! A process that was forked begins anew: it has none of the library's threads, and its locks may be held for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};

use cdse_auth::TokenManager;
use pyo3::prelude::*;

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
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|known| known.strong_count() > 0);
    live.push(made);
}

/// Python is done with a manager of this process: what it has begun is waited for at the end all the same.
pub(crate) fn leave(manager: TokenManager) {
    if !manager.status().renewing {
        return;
    }
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.retain(|(of, known)| *of != epoch() || known.status().renewing);
    left.push((epoch(), manager));
}

/// For `os.register_at_fork`.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// For the end of the interpreter: waits until running renewals are saved.
#[pyfunction]
pub(crate) fn settle_all(py: Python<'_>) {
    let live: Vec<_> = LIVE.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
    let live = live.iter().filter(|made| made.is_of_this_process()).map(|made| made.manager().clone());
    let left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let left: Vec<_> = left.iter().filter(|(of, _)| *of == epoch()).map(|(_, manager)| manager.clone()).collect();
    for manager in live.chain(left) {
        // A second Ctrl-C ends the wait; an error is told to nobody here.
        if wait(py, manager.settle()).is_err() {
            return;
        }
    }
}

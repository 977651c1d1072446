//! Every lock, atomic and thread of this crate comes from here, so that a model checker's can take their place: with
//! `cfg(cdse_model)` (the crate `cdse-model`) they are those of `modelled`.

#[cfg(cdse_model)]
mod modelled;
#[cfg(not(cdse_model))]
mod system;

pub(crate) use std::sync::atomic::Ordering;
pub(crate) use std::sync::{Arc, OnceLock, PoisonError};

#[cfg(cdse_model)]
pub use modelled::is_releasing;
#[cfg(cdse_model)]
pub(crate) use modelled::*;
#[cfg(not(cdse_model))]
pub(crate) use system::*;

/// Locks; a panic of another holder does not spread, for every holder leaves the data whole between two statements.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For what tests hand in, a clock and a die: no part of what a model checker checks.
pub(crate) mod given {
    pub(crate) use std::sync::atomic::AtomicU64;
    pub(crate) use std::sync::{Mutex as Plain, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Plain<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(super::PoisonError::into_inner)
    }
}

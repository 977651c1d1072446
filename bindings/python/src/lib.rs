//! The native half of the Python package `cdse-auth`: the library behind the names of the package's interface page.
//!
//! Two rules hold everywhere. The interpreter is never held while the library may wait for a lock or poll a future; and no
//! lock of this crate is held while Python code runs, which any allocation of a container may do: it may collect garbage.

mod errors;
mod fork;
mod form;
mod http_client;
mod inside;
mod login;
mod manager;
mod pending;
mod store;
mod texts;
mod wait;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// Locks, also after a panic of somebody who had it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What this module keeps belongs to one interpreter: a second one in the process would be handed its objects.
fn claim(py: Python<'_>) -> PyResult<()> {
    static OWNER: OnceLock<usize> = OnceLock::new();
    let this = py.import("sys")?.as_ptr().addr();
    if *OWNER.get_or_init(|| this) != this {
        return Err(PyImportError::new_err(
            "cdse_auth is in use by another interpreter of this process and cannot be shared with a sub-interpreter; \
             use threads or processes",
        ));
    }
    Ok(())
}

#[pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use super::fork::{after_fork_in_child, settle_all};
    #[pymodule_export]
    use super::form::TotpSecret;
    #[pymodule_export]
    use super::login::log_in;
    #[pymodule_export]
    use super::manager::Core;
    #[pymodule_export]
    use super::pending::Pending;
    #[pymodule_export]
    use super::store::{FileStore, MemoryStore};
    use super::{Bound, PyModule, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::claim(module.py())
    }
}

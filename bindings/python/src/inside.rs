//! A manager whose provider, store or HTTP client asks it for a token would wait for itself.

use std::cell::RefCell;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

thread_local! {
    /// The managers on whose behalf this thread runs Python code.
    static RUNNING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Which manager runs Python code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside(pub(crate) u64);

struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| running.truncate(running.len() - 1));
    }
}

impl Inside {
    /// Runs Python code of the manager's provider, store or client.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        RUNNING.with_borrow_mut(|running| running.push(self.0));
        let _leave = Leave;
        work()
    }

    pub(crate) fn check(self) -> PyResult<()> {
        if RUNNING.with_borrow(|running| running.contains(&self.0)) {
            return Err(PyRuntimeError::new_err(
                "a token manager was used by its own provider, store or HTTP client while it obtained a token; \
                 let an event hook of the client pass over requests to the token address",
            ));
        }
        Ok(())
    }
}

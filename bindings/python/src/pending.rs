//! What a task of an event loop waits for.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use cdse_auth::{Error, HeaderValue};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::lock;
use crate::manager::Made;
use crate::wait::forked;

type Answer = Result<Option<HeaderValue>, Error>;
type Future = Pin<Box<dyn std::future::Future<Output = Answer> + Send>>;

/// A wait under way. Dropping it loses nothing: what was begun goes on and is saved.
#[pyclass(frozen, module = "cdse_auth._native")]
pub(crate) struct Pending {
    made: Arc<Made>,
    future: Mutex<Option<Future>>,
}

impl Pending {
    pub(crate) fn new(made: Arc<Made>, future: Future) -> Self {
        Self { made, future: Mutex::new(Some(future)) }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(future) = self.future.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        self.made.gives_up();
        if !self.made.is_of_this_process() {
            // The library's locks may be held for ever here.
            std::mem::forget(future);
        }
    }
}

#[pymethods]
impl Pending {
    /// `(value,)` once it is there; else `wake` is called, on any thread, when it is worth to poll again.
    fn poll<'py>(&self, py: Python<'py>, wake: Py<PyAny>) -> PyResult<Option<(Bound<'py, PyAny>,)>> {
        let future = lock(&self.future).take();
        let Some(mut future) = future else {
            return Err(PyRuntimeError::new_err("this wait is over, or another task polls it"));
        };
        if !self.made.is_of_this_process() {
            std::mem::forget(future);
            return Err(forked(py));
        }
        let waker = Waker::from(Arc::new(Called(wake)));
        let polled = py.detach(|| future.as_mut().poll(&mut Context::from_waker(&waker)));
        match polled {
            Poll::Ready(answer) => self.made.conclude(py, answer).map(|value| Some((value,))),
            Poll::Pending => {
                *lock(&self.future) = Some(future);
                Ok(None)
            }
        }
    }
}

struct Called(Py<PyAny>);

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        // A loop that is closed by now raises, and an interpreter that is ending cannot be called: nobody waits then.
        let _ = Python::try_attach(|py| self.0.call0(py).map(drop));
    }
}

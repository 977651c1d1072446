//! Waiting for the library without the interpreter, and with ears for its signals.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use cdse_auth::ErrorKind;
use pyo3::prelude::*;

use crate::lock;

use crate::errors::make;
use crate::fork;

/// How long a signal waits for its handler at most.
const SLICE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        *lock(&self.woken) = true;
        self.changed.notify_one();
    }
}

impl Parker {
    fn park(&self) {
        let mut woken = lock(&self.woken);
        if !*woken {
            woken = self.changed.wait_timeout(woken, SLICE).unwrap_or_else(PoisonError::into_inner).0;
        }
        *woken = false;
    }
}

/// The output of `future`, or what the handler of a signal raises. The library's futures may be dropped at any time: what was
/// begun goes on and is saved.
pub(crate) fn wait<T: Send>(py: Python<'_>, future: impl Future<Output = T> + Send) -> PyResult<T> {
    let epoch = fork::epoch();
    let mut future = Box::pin(future);
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(Arc::clone(&parker));
    loop {
        let polled = py.detach(|| match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => {
                parker.park();
                None
            }
        });
        if let Some(output) = polled {
            return Ok(output);
        }
        let signalled = py.check_signals();
        if epoch != fork::epoch() {
            // The handler of a signal has forked, and this is the child.
            std::mem::forget(future);
            return Err(signalled.err().unwrap_or_else(|| forked(py)));
        }
        signalled?;
    }
}

/// What the child of a fork is told that has inherited a wait.
pub(crate) fn forked(py: Python<'_>) -> PyErr {
    let why = "this process was forked while it waited for a token; ask again";
    make(py, "AuthError", why, ErrorKind::LockWait.code(), true)
}

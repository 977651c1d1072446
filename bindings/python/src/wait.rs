//! Waiting for the library without the interpreter, and with ears for its signals.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use pyo3::prelude::*;

/// How long a signal waits for its handler at most.
const SLICE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl Parker {
    fn park(&self) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if !*woken {
            woken = self.changed.wait_timeout(woken, SLICE).unwrap_or_else(PoisonError::into_inner).0;
        }
        *woken = false;
    }
}

/// The output of `future`, or what the handler of a signal raises. The library's futures may be dropped at any time: what was
/// begun goes on and is saved.
pub(crate) fn wait<T: Send>(py: Python<'_>, future: impl Future<Output = T> + Send) -> PyResult<T> {
    let mut future = pin!(future);
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
        py.check_signals()?;
    }
}

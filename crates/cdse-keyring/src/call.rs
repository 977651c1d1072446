//! A call of the keyring: on a thread and a runtime of its own, and with a limit.
//!
//! A store is asked from anywhere, also from within a runtime that must not be blocked on, or that is about to end. The
//! limit holds twice: on the runtime, so that the thread ends, and for the caller, whatever the thread hangs in.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use crate::trouble::Trouble;

pub(crate) fn within<T, F>(limit: Duration, call: F) -> Result<T, Trouble>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Trouble>> + Send + 'static,
{
    let (send, answer) = mpsc::sync_channel(1);
    let work = move || {
        // Nobody may be there any more.
        let _ = send.send(run(limit, call));
    };
    std::thread::Builder::new()
        .name("cdse-keyring".to_owned())
        .spawn(work)
        .map_err(|error| Trouble::Unstarted(format!("no thread could be started: {error}")))?;
    match answer.recv_timeout(limit) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Trouble::Silent(limit)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Trouble::Unstarted("a defect of this program ended the call".to_owned()))
        }
    }
}

fn run<T>(limit: Duration, call: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::Unstarted(format!("no runtime could be started: {error}")))?;
    let result = runtime.block_on(async { tokio::time::timeout(limit, call).await });
    // What may still run there is waited for by nobody.
    runtime.shutdown_background();
    result.unwrap_or(Err(Trouble::Silent(limit)))
}

//! A program that is run in this one's place: it gets the signals, and its exit code is ours.

use std::process::{Child, ExitCode, ExitStatus};

use crate::report::fail::{Fail, Result};

/// Waits for the command. Signals are its business: those that a terminal sends reach it anyway, the others are passed on.
pub(crate) fn wait(mut child: Child) -> Result<ExitCode> {
    #[cfg(unix)]
    pass_on_signals(child.id());
    child.wait().map(code).map_err(|error| Fail::other(format!("the command was lost: {error}")))
}

#[cfg(unix)]
fn pass_on_signals(child: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]) {
        let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let passed_on = match signal {
                    SIGTERM => Some(Signal::TERM),
                    SIGHUP => Some(Signal::HUP),
                    _ => None,
                };
                if let (Some(pid), Some(signal)) = (pid, passed_on) {
                    let _ = kill_process(pid, signal);
                }
            }
        });
    }
}

fn code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(255));
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

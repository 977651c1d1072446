//! A program that is run in this one's place: it gets the signals, it stops and goes on together with this one, and its exit
//! code is ours.

use std::io;
use std::process::{Child, Command, ExitCode};
#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::fail::{Fail, Result};

/// What to do about a signal between the moment at which this program is ready for a child and the child's end.
pub(crate) struct Relay {
    #[cfg(unix)]
    signals: signal_hook::iterator::Signals,
}

impl Relay {
    /// From now on signals wait for the child. Those that whoever started this program had ignored stay ignored, for the child,
    /// too.
    #[cfg(unix)]
    pub(crate) fn new() -> Result<Self> {
        use signal_hook::consts::{
            SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
        };

        // A stop by the terminal is the child's business first: see `wait`.
        let caught =
            super::signals::heeded([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2]);
        // A system that was told to ignore the end of children would not tell how this one ended.
        let signals = signal_hook::iterator::Signals::new(caught.into_iter().chain([SIGCHLD]))
            .map_err(|error| Fail::other(format!("signals cannot be caught: {error}")))?;
        Ok(Self { signals })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {})
    }

    /// Starts the command.
    pub(crate) fn start(self, command: &mut Command) -> Result<Running> {
        let child = spawn(command).map_err(|error| not_started(command, &error))?;
        Ok(Running { relay: self, child })
    }
}

/// A program that was started.
pub(crate) struct Running {
    relay: Relay,
    child: Child,
}

impl Running {
    /// Waits for its end. `stopping` runs what stops this process, at a moment that suits it.
    #[cfg(unix)]
    pub(crate) fn wait(self, stopping: &dyn Fn(&dyn Fn())) -> Result<ExitCode> {
        use rustix::process::{Signal, WaitOptions, getpid, kill_process, waitpid};

        let Self { relay: Relay { mut signals }, child } = self;
        let pid = rustix::process::Pid::from_child(&child);
        let handle = signals.handle();
        let by_key = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&by_key);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                theirs.fetch_or(signal == signal_hook::consts::SIGTSTP, Ordering::SeqCst);
                if let Some(signal) = to_be_passed_on(signal) {
                    let _ = kill_process(pid, signal);
                }
            }
        });
        loop {
            match waitpid(Some(pid), WaitOptions::UNTRACED) {
                Ok(Some((_, status))) if status.stopped() => {
                    // Whoever stops it by SIGSTOP alone lets it go on alone. (A `cdse exec` in this one stops itself so.)
                    let alone = status.stopping_signal() == Some(signal_hook::consts::SIGSTOP);
                    let by_key = by_key.swap(false, Ordering::SeqCst);
                    if has_terminal() && (!alone || by_key) {
                        stopping(&|| {
                            let _ = kill_process(getpid(), Signal::STOP);
                        });
                        let _ = kill_process(pid, Signal::CONT);
                    }
                }
                Ok(Some((_, status))) => {
                    // Its number may soon be another process's.
                    handle.close();
                    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
                    let code = by_signal.or(status.exit_status()).and_then(|code| u8::try_from(code).ok());
                    return Ok(ExitCode::from(code.unwrap_or(255)));
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Fail::other(format!("the command was lost: {error}"))),
            }
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn wait(mut self, _: &dyn Fn(&dyn Fn())) -> Result<ExitCode> {
        let status = self.child.wait().map_err(|error| Fail::other(format!("the command was lost: {error}")))?;
        Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }
}

/// Puts the command in this process's place; returns only where that fails.
#[cfg(unix)]
pub(crate) fn in_place_of_this(command: &mut Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(command);
    Err(not_started(command, &error))
}

/// Elsewhere no program can take another's place: this one waits.
#[cfg(not(unix))]
pub(crate) fn in_place_of_this(command: &mut Command) -> Result<ExitCode> {
    Relay::new()?.start(command)?.wait(&|stop| stop())
}

/// A script without a first line that names its interpreter is one of the shell's (POSIX, `execvp`).
fn spawn(command: &mut Command) -> io::Result<Child> {
    const ENOEXEC: i32 = 8;
    match command.spawn() {
        Err(error) if cfg!(unix) && error.raw_os_error() == Some(ENOEXEC) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(command.get_program()).args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => shell.env(name, value),
                    None => shell.env_remove(name),
                };
            }
            shell.spawn()
        }
        spawned => spawned,
    }
}

/// As shells have it: 127 for what is not there, 126 for what cannot be run.
fn not_started(command: &Command, error: &io::Error) -> Fail {
    let exit = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    let why = format!("{} could not be started: {error}", command.get_program().to_string_lossy());
    Fail::other(why).exit_with(exit)
}

/// What a key of the terminal sends reaches the child without this.
#[cfg(unix)]
fn to_be_passed_on(signal: i32) -> Option<rustix::process::Signal> {
    use rustix::process::Signal;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

    match signal {
        SIGHUP => Some(Signal::HUP),
        SIGTERM => Some(Signal::TERM),
        SIGUSR1 => Some(Signal::USR1),
        SIGUSR2 => Some(Signal::USR2),
        SIGINT if !is_in_foreground() => Some(Signal::INT),
        SIGQUIT if !is_in_foreground() => Some(Signal::QUIT),
        _ => None,
    }
}

#[cfg(unix)]
fn terminal() -> Option<std::fs::File> {
    std::fs::File::options().read(true).write(true).open("/dev/tty").ok()
}

#[cfg(unix)]
fn has_terminal() -> bool {
    terminal().is_some()
}

#[cfg(unix)]
fn is_in_foreground() -> bool {
    let in_front = terminal().and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok());
    in_front == Some(rustix::process::getpgrp())
}

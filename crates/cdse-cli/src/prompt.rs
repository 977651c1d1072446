//! Questions on the terminal. Only `auth login` asks any.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use cdse_auth::Secret;

use crate::fail::{Fail, Result};

/// The terminal of this process, if there is somebody at it. As long as it is open a signal that ends or stops the process
/// finds the terminal as it was: a hidden question must not leave it without echo.
#[derive(Debug)]
pub(crate) struct Terminal {
    _restored: Option<Restored>,
}

#[cfg(unix)]
const DEVICE: &str = "/dev/tty";
#[cfg(windows)]
const DEVICE: &str = "CON";

impl Terminal {
    /// Nobody is there when neither the input nor the messages go to a terminal, even if one could be opened.
    pub(crate) fn open(no_input: bool) -> Option<Self> {
        if no_input || !(io::stdin().is_terminal() || io::stderr().is_terminal()) {
            return None;
        }
        let terminal = OpenOptions::new().read(true).write(true).open(DEVICE).ok()?;
        Some(Self { _restored: Restored::watch(terminal) })
    }

    /// Asks for something that may be seen.
    pub(crate) fn ask(&self, question: &str) -> Result<String> {
        let ask = || {
            let mut terminal = OpenOptions::new().read(true).write(true).open(DEVICE)?;
            terminal.write_all(question.as_bytes())?;
            terminal.flush()?;
            let mut line = String::new();
            match BufReader::new(terminal).read_line(&mut line)? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(line),
            }
        };
        let line = ask().map_err(|error| closed(&error))?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Asks for something that must not be seen.
    pub(crate) fn ask_hidden(&self, question: &str) -> Result<Secret> {
        rpassword::prompt_password(question).map(Secret::new).map_err(|error| closed(&error))
    }
}

fn closed(error: &io::Error) -> Fail {
    if error.kind() == io::ErrorKind::Interrupted {
        // Ctrl-C, which a hidden question reads as a key.
        return Fail::other("interrupted").exit_with(130);
    }
    Fail::usage(format!("the question was not answered: {error}"))
}

/// The thread that puts the terminal back when a signal comes.
#[cfg(unix)]
#[derive(Debug)]
struct Restored {
    signals: signal_hook::iterator::Handle,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[cfg(unix)]
impl Restored {
    fn watch(terminal: std::fs::File) -> Option<Self> {
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

        let usual = tcgetattr(&terminal).ok()?;
        let heeded = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];
        let heeded = heeded.into_iter().filter(|signal| !crate::signals::is_ignored(*signal));
        let mut signals = signal_hook::iterator::Signals::new(heeded).ok()?;
        let handle = signals.handle();
        let thread = std::thread::spawn(move || {
            for signal in signals.forever() {
                let hidden = tcgetattr(&terminal);
                let _ = tcsetattr(&terminal, OptionalActions::Now, &usual);
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                // Only a stop comes back.
                if let Ok(hidden) = hidden {
                    let _ = tcsetattr(&terminal, OptionalActions::Now, &hidden);
                }
            }
        });
        Some(Self { signals: handle, thread: Some(thread) })
    }
}

#[cfg(unix)]
impl Drop for Restored {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(not(unix))]
#[derive(Debug)]
struct Restored;

#[cfg(not(unix))]
impl Restored {
    fn watch(_: std::fs::File) -> Option<Self> {
        None
    }
}

//! Questions on the terminal. Only `auth login` asks any.

use std::env;
use std::ffi::OsString;
#[cfg(unix)]
use std::fs::File;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
#[cfg(unix)]
use std::sync::Arc;

use cdse_auth::Secret;
#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

#[cfg(unix)]
use crate::process::signals;
use crate::report::fail::{Fail, Result};

/// The terminal of this process, if there is somebody at it.
#[derive(Debug)]
pub(crate) struct Terminal(());

#[cfg(unix)]
const DEVICE: &str = "/dev/tty";
#[cfg(windows)]
const DEVICE: &str = "CON";

impl Terminal {
    /// Nobody is there when neither the input nor the messages go to a terminal, even if one could be opened.
    pub(crate) fn open(no_input: bool) -> Option<Self> {
        if no_input || is_notebook() || !(io::stdin().is_terminal() || io::stderr().is_terminal()) {
            return None;
        }
        OpenOptions::new().read(true).write(true).open(DEVICE).is_ok().then_some(Self(()))
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
        let answer = ask_hidden(question).map(Secret::new).map_err(|error| closed(&error))?;
        // What reads the keys puts this in the place of bytes that it cannot decode.
        if answer.expose().contains(char::REPLACEMENT_CHARACTER) {
            return Err(Fail::usage(
                "what was typed is not valid UTF-8: set the terminal to UTF-8, or pass --password-stdin",
            ));
        }
        Ok(answer)
    }
}

/// A notebook gives commands a terminal of their own, which shows questions and takes no answer. Its kernel has one of these;
/// a terminal in the browser has not.
fn is_notebook() -> bool {
    let inline = |backend: OsString| backend.to_string_lossy().contains("inline");
    env::var_os("JPY_PARENT_PID").is_some_and(|id| !id.is_empty()) || env::var_os("MPLBACKEND").is_some_and(inline)
}

fn closed(error: &io::Error) -> Fail {
    if error.kind() == io::ErrorKind::Interrupted {
        // Ctrl-C, which a hidden question reads as a key.
        return Fail::other("interrupted").exit_with(130);
    }
    Fail::usage(format!("the question was not answered: {error}"))
}

fn ask_hidden(question: &str) -> io::Result<String> {
    #[cfg(unix)]
    if let Some(hidden) = Hidden::begin() {
        return hidden.ask(question);
    }
    rpassword::prompt_password(question)
}

/// A terminal that shows nothing of what is typed, from before the question is seen until after it was answered: programs
/// type as soon as they see it.
///
/// A thread puts the terminal back when a signal comes, which must not leave it without echo.
#[cfg(unix)]
#[derive(Debug)]
struct Hidden {
    terminal: Arc<File>,
    usual: Termios,
    signals: signal_hook::iterator::Handle,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[cfg(unix)]
impl Hidden {
    fn begin() -> Option<Self> {
        use rustix::process::getpgrp;
        use rustix::termios::tcgetpgrp;
        use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

        let terminal = Arc::new(OpenOptions::new().read(true).write(true).open(DEVICE).ok()?);
        let usual = tcgetattr(&*terminal).ok()?;
        let heeded = signals::heeded([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP]);
        signals::leave_to_default(&heeded);
        let mut caught = signal_hook::iterator::Signals::new(heeded).ok()?;
        signals::catch(true);
        let handle = caught.handle();
        // As rpassword reads: key by key. Ctrl-C and Ctrl-Z stay signals, for rpassword takes no notice of the second.
        let mut keys = usual.clone();
        keys.local_modes &= !(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        let _ = tcsetattr(&*terminal, OptionalActions::Now, &keys);
        let mut hidden = Self { terminal: Arc::clone(&terminal), usual: usual.clone(), signals: handle, thread: None };
        hidden.thread = Some(std::thread::spawn(move || {
            // In the background the terminal is another's, and touching it would stop this process.
            let is_ours = || tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp());
            for signal in caught.forever() {
                let hidden = tcgetattr(&*terminal);
                if is_ours() {
                    let _ = tcsetattr(&*terminal, OptionalActions::Now, &usual);
                }
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                // Only a stop comes back.
                if let Some(hidden) = hidden.ok().filter(|_| is_ours()) {
                    let _ = tcsetattr(&*terminal, OptionalActions::Now, &hidden);
                }
            }
        }));
        Some(hidden)
    }

    fn ask(&self, question: &str) -> io::Result<String> {
        // Not by its path: what rpassword opens itself it also sets, which a signal's restoring must not be overtaken by.
        let config = rpassword::ConfigBuilder::new()
            .input_reader(self.terminal.try_clone()?)
            .output_writer(self.terminal.try_clone()?)
            .build();
        let answer = rpassword::prompt_password_with_config(question, config);
        (&*self.terminal).write_all(b"\n")?;
        answer
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        signals::catch(false);
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = tcsetattr(&*self.terminal, OptionalActions::Now, &self.usual);
    }
}

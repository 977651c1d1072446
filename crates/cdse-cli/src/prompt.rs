//! Questions on the terminal. Only `auth login` asks any.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use cdse_auth::Secret;

use crate::fail::{Fail, Result};

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
        if no_input || !(io::stdin().is_terminal() || io::stderr().is_terminal()) {
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
        rpassword::prompt_password(question).map(Secret::new).map_err(|error| closed(&error))
    }
}

fn closed(error: &io::Error) -> Fail {
    Fail::usage(format!("the question was not answered: {error}"))
}

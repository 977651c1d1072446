//! Programs that hand over a secret: run without a shell, their output read, never shown.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cdse_auth::{Error, ErrorKind, PasswordAuth, Secret};
use zeroize::Zeroizing;

use crate::clock;
use crate::error::{Error as Invalid, Result as Checked};
use crate::input;
use crate::secret_text::without_line_end;

/// How long a program has, unless the caller says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// A secret is shorter.
const LARGEST: u64 = 64 * 1024;

/// A program that prints a secret, and its arguments, split from one text as a shell would split it; nothing else of a shell
/// happens. It has 60 s, unless [`within`](Self::within) says otherwise.
#[derive(Clone, Debug)]
pub struct SecretCommand {
    /// The option or variable that holds it, for errors.
    name: &'static str,
    words: Vec<String>,
    patience: Duration,
}

impl SecretCommand {
    /// The program in `text`, which the option or variable `name` holds.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if the text names no program.
    pub fn new(name: &'static str, text: &str) -> Checked<Self> {
        match shlex::split(text) {
            Some(words) if words.first().is_some_and(|program| !program.is_empty()) => {
                Ok(Self { name, words, patience: PATIENCE })
            }
            Some(_) => Err(Invalid::invalid(name, format!("{name} names no program"))),
            None => Err(Invalid::invalid(name, format!("{name} has a quotation mark that is not closed"))),
        }
    }

    /// With another time limit, if there is one.
    #[must_use]
    pub fn within(self, patience: Option<Duration>) -> Self {
        Self { patience: patience.unwrap_or(self.patience), ..self }
    }

    /// Makes it the source of the user's one-time codes: it is run for each login.
    #[must_use]
    pub fn as_code_source(self, user: PasswordAuth) -> PasswordAuth {
        user.with_code_from(move || {
            let text = self.secret()?;
            input::code(text.expose()).map_err(|why| {
                Error::new(ErrorKind::Configuration, format!("the program of {} printed no code: {why}", self.name))
            })
        })
    }

    /// Runs it, and returns what it prints, one line end stripped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it cannot be run, fails, takes too long or prints something that is not a secret. What
    /// it printed is not repeated.
    pub fn secret(&self) -> Result<Secret, Error> {
        let (program, arguments) = self.words.split_first().ok_or_else(|| self.fail("is missing"))?;
        let child = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let not_started = |error| self.fail(&format!("could not be started: {error}{}", self.about_shell()));
        let mut child = Child(child.map_err(not_started)?);
        let stdout = child.0.stdout.take().ok_or_else(|| self.fail("has no output"))?;
        self.secret_of(child, stdout)
    }

    fn fail(&self, why: &str) -> Error {
        Error::new(ErrorKind::Configuration, format!("the program of {} {why}", self.name))
    }

    /// For somebody who has written it for a shell.
    fn about_shell(&self) -> &'static str {
        let is_shells = |word: &String| {
            matches!(word.as_str(), "|" | "||" | "&&" | ";" | ">" | "<") || word.starts_with(['~', '$', '`'])
        };
        let advice = "; it runs without a shell, so nothing expands ~ or $ and nothing is piped: sh -c '…' does that";
        if self.words.iter().any(is_shells) { advice } else { "" }
    }

    /// What `output`, that of the child, holds.
    fn secret_of(&self, mut child: Child, output: impl Read + Send + 'static) -> Result<Secret, Error> {
        let fail = |why: String| self.fail(&why);
        let begun = clock::monotonic();
        let (send, received) = mpsc::channel();
        // Reading is what may wait, so a thread does it.
        let reading = std::thread::Builder::new().spawn(move || {
            let mut text = Zeroizing::new(Vec::with_capacity(4096));
            let read = output.take(LARGEST + 1).read_to_end(&mut text).map(|_| text);
            let _ = send.send(read);
        });
        reading.map_err(|error| fail(format!("could not be read: {error}")))?;
        let Ok(read) = received.recv_timeout(self.patience) else {
            return Err(fail(format!("printed nothing within {} s", self.patience.as_secs())));
        };
        let text = match read {
            Ok(text) if text.len() as u64 <= LARGEST => text,
            Ok(_) => return Err(fail("printed too much for a secret (more than 64 KiB)".to_owned())),
            Err(error) => return Err(fail(format!("could not be read: {error}"))),
        };
        let status = loop {
            match child.0.try_wait().map_err(|error| fail(format!("was lost: {error}")))? {
                Some(status) => break status,
                None if begun.elapsed() < self.patience => std::thread::park_timeout(Duration::from_millis(5)),
                None => return Err(fail(format!("did not end within {} s", self.patience.as_secs()))),
            }
        };
        if !status.success() {
            return Err(fail(format!("failed ({status}){}", self.about_shell())));
        }
        let secret = without_line_end(&text).map_err(|why| fail(format!("printed something that {why}")))?;
        if secret.expose().is_empty() { Err(fail("printed nothing".to_owned())) } else { Ok(secret) }
    }
}

/// A program that is ended, and its process reaped, when it is not needed any more, whatever has gone wrong.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended is only reaped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a pipe that breaks.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn cli11_a_command_that_cannot_be_read_is_ended_and_reaped() {
        let command = SecretCommand::new("--password-command", "sleep 600").unwrap();
        let child = Child(Command::new("sleep").arg("600").stdout(Stdio::piped()).spawn().unwrap());
        let process = std::path::PathBuf::from(format!("/proc/{}", child.0.id()));
        assert!(process.exists());
        let error = command.secret_of(child, Broken).unwrap_err();
        assert!(error.message().contains("could not be read"), "{error}");
        assert!(!process.exists(), "it still runs, or nobody has asked for its end");
    }

    #[test]
    fn cli11_a_command_is_split_like_a_shell_does_and_sees_no_shell() {
        let command = SecretCommand::new("--password-command", r#"printf '%s' "a  $HOME; b""#).unwrap();
        assert_eq!(command.secret().unwrap().expose(), "a  $HOME; b");
    }

    #[test]
    fn cli6_one_line_end_is_stripped_from_a_command_and_nothing_else() {
        for (printed, expected) in [("x\\n", "x"), ("x\\r\\n", "x"), (" x \\r\\n", " x "), ("x", "x")] {
            let command = SecretCommand::new("--password-command", &format!("printf '{printed}'")).unwrap();
            assert_eq!(command.secret().unwrap().expose(), expected);
        }
    }

    #[test]
    fn cli11_a_failing_command_shows_its_exit_code_and_not_its_output() {
        for (text, expected) in [
            ("sh -c 'echo CANARY; exit 3'", "exit status: 3"),
            ("true", "printed nothing"),
            ("/does/not/exist", "could not be started"),
            ("~/does/not/exist", "without a shell"),
            ("ls /does/not/exist | head -n1", "without a shell"),
        ] {
            let error = SecretCommand::new("--password-command", text).unwrap().secret().unwrap_err();
            assert!(error.message().contains(expected) && !error.message().contains("CANARY"), "{error}");
        }
        for text in ["", "  ", "'open", "''"] {
            assert!(SecretCommand::new("--totp-command", text).is_err(), "{text}");
        }
    }
}

//! A file that holds a token, for a program that reads its token from there.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cdse_files::{ErrorKind as FileErrorKind, PrivateFile};
use http::HeaderValue;
use zeroize::Zeroizing;

const START: &str = "Authorization: Bearer ";

/// Calls of [`TokenFile::keep`] after a write that failed until the next try: four, then twice as many each time, up to 120.
const FIRST_PAUSE: u32 = 4;
const LONGEST_PAUSE: u32 = 120;
/// Calls for which a file may be another one before that is said: another writer of this path may have a renewal first.
const STRANGE: u32 = 12;

/// What the file holds: one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Form {
    /// `Authorization: Bearer …`, as GDAL (`GDAL_HTTP_HEADER_FILE`) and curl (`-H @PATH`) read it.
    Header,
    /// The token alone, as `BEARER_TOKEN_FILE` has it (WLCG Bearer Token Discovery).
    Token,
}

impl Form {
    fn line(self, header: &HeaderValue) -> Zeroizing<String> {
        let value = header.to_str().unwrap_or_default();
        let mut line = Zeroizing::new(String::with_capacity(value.len() + START.len()));
        match self {
            Self::Header => line.extend(["Authorization: ", value, "\n"]),
            Self::Token => line.extend([value.strip_prefix("Bearer ").unwrap_or(value), "\n"]),
        }
        line
    }

    /// Whether a file with this text may have been left by an earlier run. A token alone looks like anything.
    fn may_be(self, text: &[u8]) -> bool {
        self == Self::Header && (START.as_bytes().starts_with(text) || text.starts_with(START.as_bytes()))
    }
}

/// A token in a file that its owner alone can read (mode 0600), replaced as a whole (written beside it and renamed).
///
/// Others may put their file at its path at any time: what is there is looked at each time, and only what was written here,
/// or left by an earlier run, is replaced or removed. A symbolic link, or anything but a regular file, is refused.
///
/// Dropping it leaves the file: [`remove`](Self::remove) takes it away.
pub struct TokenFile {
    file: PrivateFile,
    form: Form,
    /// What may be replaced: what was written last, and before that what an earlier run has left.
    ours: Option<Zeroizing<Vec<u8>>>,
    /// Calls until the next try, and how many it was the last time.
    pause: u32,
    next_pause: u32,
    strange: u32,
    said: Option<String>,
}

/// What [`TokenFile::keep`] has to tell, once.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The file is not as it should be.
    Warning(String),
    /// It is again.
    Recovered(String),
}

enum Found {
    Nothing,
    /// What was written last.
    Ours,
    /// What is to be there, whoever has written it.
    Wanted,
    Strange(String),
}

impl TokenFile {
    /// The file at `path`, in which nothing is written yet.
    ///
    /// # Errors
    ///
    /// [`TokenFileErrorKind::Unsafe`] where something else stands there, which is left as it is;
    /// [`TokenFileErrorKind::Unusable`] where the system does not say what stands there.
    pub fn new(path: impl Into<PathBuf>, form: Form) -> Result<Self, TokenFileError> {
        // After a power cut the token is worthless.
        let file = PrivateFile::new(path).unsynced();
        let shown = file.path().display().to_string();
        let ours = match file.read() {
            Ok(None) => None,
            Ok(Some(text)) if form.may_be(&text) => Some(text),
            Ok(Some(_)) if form == Form::Header => return Err(refused(&shown, "is not a header file")),
            Ok(Some(_)) => return Err(refused(&shown, "is a file of something else")),
            Err(_) if fs::symlink_metadata(file.path()).is_ok_and(|found| !found.is_file()) => {
                return Err(refused(&shown, "is not a regular file"));
            }
            Err(error) if error.kind() == FileErrorKind::Unsafe && file.path().exists() => {
                return Err(refused(&shown, "is another user's file"));
            }
            Err(error) => {
                let message = format!("{shown} cannot be used: {error}");
                return Err(TokenFileError { kind: TokenFileErrorKind::Unusable, message, hint: None });
            }
        };
        Ok(Self { file, form, ours, pause: 0, next_pause: FIRST_PAUSE, strange: 0, said: None })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether other users may be able to read it: its file system keeps no permissions.
    #[must_use]
    pub fn is_open_to_others(&self) -> bool {
        self.file.is_open_to_others()
    }

    /// Writes the token of an `Authorization` header value, unless something else has come to stand there.
    ///
    /// # Errors
    ///
    /// [`TokenFileErrorKind::Unsafe`] for a file or folder that is not touched, [`TokenFileErrorKind::Unusable`] if the system
    /// refuses.
    pub fn write(&mut self, header: &HeaderValue) -> Result<(), TokenFileError> {
        let line = self.form.line(header);
        match self.look(Some(&line)) {
            Found::Strange(_) => Err(refused(&self.path().display().to_string(), "has become another file meanwhile")),
            // A file that others can read is not made safe by what is in it.
            _ => self.replace(&line),
        }
    }

    /// One look, and what it takes for the file to hold the token, or nothing. To be called again and again: what failed is
    /// tried again after four more calls, then after eight, up to 120.
    pub fn keep(&mut self, header: Option<&HeaderValue>) -> Option<Notice> {
        let wanted = header.map(|header| self.form.line(header));
        let found = self.look(wanted.as_ref());
        if let Found::Strange(why) = &found {
            self.strange += 1;
            return (self.strange >= STRANGE)
                .then(|| format!("{why}; it is left as it is"))
                .and_then(|text| self.say(text));
        }
        self.strange = 0;
        if self.pause > 0 && !matches!(found, Found::Wanted) {
            self.pause -= 1;
            return None;
        }
        let done = match (found, &wanted) {
            (Found::Nothing | Found::Ours, Some(line)) => self.replace(line).map_err(|error| error.message),
            (Found::Wanted, Some(line)) => {
                self.is_written(line);
                Ok(())
            }
            (Found::Ours, None) => {
                self.take_away().map_err(|why| format!("{why}; the token in it is of no use any more"))
            }
            _ => Ok(()),
        };
        match done {
            Ok(()) => {
                self.next_pause = FIRST_PAUSE;
                self.said.take().map(|_| Notice::Recovered(format!("{} is up to date again", self.path().display())))
            }
            Err(why) => {
                self.pause = self.next_pause;
                self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
                self.say(format!("{why}; trying again"))
            }
        }
    }

    /// Whether the last [`keep`](Self::keep) left nothing to be done.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.pause == 0 && self.strange == 0
    }

    /// Removes what was written, unless it is another file by now. In a folder that takes no changes it is emptied.
    ///
    /// # Errors
    ///
    /// [`TokenFileErrorKind::Unusable`] if the system refuses: the token is still there.
    pub fn remove(&self) -> Result<(), TokenFileError> {
        if !matches!(self.look(None), Found::Ours) {
            return Ok(());
        }
        self.take_away().map_err(|why| {
            let message = format!("{why}; it still holds a token: remove it yourself");
            TokenFileError { kind: TokenFileErrorKind::Unusable, message, hint: None }
        })
    }

    fn look(&self, wanted: Option<&Zeroizing<String>>) -> Found {
        let text = match self.file.read() {
            Ok(None) => return Found::Nothing,
            Ok(Some(text)) => text,
            Err(error) => return Found::Strange(error.message().to_owned()),
        };
        if wanted.is_some_and(|wanted| wanted.as_bytes() == &text[..]) {
            Found::Wanted
        } else if self.ours.as_ref() == Some(&text) {
            Found::Ours
        } else {
            Found::Strange(format!("{} was replaced by another program", self.path().display()))
        }
    }

    fn replace(&mut self, line: &Zeroizing<String>) -> Result<(), TokenFileError> {
        self.file.replace(line.as_bytes()).map_err(|error| {
            let (kind, hint) = match error.kind() {
                FileErrorKind::Unsafe => (TokenFileErrorKind::Unsafe, Some("name a file in a folder of your own")),
                _ => (TokenFileErrorKind::Unusable, None),
            };
            TokenFileError { kind, message: error.message().to_owned(), hint }
        })?;
        self.is_written(line);
        Ok(())
    }

    fn is_written(&mut self, line: &Zeroizing<String>) {
        self.ours = Some(Zeroizing::new(line.as_bytes().to_vec()));
    }

    fn say(&mut self, text: String) -> Option<Notice> {
        // The system names another temporary file each time.
        if self.said.is_some() {
            return None;
        }
        self.said = Some(text.clone());
        Some(Notice::Warning(text))
    }

    fn take_away(&self) -> Result<(), String> {
        let empty = || fs::File::options().write(true).open(self.path()).and_then(|file| file.set_len(0));
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound && empty().is_err() => {
                Err(format!("{} cannot be removed: {error}", self.path().display()))
            }
            _ => Ok(()),
        }
    }
}

/// Shows no token.
impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile").field("path", &self.path()).field("form", &self.form).finish_non_exhaustive()
    }
}

/// The kinds of [`TokenFileError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TokenFileErrorKind {
    /// What stands there, or its folder, is not touched: it may be somebody else's.
    Unsafe,
    /// The system refuses.
    Unusable,
}

/// Why a token file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenFileError {
    kind: TokenFileErrorKind,
    message: String,
    hint: Option<&'static str>,
}

impl TokenFileError {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> TokenFileErrorKind {
        self.kind
    }

    /// What happened, to which path.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }
}

impl fmt::Display for TokenFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TokenFileError {}

fn refused(shown: &str, why: &str) -> TokenFileError {
    TokenFileError {
        kind: TokenFileErrorKind::Unsafe,
        message: format!("{shown} {why}; it was left as it is"),
        hint: Some("name a new file, or the one that was written before"),
    }
}

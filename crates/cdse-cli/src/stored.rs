//! Every session that is stored here, whether a profile points to it or not.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::PathBuf;

use cdse_auth::{Error, ErrorKind};

use crate::environment::Environment;
use crate::fail::Result;
use crate::profile::{Name, Profile};
use crate::session::{Pace, Session};
use crate::source::Source;
use crate::state::StateFolder;

/// A session, or why it cannot be used.
pub(crate) struct Stored {
    pub(crate) source: Source,
    pub(crate) session: Result<Option<Session>>,
}

/// Profiles by name, then what no profile points to.
pub(crate) fn all(state: &StateFolder, environment: &Environment) -> Result<Vec<Stored>> {
    // Each profile names its own service.
    let environment = Environment { identity_url: None, ..environment.without_credentials() };
    let mut all = Vec::new();
    for name in profiles(state)? {
        let source = Source::Profile(name);
        let session = Session::of(&source, &environment, Pace::OneShot);
        all.push(Stored { source, session });
    }
    let known: Vec<PathBuf> = all.iter().filter_map(Stored::path).collect();
    for path in files(&state.sessions())?.into_iter().filter(|path| !known.contains(path)) {
        let source = Source::Stored(path);
        match Session::of(&source, &environment, Pace::OneShot) {
            // What a logout leaves is no session.
            Ok(Some(session)) if !session.holds_tokens() => {}
            session => all.push(Stored { source, session }),
        }
    }
    Ok(all)
}

/// The names of all profiles.
pub(crate) fn profiles(state: &StateFolder) -> Result<Vec<Name>> {
    let names = files(&state.profiles())?.into_iter();
    let names = names.filter_map(|path| Name::parse(path.file_stem()?.to_str()?).ok());
    // One that was removed meanwhile is none.
    Ok(names.filter(|name| Profile::path(state, name).exists()).collect())
}

impl Stored {
    fn path(&self) -> Option<PathBuf> {
        self.session.as_ref().ok()?.as_ref()?.store_path()
    }
}

/// The JSON files of a folder, in order.
fn files(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let why = format!("{} cannot be read: {error}", folder.display());
            return Err(Error::new(ErrorKind::StoreUnusable, why).into());
        }
    };
    let is_record =
        |path: &PathBuf| path.extension() == Some(OsStr::new("json")) && !path.file_name().is_some_and(is_hidden);
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_record).collect();
    files.sort();
    Ok(files)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

//! Every session that is stored here, whether a profile points to it or not.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::PathBuf;

use cdse_auth::{Error, ErrorKind, TokenStore as _};
use cdse_keyring::KeyringTokenStore;

use crate::environment::Environment;
use crate::fail::Result;
use crate::output;
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
    let known: Vec<Source> = all.iter().filter_map(Stored::unpointed_source).collect();
    let mut others: Vec<Source> = files(&state.sessions())?.into_iter().map(Source::Stored).collect();
    others.retain(|source| !known.contains(source));
    others.extend(in_keyring(state, &known)?);
    for source in others {
        match Session::of(&source, &environment, Pace::OneShot) {
            // What a logout leaves is no session.
            Ok(Some(session)) if !session.holds_tokens() => {}
            session => all.push(Stored { source, session }),
        }
    }
    Ok(all)
}

/// What the keyring holds beside what is known. One that is out of order is said, and keeps nobody from the rest.
fn in_keyring(state: &StateFolder, known: &[Source]) -> Result<Vec<Source>> {
    let folder = state.sessions();
    let mut found = Vec::new();
    for id in KeyringTokenStore::names(&folder).map_err(|error| unreadable(&folder, &error))? {
        let store = state.in_keyring(&id);
        let source = Source::InKeyring(id);
        if known.contains(&source) {
            continue;
        }
        match store.load() {
            Ok(None) => {}
            Err(error) if cdse_keyring::is_about_keyring(&error) => {
                output::warn(&format!("a session may be left out that no profile points to: {error}"));
                break;
            }
            _ => found.push(source),
        }
    }
    Ok(found)
}

/// The names of all profiles.
pub(crate) fn profiles(state: &StateFolder) -> Result<Vec<Name>> {
    let names = files(&state.profiles())?.into_iter();
    let names = names.filter_map(|path| Name::parse(path.file_stem()?.to_str()?).ok());
    // One that was removed meanwhile is none.
    Ok(names.filter(|name| Profile::path(state, name).exists()).collect())
}

/// Removes the session files that were set aside as damaged, and says which.
pub(crate) fn remove_damaged(state: &StateFolder) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for path in entries(&state.sessions())? {
        if path.file_name().is_some_and(|name| name.to_string_lossy().contains(".json.damaged-")) {
            fs::remove_file(&path).map_err(|error| {
                let why = format!("{} may hold a token and cannot be removed: {error}", path.display());
                Error::new(ErrorKind::StoreUnwritable, why)
            })?;
            removed.push(path);
        }
    }
    Ok(removed)
}

/// How many session files there are, of sessions that are open or not.
pub(crate) fn count_records(state: &StateFolder) -> Result<usize> {
    Ok(files(&state.sessions())?.len())
}

impl Stored {
    fn unpointed_source(&self) -> Option<Source> {
        self.session.as_ref().ok()?.as_ref()?.unpointed_source()
    }
}

/// The JSON files of a folder, in order.
pub(crate) fn files(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let is_record =
        |path: &PathBuf| path.extension() == Some(OsStr::new("json")) && !path.file_name().is_some_and(is_hidden);
    Ok(entries(folder)?.into_iter().filter(is_record).collect())
}

/// What is in a folder, in order; nothing in one that is not there.
fn entries(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, &error).into()),
    };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    Ok(entries)
}

fn unreadable(folder: &std::path::Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::StoreUnusable, format!("{} cannot be read: {error}", folder.display()))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

//! Every session that is stored here, whether a profile points to it or not.

use std::fs;
use std::path::PathBuf;

use cdse_auth::{Error, ErrorKind};

use crate::environment::Environment;
use crate::error::Result;
use crate::listing::{entries, files, profiles};
use crate::mode::Mode;
use crate::name::Name;
use crate::session::Session;
use crate::source::Source;
use crate::state::StateFolder;

/// A session, or why it cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stored {
    /// The profile that points to it, or where it was found.
    pub source: Source,
    /// The session, `None` where a profile points to nothing any more.
    pub session: Result<Option<Session>>,
}

/// All sessions that are stored here.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoredSessions {
    /// Profiles by name, then what no profile points to.
    pub sessions: Vec<Stored>,
    /// Why some may be left out.
    pub warnings: Vec<String>,
}

impl StoredSessions {
    /// Finds them in `state`. The credentials in `environment` have no part in it.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if the state folder cannot be read. A session that cannot be used is no error.
    pub fn find(state: &StateFolder, environment: &Environment) -> Result<Self> {
        // Each profile names its own service.
        let environment = Environment { identity_url: None, ..environment.without_credentials() };
        let mut all = Vec::new();
        for source in profiles(state)?.into_iter().map(Source::Profile) {
            let session = Session::of(&source, &environment, Mode::OneShot);
            all.push(Stored { source, session });
        }
        let pointed_to = |stored: &Stored| stored.session.as_ref().ok()?.as_ref()?.unpointed_source();
        let known: Vec<Source> = all.iter().filter_map(pointed_to).collect();
        let mut others: Vec<Source> = files(&state.sessions())?.into_iter().map(Source::SessionFile).collect();
        others.retain(|source| !known.contains(source));
        let (in_keyring, warnings) = in_keyring(state, &known)?;
        others.extend(in_keyring);
        for source in others {
            match Session::of(&source, &environment, Mode::OneShot) {
                // What a logout leaves is not a session.
                Ok(Some(session)) if !session.holds_tokens() => {}
                session => all.push(Stored { source, session }),
            }
        }
        Ok(Self { sessions: all, warnings })
    }

    /// The names of all profiles.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if the folder cannot be read.
    pub fn profiles(state: &StateFolder) -> Result<Vec<Name>> {
        profiles(state)
    }

    /// Removes the session files that were set aside as damaged, which may hold tokens, and returns their paths.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if one cannot be removed.
    pub fn remove_damaged(state: &StateFolder) -> Result<Vec<PathBuf>> {
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
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if the folder cannot be read.
    pub fn count_records(state: &StateFolder) -> Result<usize> {
        Ok(files(&state.sessions())?.len())
    }
}

/// What the keyring holds beside what is known. One that is out of order is a warning, and hides only what is in it.
#[cfg(feature = "keyring")]
fn in_keyring(state: &StateFolder, known: &[Source]) -> Result<(Vec<Source>, Vec<String>)> {
    use cdse_auth::TokenStore as _;
    use cdse_keyring::KeyringTokenStore;

    let folder = state.sessions();
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for id in KeyringTokenStore::names(&folder).map_err(|error| crate::listing::unreadable(&folder, error))? {
        let store = state.in_keyring(&id);
        let source = Source::KeyringSecret(id);
        if known.contains(&source) {
            continue;
        }
        match store.load() {
            Ok(None) => {}
            Err(error) if cdse_keyring::is_about_keyring(&error) => {
                warnings.push(format!("a session may be left out that no profile points to: {error}"));
                break;
            }
            _ => found.push(source),
        }
    }
    Ok((found, warnings))
}

#[cfg(not(feature = "keyring"))]
#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
fn in_keyring(_: &StateFolder, _: &[Source]) -> Result<(Vec<Source>, Vec<String>)> {
    Ok((Vec::new(), Vec::new()))
}

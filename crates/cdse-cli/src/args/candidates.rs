//! What a shell offers as the value of an argument. Completing never logs in and never renews.

use std::env;
use std::ffi::OsString;
use std::sync::mpsc;
use std::time::Duration;

use cdse_auth::{SessionState, TokenStore};
use cdse_credentials::{Environment, Mode, Name, Selection, Session, StateFolder, StoredSessions, of_access_token};
use clap_complete::CompletionCandidate;

use crate::report::time;

/// How long a shell waits after a Tab.
const PATIENCE: Duration = Duration::from_secs(2);

/// Names of profiles.
pub(crate) fn profiles() -> Vec<CompletionCandidate> {
    in_time(|| {
        let environment = Environment::read().ok()?;
        // Anything else in the folder, such as a file name with a command in it, is none.
        let names = StoredSessions::profiles(&StateFolder::of(&environment).ok()?).ok()?;
        Some(names.iter().map(|name| CompletionCandidate::new(name.as_str())).collect())
    })
}

/// Ids of the account's sessions, if they can be asked for with a token that is at hand.
pub(crate) fn sessions() -> Vec<CompletionCandidate> {
    in_time(|| {
        let selection = Selection { profile: profile_on_the_line(env::args_os()), netrc: false };
        let environment = Environment::read().ok()?;
        let (_, session) = Session::find(&selection, &environment, Mode::Inspect).ok()?;
        let session = session?;
        if session.manager().status().state != SessionState::Fresh {
            return None;
        }
        let tokens = session.store()?.load().ok()??;
        // With the token alone, which can renew nothing.
        let token_url = &session.manager().as_async().slot().token_url;
        let asking = of_access_token(tokens.access_token(), token_url, &environment).ok()?;
        let others = asking.sessions().ok()?.into_iter().filter(|session| !session.current && is_plain(&session.id));
        let candidate = |session: cdse_auth::AccountSession| {
            let used = session.last_access_at.map(|at| format!("last used {}", time::from_now(at)));
            CompletionCandidate::new(session.id).help(used.map(Into::into))
        };
        Some(others.map(candidate).collect())
    })
}

/// Nothing, if it takes too long or cannot be had.
fn in_time(find: impl FnOnce() -> Option<Vec<CompletionCandidate>> + Send + 'static) -> Vec<CompletionCandidate> {
    let (send, found) = mpsc::channel();
    std::thread::spawn(move || send.send(find()));
    found.recv_timeout(PATIENCE).ok().flatten().unwrap_or_default()
}

/// A shell could take anything else for more than a word.
fn is_plain(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The value of `--profile` on the line that is being completed.
fn profile_on_the_line(mut arguments: impl Iterator<Item = OsString>) -> Option<Name> {
    let value = arguments.find_map(|argument| match argument.to_str()?.strip_prefix("--profile")? {
        "" => Some(None),
        value => value.strip_prefix('=').map(|value| Some(value.to_owned())),
    })?;
    Name::parse(&value.or_else(|| arguments.next()?.into_string().ok())?).ok()
}

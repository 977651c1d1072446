//! `cdse auth logout`: end the session at the service, then remove it here, in any case.

use crate::args::call::Call;
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress, time};
use cdse_credentials::{Active, Mode, Name, Profile, Session, Source, StateFolder, Stored, StoredSessions};
use std::process::ExitCode;
use std::time::SystemTime;

use cdse_auth::{Error, ErrorKind, TokenStore};
use serde::Serialize;

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// All sessions that are stored here, including those without a profile
    #[arg(long, conflicts_with = "profile")]
    all: bool,
    /// Remove the session here without telling the service: it stays open there until it ends by itself
    #[arg(long)]
    local: bool,
}

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report {
    logged_out: Vec<Ended>,
    warnings: Vec<String>,
}

#[derive(Serialize, Debug)]
struct Ended {
    source: String,
    /// Every profile that used the session.
    profiles: Vec<String>,
    username: Option<String>,
    client_id: String,
    at_service: bool,
}

fn report(logged_out: Vec<Ended>) -> Result<()> {
    output::answer(&Report { logged_out, warnings: output::warnings() })
}

impl Command {
    pub(crate) fn run(&self, call: &Call) -> Result<ExitCode> {
        call.check_all(self.all)?;
        if self.all {
            return self.all(call);
        }
        let (source, session) = call.find()?;
        if source == Source::AccessToken {
            return Err(Fail::usage(
                "CDSE_ACCESS_TOKEN is not a session that is stored here: there is nothing to log out",
            )
            .hint("unset CDSE_ACCESS_TOKEN to log out the session that is stored"));
        }
        if let Some(session) = &session {
            signals::protect(session.manager());
        }
        let ended = self.one(&source, session.as_ref(), call)?;
        if ended.is_none() {
            output::note(&format!("not logged in ({source}): nothing to do"));
        }
        report(ended.into_iter().collect())?;
        Ok(ExitCode::SUCCESS)
    }

    /// What cannot be logged out is said, and keeps nothing else from being logged out.
    fn all(&self, call: &Call) -> Result<ExitCode> {
        let stored = call.stored()?;
        let sessions = || stored.iter().filter_map(|stored| stored.session.as_ref().ok()?.as_ref());
        signals::protect_all(sessions().map(|session| session.manager().clone()).collect());
        let (mut ended, mut failed) = (Vec::new(), None);
        for Stored { source, session, .. } in &stored {
            let done = match session {
                Ok(session) => self.one(source, session.as_ref(), call),
                Err(error) => Err(error.clone().into()),
            };
            match done {
                Ok(done) => ended.extend(done),
                Err(fail) => {
                    let why = format!("{source}: {}", fail.message);
                    match failed {
                        None => failed = Some(fail.message(why)),
                        Some(_) => output::warn(&why),
                    }
                }
            }
        }
        if let Some(fail) = failed {
            if !ended.is_empty() {
                report(ended)?;
            }
            return Err(fail);
        }
        if ended.is_empty() {
            output::note("not logged in: nothing to do");
        }
        left(&call.state()?)?;
        report(ended)?;
        Ok(ExitCode::SUCCESS)
    }

    /// What was logged out, if there was anything.
    fn one(&self, source: &Source, session: Option<&Session>, call: &Call) -> Result<Option<Ended>> {
        let profile = Pointer::of(source, call)?;
        let Some(session) = session else { return Ok(None) };
        let has_tokens = match session.store() {
            Some(store) => store.load().map_err(|error| unreadable(session, error))?.is_some(),
            None => false,
        };
        if !has_tokens {
            profile.as_ref().map_or(Ok(()), Pointer::forget)?;
            return Ok(None);
        }
        let others = others(source, session, call);
        if !self.all && !others.is_empty() {
            let names = others.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
            output::warn(&format!("the profile {names} uses the same session and is logged out, too"));
        }
        if !self.local {
            // What would keep the service from being told for a reason that can be mended at once.
            session.manager().prepare()?;
        }
        let told = progress::show(session.manager());
        let unfinished = signals::hold_the_end();
        let end = session.manager().status().session_expires_at.filter(|_| self.local);
        let ended = if self.local { session.manager().clear() } else { session.manager().logout() };
        drop(told);
        let gone = || session.store().is_some_and(|store| store.load().is_ok_and(|tokens| tokens.is_none()));
        if ended.is_ok() || gone() {
            profile.as_ref().map_or(Ok(()), Pointer::forget)?;
        }
        drop(unfinished);
        ended.map_err(|error| explain::of(session, error))?;
        self.say(source, &others, session, end);
        let slot = session.manager().as_async().slot();
        Ok(Some(Ended {
            source: source.to_string(),
            profiles: source.profile().into_iter().chain(&others).map(|name| name.as_str().to_owned()).collect(),
            username: session.username().map(str::to_owned),
            client_id: slot.client_id.clone(),
            at_service: !self.local,
        }))
    }

    fn say(&self, source: &Source, others: &[Name], session: &Session, end: Option<SystemTime>) {
        let slot = session.manager().as_async().slot();
        let who = explain::who(session.username(), slot.grant, &slot.client_id, "the session");
        let places: Vec<String> = others.iter().map(|name| format!(", profile {name}")).collect();
        let place = format!("{source}{}", places.concat());
        if self.local {
            let end = end.map_or_else(|| "it ends by itself".to_owned(), time::for_people);
            output::note(&format!(
                "removed here: {who} ({place}); the session stays open at the service until {end}, and counts towards the limit"
            ));
        } else {
            output::note(&format!("logged out: {who} ({place})"));
        }
        if source.can_log_in() {
            output::remark(&format!("the credentials are still in the {source}, and the next use logs in again"));
        }
    }
}

/// Nobody who has logged out of everything leaves a token behind: what was set aside as damaged may hold one. What else stays
/// is named, for there are names in it.
fn left(state: &StateFolder) -> Result<()> {
    let removed = StoredSessions::remove_damaged(state)?;
    if !removed.is_empty() {
        let names: Vec<String> = removed.iter().map(|path| output::one_line(&path.to_string_lossy())).collect();
        output::note(&format!("removed what had been set aside as damaged: {}", names.join(", ")));
    }
    let records = StoredSessions::count_records(state)?;
    if records > 0 {
        output::note(&format!(
            "note: {records} of the files in {} name an account and hold no token; `rm -r {}` removes all of it",
            output::one_line(&state.sessions().to_string_lossy()),
            output::one_line(&state.path().to_string_lossy())
        ));
    }
    Ok(())
}

/// The other profiles that point to the session.
fn others(source: &Source, session: &Session, call: &Call) -> Vec<Name> {
    // Each profile names its own service.
    let mut plain = call.environment.without_credentials();
    plain.identity_url = None;
    let names = StateFolder::of(&plain).and_then(|state| StoredSessions::profiles(&state)).unwrap_or_default();
    let same = |name: &Name| {
        let other = Session::of(&Source::Profile(name.clone()), &plain, Mode::Inspect);
        // One that cannot be read uses nothing.
        other.ok().flatten().is_some_and(|other| {
            other.manager().as_async().slot() == session.manager().as_async().slot()
                && other.unpointed_source() == session.unpointed_source()
        })
    };
    names.into_iter().filter(|name| source.profile() != Some(name) && same(name)).collect()
}

/// Who wants to leave is not told to log in.
fn unreadable(session: &Session, error: Error) -> Fail {
    let hint = "remove the file; its session ends by itself, or `cdse auth sessions end` ends it from another login";
    let damaged = error.kind() == ErrorKind::StoreDamaged;
    let fail = explain::of(session, error);
    if damaged { fail.hint(hint) } else { fail }
}

/// The profile as it was when the command began.
struct Pointer<'a> {
    name: &'a Name,
    state: StateFolder,
    before: Option<Profile>,
}

impl<'a> Pointer<'a> {
    /// `None` where no profile leads to the session.
    fn of(source: &'a Source, call: &Call) -> Result<Option<Self>> {
        let Some(name) = source.profile() else { return Ok(None) };
        let state = call.state()?;
        let before = Profile::load(&state, name)?;
        Ok(Some(Self { name, state, before }))
    }

    /// Removes it, unless it has come to point to another session meanwhile.
    fn forget(&self) -> Result<()> {
        if Profile::load(&self.state, self.name)? == self.before {
            Profile::file(&self.state, self.name).remove()?;
            Active::of(&self.state).forget(self.name)?;
        }
        Ok(())
    }
}

//! Opening a session, and pointing a profile to it.

use crate::process::signals;
use crate::report::fail::Result;
use crate::report::{explain, output, progress, time};
use cdse_credentials::{Profile, Selection, Source, winner};
use cdse_files::PrivateFile;

use cdse_auth::blocking::TokenManager;
use cdse_auth::{AuthProvider, Error, ErrorKind, Grant, Login as Done, Record, Status, TokenStore};

use serde::Serialize;

use super::super::status::Store;
use super::target::Target;
use super::transfer::{Fate, Other};

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report<'a> {
    profile: &'a str,
    opened: bool,
    username: Option<&'a str>,
    client_id: &'a str,
    store: Store,
    access_expires_at: Option<String>,
    session_expires_at: Option<String>,
    login_needed_by: Option<String>,
    warnings: Vec<String>,
}

/// What a login finds stored for a slot.
pub(super) struct Found {
    profile: Profile,
    pub(super) status: Status,
    /// Of what is stored alone: it cannot log in.
    pub(super) manager: TokenManager,
    /// In the other store, to be ended when the login is done.
    left: Option<Other>,
}

impl Target<'_> {
    /// What is stored for a slot, brought to where it was asked for. A damaged record is no obstacle: the login sets it aside.
    pub(super) fn look(&self, profile: Profile, force: bool) -> Result<Found> {
        let (manager, store) = self.manager(profile.pointer(), self.kind)?;
        let here = read(&*store, &manager)?;
        let mut found = Found { profile, status: manager.status(), manager: manager.clone(), left: None };
        let Some(other) = Other::find(self, &found.profile)? else { return Ok(found) };
        match other.fate(here.as_ref(), found.status.refreshable, force) {
            Fate::Stays => {}
            Fate::Forgotten => other.forget(),
            Fate::Moves => {
                other.move_to(self, &*store)?;
                found.status = manager.status();
            }
            Fate::Ends => found.left = Some(other),
        }
        Ok(found)
    }

    pub(super) fn already(&self, found: &Found) -> Result<()> {
        self.point_to(&found.profile)?;
        let Profile { username, client_id, grant, .. } = &found.profile;
        let who = explain::who(username.as_deref(), *grant, client_id, "the given session");
        output::note(&format!("already logged in as {who} (profile {})", self.name));
        self.end_left(found)?;
        self.note_other_winner();
        self.answer(false, found, &found.status)
    }

    fn answer(&self, opened: bool, found: &Found, status: &Status) -> Result<()> {
        output::answer(&Report {
            profile: self.name.as_str(),
            opened,
            username: found.profile.username.as_deref(),
            client_id: &found.profile.client_id,
            store: Store::from(&status.store),
            access_expires_at: status.access_expires_at.and_then(time::rfc3339),
            session_expires_at: status.session_expires_at.and_then(time::rfc3339),
            login_needed_by: status.login_needed_by.and_then(time::rfc3339),
            warnings: output::warnings(),
        })
    }

    pub(super) fn open(&self, provider: impl AuthProvider + 'static, force: bool, found: &Found) -> Result<()> {
        let profile = &found.profile;
        let (manager, store) = self.manager(provider, self.kind)?;
        read(&*store, &manager)?;
        Profile::file(&self.state, &self.name).check_replaceable()?;
        signals::protect(&manager);
        let told = progress::show(&manager);
        let unfinished = signals::hold_the_end();
        let id = || store.load().ok().flatten().and_then(|tokens| tokens.session_id().map(str::to_owned));
        let before = id();
        let mut done = if force { manager.force_login().map(|()| Done::Opened) } else { manager.login() };
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::ShutDown) {
            // A signal has come: a login that was under way is finished, and found again.
            let _ = manager.settle();
            if manager.status().refreshable {
                self.point_to(profile)?;
            }
            drop(unfinished);
            signals::wait_for_the_end();
        }
        if done.as_ref().is_err_and(Error::is_transient) {
            // An exchange that takes longer than anybody waits is finished: the session would be open, and unknown here.
            let _ = manager.settle();
            if manager.status().refreshable && id() != before {
                done = Ok(Done::Opened);
            }
        }
        if done? == Done::AlreadyOpen {
            return self.already(found);
        }
        if let Err(error) = manager.settle() {
            // A session that could not be stored is of no use to the next command: it is given back.
            let _ = manager.shutdown();
            return Err(error.into());
        }
        drop(told);
        self.point_to(profile)?;
        self.end_left(found)?;
        drop(unfinished);
        let unnamed = "the session of the given refresh token";
        let who = explain::who(profile.username.as_deref(), profile.grant, &profile.client_id, unnamed);
        output::note(&format!("logged in as {who} (profile {})", self.name));
        let status = manager.status();
        output::note(&match &status.store.path {
            Some(path) => {
                let alone = if PrivateFile::new(path).is_open_to_others() { "" } else { ", readable by you alone" };
                format!("stored in {}{alone}", output::one_line(&path.to_string_lossy()))
            }
            None => format!("stored in {}", self.kind.describe()),
        });
        output::note(&until(&status));
        status.problems.iter().for_each(|problem| output::warn(&problem.to_string()));
        self.note_other_winner();
        self.answer(true, found, &status)
    }

    fn end_left(&self, found: &Found) -> Result<()> {
        found.left.as_ref().map_or(Ok(()), |left| left.end(self))
    }

    /// From now on the profile means this session. The one it meant before is left as it is.
    fn point_to(&self, profile: &Profile) -> Result<()> {
        // Somebody may have logged out or in since this command began.
        let present = Profile::load(&self.state, &self.name)?;
        if present.as_ref() != Some(profile) {
            profile.save(&self.state, &self.name)?;
        }
        if let Some(before) = present.filter(|before| !before.is_same_session(profile)) {
            let who = before.username.as_ref().unwrap_or(&before.client_id);
            output::remark(&format!(
                "profile {} was {} before; that session was not ended",
                self.name,
                output::one_line(who)
            ));
        }
        Ok(())
    }

    fn note_other_winner(&self) {
        match winner(&Selection::default(), &self.call.environment) {
            Ok(Source::Profile(name)) if name == self.name => {}
            Ok(Source::Profile(_)) => output::remark(&format!("pass --profile {} to use it", self.name)),
            Ok(other) => output::remark(&format!(
                "{other} is set and takes precedence over this login; unset it, or pass --profile {}",
                self.name
            )),
            Err(_) => {}
        }
    }
}

/// What is stored, if it is not damaged.
fn read(store: &dyn TokenStore, manager: &TokenManager) -> Result<Option<Record>> {
    match store.records().map(|records| records.read(manager.as_async().slot())) {
        Some(Ok(record)) => Ok(record),
        Some(Err(error)) if error.kind() != ErrorKind::StoreDamaged => Err(error.into()),
        _ => Ok(None),
    }
}

/// When the session ends, as far as the service has said.
fn until(status: &Status) -> String {
    if status.grant == Grant::ClientCredentials {
        let end = status.access_expires_at.map(time::for_people).unwrap_or_default();
        return format!(
            "the token is valid until {end}; the secret is not stored, so then log in again, or set CDSE_CLIENT_ID and \
             CDSE_CLIENT_SECRET"
        );
    }
    match (status.login_needed_by, status.session_expires_at) {
        (Some(end), _) => format!("the session ends at {}; log in again by then", time::for_people(end)),
        (None, Some(end)) => format!(
            "the session ends at {} unless it is used before; each renewal extends it, up to a limit that the service does \
             not announce",
            time::for_people(end)
        ),
        (None, None) => "the service gave no expiry for the session; it may end it at any time".to_owned(),
    }
}

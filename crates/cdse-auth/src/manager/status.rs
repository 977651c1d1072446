use std::time::SystemTime;

use super::core::Core;
use crate::endpoint::jwt_times;
use crate::error::Error;
use crate::plan::State;
use crate::problem::{Problem, ProblemKind};
use crate::record::Grant;
use crate::store::StoreDescription;
use crate::token::{TokenSet, moment};

/// A snapshot of a slot, without secrets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The user name, as given; `None` for an OAuth client and for a given token.
    pub username: Option<String>,
    /// The OAuth client id.
    pub client_id: String,
    /// How the session is obtained.
    pub grant: Grant,
    /// What a caller would get now.
    pub state: SessionState,
    /// Whether a caller gets a token without a login: one is valid, or can be renewed.
    pub logged_in: bool,
    /// Whether the session can be renewed, as far as is known here; for an OAuth client, whether its token is valid.
    pub refreshable: bool,
    /// Whether the session has ended by this machine's clock, although the service has not said so: the next call tries to
    /// renew it all the same, because the clock may be wrong.
    pub ended_by_clock: bool,
    /// Whether the provider can open a session now, with what it was given.
    pub can_log_in: bool,
    /// When the access token ends.
    pub access_expires_at: Option<SystemTime>,
    /// When the refresh token ends; a renewal may postpone it. `None`: no known end, or no refresh token.
    pub session_expires_at: Option<SystemTime>,
    /// The session's hard end, once known: a login is needed by then.
    pub login_needed_by: Option<SystemTime>,
    /// Increases with every change of the record.
    pub generation: u64,
    /// When the access token was obtained.
    pub last_renewal_at: Option<SystemTime>,
    /// Whether this manager is renewing the token, or waiting until it may.
    pub renewing: bool,
    /// Until when no process contacts the service, and why.
    pub hold: Option<(SystemTime, Error)>,
    /// The error of this manager's last renewal, if it failed.
    pub last_error: Option<Error>,
    /// Whether the account needs a one-time code, where that is known.
    pub uses_one_time_code: Option<bool>,
    /// The store, and whether other processes share the session through it.
    pub store: StoreDescription,
    /// What was noticed and is no reason to fail.
    pub problems: Vec<Problem>,
}

/// What a caller would get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionState {
    /// A token that need not be renewed yet.
    Fresh,
    /// A valid token that is due for renewal.
    Usable,
    /// The token has ended; there is a session.
    Expired,
    /// There is no session.
    Missing,
}

pub(super) fn status(core: &Core) -> Status {
    let looked = core.look();
    let shared = core.shared();
    let now = core.clock.now();
    let seen = shared.seen.clone().unwrap_or_else(|| core.nothing(now));
    let view = core.view(&seen, now);
    let (record, tokens) = (&seen.record, seen.record.tokens.as_ref());
    let mut problems = shared.problems.clone();
    problems.extend(looked.err().map(|error| Problem::new(ProblemKind::Store, error.message())));
    if let Some(unsaved) = &shared.unsaved {
        let text = format!("the session is in memory only: {}", unsaved.error);
        problems.push(Problem::new(ProblemKind::Unsaved, text));
    }
    if let Some(mark) = record.mark.as_ref().filter(|mark| mark.lost) {
        let text = format!("the answer to a request of process {} was lost", mark.by);
        problems.push(Problem::new(ProblemKind::AnswerLost, text));
    }
    if let Some(dead) = &record.dead {
        let text = format!("the identity service has ended the session ({})", dead.words);
        problems.push(Problem::new(ProblemKind::SessionEnded, text));
    }
    Status {
        username: core.provider.username().map(str::to_owned),
        client_id: core.provider.client_id().to_owned(),
        grant: core.provider.grant(),
        state: match view.state() {
            State::Fresh => SessionState::Fresh,
            State::Early | State::Late => SessionState::Usable,
            State::Expired => SessionState::Expired,
            State::Empty => SessionState::Missing,
        },
        logged_in: !shared.logged_out && (view.left() > 0 || view.session_lives()),
        refreshable: !shared.logged_out && view.session_lives(),
        ended_by_clock: !shared.logged_out && view.has_ended_by_the_clock(),
        can_log_in: core.means(&shared, record, now).login,
        access_expires_at: tokens.filter(|tokens| !is_endless(core, tokens)).map(TokenSet::access_expires_at),
        session_expires_at: tokens.and_then(TokenSet::refresh_expires_at),
        login_needed_by: tokens.and(record.hard_end).map(moment),
        generation: record.generation,
        last_renewal_at: tokens.map(|tokens| moment(tokens.t0)),
        renewing: shared.flight.is_some(),
        hold: [record.hold.as_ref(), record.refused.as_ref().map(|refused| &refused.hold)]
            .into_iter()
            .flatten()
            .find(|hold| hold.until > now.wall)
            .map(|hold| (moment(hold.until), hold.reason())),
        last_error: shared.last_error.clone(),
        uses_one_time_code: record.uses_otp,
        store: core.store.records().description(),
        problems,
    }
}

/// A fixed token that does not say when it ends.
fn is_endless(core: &Core, tokens: &TokenSet) -> bool {
    core.slot.grant == Grant::AccessToken && jwt_times(tokens.access_token()).expires_at.is_none()
}

//! `cdse auth sessions`: the account's sessions at the service, each of which takes one of its places.

use crate::args::call::Call;
use crate::args::{candidates, duration};
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress, table, time};
use cdse_credentials::{Mode, Session};
use std::time::{Duration, SystemTime};

use cdse_auth::{AccountSession, TokenStore};
use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use serde::Serialize;

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug)]
#[command(defer = true)]
enum Action {
    /// Show all open sessions of the account (the default)
    List,
    /// End sessions by their ids
    End {
        /// Ids, as `list` shows them
        #[arg(value_name = "ID", required = true, add = ArgValueCandidates::new(candidates::sessions))]
        ids: Vec<String>,
    },
    /// End sessions that are of no use but count towards the limit
    ///
    /// These sessions have no client left, as happens when a one-time refresh token is used twice.
    Prune {
        /// Also sessions that were not used for this long (2h, 1d); requires --yes
        #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
        older_than: Option<Duration>,
        /// End sessions that may still be in use somewhere
        #[arg(long)]
        yes: bool,
    },
}

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Shown<'a> {
    id: &'a str,
    current: bool,
    started_at: Option<String>,
    last_access_at: Option<String>,
    expires_at: Option<String>,
    clients: &'a [String],
    ip: Option<&'a str>,
}

impl<'a> From<&'a AccountSession> for Shown<'a> {
    fn from(session: &'a AccountSession) -> Self {
        Self {
            id: &session.id,
            current: session.current,
            started_at: session.started_at.and_then(time::rfc3339),
            last_access_at: session.last_access_at.and_then(time::rfc3339),
            expires_at: session.expires_at.and_then(time::rfc3339),
            clients: &session.clients,
            ip: session.ip.as_deref(),
        }
    }
}

impl Command {
    pub(crate) fn run(&self, call: &Call) -> Result<()> {
        if let Some(Action::Prune { older_than: Some(_), yes: false }) = self.action {
            return Err(Fail::usage("--older-than may end sessions that are still in use: pass --yes to confirm")
                .hint("`cdse auth sessions` shows when each was used last"));
        }
        let session = call.open(Mode::OneShot)?;
        signals::protect(session.manager());
        let told = progress::show(session.manager());
        let open = session.manager().sessions().map_err(|error| explain::of(&session, error))?;
        drop(told);
        let done = match &self.action {
            None | Some(Action::List) => list(&open),
            Some(Action::End { ids }) => choose(&open, ids).and_then(|chosen| end(&session, &chosen)),
            Some(Action::Prune { older_than, .. }) => {
                stored_here(call).and_then(|own| end(&session, &stale(&open, *older_than, &own)))
            }
        };
        // A renewal that could not be stored is tried once more: with this process it would be lost.
        if let Err(error) = session.manager().settle() {
            output::warn(&format!("the session could not be stored: {error}"));
        }
        done
    }
}

fn list(sessions: &[AccountSession]) -> Result<()> {
    if output::is_json() {
        return output::answer(&sessions.iter().map(Shown::from).collect::<Vec<_>>());
    }
    let moment = |at: Option<SystemTime>| at.map_or_else(|| "-".to_owned(), time::from_now);
    let row = |session: &AccountSession| {
        let clients = if session.clients.is_empty() { "none".to_owned() } else { session.clients.join(", ") };
        [
            if session.current { "*" } else { "" }.to_owned(),
            session.id.clone(),
            moment(session.started_at),
            moment(session.last_access_at),
            moment(session.expires_at),
            clients,
            session.ip.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let heading = ["", "ID", "OPENED", "LAST USED", "ENDS", "CLIENTS", "IP"];
    output::stdout(&table::of(heading, sessions.iter().map(row)))
}

/// The sessions of these ids, all of them or none.
fn choose<'a>(open: &'a [AccountSession], ids: &[String]) -> Result<Vec<&'a AccountSession>> {
    let mut chosen: Vec<&AccountSession> = Vec::new();
    for id in ids {
        let Some(session) = open.iter().find(|session| session.id == *id) else {
            return Err(Fail::usage("no open session of this account has one of the ids; no session was ended")
                .hint("`cdse auth sessions` shows them"));
        };
        if session.current {
            return Err(Fail::usage("one of the ids is the session in use here; no session was ended")
                .hint("`cdse auth logout` ends it"));
        }
        if !chosen.contains(&session) {
            chosen.push(session);
        }
    }
    Ok(chosen)
}

/// What holds a place for nothing, and what was not used for so long; never what is stored here.
fn stale<'a>(open: &'a [AccountSession], older_than: Option<Duration>, own: &[String]) -> Vec<&'a AccountSession> {
    let idle = |session: &AccountSession| {
        let unused = session.last_access_at.and_then(|at| u64::try_from(time::seconds_until(at).saturating_neg()).ok());
        older_than.zip(unused).is_some_and(|(limit, unused)| unused >= limit.as_secs())
    };
    let is_stale = |session: &&AccountSession| {
        !session.current && (session.clients.is_empty() || (idle(session) && !own.contains(&session.id)))
    };
    open.iter().filter(is_stale).collect()
}

/// The ids of the sessions that other profiles here may be using.
fn stored_here(call: &Call) -> Result<Vec<String>> {
    let stored = call.stored()?;
    let sessions =
        stored.into_iter().filter_map(|stored| stored.session.ok().flatten()?.store()?.load().ok().flatten());
    Ok(sessions.filter_map(|tokens| tokens.session_id().map(str::to_owned)).collect())
}

fn end(session: &Session, chosen: &[&AccountSession]) -> Result<()> {
    let mut ended = Vec::new();
    let mut failed = None;
    for one in chosen {
        match session.manager().end_session(&one.id) {
            Ok(()) => ended.push(Shown::from(*one)),
            Err(error) => {
                failed = Some(explain::of(session, error));
                break;
            }
        }
    }
    output::answer(&ended)?;
    if chosen.is_empty() {
        output::note("there is nothing to end");
        return Ok(());
    }
    let count = if ended.len() == 1 { "1 session".to_owned() } else { format!("{} sessions", ended.len()) };
    match failed {
        Some(fail) if ended.is_empty() => return Err(fail),
        Some(fail) => {
            let why = format!("{count} of {} ended, then: {}", chosen.len(), fail.message);
            return Err(fail.message(why));
        }
        None => output::note(&format!("ended {count}")),
    }
    Ok(())
}

//! Giving a session back.

use super::core::{Core, Seen};
use super::waiting::WaitCause;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Want;
use crate::record::{Grant, Record};
use crate::store::{Commit, Guard, RecordStore};
use crate::sync::{Arc, MutexGuard, lock};

/// How long a logout waits for an exchange of another process.
const PATIENCE: Millis = 30_000;

/// Ends the session at the service, then removes it here; here in any case.
pub(super) fn logout(core: &Core) -> Result<()> {
    forget(core);
    let (_section, guard) = wait_for_guard(core);
    let read = core.look();
    let ended = end_session(core);
    let removed = remove(core);
    drop(guard);
    read.and(removed).and(ended)
}

/// Ends the session that only this process knows, at its end.
pub(super) fn logout_what_is_seen(core: &Core) -> Result<()> {
    let ended = end_session(core);
    // A store that did not take the session does not take its end either.
    ended.and(if core.shared().unsaved.take().is_some() { Ok(()) } else { remove(core) })
}

/// Removes the session here; at the service it lives on.
pub(super) fn clear(core: &Core) -> Result<()> {
    forget(core);
    let (_section, guard) = wait_for_guard(core);
    let removed = core.look().and_then(|()| remove(core));
    drop(guard);
    removed
}

/// From now on nobody here is served, and no renewal in flight brings the session back.
fn forget(core: &Core) {
    {
        let mut shared = core.shared();
        shared.logged_out = true;
        shared.logouts += 1;
        core.header.clear();
    }
    core.wake_all();
}

/// The section of this process, and the guard. Without the guard the logout goes on all the same and writes last: whoever
/// overwrites it stores a session that has ended already.
pub(super) fn wait_for_guard(core: &Core) -> (MutexGuard<'_, ()>, Option<Box<dyn Guard>>) {
    let until = core.clock.now().mono.saturating_add(PATIENCE);
    loop {
        let section = lock(&core.section);
        match core.store.records().try_guard(&core.slot) {
            Ok(None) if core.clock.now().mono < until => {
                drop(section);
                let (holder, now) = (core.store.records().guard_holder(&core.slot), core.clock.now());
                let holder = holder.and_then(|holder| holder.split_whitespace().next().map(str::to_owned));
                core.waits_for(WaitCause::Lock(holder), now.wall.saturating_add(until.saturating_sub(now.mono)));
                core.clock.pause(core.random.between(10, 100));
            }
            guard => {
                core.waits_no_more();
                return (section, guard.ok().flatten());
            }
        }
    }
}

fn end_session(core: &Core) -> Result<()> {
    let seen = core.shared().seen.clone();
    let tokens = seen.as_ref().and_then(|seen| seen.record.tokens.as_ref());
    match tokens.and_then(|tokens| tokens.refresh.as_ref()) {
        Some(token) if core.slot.grant != Grant::AccessToken => core.end_at_service(token),
        _ => Ok(()),
    }
}

fn remove(core: &Core) -> Result<()> {
    core.shared().unsaved = None;
    let stored = remove_from(core.store.records(), core);
    let now = core.clock.now();
    let mut shared = core.shared();
    let seen = match &stored {
        Ok(Some(out)) => Seen { record: Arc::new(out.clone()), anchor: now.mono, base: Some(out.version()) },
        _ => core.nothing(now),
    };
    core.publish(&mut shared, seen);
    stored.map(drop)
}

fn remove_from(records: &dyn RecordStore, core: &Core) -> Result<Option<Record>> {
    loop {
        let Some(stored) = records.read(&core.slot)? else { return Ok(None) };
        let out = without_tokens(&stored, core);
        if records.commit(&core.slot, Some(stored.version()), &out)? == Commit::Done {
            return Ok(Some(out));
        }
    }
}

/// What is left after a logout: enough to know that it was one, which code was used, and what holds everybody back.
pub(super) fn without_tokens(stored: &Record, core: &Core) -> Record {
    let mut out = stored.next();
    // A lineage of its own: no renewal that was under way can be taken for its successor.
    out.lineage = core.random.u64();
    out.slot = Some(core.slot.clone());
    out.tokens = None;
    out.hard_end = None;
    out.suspect = None;
    out.dead = None;
    out.out = true;
    out
}

/// The session lives in this process alone.
pub(super) fn is_private(core: &Core) -> bool {
    !core.store.records().description().shared && core.store.simple.is_none()
}

/// An error for a manager that has nothing to log in with.
pub(super) fn check_login(core: &Core, want: &Want) -> Result<()> {
    if core.slot.grant == Grant::AccessToken && want.is_explicit_login() {
        let why = "a fixed access token is used as it is: there is nothing to log in with";
        return Err(Error::new(ErrorKind::Configuration, why));
    }
    Ok(())
}

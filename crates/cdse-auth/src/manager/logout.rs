//! Giving a session back.

use super::core::Core;
use super::shared::Seen;
use crate::clock::Millis;
use crate::error::Result;
use crate::record::{Grant, Record};
use crate::store::{Commit, Guard};
use crate::sync::{Arc, MutexGuard, lock};

/// How long a logout waits for an exchange of another process, at most: it has the patience of any caller.
const PATIENCE: Millis = 30_000;

/// Ends the session at the service, then removes it here; here in any case.
pub(super) fn logout(core: &Core) -> Result<()> {
    forget(core);
    let (_section, guard) = wait_for_guard(core);
    let read = core.look();
    let ended = end_session(core);
    let removed = replace(core, without_tokens);
    drop(guard);
    read.and(removed).and(ended)
}

/// Ends the session that only this process knows, at its end.
pub(super) fn logout_what_is_seen(core: &Core) -> Result<()> {
    let ended = end_session(core);
    // A store that did not take the session does not take its end either.
    ended.and(if core.shared().unsaved.take().is_some() { Ok(()) } else { replace(core, without_tokens) })
}

/// Discards the tokens, here and in the store, when its turn has come: whoever waited for the exchange before is served.
/// At the service the session lives on until the next login ends it.
pub(super) fn clear(core: &Core) -> Result<()> {
    let (_section, guard) = wait_for_guard(core);
    let cleared = core.look().and_then(|()| replace(core, cleared));
    if cleared.is_ok() {
        core.shared().forget_what_was_brought();
    }
    drop(guard);
    cleared
}

/// From now on nobody here is served, and no renewal in flight brings the session back.
fn forget(core: &Core) {
    let mut shared = core.shared();
    shared.logged_out = true;
    shared.logouts += 1;
    shared.changed = true;
    core.header.clear();
}

/// The section of this process, and the guard. Without the guard the logout goes on all the same and writes last: whoever
/// overwrites it stores a session that has ended already.
pub(super) fn wait_for_guard(core: &Core) -> (MutexGuard<'_, ()>, Option<Box<dyn Guard>>) {
    let until = core.clock.now().mono.saturating_add(PATIENCE.min(core.patience));
    loop {
        let section = lock(&core.section);
        match core.store.records().try_guard(&core.slot) {
            Ok(None) if core.clock.now().mono < until => {
                drop(section);
                core.waits_for_lock(core.guard_holder(), until);
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
    let Some(seen) = core.shared().seen.clone() else { return Ok(()) };
    let stored = seen.record.refresh_token();
    let tokens = stored.into_iter().chain(&seen.record.to_end).filter(|_| core.slot.grant != Grant::AccessToken);
    let mut ended = Ok(());
    for token in tokens {
        // What became of one is no reason to leave the other open.
        ended = ended.and(core.end_at_service(token));
    }
    ended
}

/// Puts something else in the place of what is stored, whatever that is by then; here it is gone in any case.
fn replace(core: &Core, by: fn(&Record, &Core) -> Record) -> Result<()> {
    let stored = replace_stored(core, by);
    let now = core.clock.now();
    let mut shared = core.shared();
    let seen = match &stored {
        Ok(Some(next)) => Seen::stored(next.clone(), now.mono),
        _ => core.nothing(now),
    };
    core.publish(&mut shared, seen);
    stored.map(drop)
}

fn replace_stored(core: &Core, by: fn(&Record, &Core) -> Record) -> Result<Option<Record>> {
    let records = core.store.records();
    // What could not be saved is a newer state of what is stored.
    let mut newer = {
        let mut shared = core.shared();
        let unsaved = shared.unsaved.take();
        unsaved.and_then(|_| shared.seen.as_ref().map(|seen| Arc::clone(&seen.record)))
    };
    loop {
        let Some(stored) = records.read(&core.slot)? else { return Ok(None) };
        let next = by(newer.take().as_deref().unwrap_or(&stored), core);
        if records.commit(&core.slot, Some(stored.version()), &next)? == Commit::Done {
            return Ok(Some(next));
        }
    }
}

/// What is left after a logout: enough to know that it was one, which code was used, and what holds everybody back.
fn without_tokens(stored: &Record, core: &Core) -> Record {
    Record { hard_end: None, to_end: None, out: true, ..cleared(stored, core) }
}

/// What is left after `clear()`: all but the tokens. The session that they were of is to be ended by the next login.
fn cleared(stored: &Record, core: &Core) -> Record {
    // A lineage of its own: no renewal that was under way can be taken for its successor.
    let (lineage, slot) = (core.random.u64(), Some(core.slot.clone()));
    let to_end = stored.refresh_token().or(stored.to_end.as_ref()).cloned();
    Record { lineage, slot, to_end, tokens: None, hard_end: None, mark: None, dead: None, ..stored.next() }
}

/// The session lives in this process alone.
pub(super) fn is_private(core: &Core) -> bool {
    !core.store.records().description().shared && core.store.simple.is_none()
}

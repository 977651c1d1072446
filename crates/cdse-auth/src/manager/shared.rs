//! What the callers and the one flight of a manager share.

use std::collections::HashMap;
use std::task::Waker;

use super::waiting::Waiting;
use crate::clock::{Millis, Now};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Want;
use crate::problem::Problem;
use crate::record::{Hold, Known, Record, UsedCode, Version};
use crate::secret::Secret;
use crate::sync::{Arc, Condvar, MutexGuard};

#[derive(Default)]
pub(super) struct Shared {
    pub(super) seen: Option<Seen>,
    pub(super) flight: Option<RunningFlight>,
    /// Of each kind of want the flight that ended last; the newest is at the end.
    pub(super) ended: Vec<EndedFlight>,
    pub(super) flights: u64,
    /// How many exchanges were begun here; which of them was the last that brought a token, and the last that opened a
    /// session.
    pub(super) exchanges: u64,
    pub(super) last_renewal: u64,
    pub(super) last_login: u64,
    /// How often the record was replaced here, and how often with other tokens.
    pub(super) publishes: u64,
    pub(super) arrivals: u64,
    /// Who waits, each once, whoever polls it.
    wakers: HashMap<u64, Waker>,
    waiters: u64,
    /// Callers that have no result yet, and what the last exchange brought: they get it even if it was cleared meanwhile.
    pub(super) callers: usize,
    pub(super) brought: Option<Arc<Record>>,
    /// Something has changed: everybody is woken when the lock is given back.
    pub(super) changed: bool,
    /// After this manager's own `logout()` or `clear()`, until a login.
    pub(super) logged_out: bool,
    /// How often that has happened: what began before it must not go on after it.
    pub(super) logouts: u64,
    pub(super) closing: bool,
    /// The last handle is gone.
    pub(super) abandoned: bool,
    pub(super) last_error: Option<Error>,
    /// The record in `seen` could not be saved over this one.
    pub(super) unsaved: Option<Unsaved>,
    /// Refresh tokens of sessions that were opened here and that nobody will use: to be ended.
    pub(super) orphans: Vec<Secret>,
    /// Codes that were sent from here: never again, whatever is stored.
    pub(super) sent_codes: Vec<UsedCode>,
    pub(super) problems: Vec<Problem>,
    pub(super) waiting: Option<Waiting>,
}

/// The lock on what is shared. Whoever waits for a change is woken after it is given back, for a waker may run anything.
pub(super) struct Locked<'a> {
    pub(super) guard: Option<MutexGuard<'a, Shared>>,
    pub(super) sleepers: &'a Condvar,
}

impl std::ops::Deref for Locked<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        self.guard.as_ref().unwrap_or_else(|| unreachable!("given back on drop only"))
    }
}

impl std::ops::DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shared {
        self.guard.as_mut().unwrap_or_else(|| unreachable!("given back on drop only"))
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let Some(mut shared) = self.guard.take() else { return };
        if std::mem::take(&mut shared.changed) {
            let wakers = std::mem::take(&mut shared.wakers);
            drop(shared);
            self.sleepers.notify_all();
            wakers.into_values().for_each(Waker::wake);
        }
    }
}

#[derive(Clone)]
pub(super) struct Seen {
    pub(super) record: Arc<Record>,
    pub(super) anchor: Millis,
    /// What the store holds in its place: the record itself, or an older state that somebody has put back.
    pub(super) base: Option<Version>,
}

impl Seen {
    /// The record as the store holds it.
    pub(super) fn stored(record: Record, anchor: Millis) -> Self {
        Self { base: Some(record.version()), record: Arc::new(record), anchor }
    }
}

pub(super) struct Unsaved {
    pub(super) base: Option<Version>,
    pub(super) error: Error,
    /// Its session was opened here, and nobody else knows it.
    pub(super) opened_here: bool,
}

/// The flight that is under way, and what it is for.
pub(super) struct RunningFlight {
    pub(super) id: u64,
    /// One of each kind, the first of all before.
    pub(super) wants: Vec<Want>,
    /// How often that has changed.
    pub(super) joins: u64,
    /// What it works for in this turn, and what its result is a result for.
    pub(super) worked_for: Want,
    /// How many logouts there had been when it began.
    pub(super) logouts: u64,
    /// The most patient caller's deadline (monotonic).
    pub(super) until: Millis,
    /// The hold that it waits for.
    pub(super) held: Option<(Hold, End)>,
    /// What it waits for beside a hold, as an error: the holder of the guard, another code.
    pub(super) blocked: Option<Error>,
    /// Somebody is asked for a code: nothing is at stake until there is one.
    pub(super) asking: bool,
}

/// What a flight's decision rests on: how often its wants had changed, and what is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Basis {
    pub(super) joins: u64,
    pub(super) publishes: u64,
}

impl RunningFlight {
    /// Whether anybody wants another token than this one.
    pub(super) fn want_another_than(&self, record: &Record) -> bool {
        let current = record.tokens.as_ref().map(|tokens| tokens.access.fingerprint());
        self.wants.iter().any(|want| matches!(want, Want::Not(refused) if current.as_ref() == Some(refused)))
    }

    /// Whether that changes what it is for.
    pub(super) fn join(&mut self, want: &Want) -> bool {
        match self.wants.iter_mut().find(|known| known.is_of_the_kind_of(want)) {
            Some(known) if known.covers(want) => return false,
            Some(known) => known.clone_from(want),
            None => {
                self.wants.push(want.clone());
                self.wants.sort_by_key(|want| std::cmp::Reverse(rank(want)));
            }
        }
        self.joins += 1;
        true
    }
}

fn rank(want: &Want) -> u8 {
    match want {
        Want::Fresh => 0,
        Want::Validity(_) => 1,
        Want::Renewal { .. } => 2,
        Want::Not(_) => 3,
        Want::Session { .. } => 4,
        Want::NewSession { .. } => 5,
    }
}

/// How a flight has ended.
pub(super) struct EndedFlight {
    pub(super) id: u64,
    pub(super) want: Want,
    pub(super) logouts: u64,
    pub(super) at: Millis,
    /// What was known then.
    pub(super) publishes: u64,
    pub(super) result: Result<()>,
}

impl Shared {
    pub(super) fn waiter(&mut self) -> u64 {
        self.waiters += 1;
        self.waiters
    }

    pub(super) fn wake_me(&mut self, waiter: u64, waker: &Waker) {
        self.wakers.entry(waiter).and_modify(|known| known.clone_from(waker)).or_insert_with(|| waker.clone());
    }

    pub(super) fn wake_no_more(&mut self, waiter: u64) {
        self.wakers.remove(&waiter);
    }

    /// A caller may be back only after the next flight, for something else, has ended as well.
    pub(super) fn keep_ended(&mut self, flight: EndedFlight) {
        self.ended.retain(|ended| !ended.want.is_of_the_kind_of(&flight.want));
        self.ended.push(flight);
    }

    /// What the flight waits for, if that lasts beyond the deadline.
    pub(super) fn hold_beyond(&self, deadline: Millis, now: Now) -> Option<&Hold> {
        let (hold, end) = self.flight.as_ref()?.held.as_ref()?;
        (end.left(now) > deadline.saturating_sub(now.mono)).then_some(hold)
    }

    /// What nobody waits for any more is not kept.
    pub(super) fn forget_what_was_brought(&mut self) {
        if self.callers == 0 {
            self.brought = None;
        }
    }
}

/// The end of a wait: on the wall clock, or when as much time has passed as it was away at first.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) wall: Millis,
    pub(super) mono: Millis,
}

impl End {
    pub(super) fn at(wall: Millis, now: Now) -> Self {
        Self { wall, mono: now.mono.saturating_add(wall.saturating_sub(now.wall)) }
    }

    pub(super) fn has_come(self, now: Now) -> bool {
        self.left(now) <= 0
    }

    pub(super) fn left(self, now: Now) -> Millis {
        self.wall.saturating_sub(now.wall).min(self.mono.saturating_sub(now.mono))
    }
}

pub(super) fn note(shared: &mut Shared, problem: Problem) {
    if !shared.problems.contains(&problem) {
        shared.problems.push(problem);
    }
}

/// Whether the code was sent, or was about to be.
pub(super) fn was_sent(shared: &Shared, record: &Record, code: &UsedCode) -> bool {
    record.otp.as_ref().and_then(Known::word) == Some(code) || shared.sent_codes.contains(code)
}

/// No thread could be started for this.
pub(super) fn no_thread(purpose: &str, error: std::io::Error) -> Error {
    let why = format!("no thread could be started to {purpose}: {error}");
    Error::new(ErrorKind::Network, why).with_hint("try again later").with_source(error)
}

pub(super) fn shut_down() -> Error {
    Error::new(ErrorKind::ShutDown, "the token manager was shut down").with_hint("make a new one")
}

pub(super) fn defect() -> Error {
    Error::new(ErrorKind::Configuration, "the call failed because of a defect in this program")
        .with_hint("please report it")
}

pub(super) fn logged_out() -> Error {
    Error::new(ErrorKind::ReauthRequired, "the session was logged out").with_hint("log in again")
}

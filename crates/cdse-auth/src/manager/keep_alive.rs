//! Renewals that nobody asked for: a session that must not run out while its owner is silent.

use super::core::Core;
use super::shared::{End, Shared, no_thread};
use crate::clock::Millis;
use crate::error::Result;
use crate::plan::{State, Want};
use crate::sync::{Arc, AtomicBool, Ordering, PoisonError, block_on, lock, spawn};

/// How soon a token that is due and was not renewed is tried again.
const SOON: Millis = 1_000;
/// The coarse clock is behind the exact one by no more than this.
const TICK: Millis = 10;
/// How soon what failed for good is tried again, for somebody may have logged in elsewhere.
const LATER: Millis = 60_000;

pub(super) fn start(core: &Arc<Core>) -> Result<()> {
    let core = Arc::clone(core);
    spawn("cdse-keep-alive", move || run(&core)).map_err(|error| no_thread("keep the session alive", error))
}

/// A wake-up that is on its way.
struct Alarm {
    end: End,
    rung: Arc<AtomicBool>,
}

impl Alarm {
    /// One that wakes all who wait, a moment after the coarse clock says so too.
    fn set(core: &Arc<Core>, rest: Millis, end: End) -> Option<Self> {
        let rung = Arc::new(AtomicBool::new(false));
        let (core_when_due, theirs) = (Arc::downgrade(core), Arc::clone(&rung));
        let set = core.clock.alarm(rest.saturating_add(TICK), move || {
            theirs.store(true, Ordering::Release);
            if let Some(core) = core_when_due.upgrade() {
                core.wake_all();
            }
        });
        set.then_some(Self { end, rung })
    }

    fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }
}

fn run(core: &Arc<Core>) {
    let mut alarm: Option<Alarm> = None;
    loop {
        let _ = core.look();
        let pause = match until_due(core) {
            Some(rest) => rest,
            None => match block_on(core.reach(Want::Fresh, None)) {
                // A token that is renewed behind its callers is there in a moment; one on hold may take a minute.
                Ok(_) => until_due(core).unwrap_or_else(|| held(core).clamp(SOON, LATER)),
                Err(error) if error.is_transient() => held(core).clamp(SOON, LATER),
                Err(_) => LATER,
            },
        };
        let now = core.clock.now();
        let until = now.wall.saturating_add(pause);
        let end = End::at(until, now);
        // One that comes earlier is good too: then this is looked at again.
        if alarm.as_ref().is_none_or(|alarm| alarm.has_rung() || end.mono < alarm.end.mono) {
            alarm = Alarm::set(core, pause, end);
        }
        let generation = |shared: &Shared| shared.seen.as_ref().map(|seen| seen.record.version());
        let mut shared = lock(&core.shared);
        let before = generation(&shared);
        loop {
            if shared.closing || shared.abandoned {
                return;
            }
            // Another token has another end.
            if end.has_come(core.clock.now()) || generation(&shared) != before {
                break;
            }
            shared = match &alarm {
                Some(alarm) if alarm.has_rung() => break,
                Some(_) => core.changed.wait(shared).unwrap_or_else(PoisonError::into_inner),
                None => core.clock.wait(&core.changed, shared, until),
            };
        }
    }
}

/// How long the token is fresh for; `None` if it is due.
fn until_due(core: &Core) -> Option<Millis> {
    let shared = core.shared();
    let seen = shared.seen.clone()?;
    let view = core.view(&seen, core.clock.now());
    let tokens = seen.record.tokens.as_ref()?;
    let due = view.windows()?.due;
    (view.state() == State::Fresh).then(|| (due - (tokens.life - view.left())).max(1))
}

fn held(core: &Core) -> Millis {
    let shared = core.shared();
    let hold = shared.seen.as_ref().and_then(|seen| seen.record.hold.as_ref());
    hold.map_or(0, |hold| hold.until.saturating_sub(core.clock.now().wall))
}

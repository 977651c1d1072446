//! Deadlines of those who wait, on the system's clock.

use std::collections::BTreeMap;
use std::task::Waker;

use super::{Millis, millis, system};
use crate::sync::{Arc, Condvar, Mutex, lock, spawn, wait_for};

/// One thread that wakes waiting callers at their deadlines; it exists only while somebody waits.
///
/// Each manager has one of its own. A process that was forked has none of its threads, and begins with a new manager.
pub(crate) struct Timer {
    state: Mutex<TimerState>,
    changed: Condvar,
}

#[derive(Default)]
struct TimerState {
    /// By the moment, and in the order in which it was asked for.
    due: BTreeMap<(Millis, u64), Waker>,
    asked: u64,
    running: bool,
}

impl Default for Timer {
    fn default() -> Self {
        Self { state: Mutex::new(TimerState::default()), changed: Condvar::new() }
    }
}

impl Timer {
    pub(super) fn wake_at(self: &Arc<Self>, at: Millis, waker: Waker) -> (Millis, u64) {
        let mut state = lock(&self.state);
        state.asked += 1;
        let nth = state.asked;
        state.due.insert((at, nth), waker);
        if !state.running {
            // Without a thread the caller is still woken, by the end of the exchange that it waits for.
            let timer = Arc::clone(self);
            state.running = spawn("cdse-timer", move || timer.run()).is_ok();
        }
        // The others are found when their turn comes.
        let is_next = state.due.first_key_value().is_some_and(|((_, first), _)| *first == nth);
        drop(state);
        if is_next {
            self.changed.notify_one();
        }
        (at, nth)
    }

    pub(super) fn forget(&self, key: (Millis, u64)) -> Option<Waker> {
        lock(&self.state).due.remove(&key)
    }

    fn run(&self) {
        let mut state = lock(&self.state);
        while let Some(next) = state.due.first_entry() {
            let left = next.key().0 - system::coarse_now().mono;
            if left <= 0 {
                let waker = next.remove();
                drop(state);
                waker.wake();
                state = lock(&self.state);
            } else {
                state = wait_for(&self.changed, state, millis(left));
            }
        }
        state.running = false;
    }
}

//! Time, injected: what the wall clock and a monotonic clock say, in milliseconds, and waiting for either.
//!
//! Everything about time in this crate goes through a [`Clock`], so that a test moves it instead of waiting.

use std::collections::BinaryHeap;
use std::task::Waker;
use std::time::Duration;

use crate::os;
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, given, lock, rest, spawn, wait_for};

/// Milliseconds: since 1970 on the wall clock, since an arbitrary moment on the monotonic one.
pub(crate) type Millis = i64;

/// One look at both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Now {
    pub(crate) wall: Millis,
    pub(crate) mono: Millis,
}

impl Now {
    /// How long ago that was, by the clock that says more: a monotonic clock stands while the machine sleeps, and a wall
    /// clock is set back.
    pub(crate) fn since(self, earlier: Self) -> Millis {
        self.wall.saturating_sub(earlier.wall).max(self.mono.saturating_sub(earlier.mono))
    }

    /// The same moment on clocks that are ahead of these.
    pub(crate) fn shifted(self, ahead: Self) -> Self {
        Self { wall: self.wall.saturating_add(ahead.wall), mono: self.mono.saturating_add(ahead.mono) }
    }
}

/// The source of time. [`Clock::default`] is the system's.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Manual>),
}

impl Clock {
    /// The time now, to the resolution of the system's tick (1 to 4 ms on Linux): a precise clock costs more than
    /// everything else on the way to a fresh header together.
    #[inline(always)]
    pub(crate) fn now(&self) -> Now {
        match &self.0 {
            Source::System => os::coarse_now(),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// Wall clock and monotonic clock in nanoseconds.
    #[inline(always)]
    pub(crate) fn nanos(&self) -> (i64, i64) {
        match &self.0 {
            Source::System => os::coarse_nanos(),
            Source::Manual(manual) => manual.nanos(),
        }
    }

    /// Waits on `changed` until something notifies it or `until` has come on the wall clock: the caller looks again in
    /// any case.
    pub(crate) fn wait<'a, T>(
        &self,
        changed: &Arc<Condvar>,
        guard: MutexGuard<'a, T>,
        until: Millis,
    ) -> MutexGuard<'a, T> {
        let left = until.saturating_sub(self.now().wall);
        if left <= 0 {
            return guard;
        }
        let real = match &self.0 {
            // A set clock or a suspended machine is noticed within a second.
            Source::System => left.clamp(1, 1000),
            Source::Manual(manual) => {
                manual.register(Arc::clone(changed));
                MANUAL_RECHECK
            }
        };
        wait_for(changed, guard, millis(real))
    }

    /// Calls `ring` once, on a thread of its own, when `rest` has passed: a machine's sleep counts, and nothing wakes in
    /// between. `false` if that cannot be had (on a manual clock, or without threads): then [`wait`](Self::wait) it is.
    pub(crate) fn alarm(&self, rest: Millis, ring: impl FnOnce() + Send + 'static) -> bool {
        match &self.0 {
            Source::System => spawn("cdse-alarm", move || {
                os::sleep(millis(rest));
                ring();
            })
            .is_ok(),
            Source::Manual(_) => false,
        }
    }

    /// A short pause between two tries. On a manual clock it takes real time and moves nothing.
    pub(crate) fn pause(&self, length: Millis) {
        let real = match &self.0 {
            Source::System => length,
            Source::Manual(_) => 1,
        };
        rest(millis(real));
    }

    /// Wakes `waker` once `mono` has come; a waker that is woken for nothing looks again.
    pub(crate) fn wake_at(&self, mono: Millis, waker: Waker) {
        match &self.0 {
            Source::System => TIMER.wake_at(mono, waker),
            Source::Manual(manual) => {
                let mut state = given::lock(&manual.state);
                if state.now.mono >= mono {
                    drop(state);
                    waker.wake();
                } else {
                    state.wakers.push((mono, waker));
                }
            }
        }
    }
}

fn millis(length: Millis) -> Duration {
    Duration::from_millis(u64::try_from(length).unwrap_or(0))
}

/// A span as milliseconds; what is longer than the type is as long as the type.
pub(crate) fn span(length: Duration) -> Millis {
    Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX)
}

// A notification that comes between a waiter's look at the clock and its wait is caught by looking again.
const MANUAL_RECHECK: Millis = 5;

/// A clock that stands still until it is moved: for testing what is done about time.
///
/// ```
/// use std::time::Duration;
/// use cdse_auth::{ClientCredentialsAuth, ManualClock, TokenManager};
///
/// let time = ManualClock::at(1_800_000_000);
/// let manager = TokenManager::builder(ClientCredentialsAuth::new("sh-client", "not-a-real-secret"))
///     .clock(time.clock())
///     .build()?;
/// time.advance(Duration::from_secs(600));
/// # Ok::<(), cdse_auth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Manual>);

#[derive(Debug)]
struct Manual {
    state: given::Plain<ManualState>,
}

#[derive(Debug)]
struct ManualState {
    now: Now,
    wakers: Vec<(Millis, Waker)>,
    sleepers: Vec<Arc<Condvar>>,
}

impl Manual {
    #[cold]
    fn now(&self) -> Now {
        given::lock(&self.state).now
    }

    #[cold]
    fn nanos(&self) -> (i64, i64) {
        let now = self.now();
        (now.wall.saturating_mul(1_000_000), now.mono.saturating_mul(1_000_000))
    }

    fn register(&self, changed: Arc<Condvar>) {
        let mut state = given::lock(&self.state);
        if !state.sleepers.iter().any(|known| Arc::ptr_eq(known, &changed)) {
            state.sleepers.push(changed);
        }
    }

    fn step(&self, wall: Millis, mono: Millis) {
        let mut state = given::lock(&self.state);
        state.now.wall += wall;
        state.now.mono += mono;
        let now = state.now.mono;
        let (due, later) = std::mem::take(&mut state.wakers).into_iter().partition(|(at, _)| *at <= now);
        state.wakers = later;
        let sleepers = std::mem::take(&mut state.sleepers);
        drop(state);
        for changed in sleepers {
            changed.notify_all();
        }
        for (_, waker) in Vec::from_iter::<Vec<(Millis, Waker)>>(due) {
            waker.wake();
        }
    }
}

impl ManualClock {
    /// Stands at `unix_seconds` on the wall clock.
    #[must_use]
    pub fn at(unix_seconds: i64) -> Self {
        let now = Now { wall: unix_seconds * 1000, mono: 1_000_000 };
        let state = ManualState { now, wakers: Vec::new(), sleepers: Vec::new() };
        Self(Arc::new(Manual { state: given::Plain::new(state) }))
    }

    /// The clock to give to what is tested.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(Arc::clone(&self.0)))
    }

    /// Both clocks go on by `by`.
    pub fn advance(&self, by: Duration) {
        self.0.step(span(by), span(by));
    }

    /// The wall clock alone is set forward or back by `seconds`.
    pub fn set_wall(&self, seconds: i64) {
        self.0.step(seconds * 1000, 0);
    }

    /// The machine sleeps: the wall clock goes on, the monotonic one stands.
    pub fn suspend(&self, by: Duration) {
        self.0.step(span(by), 0);
    }

    /// What the wall clock says.
    #[must_use]
    pub fn wall(&self) -> std::time::SystemTime {
        let now = given::lock(&self.0.state).now.wall;
        std::time::SystemTime::UNIX_EPOCH + millis(now)
    }
}

static TIMER: Timer =
    Timer { state: Mutex::new(TimerState { due: BinaryHeap::new(), running: false }), changed: Condvar::new() };

/// One thread that wakes waiting callers at their deadlines; it exists only while somebody waits.
struct Timer {
    state: Mutex<TimerState>,
    changed: Condvar,
}

struct TimerState {
    due: BinaryHeap<Due>,
    running: bool,
}

struct Due {
    at: Millis,
    waker: Waker,
}

impl Timer {
    fn wake_at(&'static self, at: Millis, waker: Waker) {
        let mut state = lock(&self.state);
        state.due.push(Due { at, waker });
        if !state.running {
            // Without a thread the caller is still woken, by the end of the exchange that it waits for.
            state.running = spawn("cdse-timer", || self.run()).is_ok();
        }
        drop(state);
        self.changed.notify_one();
    }

    fn run(&self) {
        let mut state = lock(&self.state);
        while let Some(next) = state.due.peek() {
            let left = next.at - os::coarse_now().mono;
            if left <= 0 {
                if let Some(due) = state.due.pop() {
                    drop(state);
                    due.waker.wake();
                    state = lock(&self.state);
                }
            } else {
                state = wait_for(&self.changed, state, millis(left));
            }
        }
        state.running = false;
    }
}

impl Ord for Due {
    // The heap gives its greatest: the earliest is greatest.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

//! Time, injected: what the wall clock and a monotonic clock say, in milliseconds, and waiting for either.
//!
//! Everything about time in this crate goes through a [`Clock`], so that a test moves it instead of waiting.

mod system;
pub(crate) mod time;
mod timer;

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

pub(crate) use self::time::{Millis, Now, span};
pub(crate) use self::timer::Timer;

use crate::sync::{Arc, Condvar, MutexGuard, given, rest, spawn, wait_for};

/// The source of time. [`Clock::default`] is the system's.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(ManualClock),
}

impl Clock {
    /// The time now, to the resolution of the system's tick (1 to 4 ms on Linux): a precise clock costs more than
    /// everything else on the way to a fresh header together.
    #[inline(always)]
    pub(crate) fn now(&self) -> Now {
        match &self.0 {
            Source::System => system::coarse_now(),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// Wall clock and monotonic clock in nanoseconds.
    #[inline(always)]
    pub(crate) fn nanos(&self) -> (i64, i64) {
        match &self.0 {
            Source::System => system::coarse_nanos(),
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
        let alarm = move || {
            system::sleep(millis(rest));
            ring();
        };
        !self.is_manual() && spawn("cdse-alarm", alarm).is_ok()
    }

    /// A short pause between two tries. On a manual clock it takes real time and moves nothing.
    pub(crate) fn pause(&self, length: Millis) {
        rest(millis(if self.is_manual() { 1 } else { length }));
    }

    /// Wakes `waker` once `mono` has come, by `timer` where time passes by itself, unless what is returned is dropped before;
    /// a waker that is woken for nothing looks again.
    pub(crate) fn wake_at(&self, timer: &Arc<Timer>, mono: Millis, waker: Waker) -> Alert {
        match &self.0 {
            Source::System => Alert { of: Keeper::Timer(Arc::clone(timer)), key: timer.wake_at(mono, waker) },
            Source::Manual(manual) => {
                let mut state = given::lock(&manual.0);
                state.asked += 1;
                let key = (mono, state.asked);
                if state.now.mono >= mono {
                    drop(state);
                    waker.wake();
                } else {
                    state.wakers.insert(key, waker);
                }
                Alert { of: Keeper::Manual(manual.clone()), key }
            }
        }
    }

    /// It stands still until it is moved.
    pub(crate) fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }
}

/// A waker that a clock has, until this is dropped.
pub(crate) struct Alert {
    of: Keeper,
    key: (Millis, u64),
}

enum Keeper {
    Timer(Arc<Timer>),
    Manual(ManualClock),
}

impl Drop for Alert {
    fn drop(&mut self) {
        let dropped = match &self.of {
            Keeper::Manual(manual) => given::lock(&manual.0).wakers.remove(&self.key),
            Keeper::Timer(timer) => timer.forget(self.key),
        };
        // A waker may run anything when it goes, too.
        drop(dropped);
    }
}

fn millis(length: Millis) -> Duration {
    Duration::from_millis(u64::try_from(length).unwrap_or(0))
}

// A notification that comes between a waiter's look at the clock and its wait is caught by looking again.
const MANUAL_RECHECK: Millis = 5;

/// A clock that stands still until it is moved, for tests.
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
pub struct ManualClock(Arc<given::Plain<ManualState>>);

#[derive(Debug)]
struct ManualState {
    now: Now,
    wakers: BTreeMap<(Millis, u64), Waker>,
    asked: u64,
    sleepers: Vec<Arc<Condvar>>,
}

impl ManualClock {
    #[cold]
    fn now(&self) -> Now {
        given::lock(&self.0).now
    }

    #[cold]
    fn nanos(&self) -> (i64, i64) {
        let now = self.now();
        (now.wall.saturating_mul(1_000_000), now.mono.saturating_mul(1_000_000))
    }

    fn register(&self, changed: Arc<Condvar>) {
        let mut state = given::lock(&self.0);
        if !state.sleepers.iter().any(|known| Arc::ptr_eq(known, &changed)) {
            state.sleepers.push(changed);
        }
    }

    fn step(&self, wall: Millis, mono: Millis) {
        let mut state = given::lock(&self.0);
        state.now.wall += wall;
        state.now.mono += mono;
        let after = state.now.mono.saturating_add(1);
        let later = state.wakers.split_off(&(after, 0));
        let due = std::mem::replace(&mut state.wakers, later);
        let sleepers = std::mem::take(&mut state.sleepers);
        drop(state);
        for changed in sleepers {
            changed.notify_all();
        }
        due.into_values().for_each(Waker::wake);
    }

    /// Stands at `unix_seconds` on the wall clock.
    #[must_use]
    pub fn at(unix_seconds: i64) -> Self {
        let now = Now { wall: unix_seconds * 1000, mono: 1_000_000 };
        let state = ManualState { now, wakers: BTreeMap::new(), asked: 0, sleepers: Vec::new() };
        Self(Arc::new(given::Plain::new(state)))
    }

    /// The clock for the code under test.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(self.clone()))
    }

    /// Moves both clocks forward by `by`.
    pub fn advance(&self, by: Duration) {
        self.step(span(by), span(by));
    }

    /// Sets the wall clock alone forward or back by `seconds`.
    pub fn set_wall(&self, seconds: i64) {
        self.step(seconds * 1000, 0);
    }

    /// The machine sleeps: the wall clock goes on, the monotonic one does not.
    pub fn suspend(&self, by: Duration) {
        self.step(span(by), 0);
    }

    /// The time of the wall clock.
    #[must_use]
    pub fn wall(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH + millis(self.now().wall)
    }
}

#[cfg(test)]
#[cfg(not(cdse_model))]
mod tests {
    use std::sync::mpsc;
    use std::task::Wake;
    use std::time::SystemTime;

    use super::*;
    use crate::sync::{Mutex, lock};

    /// A coarse clock is behind by as much, in milliseconds, at most.
    const TICK: Millis = 10;

    struct Told(&'static str, mpsc::Sender<&'static str>);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            let _ = self.1.send(self.0);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the system's clock is what is compared with")]
    fn m10_the_systems_clocks_are_both_read() {
        let clock = Clock::default();
        let wall = || span(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap());
        // Coarse clocks are behind by a tick at most; another second is for a clock that is being set.
        let before = Now { wall: wall() - 1000, mono: system::coarse_now().mono };
        let (now, nanos) = (clock.now(), clock.nanos());
        let after = Now { wall: wall() + 1000, mono: system::coarse_now().mono };
        for (wall, mono) in [(now.wall, now.mono), (nanos.0 / 1_000_000, nanos.1 / 1_000_000)] {
            assert!((before.wall..=after.wall).contains(&wall), "{before:?} {wall} {after:?}");
            assert!((before.mono..=after.mono).contains(&mono), "{before:?} {mono} {after:?}");
        }
    }

    #[test]
    fn m10_a_manual_clock_says_the_same_in_milliseconds_and_nanoseconds() {
        let time = ManualClock::at(1_800_000_000);
        let clock = time.clock();
        assert_eq!(clock.now(), Now { wall: 1_800_000_000_000, mono: 1_000_000 });
        time.advance(Duration::from_millis(1));
        time.suspend(Duration::from_millis(2));
        time.set_wall(-1);
        assert_eq!(clock.now(), Now { wall: 1_799_999_999_003, mono: 1_000_001 });
        assert_eq!(clock.nanos(), (1_799_999_999_003_000_000, 1_000_001_000_000));
        assert_eq!(time.wall(), SystemTime::UNIX_EPOCH + Duration::from_millis(1_799_999_999_003));
    }

    #[test]
    fn m10_what_passed_is_told_by_the_clock_that_says_more() {
        let earlier = Now { wall: 1000, mono: 100 };
        assert_eq!(Now { wall: 1007, mono: 103 }.since(earlier), 7, "the machine slept");
        assert_eq!(Now { wall: 900, mono: 103 }.since(earlier), 3, "the clock was set back");
    }

    #[test]
    fn m3_whoever_waits_is_woken_at_its_time_the_earliest_first() {
        let (send, told) = mpsc::channel();
        let waker = |name| Waker::from(Arc::new(Told(name, send.clone())));
        let (clock, timer) = (Clock::default(), Arc::default());
        let now = clock.now().mono;
        let _alert = clock.wake_at(&timer, now + 3_600_000, waker("in an hour"));
        let _alert = clock.wake_at(&timer, now - 1, waker("at once"));
        assert_eq!(told.recv().unwrap(), "at once");
        // Until it sleeps for an hour.
        clock.pause(20);
        let now = clock.now().mono;
        let _alert = clock.wake_at(&timer, now + 10, waker("alone"));
        assert_eq!(told.recv().unwrap(), "alone");
        let _alert = clock.wake_at(&timer, now + 40, waker("later"));
        let _alert = clock.wake_at(&timer, now + 20, waker("sooner"));
        let _alert = clock.wake_at(&timer, now + 20, waker("as soon"));
        assert_eq!([(); 3].map(|()| told.recv().unwrap()), ["sooner", "as soon", "later"]);
        assert!(clock.now().mono >= now + 40);

        let time = ManualClock::at(1_800_000_000);
        let _alert = time.clock().wake_at(&timer, 1_000_010, waker("moved"));
        let _alert = time.clock().wake_at(&timer, 1_000_000, waker("due"));
        assert_eq!(told.recv().unwrap(), "due");
        time.advance(Duration::from_millis(9));
        assert!(told.try_recv().is_err(), "a millisecond is left");
        time.advance(Duration::from_millis(1));
        assert_eq!(told.recv().unwrap(), "moved");
    }

    #[test]
    fn m3_who_does_not_wait_any_more_is_not_kept_until_its_time() {
        for clock in [Clock::default(), ManualClock::at(0).clock()] {
            let timer = Arc::default();
            let told = Arc::new(Told("never", mpsc::channel().0));
            let alert = clock.wake_at(&timer, clock.now().mono + 3_600_000, Waker::from(Arc::clone(&told)));
            assert_eq!(Arc::strong_count(&told), 2, "the clock has it");
            drop(alert);
            assert_eq!(Arc::strong_count(&told), 1);
        }
    }

    #[test]
    fn m14_an_alarm_rings_once_when_its_time_has_passed_and_not_on_a_clock_that_is_moved() {
        let (send, rung) = mpsc::channel();
        let clock = Clock::default();
        let began = clock.now().mono;
        let ring = send.clone();
        assert!(clock.alarm(20, move || ring.send(()).unwrap()));
        rung.recv().unwrap();
        assert!(clock.now().mono >= began + 20 - TICK);
        assert!(!ManualClock::at(0).clock().alarm(0, move || send.send(()).unwrap()));
        assert!(rung.recv().is_err(), "nobody holds it any more");
    }

    #[test]
    fn m3_a_wait_whose_time_has_come_does_not_wait() {
        let (changed, mutex) = (Arc::new(Condvar::new()), Mutex::new(()));
        let time = ManualClock::at(1_800_000_000);
        for clock in [Clock::default(), time.clock()] {
            let now = clock.now();
            drop(clock.wait(&changed, lock(&mutex), now.wall));
            drop(clock.wait(&changed, lock(&mutex), Millis::MIN));
            clock.pause(20);
        }
        let clock = Clock::default();
        let began = clock.now();
        clock.pause(20);
        assert!(clock.now().mono >= began.mono + 20 - TICK);
    }
}

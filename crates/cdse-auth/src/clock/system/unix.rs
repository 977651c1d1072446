//! The clocks of Linux, which is tested, and its kin, which are not.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::clock::time::{Millis, Now};

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCKS: (ClockId, ClockId) = (ClockId::RealtimeCoarse, ClockId::MonotonicCoarse);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCKS: (ClockId, ClockId) = (ClockId::Realtime, ClockId::Monotonic);

#[inline(always)]
pub(crate) fn coarse_now() -> Now {
    Now { wall: millis(clock_gettime(CLOCKS.0)), mono: millis(clock_gettime(CLOCKS.1)) }
}

/// The same in nanoseconds, wall clock and monotonic clock.
///
/// Both go by one tick, so the wall clock is read only when the monotonic one has moved since this thread's last look. What
/// is missed for the rest of a tick (a clock that was set, a machine that slept) could as well have come just after the look.
#[inline(always)]
pub(crate) fn coarse_nanos() -> (i64, i64) {
    thread_local!(static LAST: Cell<(i64, i64)> = const { Cell::new((0, i64::MIN)) });
    let mono = nanos(clock_gettime(CLOCKS.1));
    LAST.with(|last| {
        if last.get().1 != mono {
            last.set((nanos(clock_gettime(CLOCKS.0)), mono));
        }
        last.get()
    })
}

#[inline(always)]
fn nanos(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[inline(always)]
fn millis(time: Timespec) -> Millis {
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Sleeps for so long, the machine's own sleep counted where the system can do that; perhaps shorter elsewhere.
pub(crate) fn sleep(length: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        let nanos = now.tv_nsec + i64::from(length.subsec_nanos());
        let until = Timespec {
            tv_sec: now.tv_sec.saturating_add(seconds).saturating_add(nanos / 1_000_000_000),
            tv_nsec: nanos % 1_000_000_000,
        };
        loop {
            match rustix::thread::clock_nanosleep_absolute(ClockId::Boottime, &until) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(()) => return,
                // Not to be had on every kernel that calls itself Linux (gVisor).
                Err(_) => return super::nap(length),
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    super::nap(length);
}

#[cfg(test)]
#[cfg(all(target_os = "linux", not(cdse_model)))]
mod tests {
    use super::*;

    #[test]
    fn m14_a_sleep_lasts_as_long_as_it_says() {
        for length in [Duration::from_millis(20), Duration::from_millis(1010)] {
            let began = clock_gettime(ClockId::Boottime);
            sleep(length);
            let slept = nanos(clock_gettime(ClockId::Boottime)) - nanos(began);
            assert!(slept >= length.as_nanos() as i64, "{slept} ns of {length:?}");
        }
    }
}

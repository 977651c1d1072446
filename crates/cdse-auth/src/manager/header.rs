//! The way to a fresh header: no wait, no I/O, no allocation.
//!
//! Three things cost time there. A precise clock costs 22 ns, so the clock is coarse. Memory that two threads write costs
//! 40 ns as soon as both do, for its cache line then travels between the cores; so every header is kept in several copies,
//! each with a lock, a reference count and cache lines of its own, and a thread always begins with the same one. And each
//! locked instruction costs 3 to 8 ns: a lock that is only tried takes one, where a pointer that is read without a lock
//! takes two; the header's clone and its drop take one each.

use std::time::Duration;

use http::HeaderValue;

use crate::clock::{Clock, Millis};
use crate::plan::View;
use crate::sync::{AtomicU8, Ordering, TryLock, rest, thread_number};
use crate::token::TokenSet;

/// A model checker finds with two what there is to find.
const COPIES: usize = if cfg!(cdse_model) { 2 } else { 8 };

const NONE: u8 = 2;

/// The published header. A new one is laid beside the old one in every copy, then one store makes all threads take it, then
/// the old one is removed: nobody who was told of a new one, or of none, gets the old one any more.
#[derive(Default)]
pub(super) struct HeaderCell {
    /// The first of each copy (0), the second (1), or none any more ([`NONE`]).
    taken: AtomicU8,
    copies: [Copied; COPIES],
}

#[derive(Default)]
#[repr(align(128))]
struct Copied(TryLock<[Option<Ready>; 2]>);

/// A header, and when it is fresh: on both clocks, and not before its own time. Nanoseconds.
struct Ready {
    from_wall: i64,
    until_wall: i64,
    until_mono: i64,
    header: HeaderValue,
}

impl HeaderCell {
    /// The header, if it is fresh, made straight into what the caller returns: moving a header once costs more than all
    /// the rest.
    #[inline(always)]
    pub(super) fn get<R>(&self, clock: &Clock, fresh: impl FnOnce(HeaderValue) -> R, stale: impl FnOnce() -> R) -> R {
        let (wall, mono) = clock.nanos();
        let own = thread_number();
        // Another one where the own is in use. All are only if as many threads were stopped just there; then it is stale.
        for next in 0..COPIES {
            if let Some(held) = self.copies[(own + next) % COPIES].0.try_lock() {
                // While it is held, the one that is to be taken is not removed.
                match held.get(usize::from(self.taken.load(Ordering::Acquire))) {
                    Some(Some(ready)) if ready.is_fresh(wall, mono) => return fresh(ready.header.clone()),
                    _ => break,
                }
            }
        }
        stale()
    }

    /// By one thread at a time.
    pub(super) fn set(&self, view: &View<'_>, tokens: &TokenSet) {
        let Some(windows) = view.windows() else { return self.clear() };
        self.publish(|| {
            Some(Ready {
                from_wall: nanos(tokens.t0.saturating_sub(60_000)),
                until_wall: nanos(tokens.t0.saturating_add(windows.due)),
                until_mono: nanos(view.anchor.saturating_add(windows.due)),
                // From bytes of its own, for clones of one header share one count.
                header: tokens.authorization_header(),
            })
        });
    }

    /// By one thread at a time.
    pub(super) fn clear(&self) {
        self.publish(|| None);
    }

    /// From now on it has no header, also where a copy is locked for ever.
    pub(super) fn give_up(&self) {
        self.taken.store(NONE, Ordering::Release);
    }

    fn publish(&self, ready: impl Fn() -> Option<Ready>) {
        let second = self.taken.load(Ordering::Relaxed) == 0;
        for copied in &self.copies {
            copied.put(second, ready());
        }
        self.taken.store(second.into(), Ordering::Release);
        for copied in &self.copies {
            copied.put(!second, None);
        }
    }
}

impl Ready {
    #[inline(always)]
    fn is_fresh(&self, wall: i64, mono: i64) -> bool {
        mono < self.until_mono && wall < self.until_wall && wall >= self.from_wall
    }
}

impl Copied {
    fn put(&self, second: bool, ready: Option<Ready>) {
        let replaced = loop {
            if let Some(mut held) = self.0.try_lock() {
                break std::mem::replace(&mut held[usize::from(second)], ready);
            }
            // A reader is through in some nanoseconds, unless it was stopped: also one of lower priority goes on now.
            rest(Duration::from_micros(1));
        };
        drop(replaced);
    }
}

fn nanos(at: Millis) -> i64 {
    at.saturating_mul(1_000_000)
}

#[cfg(test)]
#[cfg(not(cdse_model))]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const NOW: i64 = 1_800_000_000;

    fn filled() -> HeaderCell {
        let header = || HeaderValue::from_static("Bearer x");
        let ready = || Ready { from_wall: 0, until_wall: i64::MAX, until_mono: i64::MAX, header: header() };
        let cell = HeaderCell::default();
        cell.publish(|| Some(ready()));
        cell
    }

    fn is_empty(copied: &Copied) -> bool {
        copied.0.try_lock().is_some_and(|held| held.iter().all(Option::is_none))
    }

    #[test]
    fn m1_a_copy_in_use_is_passed_by() {
        let (cell, clock) = (filled(), ManualClock::at(NOW).clock());
        let mut held = Vec::new();
        for copied in &cell.copies {
            assert!(cell.get(&clock, Some, || None).is_some(), "{} in use", held.len());
            held.push(copied.0.try_lock());
        }
        assert!(cell.get(&clock, Some, || None).is_none());
        held.pop();
        assert!(cell.get(&clock, Some, || None).is_some());
    }

    #[test]
    fn m1_whoever_finds_it_stale_holds_no_copy() {
        let (cell, clock) = (filled(), ManualClock::at(NOW).clock());
        cell.clear();
        let all_are_free = || cell.copies.iter().all(|copied| copied.0.try_lock().is_some());
        assert!(cell.get(&clock, |_| false, all_are_free));
    }

    #[test]
    fn m3_a_copy_in_use_is_emptied_all_the_same() {
        let (cell, clock) = (filled(), ManualClock::at(NOW).clock());
        std::thread::scope(|scope| {
            let in_use = cell.copies[COPIES - 1].0.try_lock();
            let clears = scope.spawn(|| cell.clear());
            for _ in 0..1000 {
                std::thread::yield_now();
            }
            assert!(!clears.is_finished() && cell.get(&clock, Some, || None).is_some());
            drop(in_use);
        });
        assert!(cell.copies.iter().all(is_empty) && cell.get(&clock, Some, || None).is_none());
    }
}

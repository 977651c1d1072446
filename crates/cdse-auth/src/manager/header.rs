//! The way to a fresh header: no lock, no I/O, no allocation.
//!
//! Two things cost time there. A precise clock costs 22 ns, so the clock is coarse. And a reference count that two
//! threads share costs 40 ns as soon as both use it, for its cache line then travels between the cores; so every header
//! is kept in several copies, each with a count and a cache line of its own, and a thread always takes the same one.

use std::cell::Cell;

use http::HeaderValue;

use crate::clock::{Clock, Millis};
use crate::plan::View;
use crate::sync::given::AtomicU64;
use crate::sync::{Arc, ArcSwapOption, Ordering};
use crate::token::TokenSet;

const COPIES: usize = 8;

#[derive(Default)]
pub(super) struct HeaderCell(ArcSwapOption<Ready>);

/// A header, and when it is fresh: on both clocks, and not before its own time. Nanoseconds.
struct Ready {
    from_wall: i64,
    until_wall: i64,
    until_mono: i64,
    copies: [Copied; COPIES],
}

#[repr(align(128))]
struct Copied(HeaderValue);

impl HeaderCell {
    /// The header, if it is fresh, made straight into what the caller returns: moving a header once costs more than all
    /// the rest.
    #[inline(always)]
    pub(super) fn get<R>(&self, clock: &Clock, fresh: impl FnOnce(HeaderValue) -> R, stale: impl FnOnce() -> R) -> R {
        let ready = self.0.load();
        if let Some(ready) = ready.as_ref() {
            let (wall, mono) = clock.nanos();
            if mono < ready.until_mono && wall < ready.until_wall && wall >= ready.from_wall {
                return fresh(ready.copies[stripe()].0.clone());
            }
        }
        drop(ready);
        stale()
    }

    pub(super) fn set(&self, view: &View<'_>, tokens: &TokenSet) {
        let Some(windows) = view.windows() else { return self.clear() };
        self.0.store(Some(Arc::new(Ready {
            from_wall: nanos(tokens.t0.saturating_sub(60_000)),
            until_wall: nanos(tokens.t0.saturating_add(windows.due)),
            until_mono: nanos(view.anchor.saturating_add(windows.due)),
            // Each from bytes of its own, for clones of one header share one count.
            copies: std::array::from_fn(|_| Copied(tokens.authorization_header())),
        })));
    }

    pub(super) fn clear(&self) {
        self.0.store(None);
    }
}

fn nanos(at: Millis) -> i64 {
    at.saturating_mul(1_000_000)
}

/// Which copy is this thread's.
#[inline(always)]
fn stripe() -> usize {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    thread_local!(static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) });
    STRIPE.with(|stripe| {
        if stripe.get() == usize::MAX {
            stripe.set(NEXT.fetch_add(1, Ordering::Relaxed) as usize % COPIES);
        }
        stripe.get()
    })
}

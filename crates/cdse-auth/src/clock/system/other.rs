//! The clocks of other systems (Windows), which are not tested.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use crate::clock::time::{Now, span};

#[expect(clippy::disallowed_methods, reason = "this is the clock that is injected")]
pub(crate) fn coarse_now() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mono = START.get_or_init(Instant::now).elapsed();
    Now { wall: span(wall), mono: span(mono) }
}

pub(crate) fn coarse_nanos() -> (i64, i64) {
    let now = coarse_now();
    (now.wall * 1_000_000, now.mono * 1_000_000)
}

pub(crate) use super::nap as sleep;

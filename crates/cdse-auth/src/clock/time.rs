//! Moments and spans, in milliseconds.

use std::time::Duration;

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

/// A span as milliseconds; what is longer than the type is as long as the type.
pub(crate) fn span(length: Duration) -> Millis {
    Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX)
}

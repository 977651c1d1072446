//! The clocks: here they only end a wait or choose among what is stored; what a token's life depends on is decided by the
//! library, whose clock is injected.

use std::time::{Instant, SystemTime};

#[expect(clippy::disallowed_methods, reason = "how long this process waits for a program")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "whether a stored token is still of use")]
pub(crate) fn is_over(moment: SystemTime) -> bool {
    moment <= SystemTime::now()
}

//! Moments, for people and for programs.

use std::time::Instant;
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Unit};

/// A clock that nobody sets, for how long this process waits. (That the time is injected is the library's rule, for what is
/// decided by it; here it only ends a wait, and a wall clock that is set back would make that endless.)
#[expect(clippy::disallowed_methods, reason = "a wait of the command line, which decides nothing")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// The time of day, for what is shown and for what others have fixed by it; nothing waits by it but for such a moment.
#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// RFC 3339 in UTC, in whole seconds.
pub(crate) fn rfc3339(moment: SystemTime) -> Option<String> {
    let exact = Timestamp::try_from(moment).ok()?;
    Some(exact.round(Unit::Second).unwrap_or(exact).to_string())
}

/// Seconds from now; negative for what is over.
pub(crate) fn seconds_until(moment: SystemTime) -> i64 {
    Timestamp::try_from(moment).map_or(0, |moment| moment.duration_since(now()).as_secs())
}

/// `2027-01-15T08:00:00Z (in 59 min)`.
pub(crate) fn for_people(moment: SystemTime) -> String {
    let Some(text) = rfc3339(moment) else { return "a moment that no calendar has".to_owned() };
    format!("{text} ({})", from_now(moment))
}

/// `in 59 min`, `2 h ago`.
pub(crate) fn from_now(moment: SystemTime) -> String {
    match seconds_until(moment) {
        left if left > 0 => format!("in {}", length(left)),
        left => format!("{} ago", length(left.saturating_neg())),
    }
}

fn length(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Waits for something else to happen, at most until then.
pub(crate) fn wait_until(moment: Timestamp) {
    loop {
        let left = moment.duration_since(now());
        if !left.is_positive() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(u64::try_from(left.as_millis() + 1).unwrap_or(1)));
    }
}

//! Moments, for people and for programs.

use std::time::{Duration, Instant, SystemTime};

/// A clock that cannot be set, for how long this process waits. (Decisions are made by the library, whose clock is injected.
/// Here it only ends a wait, which a wall clock that is set back would make endless.)
#[expect(clippy::disallowed_methods, reason = "a wait of the command line, which decides nothing")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// The time of day, for what is shown.
#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// RFC 3339 in UTC, in whole seconds; `None` after the year 9999.
pub(crate) fn rfc3339(moment: SystemTime) -> Option<String> {
    let rounded = moment.checked_add(Duration::from_millis(500))?;
    let is_in_calendar = rounded.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since < AFTER_9999);
    is_in_calendar.then(|| humantime::format_rfc3339_seconds(rounded).to_string())
}

/// The year 10000 begins so long after 1970.
const AFTER_9999: Duration = Duration::from_secs(253_402_300_800);

/// Seconds from now; negative for what is over.
pub(crate) fn seconds_until(moment: SystemTime) -> i64 {
    let whole = |length: Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    moment.duration_since(now()).map_or_else(|over| -whole(over.duration()), whole)
}

/// `2027-01-15T08:00:00Z (in 59 min)`.
pub(crate) fn for_people(moment: SystemTime) -> String {
    let Some(text) = rfc3339(moment) else { return "a moment after the year 9999".to_owned() };
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
pub(crate) fn wait_until(moment: SystemTime) {
    while let Ok(left) = moment.duration_since(now()) {
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left + Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_moments() {
        let at = |millis| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(1_800_000_000_499).as_deref(), Some("2027-01-15T08:00:00Z"));
        assert_eq!(at(1_800_000_000_500).as_deref(), Some("2027-01-15T08:00:01Z"));
        assert_eq!(at(253_402_300_799_000).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(at(253_402_300_799_500), None);
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}

//! Brute-force protection.

use super::time::Seconds;
use crate::config::BruteForce;

/// After this long without a failure the count begins anew.
const FORGIVEN_AFTER: Seconds = 12 * 3600;

/// One user's failures.
#[derive(Debug, Default)]
pub(super) struct Lockout {
    failures: u32,
    last_failure: Seconds,
    until: Seconds,
}

impl Lockout {
    pub(super) fn is_locked(&self, now: Seconds) -> bool {
        now < self.until
    }

    /// Counts a failure. Attempts during a lock are none.
    pub(super) fn failed(&mut self, rule: &BruteForce, now: Seconds) {
        let since = now.saturating_sub(self.last_failure);
        if since > FORGIVEN_AFTER {
            self.failures = 0;
        }
        let quick = self.failures > 0 && rule.quick_login_check.is_some_and(|least| since < least.as_secs().max(1));
        self.failures += 1;
        self.last_failure = now;
        let waits = (self.failures / rule.max_failures.max(1)).max(u32::from(quick));
        if waits > 0 {
            self.until = now + Seconds::from(waits) * rule.wait.as_secs();
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

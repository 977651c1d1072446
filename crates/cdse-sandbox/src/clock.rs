//! The service's clock, injected.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// The time of the service. [`Clock::default`] is the system's clock; a test passes the clock of the
/// program under test with [`Clock::new`], so that both move together. [`Sandbox::advance`](crate::Sandbox::advance)
/// adds an offset on top of either.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// A clock that shows the time of `now`.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others are given")]
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

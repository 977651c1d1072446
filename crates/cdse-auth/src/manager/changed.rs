//! How whoever polls a future of the manager waits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::core::Core;
use super::shared::Shared;
use crate::clock::{Alert, Millis};

/// Until something holds of what is shared.
pub(super) struct Changed<'a, F> {
    core: &'a Core,
    waiter: u64,
    done: F,
    limit: Option<Millis>,
    /// What the clock wakes at the limit.
    alert: Option<(Waker, Alert)>,
}

impl<'a, F> Changed<'a, F> {
    pub(super) fn new(core: &'a Core, done: F) -> Self {
        Self { core, waiter: core.shared().waiter(), done, limit: None, alert: None }
    }

    /// It looks again then, on the monotonic clock.
    pub(super) fn and_at(mut self, limit: Millis) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl<F: Fn(&Shared) -> bool + Unpin> Future for Changed<'_, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let core = self.core;
        let mut shared = core.shared();
        if (self.done)(&shared) {
            return Poll::Ready(());
        }
        shared.wake_me(self.waiter, context.waker());
        drop(shared);
        if let Some(limit) = self.limit
            && !self.alert.as_ref().is_some_and(|(known, _)| known.will_wake(context.waker()))
        {
            let waker = context.waker().clone();
            self.alert = Some((waker.clone(), core.clock.wake_at(&core.timer, limit, waker)));
        }
        Poll::Pending
    }
}

impl<F> Drop for Changed<'_, F> {
    fn drop(&mut self) {
        self.core.shared().wake_no_more(self.waiter);
    }
}
